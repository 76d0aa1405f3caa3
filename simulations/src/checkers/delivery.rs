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
        self.is_time_doubtful |= matches!(observation, Observation::Restarted { .. });
        let Observation::Delivered { node, message } = *observation else { return };
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
}
