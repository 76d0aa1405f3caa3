//! Having bundles stored and deleted at relays.
//!
//! One call at a time is under way with each relay: first what is to be deleted, since an account has eight bundles at
//! most, then what is not stored under the present version. Each bundle is sealed when it is its turn.

use bytes::Bytes;
use prost::Message as _;
use qpq_crypto::recovery::RecoveryKeys;
use qpq_proto::{
    Failure, Method, Status,
    v1::{DeleteRecoveryBundleRequest, StoreRecoveryBundleRequest},
};
use zeroize::Zeroizing;

use crate::{
    context::Context,
    engine::Engine,
    input::{CallFailure, EngineError, Now, RelayKey},
    records::{RecoveryCodeRecord, RecoveryPlaceRecord, RecoveryRecord, StoredBundleRecord},
    relays::{RelayStep, request},
};

/// Bundles are not renewed more often than this, ms.
const RENEW_MS: u64 = 3_600_000;
/// They are renewed after this though nothing that lasts has changed: for the tokens in them, ms.
const RENEW_ANYWAY_MS: u64 = 7 * 86_400_000;
/// How long a change waits for others, ms.
const GATHER_MS: u64 = 60_000;
/// A version that was too low is raised by 1, then by 2 to the power of this, of twice this ...
const RAISE_BITS: u32 = 8;
/// By at most 2 to the power of this: 34 years, where versions are milliseconds.
const RAISE_BITS_MAX: u32 = 40;
/// So many versions in a row that were too low, and the relay is left alone for a while.
const CONFLICTS_MAX: u32 = 8;

/// Relays whose state is kept, those that were left included.
const PLACES_MAX: usize = 16;

/// What a relay is asked to do with the bundle under a token hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BundleStep {
    Store {
        token_hash: Vec<u8>,
        version: u64,
    },
    Delete {
        token_hash: Vec<u8>,
    },
    /// As [`BundleStep::Delete`], of a relay that is left.
    Withdraw,
}

impl Engine {
    /// Something has changed that may be in bundles.
    pub(crate) fn bundles_may_change(&mut self, now: Now) {
        if self.recovery.is_set_up {
            self.look_at_bundles(now, GATHER_MS);
        }
    }

    /// The records are those of a backup: what was sealed is of the device before.
    pub(crate) fn bundles_are_old(&mut self, cx: &mut Context<'_>) -> Result<(), EngineError> {
        let Some(mut record) = self.recovery_record(cx)? else { return Ok(()) };
        record.digest.clear();
        self.save_recovery(cx, &record)?;
        self.watch_recovery(cx)
    }

    /// The time has come to look whether bundles must be renewed.
    pub(crate) fn bundles_due(&mut self, cx: &mut Context<'_>) -> Result<(), EngineError> {
        // Planned again for later, or for sooner, in which case it was looked since.
        if self.recovery.look_at_ms.is_some_and(|at_ms| at_ms > cx.now.monotonic_ms) {
            return Ok(());
        }
        self.renew_bundles(cx).map_err(|failure| EngineError::Internal(failure.message))
    }

    /// Renews the bundles if they must be, and goes on with every relay.
    pub(super) fn renew_bundles(&mut self, cx: &mut Context<'_>) -> Result<(), Failure> {
        self.recovery.look_at_ms = None;
        let Some(mut record) = self.recovery_record(cx)? else { return Ok(()) };
        let contents = self.recovery_contents(cx, &record)?;
        let digest = contents.digest();
        let sequence = self.me()?.device_list_sequence;
        let is_at_once = record.digest.is_empty() || record.device_list_sequence != sequence;
        let age_ms = cx.node_ms.saturating_sub(record.sealed_node_ms);
        let is_changed = record.digest != digest;
        if is_at_once || (is_changed && age_ms >= RENEW_MS) || age_ms >= RENEW_ANYWAY_MS {
            record.version = next_version(&record, 1, cx.now);
            record.digest = digest.to_vec();
            record.device_list_sequence = sequence;
            record.sealed_node_ms = cx.node_ms;
            self.save_recovery(cx, &record)?;
            self.recovery.conflicts = 0;
            self.log_recovery(cx)?;
        }
        let is_early = is_changed && age_ms < RENEW_MS && !is_at_once;
        self.look_at_bundles(cx.now, if is_early { RENEW_MS - age_ms } else { RENEW_MS });
        for (relay, _) in self.own_relays(cx)? {
            self.keep_bundles(cx, relay)?;
        }
        Ok(())
    }

    /// Asks a relay for what is next, if somebody is logged in there and nothing is under way.
    pub(crate) fn keep_bundles(&mut self, cx: &mut Context<'_>, relay: RelayKey) -> Result<(), EngineError> {
        let Some(round) = self.ready_round(relay) else { return Ok(()) };
        let refused = self.recovery.refused.get(&relay);
        let is_paused = refused.is_some_and(|refused| refused.pauses.until_ms > cx.now.monotonic_ms);
        if is_paused || self.peers.is_keeping_bundles(relay, round) {
            return Ok(());
        }
        let Some(mut record) = self.recovery_record(cx)? else { return Ok(()) };
        let version = record.version;
        if record.places.iter().all(|place| place.pin != relay.0) {
            // Written down before the first call: what may be there is deleted some day.
            record.place(relay);
            self.save_recovery(cx, &record)?;
        }
        if let Some(token_hash) = record.place(relay).to_delete.first().cloned() {
            let delete = DeleteRecoveryBundleRequest { token_hash: token_hash.clone() };
            let step = RelayStep::Bundle(BundleStep::Delete { token_hash });
            self.call_own_relay(cx, relay, request(Method::DeleteRecoveryBundle, &delete), step);
            return Ok(());
        }
        let codes = record.codes.clone();
        let place = record.place(relay);
        let next = codes.iter().find(|code| version > 0 && !place.holds(code.token_hash(), version));
        match next {
            Some(code) => self.store_bundle(cx, relay, &record, code),
            None => Ok(()),
        }
    }

    fn store_bundle(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        record: &RecoveryRecord,
        code: &RecoveryCodeRecord,
    ) -> Result<(), EngineError> {
        let internal = |reason: String| EngineError::Internal(reason);
        let contents = self.recovery_contents(cx, record).map_err(|failure| internal(failure.message))?;
        let contents = Zeroizing::new(contents.encode_to_vec());
        let keys = RecoveryKeys::from_bytes(&code.keys);
        let keys = keys.ok_or_else(|| internal("a recovery code's keys are malformed".into()))?;
        let bundle = keys.seal(cx.rng, record.version, &contents);
        let bundle = bundle.map_err(|error| internal(error.to_string()))?;
        let token_hash = keys.token_hash().to_vec();
        let store = StoreRecoveryBundleRequest {
            token_hash: token_hash.clone(),
            bundle: bundle.into(),
            version: record.version,
        };
        let step = RelayStep::Bundle(BundleStep::Store { token_hash, version: record.version });
        self.call_own_relay(cx, relay, request(Method::StoreRecoveryBundle, &store), step);
        Ok(())
    }

    /// A relay has answered whether it did what it was asked.
    pub(crate) fn bundle_kept(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        step: &BundleStep,
        result: Result<Bytes, CallFailure>,
    ) -> Result<(), EngineError> {
        let Some(mut record) = self.recovery_record(cx)? else { return Ok(()) };
        match (step, result) {
            (BundleStep::Withdraw, _) => return Ok(()),
            (BundleStep::Store { token_hash, version }, Ok(_)) => {
                let bundle = StoredBundleRecord { token_hash: token_hash.clone(), version: *version };
                let place = record.place(relay);
                place.stored.retain(|held| held.token_hash != *token_hash);
                // If it was taken back meanwhile, it is deleted next.
                if !place.to_delete.contains(token_hash) {
                    place.stored.push(bundle);
                }
            }
            (BundleStep::Delete { token_hash }, Ok(_)) => forget(&mut record, relay, token_hash),
            (BundleStep::Delete { token_hash }, Err(CallFailure::Refused(failure)))
                if failure.status == Status::NotFound =>
            {
                forget(&mut record, relay, token_hash);
            }
            (BundleStep::Store { version, .. }, Err(CallFailure::Refused(failure)))
                if failure.status == Status::Conflict && self.recovery.conflicts < CONFLICTS_MAX =>
            {
                self.raise_version(&mut record, *version, cx.now);
            }
            (_, Err(failure)) => return self.bundle_refused_by(cx, relay, &failure),
        }
        self.save_recovery(cx, &record)?;
        self.recovery.refused.remove(&relay);
        self.log_recovery(cx)?;
        self.keep_bundles(cx, relay)
    }

    /// A relay holds a later version: an answer of its was lost, or the clock of the device before was ahead.
    fn raise_version(&mut self, record: &mut RecoveryRecord, refused: u64, now: Now) {
        // Another relay's answer may have raised it already.
        if record.version == refused {
            let bits = (RAISE_BITS * self.recovery.conflicts).min(RAISE_BITS_MAX);
            record.version = next_version(record, 1 << bits, now);
            self.recovery.conflicts += 1;
        }
    }

    /// A relay did not do what it was asked: tries again after a while.
    fn bundle_refused_by(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        failure: &CallFailure,
    ) -> Result<(), EngineError> {
        let (reason, retry_after_ms) = match failure {
            CallFailure::Unreachable => ("the relay does not answer".to_owned(), 0),
            CallFailure::Refused(refused) if refused.status == Status::Unauthorized => {
                return self.step_failed(cx, relay, failure);
            }
            CallFailure::Refused(refused) => (refused.message.clone(), refused.retry_after_ms),
        };
        let refused = self.recovery.refused.entry(relay).or_default();
        refused.pauses.extend(cx.now.monotonic_ms, retry_after_ms);
        refused.reason = reason;
        let pause_ms = refused.pauses.until_ms - cx.now.monotonic_ms;
        self.look_at_bundles(cx.now, pause_ms);
        self.log_recovery(cx)
    }

    /// This person leaves a relay, which is asked to delete the bundles if it is reached.
    pub(crate) fn withdraw_bundles(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
    ) -> Result<(), EngineError> {
        let Some(mut record) = self.recovery_record(cx)? else { return Ok(()) };
        let codes: Vec<Vec<u8>> = record.codes.iter().map(|code| code.token_hash().to_vec()).collect();
        let place = record.place(relay);
        place.stored.clear();
        place.to_delete.retain(|hash| !codes.contains(hash));
        place.to_delete.extend(codes);
        // Remembered, in case this person comes back to the relay.
        let token_hashes = place.to_delete.clone();
        let present: Vec<RelayKey> = self.own_relays(cx)?.into_iter().map(|(relay, _)| relay).collect();
        let is_left = |place: &RecoveryPlaceRecord| present.iter().all(|relay| relay.0 != *place.pin);
        if record.places.len() > PLACES_MAX
            && let Some(oldest) = record.places.iter().position(is_left)
        {
            record.places.remove(oldest);
        }
        self.save_recovery(cx, &record)?;
        if self.ready_round(relay).is_some() {
            for token_hash in token_hashes {
                let delete = DeleteRecoveryBundleRequest { token_hash };
                let step = RelayStep::Bundle(BundleStep::Withdraw);
                self.call_own_relay(cx, relay, request(Method::DeleteRecoveryBundle, &delete), step);
            }
        }
        self.bundles_may_change(cx.now);
        Ok(())
    }
}

/// A relay holds a bundle no more.
fn forget(record: &mut RecoveryRecord, relay: RelayKey, token_hash: &[u8]) {
    record.place(relay).to_delete.retain(|other| other != token_hash);
}

/// Milliseconds by the wall clock, so that another device of the person's goes on above this one; in any case more than
/// before.
fn next_version(record: &RecoveryRecord, more: u64, now: Now) -> u64 {
    record.version.saturating_add(more).max(now.wall_ms)
}
