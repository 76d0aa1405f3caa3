//! What nobody wrote takes its share of links and stores and no more.
//!
//! A bundle is part of a flood if its number is that of no message. What a hostile node sends over its own links cannot
//! be helped; what honest nodes keep of it and hand on can. On no link between honest nodes may it take more than half
//! of what the link could carry while it was up, in no store more than the quarter that is for strangers, or than the
//! share of a contact if the hostile node is one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Facts, Violations};
use crate::observation::{Cause, Observation};
use crate::time::Time;

/// The most of a store, and of a link between honest nodes.
const STORE_SHARE_MAX: f64 = 0.25;
const LINK_SHARE_MAX: f64 = 0.5;
/// A link counts as contended in a minute in which it carried what somebody wrote.
const CONTENDED_S: f64 = 60.0;

/// The figures of a flood.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FloodFigures {
    /// Bundles of the flood that crossed a link from a hostile node.
    pub sent: u64,
    /// How often an honest node stored one.
    pub stored: u64,
    /// Bundles of the flood that honest nodes handed on.
    pub handed_on: u64,
    /// The greatest part of an honest node's store that it took at any time.
    pub store_share_max: f64,
    /// The greatest part that it took of what a way between honest nodes could carry while it was up.
    pub link_share_max: f64,
    /// Its part of the bodies that crossed ways between honest nodes in minutes in which honest ones did too.
    pub contended_share: f64,
    /// Bundles of honest nodes that were dropped for want of room.
    pub honest_evicted: u64,
}

/// The checker.
#[derive(Debug, Default)]
pub(super) struct FloodChecker {
    figures: FloodFigures,
    /// By node, bytes held of it.
    held: BTreeMap<u32, u64>,
    /// By way, bytes of it since the link is up.
    crossed: BTreeMap<(u32, u32), u64>,
    /// By way, the minute and what crossed in it: of the flood, and of what somebody wrote.
    minutes: BTreeMap<(u32, u32), (u64, [u64; 2])>,
    /// Bytes that crossed in contended minutes, alike.
    contended: [u64; 2],
}

impl FloodChecker {
    pub(super) fn observe(
        &mut self,
        facts: Facts<'_>,
        at: Time,
        observation: &Observation<'_>,
        violations: &mut Violations,
    ) {
        if let Observation::Removed { message, cause: Cause::Evicted, .. } = *observation
            && facts.message(message).is_some()
        {
            self.figures.honest_evicted += 1;
        }
        if facts.hostile.is_empty() {
            return;
        }
        let is_flood = |message: u32| facts.message(message).is_none();
        match *observation {
            Observation::Transferred { from, to, message, bytes } => {
                self.crossed(facts, at, (from, to), (is_flood(message), bytes));
            }
            Observation::Stored { node, message, bytes } if is_flood(message) => {
                self.stored(facts, at, (node, bytes), violations);
            }
            Observation::Removed { node, message, bytes, .. } if is_flood(message) => {
                let held = self.held.entry(node).or_default();
                *held = held.saturating_sub(bytes);
            }
            Observation::LinkEnded { from, to, capacity_bytes } => {
                let crossed = self.crossed.remove(&(from, to)).unwrap_or(0);
                let share = crossed as f64 / capacity_bytes.max(1) as f64;
                self.figures.link_share_max = self.figures.link_share_max.max(share);
                if share > LINK_SHARE_MAX {
                    let percent = share * 100.0;
                    violations
                        .add(at, || format!("the flood took {percent:.0} % of the link {from} to {to}"));
                }
            }
            _ => {}
        }
    }

    /// What was found. Minutes that have not ended count.
    pub(super) fn figures(&self) -> FloodFigures {
        let [flood, honest] =
            self.minutes.values().fold(self.contended, |sum, (_, bytes)| added(sum, *bytes));
        let contended_share = crate::report::share(flood, flood + honest);
        FloodFigures { contended_share, ..self.figures.clone() }
    }

    fn crossed(&mut self, facts: Facts<'_>, at: Time, way: (u32, u32), (is_flood, bytes): (bool, u64)) {
        if facts.hostile.contains(&way.0) {
            self.figures.sent += u64::from(is_flood);
            return;
        }
        if is_flood {
            self.figures.handed_on += 1;
            *self.crossed.entry(way).or_default() += bytes;
        }
        let minute = at.as_micros() / Time::from_secs_f64(CONTENDED_S).as_micros();
        let entry = self.minutes.entry(way).or_insert((minute, [0; 2]));
        if entry.0 != minute {
            self.contended = added(self.contended, entry.1);
            *entry = (minute, [0; 2]);
        }
        entry.1[usize::from(!is_flood)] += bytes;
    }

    fn stored(&mut self, facts: Facts<'_>, at: Time, (node, bytes): (u32, u64), violations: &mut Violations) {
        if facts.hostile.contains(&node) {
            return;
        }
        self.figures.stored += 1;
        let held = self.held.entry(node).or_default();
        *held += bytes;
        let Some(most) = facts.nodes[node as usize].buffer_bytes else { return };
        let share = *held as f64 / most as f64;
        self.figures.store_share_max = self.figures.store_share_max.max(share);
        if *held > facts.hostile_share_bytes && share > STORE_SHARE_MAX {
            let percent = share * 100.0;
            violations.add(at, || format!("the flood took {percent:.0} % of the store of node {node}"));
        }
    }
}

/// Adds a minute in which both crossed; any other says nothing of who yields.
fn added(sum: [u64; 2], minute: [u64; 2]) -> [u64; 2] {
    if minute.contains(&0) { sum } else { [sum[0] + minute[0], sum[1] + minute[1]] }
}
