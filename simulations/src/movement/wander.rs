//! Those who stand still, and those who go to random points.

use super::Point;
use super::crowd::{Leg, Mover};
use super::land::Land;
use crate::random::Random;
use crate::time::{Time, seconds};

/// Stays.
#[derive(Debug)]
pub(super) struct Still(pub(super) Point);

impl Mover for Still {
    fn start(&mut self, _land: &mut Land, _random: &mut Random) -> Point {
        self.0
    }

    fn next(&mut self, _land: &mut Land, from: Point, _now: Time, _random: &mut Random) -> Leg {
        Leg::pause(from, Time::from_micros(u64::MAX))
    }
}

/// Goes straight to random points: the random waypoint model.
#[derive(Debug)]
pub(super) struct Waypoint {
    pub(super) speed: [f64; 2],
    pub(super) pause: [f64; 2],
    pub(super) has_paused: bool,
}

impl Mover for Waypoint {
    fn start(&mut self, land: &mut Land, random: &mut Random) -> Point {
        land.anywhere(random)
    }

    fn next(&mut self, land: &mut Land, from: Point, now: Time, random: &mut Random) -> Leg {
        self.has_paused = !self.has_paused;
        if self.has_paused {
            return Leg::pause(from, now + seconds(random.between(self.pause)));
        }
        let to = land.anywhere(random);
        Leg::walk(from, to, now, random.between(self.speed))
    }
}

/// Goes by the shortest way along roads to random crossings.
#[derive(Debug)]
pub(super) struct OnRoads {
    pub(super) speed: [f64; 2],
    pub(super) pause: [f64; 2],
    pub(super) drives: bool,
    pub(super) at: u16,
    pub(super) destination: u16,
    /// The speed until the destination.
    pub(super) pace: f64,
}

impl Mover for OnRoads {
    fn start(&mut self, land: &mut Land, random: &mut Random) -> Point {
        self.at = land.roads().any(random);
        self.destination = self.at;
        land.roads().at(self.at)
    }

    fn next(&mut self, land: &mut Land, from: Point, now: Time, random: &mut Random) -> Leg {
        let roads = land.roads();
        if self.at == self.destination {
            self.destination = roads.any(random);
            self.pace = random.between(self.speed);
            return Leg::pause(from, now + seconds(random.between(self.pause).max(0.001)));
        }
        self.at = roads.step(self.at, self.destination, self.drives);
        Leg::walk(from, roads.at(self.at), now, self.pace)
    }
}
