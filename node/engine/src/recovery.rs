//! Coming back with a code on paper, after every device is lost.
//!
//! ```text
//!  set up:  codes shown ─► confirmed ─► sealed, for each code ─► StoreRecoveryBundle, at each relay
//!                                          ▲                          (logged in)
//!                                          └── contacts, relays or devices changed
//!
//!  use:     code ─► FetchRecoveryBundle ─► opened ─► a new device, in one transaction ─► contacts are asked again
//!                    (nobody is logged in)                            └─► logged in: DeleteRecoveryBundle, renewed
//! ```
//!
//! A bundle is a small backup without history: the identity, the newest device list, contacts, and accounts at relays.
//! Like a backup it holds nothing of MLS, whose ratchets must not be used twice. So whoever comes back does it as a new
//! device, which revokes the lost ones in the next device list, and is taken into conversations and groups again as after
//! a backup is restored (`restore.rs`).
//!
//! The node keeps no code, only what is derived from each to renew its bundle. Codes that were shown count from when the
//! owner's program says that they were: until then those before are in force, and nothing is written. From then on what
//! each relay has to store and to delete is a record, and every call follows from it, so that it is done whatever is cut
//! short. What a relay has not confirmed is not counted.
//!
//! Bundles name the keys of all codes, so that whoever came back with one can renew the others. That gives nothing away:
//! each of them opens to the identity itself.
//!
//! Bundles are renewed when what lasts of their contents has changed, not more often than once an hour; at once if the
//! device list is another, for a new device made of an older list would fork from it. Addresses and tokens, which change
//! all the time, are in them and do not count.

use std::collections::BTreeMap;

use qpq_crypto::{
    recovery::{RecoveryCode, RecoveryKeys},
    relay_link::RelayLink,
};
use qpq_proto::{Failure, v1::WaitRecoveryUseResponse};

use crate::{
    context::Context,
    engine::Engine,
    input::{EngineError, Now, RelayKey},
    outbox::Task,
    records::{EventRecord, RecoveryCodeRecord, RecoveryPlaceRecord, RecoveryRecord},
    relays::Pauses,
    tables::{self, RECOVERY, SINGLE},
};

mod contents;
mod keeping;
mod owner;
mod restoring;

pub(crate) use keeping::BundleStep;

/// What is known in this run alone.
#[derive(Debug, Default)]
pub(crate) struct Recovery {
    /// Codes that were made and are not confirmed.
    proposed: Option<Proposed>,
    /// The last use of a code.
    used: Option<Use>,
    next_attempt: u64,
    /// The present input concerns the use.
    is_use_touched: bool,
    /// There are codes.
    is_set_up: bool,
    /// When it is looked next whether bundles must be renewed, monotonic ms.
    look_at_ms: Option<u64>,
    /// Relays that did not do what they were asked.
    refused: BTreeMap<RelayKey, Refused>,
    /// Versions that relays found too low, one after the other.
    conflicts: u32,
}

/// Codes that were shown to the owner's program.
#[derive(Debug)]
struct Proposed {
    set: [u8; 16],
    keys: Vec<RecoveryKeys>,
}

/// The use of a code.
#[derive(Debug)]
struct Use {
    attempt: u64,
    link: RelayLink,
    /// Until it has opened a bundle.
    code: Option<RecoveryCode>,
    /// What came of it.
    outcome: Option<Result<WaitRecoveryUseResponse, Failure>>,
}

/// Why a relay is left alone, and for how long.
#[derive(Debug, Default)]
struct Refused {
    pauses: Pauses,
    reason: String,
}

impl Recovery {
    /// The present input's changes are kept.
    pub(crate) fn keep(&mut self) {
        self.is_use_touched = false;
    }

    /// The present input's transaction is dropped.
    pub(crate) fn discard(&mut self) {
        self.look_at_ms = None;
        if std::mem::take(&mut self.is_use_touched)
            && let Some(used) = &mut self.used
        {
            used.code = None;
            used.outcome = Some(Err(Failure::internal()));
        }
    }
}

impl RecoveryRecord {
    /// How far a relay is.
    fn place(&mut self, relay: RelayKey) -> &mut RecoveryPlaceRecord {
        let position = self.places.iter().position(|place| place.pin == relay.0);
        let position = position.unwrap_or_else(|| {
            self.places.push(RecoveryPlaceRecord { pin: relay.0.to_vec(), ..Default::default() });
            self.places.len() - 1
        });
        &mut self.places[position]
    }

    /// Bundles under these token hashes are to be deleted at every relay.
    fn withdraw(&mut self, token_hashes: &[Vec<u8>]) {
        for place in &mut self.places {
            place.stored.retain(|bundle| !token_hashes.contains(&bundle.token_hash));
            let news = token_hashes.iter().filter(|hash| !place.to_delete.contains(hash));
            let news: Vec<Vec<u8>> = news.cloned().collect();
            place.to_delete.extend(news);
        }
    }
}

impl RecoveryPlaceRecord {
    /// Whether the relay holds the bundle of a code under a version, or a later one.
    fn holds(&self, token_hash: &[u8], version: u64) -> bool {
        let is_it = |bundle: &&crate::records::StoredBundleRecord| bundle.token_hash == token_hash;
        self.stored.iter().find(is_it).is_some_and(|bundle| bundle.version >= version)
    }
}

impl RecoveryCodeRecord {
    fn of(number: usize, keys: &RecoveryKeys) -> Self {
        let mut record = Self { number: u32::try_from(number).unwrap_or(u32::MAX), keys: Vec::new() };
        record.keys.extend_from_slice(keys.to_bytes().as_slice());
        record
    }

    /// The start of the keys is the token hash.
    fn token_hash(&self) -> &[u8] {
        self.keys.get(..32).unwrap_or_default()
    }
}

impl Engine {
    fn recovery_record(&self, cx: &Context<'_>) -> Result<Option<RecoveryRecord>, EngineError> {
        tables::load(cx.tx, RECOVERY, tables::key(SINGLE))
    }

    fn save_recovery(&self, cx: &mut Context<'_>, record: &RecoveryRecord) -> Result<(), EngineError> {
        tables::save(cx.tx, RECOVERY, tables::key(SINGLE), record)
    }

    /// Looks, after a start, whether there is something to be renewed.
    pub(crate) fn watch_recovery(&mut self, cx: &Context<'_>) -> Result<(), EngineError> {
        self.recovery.is_set_up = self.recovery_record(cx)?.is_some();
        if self.recovery.is_set_up {
            self.look_at_bundles(cx.now, 0);
        }
        Ok(())
    }

    /// Looks after a while whether bundles must be renewed.
    fn look_at_bundles(&mut self, now: Now, after_ms: u64) {
        let at_ms = now.monotonic_ms + after_ms;
        if self.recovery.look_at_ms.is_none_or(|planned_ms| at_ms < planned_ms) {
            self.recovery.look_at_ms = Some(at_ms);
            self.outbox.plan(at_ms, Task::Recovery);
        }
    }

    /// Wakes whoever waits for how it goes.
    fn log_recovery(&mut self, cx: &mut Context<'_>) -> Result<(), EngineError> {
        let event = EventRecord { what: "recovery".into(), ..EventRecord::default() };
        self.log_event(cx, event).map(drop)
    }
}
