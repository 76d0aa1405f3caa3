//! Hybrid public keys, each signed by its person.

use qpq_crypto::hybrid::HybridPublic;
use qpq_crypto::signature::{Domain, Verify};
use qpq_proto::Failure;
use qpq_proto::ids::Identity;
use qpq_proto::limits::HYBRID_KEYS_PER_CALL_MAX;
use qpq_proto::v1::{
    FetchHybridKeyRequest, FetchHybridKeyResponse, FetchHybridKeysRequest, FetchHybridKeysResponse,
    UploadHybridKeyRequest, UploadHybridKeyResponse,
};

use crate::context::Context;
use crate::input::RelayError;
use crate::keys::records::HybridKeyRecord;
use crate::queues;
use crate::relay::Relay;
use crate::storage::Transaction;
use crate::tables::{self, HYBRID_KEYS, key};

impl Relay {
    pub(crate) fn upload_hybrid_key(
        &self,
        cx: &mut Context<'_>,
        request: &UploadHybridKeyRequest,
    ) -> Result<UploadHybridKeyResponse, Failure> {
        let identity = cx.identity()?;
        let UploadHybridKeyRequest { hybrid_public_key, signature, sequence } = request;
        HybridPublic::from_bytes(hybrid_public_key)
            .map_err(|error| Failure::bad_request("hybrid_public_key", error.to_string()))?;
        if *sequence == 0 {
            return Err(Failure::bad_request("sequence", "sequences begin with 1"));
        }
        identity
            .verify(Domain::HybridKey, &[hybrid_public_key, &sequence.to_be_bytes()], signature)
            .map_err(|_| Failure::bad_request("signature", "the key is not signed by its person"))?;
        let held = load(cx.tx, identity)?.map_or(0, |held| held.sequence);
        if *sequence <= held {
            return Err(Failure::conflict(format!(
                "the key held has the sequence {held}: choose a higher one"
            )));
        }
        let record = HybridKeyRecord {
            hybrid_public_key: hybrid_public_key.clone(),
            signature: signature.clone(),
            sequence: *sequence,
        };
        tables::save(cx.tx, HYBRID_KEYS, key(identity.as_bytes()), &record)?;
        Ok(UploadHybridKeyResponse {})
    }

    pub(crate) fn fetch_hybrid_key(
        &self,
        cx: &Context<'_>,
        request: &FetchHybridKeyRequest,
    ) -> Result<FetchHybridKeyResponse, Failure> {
        let identity = identity_field("identity_key", &request.identity_key)?;
        if !cx.call()?.is_known() && !is_invited(cx, identity, request)? {
            return Err(Failure::forbidden("this person's key is given to those who show one of its tokens"));
        }
        load(cx.tx, identity)?
            .map(FetchHybridKeyResponse::from)
            .ok_or_else(|| Failure::not_found("no hybrid key of this person is held here"))
    }

    pub(crate) fn fetch_hybrid_keys(
        &self,
        cx: &Context<'_>,
        request: &FetchHybridKeysRequest,
    ) -> Result<FetchHybridKeysResponse, Failure> {
        let asked = &request.identity_keys;
        if !(1..=HYBRID_KEYS_PER_CALL_MAX).contains(&asked.len()) {
            let message = format!("1 to {HYBRID_KEYS_PER_CALL_MAX} people are asked for at once");
            return Err(Failure::bad_request("identity_keys", message));
        }
        let find = |bytes: &Vec<u8>| {
            let found = load(cx.tx, identity_field("identity_keys", bytes)?)?;
            Ok(found.map(FetchHybridKeyResponse::from).unwrap_or_default())
        };
        let keys: Result<_, Failure> = asked.iter().map(find).collect();
        Ok(FetchHybridKeysResponse { keys: keys? })
    }
}

/// Whether a stranger shows a token of a mailbox of the person's. It may show it again: only a delivery uses it up.
fn is_invited(
    cx: &Context<'_>,
    identity: Identity,
    request: &FetchHybridKeyRequest,
) -> Result<bool, RelayError> {
    let owner = queues::owner_of_token(cx.tx, &request.mailbox, &request.token)?;
    Ok(owner.is_some_and(|owner| owner == identity.as_bytes()))
}

impl From<HybridKeyRecord> for FetchHybridKeyResponse {
    fn from(record: HybridKeyRecord) -> Self {
        let HybridKeyRecord { hybrid_public_key, signature, sequence } = record;
        Self { hybrid_public_key, signature, sequence }
    }
}

/// Somebody's hybrid key; none if none is held.
pub(crate) fn hybrid_key(
    tx: &dyn Transaction,
    identity: Identity,
) -> Result<Option<FetchHybridKeyResponse>, RelayError> {
    Ok(load(tx, identity)?.map(FetchHybridKeyResponse::from))
}

fn load(tx: &dyn Transaction, identity: Identity) -> Result<Option<HybridKeyRecord>, RelayError> {
    tables::load(tx, HYBRID_KEYS, key(identity.as_bytes()))
}

fn identity_field(field: &str, bytes: &[u8]) -> Result<Identity, Failure> {
    Identity::try_from(bytes).map_err(|error| error.in_field(field))
}
