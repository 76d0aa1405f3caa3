//! What nobody has any more: written down with the record that goes, crossed out when the bytes are gone.

use qpq_proto::ids::Identity;

use crate::blobs::records::{BlobAccountRecord, BlobRecord, OwnedRecord};
use crate::blobs::{BlobHash, BlobJob, Place, UploadId, Work, account, download};
use crate::context::Context;
use crate::due::{self, Kind};
use crate::graves;
use crate::input::RelayError;
use crate::records::{SetKind, SetRecord};
use crate::relay::Relay;
use crate::sets;
use crate::storage::Transaction;
use crate::tables::{self, ACCOUNT_BLOBS, BLOB_ACCOUNTS, BLOB_GARBAGE, BLOBS, OWNED_BLOBS, key};

/// Under which the uploads are listed that are garbage.
pub(super) const UPLOADS: &[u8] = b"uploads";
/// Under which the objects are listed that may be.
pub(super) const OBJECTS: &[u8] = b"objects";

impl Relay {
    /// Has some garbage removed. What a call is about to use, or an account has, is none.
    pub(crate) fn sweep(&self, cx: &mut Context<'_>) -> Result<(), RelayError> {
        let limit = self.limits.removals_per_step_max;
        for id in listed(cx.tx, UPLOADS, limit)? {
            let Ok(upload) = id.as_slice().try_into().map(UploadId) else { continue };
            let work = Work::Discard(upload);
            if !self.blobs.is_removing(&work) {
                cx.jobs.push((work, BlobJob::Discard { upload }));
            }
        }
        for id in listed(cx.tx, OBJECTS, limit)? {
            let Ok(hash) = id.as_slice().try_into().map(BlobHash) else { continue };
            let work = Work::Delete(hash);
            if tables::load::<BlobRecord>(cx.tx, BLOBS, key(&hash.0))?.is_some() {
                is_gone(cx.tx, OBJECTS, &hash.0)?;
            } else if !self.blobs.is_wanted(hash) && !self.blobs.is_removing(&work) {
                cx.jobs.push((work, BlobJob::Delete { hash }));
            }
        }
        Ok(())
    }

    /// Drops blobs and uploads that have ended. Returns whether there may be more.
    pub(crate) fn expire_blobs(&self, cx: &mut Context<'_>) -> Result<bool, RelayError> {
        let due = due::take(cx.tx, Kind::Blobs, cx.now.steady_ms)?;
        for place in due.iter().filter_map(|id| Place::from_bytes(id)) {
            let Some(record) = place.load(cx.tx)? else { continue };
            if cx.now.is_past(record.expires_at_ms) {
                drop_owned(cx, &place, &record)?;
            }
        }
        Ok(!due.is_empty())
    }

    /// Drops some of what a deleted account had. Returns whether it had nothing more.
    pub(crate) fn forget_blobs(
        &self,
        cx: &mut Context<'_>,
        prefix: &[u8],
        limit: usize,
    ) -> Result<bool, RelayError> {
        let hashes = sets::take_some(cx.tx, ACCOUNT_BLOBS, prefix, limit)?;
        for hash in &hashes {
            let Some(place) = Place::from_bytes(&[prefix, hash.as_slice()].concat()) else { continue };
            if let Some(record) = place.load(cx.tx)? {
                drop_owned(cx, &place, &record)?;
            }
        }
        Ok(hashes.is_empty())
    }
}

/// Drops all that a person has of blobs, step by step.
pub(crate) fn forget_account(tx: &mut dyn Transaction, identity: Identity) -> Result<(), RelayError> {
    let Some(BlobAccountRecord { incarnation, .. }) = account(tx, identity.as_bytes())? else {
        return Ok(());
    };
    let all = [identity.as_bytes().as_slice(), &incarnation].concat();
    graves::dig_for_set(tx, identity.as_bytes(), &all, SetKind::Blobs)?;
    Ok(tx.delete(BLOB_ACCOUNTS, key(identity.as_bytes()))?)
}

/// Drops what an account has of a blob.
pub(super) fn drop_owned(
    cx: &mut Context<'_>,
    place: &Place,
    record: &OwnedRecord,
) -> Result<(), RelayError> {
    let tx = &mut *cx.tx;
    tx.delete(OWNED_BLOBS, key(&place.to_bytes()))?;
    sets::remove(tx, ACCOUNT_BLOBS, &place.all(), &place.hash)?;
    if let Some(mut account) = account(tx, &place.identity)?
        && account.incarnation == place.incarnation
    {
        account.bytes = account.bytes.saturating_sub(record.total_bytes);
        account.blobs = account.blobs.saturating_sub(1);
        tables::save(tx, BLOB_ACCOUNTS, key(&place.identity), &account)?;
    }
    if !record.is_complete() {
        throw_away(tx, UPLOADS, &record.upload)?;
        // The object may have been made, and the word of it lost.
        return throw_away(tx, OBJECTS, &place.hash);
    }
    download::withdraw(tx, place.hash(), record)?;
    let Some(mut blob) = tables::load::<BlobRecord>(tx, BLOBS, key(&place.hash))? else { return Ok(()) };
    blob.owners = blob.owners.saturating_sub(1);
    match blob.owners {
        0 => {
            cx.totals.blob_bytes -= blob.total_bytes.cast_signed();
            tx.delete(BLOBS, key(&place.hash))?;
            throw_away(tx, OBJECTS, &place.hash)
        }
        _ => tables::save(tx, BLOBS, key(&place.hash), &blob),
    }
}

/// Something is garbage.
pub(super) fn throw_away(tx: &mut dyn Transaction, list: &[u8], id: &[u8]) -> Result<(), RelayError> {
    sets::add(tx, BLOB_GARBAGE, list, id).map(drop)
}

/// Something is garbage no longer.
pub(super) fn is_gone(tx: &mut dyn Transaction, list: &[u8], id: &[u8]) -> Result<(), RelayError> {
    sets::remove(tx, BLOB_GARBAGE, list, id).map(drop)
}

fn listed(tx: &dyn Transaction, list: &[u8], limit: usize) -> Result<Vec<Vec<u8>>, RelayError> {
    let found: Vec<(u64, SetRecord)> = tables::scan(tx, BLOB_GARBAGE, list, 0..u64::MAX, limit)?;
    Ok(found.into_iter().flat_map(|(_, held)| held.ids).collect())
}
