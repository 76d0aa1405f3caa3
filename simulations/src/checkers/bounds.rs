//! A store holds what was put into it and not yet removed, and never more than the node may keep.

use std::collections::BTreeMap;

use super::{Facts, Violations};
use crate::bits::Bits;
use crate::observation::Observation;
use crate::time::Time;

/// The checker.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    /// By node, the messages held.
    held: Vec<Bits>,
    /// By node, what they take.
    sums: Vec<u64>,
    /// By message, what it takes: everywhere the same.
    bytes: BTreeMap<u32, u64>,
}

impl Bounds {
    pub(super) fn observe(
        &mut self,
        facts: Facts<'_>,
        at: Time,
        observation: &Observation<'_>,
        violations: &mut Violations,
    ) {
        if self.sums.is_empty() {
            self.sums.resize(facts.nodes.len(), 0);
            self.held.resize(facts.nodes.len(), Bits::default());
        }
        match *observation {
            Observation::Stored { node, message, bytes } => {
                if !self.held[node as usize].insert(message) {
                    violations.add(at, || format!("node {node} stored message {message} twice"));
                }
                if *self.bytes.entry(message).or_insert(bytes) != bytes {
                    violations
                        .add(at, || format!("message {message} takes {bytes} bytes of node {node} only"));
                }
                let sum = &mut self.sums[node as usize];
                *sum += bytes;
                let most = facts.nodes[node as usize].buffer_bytes.unwrap_or(u64::MAX);
                if *sum > most {
                    violations.add(at, || format!("node {node} holds {sum} bytes and may hold {most}"));
                }
            }
            Observation::Removed { node, message, bytes, .. } => {
                if !self.held[node as usize].remove(message) || self.bytes.get(&message) != Some(&bytes) {
                    violations.add(at, || format!("node {node} removed message {message}, which it had not"));
                }
                let sum = &mut self.sums[node as usize];
                *sum = sum.saturating_sub(bytes);
            }
            _ => {}
        }
    }
}
