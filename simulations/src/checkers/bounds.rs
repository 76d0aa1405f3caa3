//! A store holds what was put into it and not yet removed, and never more than the node may keep.

use std::collections::BTreeMap;

use super::{Facts, Violations};
use crate::observation::Observation;
use crate::time::Time;

/// The checker.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    /// By message and node, what it takes.
    held: BTreeMap<(u32, u32), u64>,
    /// By node, the sum.
    sums: Vec<u64>,
}

impl Bounds {
    pub(super) fn observe(
        &mut self,
        facts: Facts<'_>,
        at: Time,
        observation: &Observation<'_>,
        violations: &mut Violations,
    ) {
        self.sums.resize(facts.nodes.len(), 0);
        match *observation {
            Observation::Stored { node, message, bytes } => {
                if self.held.insert((message, node), bytes).is_some() {
                    violations.add(at, || format!("node {node} stored message {message} twice"));
                }
                let sum = &mut self.sums[node as usize];
                *sum += bytes;
                let most = facts.nodes[node as usize].buffer_bytes.unwrap_or(u64::MAX);
                if *sum > most {
                    violations.add(at, || format!("node {node} holds {sum} bytes and may hold {most}"));
                }
            }
            Observation::Removed { node, message, bytes, .. } => {
                if self.held.remove(&(message, node)) != Some(bytes) {
                    violations.add(at, || format!("node {node} removed message {message}, which it had not"));
                }
                let sum = &mut self.sums[node as usize];
                *sum = sum.saturating_sub(bytes);
            }
            _ => {}
        }
    }
}
