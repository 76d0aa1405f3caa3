//! What is settled has arrived, and does not stay or come back where this is known.

use std::collections::{BTreeMap, BTreeSet};

use super::{Facts, Violations};
use crate::observation::{Cause, Observation};
use crate::time::Time;

/// The checker.
#[derive(Debug, Default)]
pub(super) struct Settlement {
    /// By message, who has it.
    delivered: BTreeMap<u32, u32>,
    /// By node and message, what the node knows to be settled.
    known: BTreeSet<(u32, u32)>,
}

impl Settlement {
    pub(super) fn observe(
        &mut self,
        facts: Facts<'_>,
        at: Time,
        observation: &Observation<'_>,
        violations: &mut Violations,
    ) {
        match *observation {
            Observation::Delivered { message, .. } => *self.delivered.entry(message).or_default() += 1,
            Observation::Settled { node, message } => {
                self.known.insert((node, message));
                self.must_have_arrived(facts, at, message, violations);
            }
            Observation::Removed { message, cause: Cause::Settled, .. } => {
                self.must_have_arrived(facts, at, message, violations);
            }
            Observation::Stored { node, message, .. } if self.known.contains(&(node, message)) => {
                violations.add(at, || format!("settled message {message} came back to node {node}"));
            }
            _ => {}
        }
    }

    /// A message that not every recipient has must not disappear as settled.
    fn must_have_arrived(&self, facts: Facts<'_>, at: Time, message: u32, violations: &mut Violations) {
        let wanted = facts.message(message).map_or(usize::MAX, |written| written.recipients.len());
        let delivered = self.delivered.get(&message).copied().unwrap_or(0);
        if (delivered as usize) < wanted {
            violations.add(at, || {
                format!("message {message} was settled after {delivered} of {wanted} deliveries")
            });
        }
    }
}
