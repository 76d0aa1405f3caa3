//! Reading blobs: by their owners, and by whoever has the access token.

use qpq_crypto::digest::sha256;
use qpq_proto::Failure;
use qpq_proto::limits::BLOB_CHUNK_BYTES_MAX;
use qpq_proto::v1::{DownloadBlobRequest, DownloadBlobResponse};

use crate::blobs::records::{AccessRecord, BlobRecord, OwnedRecord};
use crate::blobs::{BlobHash, BlobJob, Place, Work, account, hash_field};
use crate::context::{Context, Later};
use crate::input::RelayError;
use crate::queues::TOKEN_BYTES;
use crate::relay::Relay;
use crate::storage::Transaction;
use crate::tables::{self, BLOB_ACCESS, BLOBS, key};

impl Relay {
    pub(crate) fn download_blob(
        &self,
        cx: &mut Context<'_>,
        request: &DownloadBlobRequest,
    ) -> Result<DownloadBlobResponse, Failure> {
        let hash = hash_field(&request.hash)?;
        let length = match usize::try_from(request.length).unwrap_or(usize::MAX) {
            0 => self.limits.blob_chunk_default_bytes,
            length if length <= BLOB_CHUNK_BYTES_MAX => length,
            _ => {
                let message = format!("at most {BLOB_CHUNK_BYTES_MAX} bytes are given at once");
                return Err(Failure::bad_request("length", message));
            }
        };
        let may_read = match request.access_token.len() {
            0 => is_owner(cx, hash)?,
            TOKEN_BYTES => is_granted(cx, hash, &request.access_token)?,
            _ => {
                let message = format!("a token is {TOKEN_BYTES} bytes long");
                return Err(Failure::bad_request("access_token", message));
            }
        };
        let record: Option<BlobRecord> = tables::load(cx.tx, BLOBS, key(&hash.0))?;
        let Some(BlobRecord { total_bytes, .. }) = record.filter(|_| may_read) else {
            return Err(Failure::not_found("there is no such blob here for this caller or token"));
        };
        let Some(left) = total_bytes.checked_sub(request.offset) else {
            return Err(Failure::bad_request("offset", format!("the blob has {total_bytes} bytes")));
        };
        let length = length.min(usize::try_from(left).unwrap_or(usize::MAX));
        if length > 0 {
            self.blobs.check_room(self.limits.blob_jobs_max)?;
            let work = Work::Read { call: cx.call()?.id, total_bytes };
            cx.jobs.push((work, BlobJob::Read { hash, offset: request.offset, length }));
            cx.later = Some(Later::Job);
        }
        Ok(DownloadBlobResponse { total_size: total_bytes, ..DownloadBlobResponse::default() })
    }
}

fn is_owner(cx: &Context<'_>, hash: BlobHash) -> Result<bool, Failure> {
    let identity = cx.identity()?;
    let Some(account) = account(cx.tx, identity.as_bytes())? else { return Ok(false) };
    let place = Place::new(identity, &account, hash).ok_or_else(Failure::internal)?;
    let is_live = |record: &OwnedRecord| record.is_complete() && !cx.now.is_past(record.expires_at_ms);
    Ok(place.load(cx.tx)?.is_some_and(|record| is_live(&record)))
}

fn is_granted(cx: &Context<'_>, hash: BlobHash, token: &[u8]) -> Result<bool, Failure> {
    let place = access(hash, &sha256(&[token]));
    let record: Option<AccessRecord> = tables::load(cx.tx, BLOB_ACCESS, key(&place))?;
    Ok(record.is_some_and(|record| !cx.now.is_past(record.expires_at_ms)))
}

/// An owner lets those read a blob who have its token, as long as it keeps the blob.
pub(super) fn grant(tx: &mut dyn Transaction, hash: BlobHash, owned: &OwnedRecord) -> Result<(), RelayError> {
    if owned.access_token_hash.is_empty() {
        return Ok(());
    }
    let place = access(hash, &owned.access_token_hash);
    let mut record: AccessRecord = tables::load(tx, BLOB_ACCESS, key(&place))?.unwrap_or_default();
    record.owners += 1;
    record.expires_at_ms = record.expires_at_ms.max(owned.expires_at_ms);
    tables::save(tx, BLOB_ACCESS, key(&place), &record)
}

/// An owner lets nobody read a blob any more.
pub(super) fn withdraw(
    tx: &mut dyn Transaction,
    hash: BlobHash,
    owned: &OwnedRecord,
) -> Result<(), RelayError> {
    if owned.access_token_hash.is_empty() {
        return Ok(());
    }
    let place = access(hash, &owned.access_token_hash);
    let mut record: AccessRecord = tables::load(tx, BLOB_ACCESS, key(&place))?.unwrap_or_default();
    record.owners = record.owners.saturating_sub(1);
    match record.owners {
        0 => Ok(tx.delete(BLOB_ACCESS, key(&place))?),
        _ => tables::save(tx, BLOB_ACCESS, key(&place), &record),
    }
}

fn access(hash: BlobHash, token_hash: &[u8]) -> Vec<u8> {
    [hash.0.as_slice(), token_hash].concat()
}
