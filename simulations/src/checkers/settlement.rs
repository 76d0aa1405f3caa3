//! What is settled has arrived, and does not stay or come back where this is known.

use std::collections::BTreeMap;

use super::{Facts, Violations};
use crate::bits::{Bits, of};
use crate::observation::{Cause, Observation};
use crate::time::Time;

/// The checker.
#[derive(Debug, Default)]
pub(super) struct Settlement {
    /// By message, who has it.
    delivered: BTreeMap<u32, u32>,
    /// By node, what it knows to be settled.
    known: Vec<Bits>,
    /// By node, what of it the node has come to know since it last promised anything: only a promise makes it durable.
    fresh: BTreeMap<u32, Vec<u32>>,
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
                if of(&mut self.known, node).insert(message) {
                    self.fresh.entry(node).or_default().push(message);
                }
                self.must_have_arrived(facts, at, message, violations);
            }
            Observation::Removed { message, cause: Cause::Settled, .. } => {
                self.must_have_arrived(facts, at, message, violations);
            }
            Observation::Stored { node, message, .. } if of(&mut self.known, node).contains(message) => {
                violations.add(at, || format!("settled message {message} came back to node {node}"));
            }
            // It may have forgotten that it knew, and comes to know it again.
            Observation::Restarted { node, has_lost: true, .. } => {
                for message in self.fresh.remove(&node).unwrap_or_default() {
                    of(&mut self.known, node).remove(message);
                }
            }
            Observation::Promised { holder, .. } => {
                self.fresh.remove(&holder);
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
