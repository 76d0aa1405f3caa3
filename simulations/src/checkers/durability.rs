//! What a node has answered to be durable is there after a crash, and leaves only for a reason that holds.

use std::time::Duration;

use super::{Facts, Violations};
use crate::bits::{Bits, of};
use crate::observation::{Cause, Observation};
use crate::time::Time;

/// How much sooner than its lifetime a message may expire: holders charge whole seconds, and six hours after a reboot
/// with a clock that cannot be trusted.
const EARLY_AT_MOST: Duration = Duration::from_secs(60);

/// The checker.
#[derive(Debug, Default)]
pub(super) struct Durability {
    /// By holder, what was promised and has not left since.
    promised: Vec<Bits>,
    /// Somebody has crashed: what its clock charged travels with the messages.
    is_time_doubtful: bool,
}

impl Durability {
    pub(super) fn observe(
        &mut self,
        facts: Facts<'_>,
        at: Time,
        observation: &Observation<'_>,
        violations: &mut Violations,
    ) {
        match *observation {
            Observation::Promised { holder, message } => {
                of(&mut self.promised, holder).insert(message);
            }
            Observation::Removed { node, message, cause, .. } => {
                let was_promised = of(&mut self.promised, node).remove(message);
                self.left(facts, at, (node, message), (cause, was_promised), violations);
            }
            Observation::Broken { node, reason } => {
                violations.add(at, || format!("node {node} cannot come up again: {reason}"));
            }
            Observation::Restarted { node, holds, .. } => {
                self.is_time_doubtful = true;
                let promised = of(&mut self.promised, node).without(&[]);
                for message in promised.filter(|message| holds.binary_search(message).is_err()) {
                    violations.add(at, || format!("node {node} promised to keep {message} and lost it"));
                }
            }
            _ => {}
        }
    }

    fn left(
        &self,
        facts: Facts<'_>,
        at: Time,
        (node, message): (u32, u32),
        (cause, was_promised): (Cause, bool),
        violations: &mut Violations,
    ) {
        if cause == Cause::Lost && was_promised {
            violations.add(at, || format!("node {node} promised to keep {message} and lost it"));
        }
        let Some(written) = facts.message(message) else { return };
        let is_early = at + EARLY_AT_MOST < written.expires() && !self.is_time_doubtful;
        if cause == Cause::Expired && is_early {
            violations.add(at, || format!("message {message} expired at node {node} before its time"));
        }
    }
}
