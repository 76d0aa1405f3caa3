//! Vehicles on lines with stops.

use super::Point;
use super::crowd::{Leg, Mover};
use super::land::Land;
use crate::random::Random;
use crate::time::{Time, seconds};

/// A line: the crossings it passes, and at which of them it stops.
#[derive(Debug, Clone)]
pub(super) struct Line {
    way: Vec<(Point, bool)>,
    is_round: bool,
}

impl Line {
    /// Draws a line across the land: from west to east, or from north to south where `number` is odd; a round one
    /// comes back by another way.
    pub(super) fn new(
        land: &mut Land,
        number: usize,
        stops: usize,
        is_round: bool,
        random: &mut Random,
    ) -> Self {
        let (width, height) = (land.width_m, land.height_m);
        let along = [random.between([0.02, 0.12]), random.between([0.88, 0.98])];
        let across = [random.between([0.1, 0.9]), random.between([0.1, 0.9])];
        let aside = if across[0] + across[1] < 1.0 { 0.95 } else { 0.05 };
        let point = |along: f64, across: f64| {
            let (x, y) = if number.is_multiple_of(2) { (along, across) } else { (across, along) };
            Point { x: x * width, y: y * height }
        };
        let mut through = vec![point(along[0], across[0]), point(along[1], across[1])];
        if is_round {
            through.extend([point(0.5, aside), through[0]]);
        }
        let roads = land.roads();
        let through: Vec<u16> = through.into_iter().map(|point| roads.nearest(point)).collect();
        let mut way = vec![through[0]];
        for pair in through.windows(2) {
            way.extend(roads.way_between(pair[0], pair[1]).into_iter().skip(1));
        }
        if is_round {
            way.pop();
        }
        let points = way.iter().map(|crossing| roads.at(*crossing)).collect::<Vec<_>>();
        Self { way: with_stops(&points, stops), is_round }
    }

    /// Where it stops.
    pub(super) fn stop_points(&self) -> impl Iterator<Item = Point> {
        self.way.iter().filter(|(_, stops)| *stops).map(|(point, _)| *point)
    }
}

/// Marks so many crossings, evenly along the way, the first and the last among them.
fn with_stops(points: &[Point], stops: usize) -> Vec<(Point, bool)> {
    let (gaps, last) = (stops.max(2) - 1, points.len().saturating_sub(1));
    let marked: Vec<usize> = (0..=gaps).map(|stop| (stop * last + gaps / 2) / gaps).collect();
    points.iter().enumerate().map(|(index, point)| (*point, marked.contains(&index))).collect()
}

/// A vehicle.
#[derive(Debug)]
pub(super) struct Vehicle {
    line: Line,
    speed: [f64; 2],
    pause: [f64; 2],
    at: usize,
    is_backwards: bool,
    has_halted: bool,
    /// The speed until the next halt.
    pace: f64,
}

impl Vehicle {
    /// A vehicle somewhere on its line.
    pub(super) fn new(line: Line, speed: [f64; 2], pause: [f64; 2], random: &mut Random) -> Self {
        let at = random.below(line.way.len());
        let is_backwards = !line.is_round && random.chance(0.5);
        Self { pace: speed[0], line, speed, pause, at, is_backwards, has_halted: false }
    }

    fn advance(&mut self) {
        let last = self.line.way.len() - 1;
        if self.line.is_round {
            self.at = if self.at == last { 0 } else { self.at + 1 };
            return;
        }
        if self.at == 0 {
            self.is_backwards = false;
        } else if self.at == last {
            self.is_backwards = true;
        }
        self.at = if self.is_backwards { self.at.saturating_sub(1) } else { (self.at + 1).min(last) };
    }
}

impl Mover for Vehicle {
    fn start(&mut self, _land: &mut Land, _random: &mut Random) -> Point {
        self.line.way[self.at].0
    }

    fn next(&mut self, _land: &mut Land, from: Point, now: Time, random: &mut Random) -> Leg {
        if self.line.way[self.at].1 && !self.has_halted {
            self.has_halted = true;
            self.pace = random.between(self.speed);
            return Leg::pause(from, now + seconds(random.between(self.pause).max(0.001)));
        }
        self.has_halted = false;
        self.advance();
        Leg::walk(from, self.line.way[self.at].0, now, self.pace)
    }
}
