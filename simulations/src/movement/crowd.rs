//! Everybody on the plane, and where they are.

use super::Point;
use super::community::Person;
use super::land::Land;
use super::line::Vehicle;
use super::wander::{OnRoads, Still, Waypoint};
use crate::random::Random;
use crate::scenario::{Movement, Radio, Scenario};
use crate::time::{Time, seconds};

/// Decides where one node goes.
pub(super) trait Mover: std::fmt::Debug {
    /// Where it is first.
    fn start(&mut self, land: &mut Land, random: &mut Random) -> Point;

    /// What it does next.
    fn next(&mut self, land: &mut Land, from: Point, now: Time, random: &mut Random) -> Leg;
}

/// A straight way at one speed, or a pause.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leg {
    to: Point,
    arrives: Time,
}

impl Leg {
    /// Stays until then.
    pub(super) fn pause(here: Point, until: Time) -> Self {
        Self { to: here, arrives: until }
    }

    /// Goes there at a speed in metres a second.
    pub(super) fn walk(from: Point, to: Point, now: Time, speed: f64) -> Self {
        Self { to, arrives: now + seconds(from.distance(to) / speed) }
    }
}

/// All nodes.
#[derive(Debug)]
pub(super) struct Crowd {
    land: Land,
    walkers: Vec<Walker>,
}

#[derive(Debug)]
struct Walker {
    mover: Box<dyn Mover>,
    random: Random,
    from: Point,
    leg: Leg,
    departs: Time,
    at: Point,
}

impl Crowd {
    /// Everybody where they start.
    pub(super) fn new(scenario: &Scenario, radio: &Radio, seed: u64) -> Self {
        let mut land = Land::new(scenario, radio, seed);
        let mut walkers = Vec::new();
        for (index, group) in scenario.groups.iter().enumerate() {
            for number in 0..group.count {
                let mut random = Random::new(seed, "movement", walkers.len() as u64);
                let mut mover = mover(&mut land, index, number, &group.movement, &mut random);
                let at = mover.start(&mut land, &mut random);
                let leg = Leg::pause(at, Time::ZERO);
                walkers.push(Walker { mover, random, from: at, leg, departs: Time::ZERO, at });
            }
        }
        Self { land, walkers }
    }

    /// Where a node is.
    pub(super) fn at(&self, node: usize) -> Point {
        self.walkers[node].at
    }

    /// Moves everybody to where they are now, and calls `moved` for each that is not where it was.
    pub(super) fn advance(&mut self, now: Time, mut moved: impl FnMut(usize, Point)) {
        for (node, walker) in self.walkers.iter_mut().enumerate() {
            let before = walker.at;
            while walker.leg.arrives <= now {
                walker.from = walker.leg.to;
                walker.departs = walker.leg.arrives;
                let Walker { mover, random, from, departs, .. } = walker;
                walker.leg = mover.next(&mut self.land, *from, *departs, random);
            }
            walker.at = walker.position(now);
            if walker.at != before {
                moved(node, walker.at);
            }
        }
    }
}

impl Walker {
    fn position(&self, now: Time) -> Point {
        if self.leg.to == self.from {
            return self.from;
        }
        let (gone, whole) = (now.since(self.departs), self.leg.arrives.since(self.departs));
        self.from.towards(self.leg.to, gone.as_secs_f64() / whole.as_secs_f64())
    }
}

fn mover(
    land: &mut Land,
    group: usize,
    number: usize,
    movement: &Movement,
    random: &mut Random,
) -> Box<dyn Mover> {
    match *movement {
        Movement::Still { at } => Box::new(Still(land.spot(at, number, random))),
        Movement::Waypoint { speed, pause } => {
            Box::new(Waypoint { speed, pause, has_paused: random.chance(0.5) })
        }
        Movement::Roads { speed, pause, drives } => {
            Box::new(OnRoads { speed, pause, drives, at: 0, destination: 0, pace: speed[0] })
        }
        Movement::Line { speed, pause, .. } => {
            let lines = &land.lines[group];
            let line = lines[number % lines.len()].clone();
            Box::new(Vehicle::new(line, speed, pause, random))
        }
        Movement::Community { speed, evening_out } => {
            Box::new(Person::new(land, number, speed, evening_out, random))
        }
        Movement::Router {} | Movement::Attached { .. } | Movement::Recorded {} => {
            Box::new(Still(land.anywhere(random)))
        }
    }
}
