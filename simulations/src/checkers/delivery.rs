//! A message is delivered once to each recipient, to nobody else, and not after its lifetime.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Facts, Violations};
use crate::observation::Observation;
use crate::time::Time;

/// Holders round lifetimes to seconds at each hop, in favour of the message.
const LATE_AT_MOST: Duration = Duration::from_secs(60);

/// The checker.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    delivered: BTreeSet<(u32, u32)>,
    /// By node and message, what the node forgot and must still hold when it is up again.
    forgotten: BTreeSet<(u32, u32)>,
    /// Somebody has crashed: what its clock charged travels with the messages.
    is_time_doubtful: bool,
}

impl Delivery {
    pub(super) fn observe(
        &mut self,
        facts: Facts<'_>,
        at: Time,
        observation: &Observation<'_>,
        violations: &mut Violations,
    ) {
        match *observation {
            Observation::Delivered { node, message } => {
                self.delivered(facts, at, (node, message), violations);
            }
            Observation::Forgotten { node, message } => {
                self.forgotten.insert((node, message));
                if !self.delivered.remove(&(message, node)) {
                    violations.add(at, || format!("node {node} forgot message {message}, which it had not"));
                }
            }
            Observation::Restarted { node, holds, .. } => {
                self.is_time_doubtful = true;
                self.must_hold_forgotten(at, node, holds, violations);
            }
            _ => {}
        }
    }

    fn delivered(
        &mut self,
        facts: Facts<'_>,
        at: Time,
        (node, message): (u32, u32),
        violations: &mut Violations,
    ) {
        if !self.delivered.insert((message, node)) {
            violations.add(at, || format!("message {message} was delivered twice to node {node}"));
        }
        let Some(written) = facts.message(message) else {
            violations.add(at, || format!("what nobody wrote ({message}) was delivered to node {node}"));
            return;
        };
        if !written.is_for(node) {
            violations.add(at, || format!("message {message} is not for node {node}"));
        }
        let is_late = at > written.expires() + LATE_AT_MOST && !self.is_time_doubtful;
        if at < written.created || is_late {
            violations.add(at, || format!("message {message} was delivered outside its lifetime"));
        }
    }

    /// What a node forgot it has still to deliver.
    fn must_hold_forgotten(&mut self, at: Time, node: u32, holds: &[u32], violations: &mut Violations) {
        let forgotten: Vec<_> = self.forgotten.range((node, 0)..=(node, u32::MAX)).copied().collect();
        for (node, message) in forgotten {
            self.forgotten.remove(&(node, message));
            if holds.binary_search(&message).is_err() {
                violations.add(at, || format!("node {node} forgot message {message} and does not hold it"));
            }
        }
    }
}
