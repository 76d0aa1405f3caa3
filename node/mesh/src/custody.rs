//! What this node holds: an index in memory over bundles whose bodies lie in the storage.
//!
//! ```text
//!  entries   SortKey ──► Entry            control first, small first: the order in which everything travels
//!  expiry    (expires, SortKey)           what ends next
//!  arrivals  number ──► SortKey           what is new since a neighbour was met last
//!  spare     SortKey                      of what there are copies to hand over
//!  accounts  (tier, bringer) ──► Account  who is charged, and what it would lose first
//! ```
//!
//! The index knows nothing of neighbours but a bit for each of those met last ([`Entry::known_by`]), which says that it
//! holds the bundle too. Every change goes through [`Custody`] so that its parts never disagree.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeBounds;
use std::sync::Arc;

use qpq_proto::ids::NodeKey;

use crate::bundle::{Header, ShortId, SortKey};
use crate::link::earlier;
use crate::storage::{Record, Tier};

mod accounts;
mod quota;
#[cfg(test)]
mod tests;

pub(crate) use accounts::{AccountId, Accounts};
pub(crate) use quota::Quotas;

/// What holding a bundle costs besides its body: its header, its index, its share of the database's pages.
pub(crate) const OVERHEAD_BYTES: u64 = 256;

/// One bundle held.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// What never changes.
    pub(crate) header: Arc<Header>,
    /// Node time at which it ends, ms.
    pub(crate) expires_ms: u64,
    /// Number of its arrival.
    pub(crate) arrival: u64,
    /// Neighbours that hold it, a bit each, by their slots.
    pub(crate) known_by: u64,
    /// Neighbours to which it was sent and that may hold it, a bit each.
    pub(crate) sent_to: u64,
    /// Neighbours that asked for it, a bit each.
    pub(crate) wanted_by: u64,
    /// Who is charged.
    pub(crate) account: AccountId,
    /// Copies that may be handed over, the one held included.
    pub(crate) copies: u16,
    /// How far it may still go.
    pub(crate) hops_left: u8,
    /// It is addressed to this node too.
    pub(crate) is_mine: bool,
    /// This node has opened it.
    pub(crate) is_opened: bool,
}

impl Entry {
    /// What holding it costs, bytes.
    pub(crate) fn cost_bytes(&self) -> u64 {
        cost_bytes(&self.header)
    }
}

/// What holding a bundle costs, bytes.
pub(crate) fn cost_bytes(header: &Header) -> u64 {
    header.kind().size.bytes() as u64 + OVERHEAD_BYTES
}

/// The index.
#[derive(Debug, Default)]
pub(crate) struct Custody {
    entries: BTreeMap<SortKey, Entry>,
    expiry: BTreeSet<(u64, SortKey)>,
    /// The first of them, which is asked for at every input.
    next_expiry_ms: Option<u64>,
    by_arrival: BTreeMap<u64, SortKey>,
    spare: BTreeSet<SortKey>,
    accounts: Accounts,
    arrivals: u64,
}

impl Custody {
    /// Bundles held.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Number of the newest arrival.
    pub(crate) const fn newest(&self) -> u64 {
        self.arrivals
    }

    /// Who is charged for what.
    pub(crate) const fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// A bundle.
    pub(crate) fn get(&self, key: SortKey) -> Option<&Entry> {
        self.entries.get(&key)
    }

    /// A bundle, of which transit fields may be changed; not who is charged, when it ends, when it arrived, nor its copies.
    pub(crate) fn get_mut(&mut self, key: SortKey) -> Option<&mut Entry> {
        self.entries.get_mut(&key)
    }

    /// The key of the bundle that neighbours call by this name.
    pub(crate) fn find(&self, short: ShortId) -> Option<SortKey> {
        let named = self.entries.range(SortKey::first_of(short)..).next();
        named.filter(|(key, _)| key.short() == short).map(|(key, _)| *key)
    }

    /// Changes how many copies may be handed over.
    pub(crate) fn set_copies(&mut self, key: SortKey, copies: u16) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        entry.copies = copies;
        if copies > 1 {
            self.spare.insert(key);
        } else {
            self.spare.remove(&key);
        }
    }

    /// Bundles that arrived after this one, the oldest first.
    pub(crate) fn arrived_after(&self, through: u64) -> impl Iterator<Item = SortKey> {
        self.by_arrival.range(through.saturating_add(1)..).map(|(_, key)| *key)
    }

    /// Bundles of which there is more than one copy.
    pub(crate) fn spare(&self) -> impl Iterator<Item = SortKey> {
        self.spare.iter().copied()
    }

    /// Bundles in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (SortKey, &Entry)> {
        self.entries.iter().map(|(key, entry)| (*key, entry))
    }

    /// Bundles of a range in order.
    pub(crate) fn range(&self, range: impl RangeBounds<SortKey>) -> impl Iterator<Item = (SortKey, &Entry)> {
        self.entries.range(range).map(|(key, entry)| (*key, entry))
    }

    /// The number of the arrival that comes now.
    pub(crate) const fn next_arrival(&mut self) -> u64 {
        self.arrivals += 1;
        self.arrivals
    }

    /// Takes in a bundle, charged to whom its record names. It must not be there yet.
    pub(crate) fn insert(&mut self, record: &Record) -> SortKey {
        let key = SortKey::of(&record.header);
        self.arrivals = self.arrivals.max(record.arrival);
        let account = self.accounts.charge(record.tier, record.bringer, &record.header, record.expires_ms);
        self.expiry.insert((record.expires_ms, key));
        self.next_expiry_ms = earlier(self.next_expiry_ms, Some(record.expires_ms));
        self.by_arrival.insert(record.arrival, key);
        let entry = Entry {
            header: Arc::clone(&record.header),
            expires_ms: record.expires_ms,
            arrival: record.arrival,
            known_by: 0,
            sent_to: 0,
            wanted_by: 0,
            account,
            copies: record.copies,
            hops_left: record.hops_left,
            is_mine: record.is_mine,
            is_opened: record.is_opened,
        };
        self.entries.insert(key, entry);
        self.set_copies(key, record.copies);
        key
    }

    /// Lets go of a bundle.
    pub(crate) fn remove(&mut self, key: SortKey) -> Option<Entry> {
        let entry = self.entries.remove(&key)?;
        self.expiry.remove(&(entry.expires_ms, key));
        if self.next_expiry_ms == Some(entry.expires_ms) {
            self.next_expiry_ms = self.expiry.first().map(|(expires_ms, _)| *expires_ms);
        }
        self.by_arrival.remove(&entry.arrival);
        self.spare.remove(&key);
        self.accounts.credit(entry.account, &entry.header, entry.expires_ms);
        Some(entry)
    }

    /// What is stored of a bundle besides its body.
    pub(crate) fn record(&self, entry: &Entry) -> Record {
        let account = self.accounts.get(entry.account);
        Record {
            header: Arc::clone(&entry.header),
            expires_ms: entry.expires_ms,
            arrival: entry.arrival,
            hops_left: entry.hops_left,
            copies: entry.copies,
            bringer: account.bringer,
            tier: account.tier,
            is_mine: entry.is_mine,
            is_opened: entry.is_opened,
        }
    }

    /// Who brought a bundle, and how close it stood.
    pub(crate) fn bringer(&self, entry: &Entry) -> (Tier, Option<NodeKey>) {
        let account = self.accounts.get(entry.account);
        (account.tier, account.bringer)
    }

    /// Node time at which the next bundle ends.
    pub(crate) const fn next_expiry_ms(&self) -> Option<u64> {
        self.next_expiry_ms
    }

    /// A bundle whose lifetime has ended.
    pub(crate) fn expired(&self, now_ms: u64) -> Option<SortKey> {
        self.next_expiry_ms.filter(|expires_ms| *expires_ms <= now_ms)?;
        self.expiry.first().map(|(_, key)| *key)
    }

    /// Forgets what a neighbour holds.
    pub(crate) fn forget_neighbour(&mut self, bit: u64) {
        for entry in self.entries.values_mut() {
            entry.known_by &= !bit;
            entry.sent_to &= !bit;
            entry.wanted_by &= !bit;
        }
    }
}
