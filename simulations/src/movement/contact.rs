//! Contacts, and whether a list of them makes sense.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::scenario::Scenario;
use crate::time::{Time, seconds};

/// Two nodes come into reach of each other, or get out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contact {
    /// When.
    pub at: Time,
    /// The node of the smaller number.
    pub a: u32,
    /// The other.
    pub b: u32,
    /// Which of the two.
    pub change: Change,
}

/// What a contact event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A link of this class begins: an index into the scenario's links.
    Up(u8),
    /// It ends.
    Down,
}

/// Why contacts cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContactError {
    /// The trace cannot be read.
    #[error("cannot read the trace {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line of the trace is not one of its format.
    #[error("line {line} of the trace is not understood: {text}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// The line.
        text: String,
    },
    /// A contact names a node that the scenario does not have.
    #[error("the contact at {at_s} s names node {node}, but there are {nodes}")]
    UnknownNode {
        /// When.
        at_s: f64,
        /// The node.
        node: u32,
        /// How many there are.
        nodes: usize,
    },
    /// A contact is earlier than the one before it.
    #[error("the contact at {at_s} s comes after a later one")]
    OutOfOrder {
        /// When.
        at_s: f64,
    },
    /// A contact begins that has begun, ends that has not, or is one of a node with itself.
    #[error("the contact of {a} and {b} at {at_s} s begins twice, ends twice or joins a node to itself")]
    Contradiction {
        /// When.
        at_s: f64,
        /// The one node.
        a: u32,
        /// The other.
        b: u32,
    },
}

/// How long a contact lasted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// The node of the smaller number.
    pub a: u32,
    /// The other.
    pub b: u32,
    /// The class of the link.
    pub class: u8,
    /// When it began.
    pub up: Time,
    /// When it ended; the end of the run if it lasted to it.
    pub down: Time,
}

/// Refuses lists that are out of order, name nodes that are not there, or contradict themselves.
pub(super) fn check(contacts: &[Contact], scenario: &Scenario) -> Result<(), ContactError> {
    let nodes = scenario.node_count();
    let mut open = std::collections::BTreeSet::new();
    let mut last = Time::ZERO;
    for contact in contacts {
        let Contact { at, a, b, change } = *contact;
        let at_s = at.as_secs_f64();
        if let Some(node) = [a, b].into_iter().find(|node| *node as usize >= nodes) {
            return Err(ContactError::UnknownNode { at_s, node, nodes });
        }
        if at < last {
            return Err(ContactError::OutOfOrder { at_s });
        }
        last = at;
        let is_news = match change {
            Change::Up(_) => open.insert((a, b)),
            Change::Down => open.remove(&(a, b)),
        };
        if a >= b || !is_news {
            return Err(ContactError::Contradiction { at_s, a, b });
        }
    }
    Ok(())
}

/// The contacts as intervals, by when they began. What is still open ends with the run.
pub fn intervals(contacts: &[Contact], scenario: &Scenario) -> Vec<Interval> {
    let end = Time::ZERO + seconds(scenario.duration_s);
    let mut open = BTreeMap::new();
    let mut intervals: Vec<Interval> = Vec::new();
    for contact in contacts {
        let Contact { at, a, b, change } = *contact;
        match change {
            Change::Up(class) => {
                open.insert((a, b), intervals.len());
                intervals.push(Interval { a, b, class, up: at, down: end });
            }
            Change::Down => {
                if let Some(index) = open.remove(&(a, b)) {
                    intervals[index].down = at;
                }
            }
        }
    }
    intervals
}
