//! What a relay holds at present, of everybody together, kept in storage as it changes: nobody has to look through
//! everything to say it.
//!
//! A handler notes what it changes in its [context](crate::context::Context). What is kept is added up here, and written
//! once for each batch, in the batch: after a crash the totals are those of what is there.

use prost::Message;

use crate::input::RelayError;
use crate::relay::Relay;
use crate::storage::Transaction;
use crate::tables::{self, TOTALS, key};

/// What a relay holds. A change of it may be negative.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Totals {
    /// Deliveries in queues that not every device has.
    #[prost(sint64, tag = "1")]
    pub deliveries: i64,
    /// Bytes of their payloads.
    #[prost(sint64, tag = "2")]
    pub delivery_bytes: i64,
    /// Accounts.
    #[prost(sint64, tag = "3")]
    pub users: i64,
    /// Single-use key packages.
    #[prost(sint64, tag = "4")]
    pub key_packages: i64,
    /// Bytes of the blobs that are readable, each counted once, whoever has it.
    #[prost(sint64, tag = "5")]
    pub blob_bytes: i64,
}

/// The totals, and whether they were written.
#[derive(Debug, Default)]
pub(crate) struct KeptTotals {
    totals: Totals,
    is_unwritten: bool,
}

impl Totals {
    /// A delivery of so many bytes was put into a queue.
    pub(crate) fn store(&mut self, bytes: usize) {
        self.deliveries += 1;
        self.delivery_bytes += signed(bytes);
    }

    /// A delivery is held no longer; those are left out whose payload went before.
    pub(crate) fn release(&mut self, payload: &[u8]) {
        self.deliveries -= i64::from(!payload.is_empty());
        self.delivery_bytes -= signed(payload.len());
    }

    /// So many key packages are gone.
    pub(crate) fn hand_out(&mut self, packages: usize) {
        self.key_packages -= signed(packages);
    }

    fn add(&mut self, change: Self) {
        self.deliveries += change.deliveries;
        self.delivery_bytes += change.delivery_bytes;
        self.users += change.users;
        self.key_packages += change.key_packages;
        self.blob_bytes += change.blob_bytes;
    }
}

impl KeptTotals {
    pub(crate) fn open(tx: &dyn Transaction) -> Result<Self, RelayError> {
        let totals = tables::load(tx, TOTALS, key(b""))?.unwrap_or_default();
        Ok(Self { totals, is_unwritten: false })
    }

    /// What an input changed, once it is kept.
    pub(crate) fn add(&mut self, change: Totals) {
        if change != Totals::default() {
            self.totals.add(change);
            self.is_unwritten = true;
        }
    }
}

impl Relay {
    /// What the relay holds at present. What was there before a version of the program counted it is not in it.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.totals.totals
    }

    /// Whether the present batch has changed the totals, so that [`Relay::keep_totals`] is to be called.
    #[must_use]
    pub fn has_new_totals(&self) -> bool {
        self.totals.is_unwritten
    }

    /// Writes the totals: to be called once in a batch, after its last input.
    ///
    /// # Errors
    /// [`RelayError`] if storage fails.
    pub fn keep_totals(&mut self, tx: &mut dyn Transaction) -> Result<(), RelayError> {
        tables::save(tx, TOTALS, key(b""), &self.totals.totals)?;
        self.totals.is_unwritten = false;
        Ok(())
    }
}

/// A number of bytes or of things, which is far below 2^63.
pub(crate) fn signed(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
