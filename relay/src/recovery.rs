//! Recovery bundles: what a person needs to come back with nothing but a code on paper.
//!
//! The client derives two things from the code: a token, by which the bundle is fetched, and a key, with which it is
//! encrypted. The relay keeps the bundle under the token's hash and can neither read it nor name the token.
//!
//! Fetching is for anybody, and so it is what somebody would try who guesses: it is let through seldom, for an address
//! and for all together, and answered after a fixed time, so that a miss looks like a hit until the answer is there.

use bytes::Bytes;
use prost::Message;
use qpq_crypto::digest::sha256;
use qpq_proto::Failure;
use qpq_proto::ids::Identity;
use qpq_proto::limits::{RECOVERY_BUNDLES_MAX, RelayLimits};
use qpq_proto::v1::{
    DeleteRecoveryBundleRequest, DeleteRecoveryBundleResponse, FetchRecoveryBundleRequest,
    FetchRecoveryBundleResponse, StoreRecoveryBundleRequest, StoreRecoveryBundleResponse,
};

use crate::context::{Context, Later, Who};
use crate::input::RelayError;
use crate::queues::{TOKEN_BYTES, hash_field};
use crate::rates::Buckets;
use crate::relay::Relay;
use crate::storage::Transaction;
use crate::tables::{self, ACCOUNT_BUNDLES, RECOVERY_BUNDLES, key};

/// A recovery bundle.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct BundleRecord {
    /// Identity key of the account it belongs to.
    #[prost(bytes = "vec", tag = "1")]
    pub owner: Vec<u8>,
    /// The owner's count.
    #[prost(uint64, tag = "2")]
    pub version: u64,
    /// As stored.
    #[prost(bytes = "bytes", tag = "3")]
    pub bundle: Bytes,
}

/// The recovery bundles of an account.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct AccountBundlesRecord {
    /// Hashes of their tokens.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub token_hashes: Vec<Vec<u8>>,
}

/// How often bundles may be fetched.
#[derive(Debug)]
pub(crate) struct RecoveryRates {
    by: Buckets<Who>,
    all: Buckets<()>,
}

impl RecoveryRates {
    /// Nobody has fetched one yet.
    pub(crate) fn new(limits: &RelayLimits) -> Self {
        Self {
            by: Buckets::new(limits.recovery_per_address, limits.rate_keys_max),
            all: Buckets::new(limits.recovery_for_all, 1),
        }
    }
}

impl Relay {
    pub(crate) fn store_recovery_bundle(
        &self,
        cx: &mut Context<'_>,
        request: &StoreRecoveryBundleRequest,
    ) -> Result<StoreRecoveryBundleResponse, Failure> {
        let identity = cx.identity()?;
        let StoreRecoveryBundleRequest { token_hash, bundle, version } = request;
        let hash = hash_field("token_hash", token_hash)?;
        let longest = self.limits.recovery_bundle_bytes_max;
        if !(1..=longest).contains(&bundle.len()) {
            return Err(Failure::bad_request("bundle", format!("a bundle has 1 to {longest} bytes here")));
        }
        if *version == 0 {
            return Err(Failure::bad_request("version", "versions begin with 1"));
        }
        match load(cx.tx, &hash)? {
            None => add(cx.tx, identity, &hash)?,
            Some(held) if held.owner != identity.as_bytes() => {
                return Err(Failure::conflict("this token is taken: derive another from a new code"));
            }
            Some(held) if *version <= held.version => {
                let message = format!("version {} is held: choose a higher one", held.version);
                return Err(Failure::conflict(message));
            }
            Some(_) => {}
        }
        let record = BundleRecord { owner: identity.to_vec(), version: *version, bundle: bundle.clone() };
        tables::save(cx.tx, RECOVERY_BUNDLES, key(&hash), &record)?;
        Ok(StoreRecoveryBundleResponse {})
    }

    pub(crate) fn fetch_recovery_bundle(
        &mut self,
        cx: &mut Context<'_>,
        request: &FetchRecoveryBundleRequest,
    ) -> Result<FetchRecoveryBundleResponse, Failure> {
        if request.token.len() != TOKEN_BYTES {
            return Err(Failure::bad_request("token", format!("a token is {TOKEN_BYTES} bytes long")));
        }
        let now_ms = cx.now.monotonic_ms;
        self.recovery_rates.by.take(Who::address(&cx.call()?.caller), 1, now_ms)?;
        self.recovery_rates.all.take((), 1, now_ms)?;
        let answer_ms = self.limits.recovery_answer_ms;
        if self.delays.len() >= self.limits.recovery_answers_max {
            return Err(Failure::unavailable("as many answers wait here as may wait", answer_ms));
        }
        let found = load(cx.tx, &sha256(&[&request.token]))?;
        let result = found
            .map(|held| FetchRecoveryBundleResponse { bundle: held.bundle.to_vec(), version: held.version })
            .map(|response| Bytes::from(response.encode_to_vec()))
            .ok_or_else(|| Failure::not_found("there is no bundle for this token here"));
        cx.later = Some(Later::At { at_ms: now_ms + answer_ms, result });
        Ok(FetchRecoveryBundleResponse::default())
    }

    pub(crate) fn delete_recovery_bundle(
        &self,
        cx: &mut Context<'_>,
        request: &DeleteRecoveryBundleRequest,
    ) -> Result<DeleteRecoveryBundleResponse, Failure> {
        let identity = cx.identity()?;
        let hash = hash_field("token_hash", &request.token_hash)?;
        let held = load(cx.tx, &hash)?.filter(|held| held.owner == identity.as_bytes());
        if held.is_none() {
            return Err(Failure::not_found("the caller has no bundle for this token here"));
        }
        cx.tx.delete(RECOVERY_BUNDLES, key(&hash))?;
        let mut all = of_account(cx.tx, identity)?;
        all.token_hashes.retain(|other| other != &hash);
        tables::save(cx.tx, ACCOUNT_BUNDLES, key(identity.as_bytes()), &all)?;
        Ok(DeleteRecoveryBundleResponse {})
    }
}

/// Removes a person's bundles.
pub(crate) fn forget_account(tx: &mut dyn Transaction, identity: Identity) -> Result<(), RelayError> {
    for hash in of_account(tx, identity)?.token_hashes {
        tx.delete(RECOVERY_BUNDLES, key(&hash))?;
    }
    Ok(tx.delete(ACCOUNT_BUNDLES, key(identity.as_bytes()))?)
}

/// Adds one to the bundles of an account.
fn add(tx: &mut dyn Transaction, identity: Identity, hash: &[u8]) -> Result<(), Failure> {
    let mut all = of_account(tx, identity)?;
    if all.token_hashes.len() >= RECOVERY_BUNDLES_MAX {
        let message = format!("an account has at most {RECOVERY_BUNDLES_MAX} bundles: delete one first");
        return Err(Failure::quota(message));
    }
    all.token_hashes.push(hash.to_vec());
    Ok(tables::save(tx, ACCOUNT_BUNDLES, key(identity.as_bytes()), &all)?)
}

fn of_account(tx: &dyn Transaction, identity: Identity) -> Result<AccountBundlesRecord, RelayError> {
    Ok(tables::load(tx, ACCOUNT_BUNDLES, key(identity.as_bytes()))?.unwrap_or_default())
}

fn load(tx: &dyn Transaction, hash: &[u8]) -> Result<Option<BundleRecord>, RelayError> {
    tables::load(tx, RECOVERY_BUNDLES, key(hash))
}
