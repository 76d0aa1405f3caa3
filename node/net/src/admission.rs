//! Who may connect at all.
//!
//! Everything a stranger can make us do before it has shown a node key is bounded here: handshakes under way,
//! connections and new connections by address, connections in all. After the handshake the node key is known, and
//! those that sent garbage before are turned away for a while.
//!
//! An address of a datagram can be forged until the handshake has gone back and forth. What is counted for an
//! unproven address is therefore kept apart: once it is used up, newcomers from there have to prove the address first
//! (a QUIC Retry, which costs us nothing), and then draw on a count that nobody else can use up.

mod book;

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex};

use qpq_proto::ids::NodeKey;
use qpq_proto::limits::Limits;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::lock;
use book::{Book, Entry, Prefix, prefix};

/// The part of all connections that only wanted peers get: one in so many.
const WANTED_SHARE: usize = 4;

/// The part of all connections that strangers through relays get at most: one in so many.
const RELAYED_SHARE: usize = 4;

/// The book of who may connect.
pub(crate) struct Admissions {
    handshakes: Arc<Semaphore>,
    handshakes_max: usize,
    strangers: Arc<Semaphore>,
    wanted: Arc<Semaphore>,
    relayed: Arc<Semaphore>,
    book: Arc<Mutex<Book>>,
}

/// A place among the connections; free again when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    _connection: OwnedSemaphorePermit,
    _address: Option<AddressSlot>,
    _relayed: Option<OwnedSemaphorePermit>,
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
            relayed: Arc::new(Semaphore::new(limits.connections_max.div_ceil(RELAYED_SHARE))),
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
        let slot = Slot { _connection: connection, _address: Some(address), _relayed: None };
        Verdict::Accept(Handshake { _handshake: handshake, slot })
    }

    /// Decides about a newcomer that comes through a relay, which says whose packets they are. However many it may make
    /// up, they take a part of the places only.
    pub(crate) fn relayed(&self, node: &[u8; 32], now: Instant) -> Verdict {
        let Ok(relayed) = Arc::clone(&self.relayed).try_acquire_owned() else {
            return Verdict::Refuse(Refusal::Connections);
        };
        // Counted like an address that nobody can have: a multicast one.
        let mut octets = [0xff; 16];
        octets[1..].copy_from_slice(&node[..15]);
        let mut verdict = self.incoming(Ipv6Addr::from(octets).into(), true, now);
        if let Verdict::Accept(handshake) = &mut verdict {
            handshake.slot._relayed = Some(relayed);
        }
        verdict
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
            Ok(connection) if is_wanted => {
                Ok(Slot { _connection: connection, _address: None, _relayed: None })
            }
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
        let connection = connection.map_err(|_| Refusal::Connections)?;
        Ok(Slot { _connection: connection, _address: None, _relayed: None })
    }

    /// Turns the node away from now on, for a while.
    pub(crate) fn ban(&self, node: NodeKey, now: Instant) {
        lock(&self.book).ban(node, now);
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

#[cfg(test)]
mod tests;
