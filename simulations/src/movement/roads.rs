//! A generated grid of roads, and the shortest ways over it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::Point;
use crate::random::Random;
use crate::scenario::{Radio, Roads};

/// Crossings and the roads between them. Every crossing can be reached from every other, by car too.
#[derive(Debug)]
pub(super) struct RoadMap {
    crossings: Vec<Point>,
    /// For each crossing, its neighbours, and whether cars may go there.
    roads: Vec<Vec<(u16, bool)>>,
    /// For a destination, the neighbour to go to from every crossing.
    ways: BTreeMap<(u16, bool), Vec<u16>>,
}

impl RoadMap {
    /// Draws a map.
    pub(super) fn new(roads: &Roads, radio: &Radio, random: &mut Random) -> Self {
        let crossings = crossings(roads, radio, random);
        let mut map = Self { roads: vec![Vec::new(); crossings.len()], crossings, ways: BTreeMap::new() };
        let mut possible = grid(roads);
        random.shuffle(&mut possible);
        // What joins two parts of the map is a road, and open to cars; of the rest, as many as the shares say.
        let mut parts = Parts::new(map.crossings.len());
        let (needed, spare): (Vec<_>, Vec<_>) =
            possible.iter().copied().partition(|(a, b)| parts.join(usize::from(*a), usize::from(*b)));
        let kept = share(possible.len(), 1.0 - roads.missing).saturating_sub(needed.len());
        let drivable = share(possible.len(), roads.drivable).saturating_sub(needed.len());
        let spare = spare.into_iter().take(kept).enumerate().map(|(index, road)| (road, index < drivable));
        for ((a, b), drives) in needed.into_iter().map(|road| (road, true)).chain(spare) {
            map.roads[usize::from(a)].push((b, drives));
            map.roads[usize::from(b)].push((a, drives));
        }
        map
    }

    /// Where a crossing is.
    pub(super) fn at(&self, crossing: u16) -> Point {
        self.crossings[usize::from(crossing)]
    }

    /// Any crossing.
    pub(super) fn any(&self, random: &mut Random) -> u16 {
        crossing(random.below(self.crossings.len()))
    }

    /// The crossing nearest to a point.
    pub(super) fn nearest(&self, point: Point) -> u16 {
        let nearest = (0..self.crossings.len()).min_by(|a, b| {
            let distance = |index: usize| self.crossings[index].distance_squared(point);
            distance(*a).total_cmp(&distance(*b))
        });
        crossing(nearest.unwrap_or(0))
    }

    /// The next crossing on the shortest way.
    pub(super) fn step(&mut self, from: u16, destination: u16, drives: bool) -> u16 {
        if !self.ways.contains_key(&(destination, drives)) {
            let way = self.way(destination, drives);
            self.ways.insert((destination, drives), way);
        }
        self.ways[&(destination, drives)][usize::from(from)]
    }

    /// All crossings on the shortest way by car, with both ends.
    pub(super) fn way_between(&mut self, from: u16, to: u16) -> Vec<u16> {
        let mut way = vec![from];
        let mut here = from;
        while here != to {
            here = self.step(here, to, true);
            way.push(here);
        }
        way
    }

    /// Dijkstra's algorithm from the destination backwards.
    fn way(&self, destination: u16, drives: bool) -> Vec<u16> {
        let mut next = vec![destination; self.crossings.len()];
        let mut distances = vec![u64::MAX; self.crossings.len()];
        let mut open = BinaryHeap::from([Reverse((0_u64, destination))]);
        distances[usize::from(destination)] = 0;
        while let Some(Reverse((distance, here))) = open.pop() {
            if distance > distances[usize::from(here)] {
                continue;
            }
            for (neighbour, _) in self.roads[usize::from(here)].iter().filter(|(_, open)| *open || !drives) {
                let through = distance + millimetres(self.at(here).distance(self.at(*neighbour)));
                if through < distances[usize::from(*neighbour)] {
                    distances[usize::from(*neighbour)] = through;
                    next[usize::from(*neighbour)] = here;
                    open.push(Reverse((through, *neighbour)));
                }
            }
        }
        next
    }

    #[cfg(test)]
    pub(super) fn are_joined(&self, a: u16, b: u16, drives: bool) -> bool {
        self.roads[usize::from(a)].iter().any(|(neighbour, open)| *neighbour == b && (*open || !drives))
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> (usize, usize) {
        (self.crossings.len(), self.roads.iter().map(Vec::len).sum::<usize>() / 2)
    }
}

fn crossings(roads: &Roads, radio: &Radio, random: &mut Random) -> Vec<Point> {
    let (width, height) = (radio.width_m / roads.columns as f64, radio.height_m / roads.rows as f64);
    let mut crossings = Vec::with_capacity(roads.columns * roads.rows);
    for row in 0..roads.rows {
        for column in 0..roads.columns {
            let mut off = || 0.5 + random.between([-0.5, 0.5]) * roads.jitter;
            crossings.push(Point { x: (column as f64 + off()) * width, y: (row as f64 + off()) * height });
        }
    }
    crossings
}

/// Roads between crossings that are neighbours in the grid.
fn grid(roads: &Roads) -> Vec<(u16, u16)> {
    let mut possible = Vec::new();
    for row in 0..roads.rows {
        for column in 0..roads.columns {
            let here = row * roads.columns + column;
            if column + 1 < roads.columns {
                possible.push((crossing(here), crossing(here + 1)));
            }
            if row + 1 < roads.rows {
                possible.push((crossing(here), crossing(here + roads.columns)));
            }
        }
    }
    possible
}

/// Which crossings can be reached from each other.
struct Parts(Vec<usize>);

impl Parts {
    fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    /// Joins the parts of two crossings; false if they were one.
    fn join(&mut self, a: usize, b: usize) -> bool {
        let (a, b) = (self.part(a), self.part(b));
        self.0[a] = b;
        a != b
    }

    fn part(&mut self, mut at: usize) -> usize {
        while self.0[at] != at {
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at
    }
}

fn crossing(index: usize) -> u16 {
    u16::try_from(index).expect("a scenario has fewer crossings")
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a count")]
fn share(count: usize, share: f64) -> usize {
    (count as f64 * share).round() as usize
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a length on the plane")]
fn millimetres(metres: f64) -> u64 {
    (metres * 1e3).round() as u64
}
