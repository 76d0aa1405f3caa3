//! What one node of a baseline holds.

use std::collections::VecDeque;

use crate::bits::Bits;
use crate::net::Net;
use crate::observation::{Cause, Observation};

/// A node's messages.
#[derive(Debug, Default)]
pub(super) struct Station {
    node: u32,
    /// What it holds.
    pub(super) held: Bits,
    /// What it holds more than its last copy of.
    pub(super) sprayable: Bits,
    /// What it was the recipient of, until it expires.
    pub(super) had: Bits,
    /// What is on its way to it.
    pub(super) incoming: Bits,
    /// What it had to drop.
    pub(super) dropped: Bits,
    /// What it knows to have arrived everywhere.
    pub(super) acknowledged: Bits,
    copies: std::collections::BTreeMap<u32, u16>,
    /// In the order of arrival; what has left since is still here.
    order: VecDeque<u32>,
    bytes: u64,
    bytes_max: u64,
}

impl Station {
    /// An empty one.
    pub(super) fn new(node: u32, bytes_max: Option<u64>) -> Self {
        Self { node, bytes_max: bytes_max.unwrap_or(u64::MAX), ..Self::default() }
    }

    /// Takes a message in, dropping the oldest for it; false if it never fits.
    pub(super) fn store<P>(&mut self, net: &mut Net<'_, P>, message: u32, bytes: u64, copies: u16) -> bool {
        if bytes > self.bytes_max || !self.held.insert(message) {
            return false;
        }
        while self.bytes + bytes > self.bytes_max {
            let Some(oldest) = self.order.pop_front() else { break };
            // A message that left and came back stands here twice: it is dropped a little early.
            if oldest != message && self.held.contains(oldest) {
                self.remove(net, oldest, Cause::Evicted);
            }
        }
        self.bytes += bytes;
        self.order.push_back(message);
        self.set_copies(message, copies);
        net.observe(&Observation::Stored { node: self.node, message, bytes });
        true
    }

    /// Takes a message out, if it is there.
    pub(super) fn remove<P>(&mut self, net: &mut Net<'_, P>, message: u32, cause: Cause) {
        if !self.held.remove(message) {
            return;
        }
        let bytes = super::baseline::stored_bytes(net.message(message));
        self.bytes -= bytes;
        self.sprayable.remove(message);
        self.copies.remove(&message);
        if cause == Cause::Evicted {
            self.dropped.insert(message);
        }
        net.observe(&Observation::Removed { node: self.node, message, bytes, cause });
    }

    /// How many copies it may still hand on, its own among them.
    pub(super) fn copies(&self, message: u32) -> u16 {
        self.copies.get(&message).copied().unwrap_or(1)
    }

    /// Says how many there are now.
    pub(super) fn set_copies(&mut self, message: u32, copies: u16) {
        if copies > 1 {
            self.copies.insert(message, copies);
            self.sprayable.insert(message);
        } else {
            self.copies.remove(&message);
            self.sprayable.remove(message);
        }
    }
}
