//! What the object store is asked to do, and what becomes of a call when it is done.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use prost::Message;
use qpq_proto::Failure;
use qpq_proto::v1::{DownloadBlobResponse, UploadBlobResponse};

use crate::blobs::{BLOB_HASH_BYTES, Place, garbage};
use crate::context::Context;
use crate::input::{CallId, Effect, RelayError};
use crate::relay::Relay;

/// Names a job until it is done. Never used again within one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobId(pub u64);

/// Names the bytes of an upload under way: random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UploadId(pub [u8; 16]);

/// Names a blob: the BLAKE3 hash of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlobHash(pub [u8; BLOB_HASH_BYTES]);

/// Something for the object store to do.
///
/// The store keeps uploads, which grow, and objects, which do not change. It carries out jobs that name the same upload
/// or the same hash in the order in which they were given, and reports each when it is durable. A job that was under way
/// when the program ended is forgotten, done or not; the relay asks again for what it still wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlobJob {
    /// Write a piece of an upload, which is new if there is none: what lies at the offset and behind it is replaced.
    Append {
        /// Which upload.
        upload: UploadId,
        /// Where the piece begins, bytes; never behind the upload's end.
        offset: u64,
        /// The piece.
        chunk: Bytes,
    },
    /// Make an object of an upload, if it has the length and the hash; otherwise answer [`BlobResult::Mismatch`]. The
    /// upload stays. If there is such an object already, it is as good: it has the same bytes.
    Finish {
        /// Which upload.
        upload: UploadId,
        /// The object's hash.
        hash: BlobHash,
        /// The object's length.
        total_bytes: u64,
    },
    /// Read a stretch of an object.
    Read {
        /// Which object.
        hash: BlobHash,
        /// Where the stretch begins, bytes.
        offset: u64,
        /// Its length in bytes; it lies within the object.
        length: usize,
    },
    /// Remove an upload, if there is one.
    Discard {
        /// Which.
        upload: UploadId,
    },
    /// Remove an object, if there is one.
    Delete {
        /// Which.
        hash: BlobHash,
    },
}

/// What came of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlobResult {
    /// It is done, and durable.
    Done,
    /// The stretch that was to be read.
    Read(Bytes),
    /// An upload's length or hash is another.
    Mismatch,
    /// The store failed, or what was to be read is not there.
    Failed,
}

/// What a job is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Work {
    /// A piece of an upload, up to where.
    Append { call: CallId, place: Place, upload: UploadId, end: u64, is_last: bool },
    /// An upload's end.
    Finish { call: CallId, place: Place, upload: UploadId },
    /// A stretch of a blob of this length.
    Read { call: CallId, total_bytes: u64 },
    /// Garbage.
    Discard(UploadId),
    /// Garbage.
    Delete(BlobHash),
}

/// The jobs that are under way.
#[derive(Debug, Default)]
pub(crate) struct Blobs {
    next: u64,
    jobs: BTreeMap<JobId, Work>,
    /// Uploads of which a piece is being written or the end checked.
    busy: BTreeSet<Place>,
}

impl Blobs {
    /// A job begins.
    pub(crate) fn start(&mut self, work: Work, job: BlobJob) -> Effect {
        if let Work::Append { place, .. } | Work::Finish { place, .. } = &work {
            self.busy.insert(place.clone());
        }
        let id = JobId(self.next);
        self.next += 1;
        self.jobs.insert(id, work);
        Effect::Blob { id, job }
    }

    /// Whether one more job may begin for a call.
    pub(super) fn check_room(&self, jobs_max: usize) -> Result<(), Failure> {
        match self.jobs.len() < jobs_max {
            true => Ok(()),
            false => Err(Failure::unavailable("the relay's object store is busy", RETRY_MS)),
        }
    }

    /// Whether something is being done to an upload.
    pub(super) fn is_busy(&self, place: &Place) -> bool {
        self.busy.contains(place)
    }

    /// Whether an object of this hash may be about to be made.
    pub(super) fn is_wanted(&self, hash: BlobHash) -> bool {
        self.busy.iter().any(|place| place.hash() == hash)
    }

    /// Whether garbage is being removed.
    pub(super) fn is_removing(&self, garbage: &Work) -> bool {
        self.jobs.values().any(|work| work == garbage)
    }

    fn end(&mut self, id: JobId) -> Option<Work> {
        let work = self.jobs.remove(&id)?;
        if let Work::Append { place, .. } | Work::Finish { place, .. } = &work {
            self.busy.remove(place);
        }
        Some(work)
    }
}

impl Relay {
    /// A job is done: what it was for goes on.
    pub(crate) fn blob_done(
        &mut self,
        cx: &mut Context<'_>,
        id: JobId,
        result: BlobResult,
    ) -> Result<(), RelayError> {
        let Some(work) = self.blobs.end(id) else { return Ok(()) };
        match (work, result) {
            (Work::Append { call, place, upload, end, is_last }, BlobResult::Done) => {
                self.appended(cx, call, place, upload, end, is_last)?;
            }
            (Work::Finish { call, place, upload }, BlobResult::Done) => {
                self.finished(cx, call, &place, upload)?;
            }
            (Work::Finish { call, place, upload }, BlobResult::Mismatch) => {
                self.mismatched(cx, call, &place, upload)?;
            }
            (Work::Read { call, total_bytes }, BlobResult::Read(chunk)) => {
                let response = DownloadBlobResponse { chunk, total_size: total_bytes };
                answer(cx, call, Ok(Bytes::from(response.encode_to_vec())));
            }
            (Work::Append { call, .. } | Work::Finish { call, .. } | Work::Read { call, .. }, _) => {
                let message = "the relay's object store failed";
                answer(cx, call, Err(Failure::unavailable(message, RETRY_MS)));
            }
            (Work::Discard(upload), BlobResult::Done) => {
                garbage::is_gone(cx.tx, garbage::UPLOADS, &upload.0)?
            }
            (Work::Delete(hash), BlobResult::Done) => garbage::is_gone(cx.tx, garbage::OBJECTS, &hash.0)?,
            // It is still garbage, and tried again.
            (Work::Discard(_) | Work::Delete(_), _) => return Ok(()),
        }
        self.expiry.look_soon();
        Ok(())
    }
}

/// Answers an upload's call.
pub(super) fn answer_upload(cx: &mut Context<'_>, call: CallId, response: &UploadBlobResponse) {
    answer(cx, call, Ok(Bytes::from(response.encode_to_vec())));
}

/// Answers a call.
pub(super) fn answer(cx: &mut Context<'_>, call: CallId, result: Result<Bytes, Failure>) {
    cx.effects.push(Effect::Answer { call, result });
}

/// When a caller that found the store busy or failing should try again.
pub(super) const RETRY_MS: u64 = 1_000;
