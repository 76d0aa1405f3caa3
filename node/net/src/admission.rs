//! Who may connect at all.
//!
//! Everything a stranger can make us do before it has shown a node key is bounded here: handshakes under way,
//! connections and new connections by address, connections in all. After the handshake the node key is known, and
//! those that sent garbage before are turned away for a while.
//!
//! An address of a datagram can be forged until the handshake has gone back and forth. What is counted for an
//! unproven address is therefore kept apart: once it is used up, newcomers from there have to prove the address first
//! (a QUIC Retry, which costs us nothing), and then draw on a count that nobody else can use up.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use qpq_proto::ids::NodeKey;
use qpq_proto::limits::Limits;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::lock;

/// The part of all connections that only wanted peers get: one in so many.
const WANTED_SHARE: usize = 4;

/// The book of who may connect.
pub(crate) struct Admissions {
    handshakes: Arc<Semaphore>,
    handshakes_max: usize,
    strangers: Arc<Semaphore>,
    wanted: Arc<Semaphore>,
    book: Arc<Mutex<Book>>,
}

/// A place among the connections; free again when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    _connection: OwnedSemaphorePermit,
    _address: Option<AddressSlot>,
}

/// A handshake that may go on. Holds a place among the connections already.
#[derive(Debug)]
pub(crate) struct Handshake {
    _handshake: OwnedSemaphorePermit,
    slot: Slot,
}

/// What to do about a datagram that begins a connection.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Go on with the handshake.
    Accept(Handshake),
    /// Have the address proven first.
    Retry,
    /// Turn it away.
    Refuse(Refusal),
}

/// Why a connection is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Too many handshakes are under way.
    #[error("too many handshakes are under way")]
    Handshakes,
    /// All places are taken.
    #[error("too many connections")]
    Connections,
    /// Too many connections, or too many new ones, from this address.
    #[error("too many connections from this address")]
    Address,
    /// The node sent garbage before.
    #[error("the node is banned for a while")]
    Banned,
}

impl Admissions {
    pub(crate) fn new(limits: &Limits) -> Self {
        let wanted = limits.connections_max.div_ceil(WANTED_SHARE);
        Self {
            handshakes: Arc::new(Semaphore::new(limits.handshakes_max)),
            handshakes_max: limits.handshakes_max,
            strangers: Arc::new(Semaphore::new(limits.connections_max - wanted)),
            wanted: Arc::new(Semaphore::new(wanted)),
            book: Arc::new(Mutex::new(Book::new(limits))),
        }
    }

    /// Decides about a newcomer by its address.
    pub(crate) fn incoming(&self, address: IpAddr, is_validated: bool, now: Instant) -> Verdict {
        let Ok(handshake) = Arc::clone(&self.handshakes).try_acquire_owned() else {
            return Verdict::Refuse(Refusal::Handshakes);
        };
        let under_load = self.handshakes.available_permits() < self.handshakes_max / 2;
        if under_load && !is_validated {
            return Verdict::Retry;
        }
        let Ok(connection) = Arc::clone(&self.strangers).try_acquire_owned() else {
            return Verdict::Refuse(Refusal::Connections);
        };
        let prefix = prefix(address);
        match lock(&self.book).enter(prefix, is_validated, now) {
            Entry::Entered => {}
            Entry::Unproven => return Verdict::Retry,
            Entry::Refused => return Verdict::Refuse(Refusal::Address),
        }
        let address = AddressSlot { book: Arc::clone(&self.book), prefix };
        let slot = Slot { _connection: connection, _address: Some(address) };
        Verdict::Accept(Handshake { _handshake: handshake, slot })
    }

    /// Decides about a newcomer by its key. A wanted peer does not take a stranger's place, if there is another.
    pub(crate) fn authenticated(
        &self,
        handshake: Handshake,
        node: NodeKey,
        is_wanted: bool,
        now: Instant,
    ) -> Result<Slot, Refusal> {
        if lock(&self.book).is_banned(node, now) {
            return Err(Refusal::Banned);
        }
        match Arc::clone(&self.wanted).try_acquire_owned() {
            Ok(connection) if is_wanted => Ok(Slot { _connection: connection, _address: None }),
            _ => Ok(handshake.slot),
        }
    }

    /// Goes on without a node key, which programs and light clients do not have.
    #[cfg(feature = "direct")]
    pub(crate) fn anonymous(handshake: Handshake) -> Slot {
        handshake.slot
    }

    /// A place for a connection that we dial.
    pub(crate) fn outgoing(&self) -> Result<Slot, Refusal> {
        let wanted = Arc::clone(&self.wanted).try_acquire_owned();
        let connection = wanted.or_else(|_| Arc::clone(&self.strangers).try_acquire_owned());
        Ok(Slot { _connection: connection.map_err(|_| Refusal::Connections)?, _address: None })
    }

    /// Turns the node away from now on, for a while.
    pub(crate) fn ban(&self, node: NodeKey, now: Instant) {
        lock(&self.book).ban(node, now);
    }
}

/// An address, or the /64 that one subscriber of IPv6 has to himself.
type Prefix = IpAddr;

fn prefix(address: IpAddr) -> Prefix {
    const HOST_BITS: u32 = 64;
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> HOST_BITS << HOST_BITS)),
        address => address,
    }
}

/// One connection from an address.
#[derive(Debug)]
struct AddressSlot {
    book: Arc<Mutex<Book>>,
    prefix: Prefix,
}

impl Drop for AddressSlot {
    fn drop(&mut self) {
        lock(&self.book).leave(self.prefix);
    }
}

/// Counts by address, and bans by node.
#[derive(Debug)]
struct Book {
    per_address_max: usize,
    per_minute_max: usize,
    addresses_max: usize,
    addresses: BTreeMap<Prefix, Address>,
    ban: Duration,
    bans_max: usize,
    /// Until when a node is refused.
    bans: BTreeMap<NodeKey, Instant>,
}

/// What came from one address.
#[derive(Debug)]
struct Address {
    open: usize,
    unproven: Bucket,
    proven: Bucket,
    last: Instant,
}

enum Entry {
    Entered,
    Unproven,
    Refused,
}

impl Book {
    fn new(limits: &Limits) -> Self {
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

    fn enter(&mut self, prefix: Prefix, is_validated: bool, now: Instant) -> Entry {
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

    fn leave(&mut self, prefix: Prefix) {
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

    fn is_banned(&mut self, node: NodeKey, now: Instant) -> bool {
        let banned = self.bans.get(&node).is_some_and(|until| now < *until);
        if !banned {
            self.bans.remove(&node);
        }
        banned
    }

    fn ban(&mut self, node: NodeKey, now: Instant) {
        if self.bans.len() >= self.bans_max && !self.bans.contains_key(&node) {
            let oldest = self.bans.iter().min_by_key(|(_, until)| **until).map(|(node, _)| *node);
            oldest.map(|node| self.bans.remove(&node));
        }
        self.bans.insert(node, now + self.ban);
    }
}

/// Allows so many at once, and so many a minute.
#[derive(Debug)]
struct Bucket {
    /// Thousandths of a piece, so that it fills smoothly.
    level_thousandths: u64,
    filled: Instant,
}

impl Bucket {
    fn full(capacity: usize, now: Instant) -> Self {
        Self { level_thousandths: thousandths(capacity), filled: now }
    }

    fn take(&mut self, capacity: usize, now: Instant) -> bool {
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

#[cfg(test)]
mod tests;
