//! How nodes meet: movement over a plane, links of a graph, or a recorded trace.
//!
//! Whatever the model, the rest of the simulator sees a stream of contacts and no positions. Contacts depend on the
//! scenario and the seed alone, so that every router meets the same ones.

mod community;
pub mod contact;
mod crowd;
mod graph;
mod land;
mod line;
mod place;
mod radio;
mod roads;
#[cfg(test)]
mod tests;
pub mod trace;
mod wander;

pub use self::contact::{Change, Contact, ContactError};
use crate::random::Random;
use crate::scenario::{ContactModel, Scenario};

/// All contacts of a run, in order.
pub fn contacts(scenario: &Scenario, seed: u64) -> Result<Vec<Contact>, ContactError> {
    let contacts = match &scenario.contacts {
        ContactModel::Radio(model) => radio::contacts(scenario, model, seed),
        ContactModel::Graph(model) => graph::contacts(scenario, model, seed),
        ContactModel::Trace(model) => trace::contacts(scenario, model)?,
    };
    contact::check(&contacts, scenario)?;
    Ok(contacts)
}

/// A point of the plane, in metres.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

impl Point {
    pub(crate) fn distance(self, other: Self) -> f64 {
        self.distance_squared(other).sqrt()
    }

    fn distance_squared(self, other: Self) -> f64 {
        let (x, y) = (self.x - other.x, self.y - other.y);
        x * x + y * y
    }

    /// The point this far on the way to another: 0 is here, 1 is there.
    fn towards(self, other: Self, part: f64) -> Self {
        Self { x: self.x + (other.x - self.x) * part, y: self.y + (other.y - self.y) * part }
    }

    /// Evenly within a circle round this point.
    fn within(self, radius: f64, random: &mut Random) -> Self {
        loop {
            let (x, y) = (random.between([-1.0, 1.0]), random.between([-1.0, 1.0]));
            if x * x + y * y <= 1.0 {
                return Self { x: self.x + x * radius, y: self.y + y * radius };
            }
        }
    }
}
