//! People who sleep at home, work at one place, and meet others at a few places some evenings.
//!
//! Day 0 starts at midnight. Five days of seven are working days. Within a place people stay at one spot for some
//! minutes and then move to another.

use super::Point;
use super::crowd::{Leg, Mover};
use super::land::Land;
use crate::random::Random;
use crate::time::{Time, seconds};

const HOUR_S: f64 = 3600.0;
const DAY_S: f64 = 24.0 * HOUR_S;
/// When people leave home in the morning, work in the afternoon, and the company of others at night.
const TO_WORK_H: [f64; 2] = [6.5, 9.0];
const FROM_WORK_H: [f64; 2] = [15.5, 18.5];
const FROM_EVENING_H: [f64; 2] = [20.5, 23.5];
/// How long people stay at one spot of a place.
const AT_SPOT_S: [f64; 2] = [300.0, 2400.0];
/// How fast they walk inside of it.
const INSIDE_M_PER_S: f64 = 0.7;
/// How many places for the evening a person knows.
const FAVOURITES: usize = 3;

/// A person.
#[derive(Debug)]
pub(super) struct Person {
    home: Point,
    work: Point,
    favourites: Vec<Point>,
    radius_m: f64,
    speed: [f64; 2],
    evening_out: f64,
    here: Point,
    leaves: Time,
    stage: Stage,
    day: u32,
    has_stayed: bool,
}

/// What a person does next when the time has come to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Work,
    Evening,
    Home,
}

impl Person {
    /// The person of this number in its group; numbers share homes in turn.
    pub(super) fn new(
        land: &Land,
        number: usize,
        speed: [f64; 2],
        evening_out: f64,
        random: &mut Random,
    ) -> Self {
        let places = &land.places;
        let home = places.homes[number % places.homes.len()];
        let work = random.choose(&places.works).copied().unwrap_or(home);
        let favourites = (0..FAVOURITES).filter_map(|_| random.choose(&places.evenings).copied()).collect();
        let leaves = Time::from_secs_f64(random.between(TO_WORK_H) * HOUR_S);
        Self {
            home,
            work,
            favourites,
            radius_m: places.radius_m,
            speed,
            evening_out,
            here: home,
            leaves,
            stage: Stage::Work,
            day: 0,
            has_stayed: false,
        }
    }

    /// Where to go now, and until when.
    fn leave(&mut self, random: &mut Random) {
        match self.stage {
            Stage::Work => {
                self.here = if self.day % 7 < 5 { self.work } else { self.home };
                self.leaves = self.moment(FROM_WORK_H, random);
                self.stage = if random.chance(self.evening_out) { Stage::Evening } else { Stage::Home };
            }
            Stage::Evening => {
                self.here = random.choose(&self.favourites).copied().unwrap_or(self.home);
                self.leaves = self.moment(FROM_EVENING_H, random);
                self.stage = Stage::Home;
            }
            Stage::Home => {
                self.day += 1;
                self.here = self.home;
                self.leaves = self.moment(TO_WORK_H, random);
                self.stage = Stage::Work;
            }
        }
    }

    fn moment(&self, hours: [f64; 2], random: &mut Random) -> Time {
        Time::from_secs_f64(f64::from(self.day) * DAY_S + random.between(hours) * HOUR_S)
    }
}

impl Mover for Person {
    fn start(&mut self, _land: &mut Land, random: &mut Random) -> Point {
        self.home.within(self.radius_m, random)
    }

    fn next(&mut self, _land: &mut Land, from: Point, now: Time, random: &mut Random) -> Leg {
        if now >= self.leaves {
            self.leave(random);
            self.has_stayed = false;
            let to = self.here.within(self.radius_m, random);
            return Leg::walk(from, to, now, random.between(self.speed));
        }
        self.has_stayed = !self.has_stayed;
        if self.has_stayed {
            return Leg::pause(from, (now + seconds(random.between(AT_SPOT_S))).min(self.leaves));
        }
        Leg::walk(from, self.here.within(self.radius_m, random), now, INSIDE_M_PER_S)
    }
}
