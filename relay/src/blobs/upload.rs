//! Taking blobs, piece by piece.

use qpq_proto::Failure;
use qpq_proto::ids::Identity;
use qpq_proto::limits::BLOB_CHUNK_BYTES_MAX;
use qpq_proto::v1::{UploadBlobRequest, UploadBlobResponse};

use crate::blobs::jobs::{RETRY_MS, answer, answer_upload};
use crate::blobs::records::{BlobAccountRecord, BlobRecord, OwnedRecord};
use crate::blobs::{BlobJob, Place, UploadId, Work, account, download, garbage, hash_field};
use crate::context::{Context, Later};
use crate::due::{self, Kind};
use crate::input::{CallId, RelayError};
use crate::queues::TOKEN_BYTES;
use crate::relay::Relay;
use crate::sets;
use crate::tables::{self, ACCOUNT_BLOBS, BLOB_ACCOUNTS, BLOBS, key};
use crate::time::Moment;

impl Relay {
    pub(crate) fn upload_blob(
        &self,
        cx: &mut Context<'_>,
        request: UploadBlobRequest,
    ) -> Result<UploadBlobResponse, Failure> {
        let identity = cx.identity()?;
        self.check_upload(&request)?;
        let account = account(cx.tx, identity.as_bytes())?.unwrap_or_else(|| BlobAccountRecord {
            incarnation: cx.rng.next_u64().to_be_bytes().to_vec(),
            ..BlobAccountRecord::default()
        });
        let place =
            Place::new(identity, &account, hash_field(&request.hash)?).ok_or_else(Failure::internal)?;
        let asks_only = request.chunk.is_empty() && !request.last;
        match place.load(cx.tx)? {
            None if asks_only => Ok(UploadBlobResponse::default()),
            None => {
                let record = self.begin(cx, identity, account, &place, &request)?;
                self.go_on(cx, place, record, request)
            }
            Some(record) if record.total_bytes != request.total_size => {
                let message = format!("the blob has {} bytes", record.total_bytes);
                Err(Failure::bad_request("total_size", message))
            }
            Some(record) if asks_only => Ok(record.response(cx.now)),
            Some(record) if record.is_complete() => self.renew(cx, &place, record, &request),
            Some(record) => self.go_on(cx, place, record, request),
        }
    }

    fn check_upload(&self, request: &UploadBlobRequest) -> Result<(), Failure> {
        let refused = |field: &str, message: String| Err(Failure::bad_request(field, message));
        let longest = self.limits.blob_bytes_max;
        if !(1..=longest).contains(&request.total_size) {
            return refused("total_size", format!("a blob has 1 to {longest} bytes here"));
        }
        if request.chunk.len() > BLOB_CHUNK_BYTES_MAX {
            return refused("chunk", format!("a piece has at most {BLOB_CHUNK_BYTES_MAX} bytes"));
        }
        let end = request.offset.saturating_add(request.chunk.len() as u64);
        if end > request.total_size {
            return refused("chunk", "the piece goes beyond the blob's end".to_owned());
        }
        if request.last && end != request.total_size {
            return refused("last", "the last piece goes to the blob's end".to_owned());
        }
        if !matches!(request.access_token_hash.len(), 0 | TOKEN_BYTES) {
            return refused("access_token_hash", format!("a hash is {TOKEN_BYTES} bytes long"));
        }
        Ok(())
    }

    /// An upload begins, and takes its place in the account's quota.
    fn begin(
        &self,
        cx: &mut Context<'_>,
        identity: Identity,
        mut account: BlobAccountRecord,
        place: &Place,
        request: &UploadBlobRequest,
    ) -> Result<OwnedRecord, Failure> {
        account.bytes = account.bytes.saturating_add(request.total_size);
        account.blobs += 1;
        if account.bytes > self.limits.blob_bytes_per_account_max
            || account.blobs > self.limits.blobs_per_account_max
        {
            return Err(Failure::quota("the account's room for blobs is full"));
        }
        tables::save(cx.tx, BLOB_ACCOUNTS, key(identity.as_bytes()), &account)?;
        sets::add(cx.tx, ACCOUNT_BLOBS, &place.all(), &place.hash)?;
        let mut upload = vec![0; size_of::<UploadId>()];
        cx.rng.fill_bytes(&mut upload);
        let expires_at_ms = cx.now.after_ms(self.limits.upload_ttl_s * 1_000);
        due::look_at(cx.tx, Kind::Blobs, &place.to_bytes(), expires_at_ms)?;
        let total_bytes = request.total_size;
        Ok(OwnedRecord { upload, total_bytes, expires_at_ms, ..OwnedRecord::default() })
    }

    /// Has a piece written, or the end checked; the call is answered when that is done.
    fn go_on(
        &self,
        cx: &mut Context<'_>,
        place: Place,
        mut record: OwnedRecord,
        request: UploadBlobRequest,
    ) -> Result<UploadBlobResponse, Failure> {
        if self.blobs.is_busy(&place) {
            return Err(Failure::unavailable("a piece of this blob is being stored", RETRY_MS));
        }
        if request.offset != record.received_bytes {
            let message = format!("{} bytes were received: go on from there", record.received_bytes);
            return Err(Failure::conflict(message));
        }
        self.blobs.check_room(self.limits.blob_jobs_max)?;
        let upload = record.upload_id()?;
        record.ttl_s = self.blob_ttl_s(request.ttl_secs);
        record.access_token_hash = request.access_token_hash;
        place.save(cx.tx, &record)?;
        let call = cx.call()?.id;
        let (end, is_last) = (request.offset + request.chunk.len() as u64, request.last);
        cx.jobs.push(match request.chunk.is_empty() {
            true => finish(call, place, upload, record.total_bytes),
            false => {
                let job = BlobJob::Append { upload, offset: request.offset, chunk: request.chunk };
                (Work::Append { call, place, upload, end, is_last }, job)
            }
        });
        cx.later = Some(Later::Job);
        Ok(UploadBlobResponse::default())
    }

    /// The caller has the blob already: what it says of lifetime and token counts from now on.
    fn renew(
        &self,
        cx: &mut Context<'_>,
        place: &Place,
        mut record: OwnedRecord,
        request: &UploadBlobRequest,
    ) -> Result<UploadBlobResponse, Failure> {
        download::withdraw(cx.tx, place.hash(), &record)?;
        record.access_token_hash.clone_from(&request.access_token_hash);
        record.ttl_s = self.blob_ttl_s(request.ttl_secs);
        self.keep(cx, place, &mut record)?;
        Ok(record.response(cx.now))
    }

    /// A readable blob lives on, from now.
    fn keep(&self, cx: &mut Context<'_>, place: &Place, record: &mut OwnedRecord) -> Result<(), RelayError> {
        record.expires_at_ms = cx.now.after_ms(record.ttl_s * 1_000);
        due::look_at(cx.tx, Kind::Blobs, &place.to_bytes(), record.expires_at_ms)?;
        download::grant(cx.tx, place.hash(), record)?;
        place.save(cx.tx, record)
    }

    fn blob_ttl_s(&self, asked_s: u32) -> u64 {
        match asked_s {
            0 => self.limits.blob_ttl_default_s,
            asked_s => u64::from(asked_s).min(self.limits.blob_ttl_max_s),
        }
    }

    /// A piece was written.
    pub(super) fn appended(
        &self,
        cx: &mut Context<'_>,
        call: CallId,
        place: Place,
        upload: UploadId,
        end: u64,
        is_last: bool,
    ) -> Result<(), RelayError> {
        let Some(mut record) = of_upload(cx, call, &place, upload)? else { return Ok(()) };
        record.received_bytes = end;
        place.save(cx.tx, &record)?;
        match is_last {
            true => cx.jobs.push(finish(call, place, upload, record.total_bytes)),
            false => answer_upload(cx, call, &record.response(cx.now)),
        }
        Ok(())
    }

    /// An upload's hash is right: the blob is readable.
    pub(super) fn finished(
        &self,
        cx: &mut Context<'_>,
        call: CallId,
        place: &Place,
        upload: UploadId,
    ) -> Result<(), RelayError> {
        let Some(mut record) = of_upload(cx, call, place, upload)? else { return Ok(()) };
        let known: Option<BlobRecord> = tables::load(cx.tx, BLOBS, key(&place.hash))?;
        if known.is_none() {
            cx.totals.blob_bytes += record.total_bytes.cast_signed();
        }
        let owners = known.map_or(0, |known| known.owners) + 1;
        tables::save(
            cx.tx,
            BLOBS,
            key(&place.hash),
            &BlobRecord { total_bytes: record.total_bytes, owners },
        )?;
        garbage::throw_away(cx.tx, garbage::UPLOADS, &upload.0)?;
        record.upload.clear();
        self.keep(cx, place, &mut record)?;
        answer_upload(cx, call, &record.response(cx.now));
        Ok(())
    }

    /// An upload's hash is wrong: it is dropped.
    pub(super) fn mismatched(
        &self,
        cx: &mut Context<'_>,
        call: CallId,
        place: &Place,
        upload: UploadId,
    ) -> Result<(), RelayError> {
        let Some(record) = of_upload(cx, call, place, upload)? else { return Ok(()) };
        garbage::drop_owned(cx, place, &record)?;
        let message = "what was uploaded has another hash: begin again";
        answer(cx, call, Err(Failure::bad_request("hash", message)));
        Ok(())
    }
}

impl OwnedRecord {
    fn upload_id(&self) -> Result<UploadId, Failure> {
        self.upload.as_slice().try_into().map(UploadId).map_err(|_| Failure::internal())
    }

    fn response(&self, now: Moment) -> UploadBlobResponse {
        UploadBlobResponse {
            received: self.received_bytes,
            complete: self.is_complete(),
            expires_at_ms: now.on_the_wall(self.expires_at_ms),
        }
    }
}

/// The record of an upload, if it is still under way; otherwise the call is answered.
fn of_upload(
    cx: &mut Context<'_>,
    call: CallId,
    place: &Place,
    upload: UploadId,
) -> Result<Option<OwnedRecord>, RelayError> {
    let record = place.load(cx.tx)?.filter(|record| record.upload == upload.0);
    if record.is_none() {
        // It was given up meanwhile, and is garbage already.
        answer(cx, call, Err(Failure::not_found("the upload was dropped")));
    }
    Ok(record)
}

fn finish(call: CallId, place: Place, upload: UploadId, total_bytes: u64) -> (Work, BlobJob) {
    let job = BlobJob::Finish { upload, hash: place.hash(), total_bytes };
    (Work::Finish { call, place, upload }, job)
}
