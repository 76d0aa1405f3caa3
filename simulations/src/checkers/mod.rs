//! What must hold in every run, judged from outside.
//!
//! Checkers know the scenario and what was observed, and nothing of the protocol: they hold for every router, each as
//! far as the router claims what it checks.

mod bounds;
mod delivery;
mod durability;
mod flood;
mod headers;
mod settlement;
#[cfg(test)]
mod tests;

use self::bounds::Bounds;
use self::delivery::Delivery;
use self::durability::Durability;
use self::flood::FloodChecker;
pub use self::flood::FloodFigures;
use self::headers::Headers;
use self::settlement::Settlement;
use crate::observation::Observation;
use crate::scenario::Node;
use crate::time::Time;
use crate::traffic::Message;

/// What checkers know beside what they observe.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The nodes of the run.
    pub nodes: &'a [Node],
    /// Its messages.
    pub messages: &'a [Message],
    /// The first of the nodes that flood the network, and the one after the last.
    pub hostile: &'a std::ops::Range<u32>,
    /// What such a node may take of a store for being a contact, bytes; 0 if it is a stranger.
    pub hostile_share_bytes: u64,
}

impl Facts<'_> {
    /// A message of the scenario; none if the number is one of a flood.
    pub(crate) fn message(&self, message: u32) -> Option<&Message> {
        self.messages.get(message as usize)
    }
}

/// All checkers.
#[derive(Debug, Default)]
pub struct Checkers {
    delivery: Delivery,
    bounds: Bounds,
    durability: Durability,
    settlement: Settlement,
    headers: Headers,
    flood: FloodChecker,
    violations: Violations,
}

/// What was found, the first of it in words.
#[derive(Debug, Default)]
pub struct Violations {
    count: u64,
    first: Vec<String>,
}

/// How many violations are kept in words.
const KEPT_MAX: usize = 20;

impl Checkers {
    /// Judges an observation.
    pub fn observe(&mut self, facts: Facts<'_>, at: Time, observation: &Observation<'_>) {
        let violations = &mut self.violations;
        self.delivery.observe(facts, at, observation, violations);
        self.bounds.observe(facts, at, observation, violations);
        self.durability.observe(facts, at, observation, violations);
        self.settlement.observe(facts, at, observation, violations);
        self.headers.observe(at, observation, violations);
        self.flood.observe(facts, at, observation, violations);
    }

    /// What came of a flood.
    pub fn flood(&self) -> FloodFigures {
        self.flood.figures()
    }

    /// Everything that was found.
    pub fn violations(&self) -> &Violations {
        &self.violations
    }
}

impl Violations {
    /// Adds one.
    pub(crate) fn add(&mut self, at: Time, what: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < KEPT_MAX {
            self.first.push(format!("{:.6} s: {}", at.as_secs_f64(), what()));
        }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The first of them, in words.
    pub fn first(&self) -> &[String] {
        &self.first
    }
}
