//! What is counted by address, and who is banned.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use qpq_proto::ids::NodeKey;
use qpq_proto::limits::Limits;
use tokio::time::Instant;

/// An address, or the /64 that one subscriber of IPv6 has to himself.
pub(super) type Prefix = IpAddr;

pub(super) fn prefix(address: IpAddr) -> Prefix {
    const HOST_BITS: u32 = 64;
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> HOST_BITS << HOST_BITS)),
        address => address,
    }
}

/// Counts by address, and bans by node.
#[derive(Debug)]
pub(super) struct Book {
    per_address_max: usize,
    per_minute_max: usize,
    addresses_max: usize,
    pub(super) addresses: BTreeMap<Prefix, Address>,
    ban: Duration,
    bans_max: usize,
    /// Until when a node is refused.
    pub(super) bans: BTreeMap<NodeKey, Instant>,
}

/// What came from one address.
#[derive(Debug)]
pub(super) struct Address {
    pub(super) open: usize,
    unproven: Bucket,
    proven: Bucket,
    last: Instant,
}

pub(super) enum Entry {
    Entered,
    Unproven,
    Refused,
}

impl Book {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            per_address_max: limits.connections_per_address_max,
            per_minute_max: limits.connections_per_address_per_minute_max,
            // Twice as many addresses as there can be connections: those that have one and those that had one.
            addresses_max: 2 * limits.connections_max,
            addresses: BTreeMap::new(),
            ban: Duration::from_millis(limits.ban_ms),
            bans_max: limits.bans_max,
            bans: BTreeMap::new(),
        }
    }

    pub(super) fn enter(&mut self, prefix: Prefix, is_validated: bool, now: Instant) -> Entry {
        if !self.addresses.contains_key(&prefix) && !self.make_room() {
            return Entry::Refused;
        }
        let capacity = self.per_minute_max;
        let address = self.addresses.entry(prefix).or_insert_with(|| Address {
            open: 0,
            unproven: Bucket::full(capacity, now),
            proven: Bucket::full(capacity, now),
            last: now,
        });
        address.last = now;
        let bucket = if is_validated { &mut address.proven } else { &mut address.unproven };
        if address.open < self.per_address_max && bucket.take(capacity, now) {
            address.open += 1;
            return Entry::Entered;
        }
        if is_validated { Entry::Refused } else { Entry::Unproven }
    }

    pub(super) fn leave(&mut self, prefix: Prefix) {
        if let Some(address) = self.addresses.get_mut(&prefix) {
            address.open = address.open.saturating_sub(1);
        }
    }

    /// Forgets the address that has been quiet longest, if there are too many.
    fn make_room(&mut self) -> bool {
        if self.addresses.len() < self.addresses_max {
            return true;
        }
        let quiet = self.addresses.iter().filter(|(_, address)| address.open == 0);
        let oldest = quiet.min_by_key(|(_, address)| address.last).map(|(prefix, _)| *prefix);
        oldest.is_some_and(|prefix| self.addresses.remove(&prefix).is_some())
    }

    pub(super) fn is_banned(&mut self, node: NodeKey, now: Instant) -> bool {
        let banned = self.bans.get(&node).is_some_and(|until| now < *until);
        if !banned {
            self.bans.remove(&node);
        }
        banned
    }

    pub(super) fn ban(&mut self, node: NodeKey, now: Instant) {
        if self.bans.len() >= self.bans_max && !self.bans.contains_key(&node) {
            let oldest = self.bans.iter().min_by_key(|(_, until)| **until).map(|(node, _)| *node);
            oldest.map(|node| self.bans.remove(&node));
        }
        self.bans.insert(node, now + self.ban);
    }
}

/// Allows so many at once, and so many a minute.
#[derive(Debug)]
pub(super) struct Bucket {
    /// Thousandths of a piece, so that it fills smoothly.
    level_thousandths: u64,
    filled: Instant,
}

impl Bucket {
    pub(super) fn full(capacity: usize, now: Instant) -> Self {
        Self { level_thousandths: thousandths(capacity), filled: now }
    }

    pub(super) fn take(&mut self, capacity: usize, now: Instant) -> bool {
        const ONE: u64 = 1_000;
        let capacity = thousandths(capacity);
        let elapsed_ms = u64::try_from(now.duration_since(self.filled).as_millis()).unwrap_or(u64::MAX);
        let gained = capacity.saturating_mul(elapsed_ms) / 60_000;
        if gained > 0 {
            self.level_thousandths = self.level_thousandths.saturating_add(gained).min(capacity);
            self.filled = now;
        }
        let level = self.level_thousandths.checked_sub(ONE);
        self.level_thousandths = level.unwrap_or(self.level_thousandths);
        level.is_some()
    }
}

fn thousandths(count: usize) -> u64 {
    (count as u64).saturating_mul(1_000)
}
