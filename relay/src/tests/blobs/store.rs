//! An object store in memory, which fails where it is told to, and a relay that loses its memory.

use std::collections::BTreeMap;

use bytes::Bytes;
use qpq_proto::v1::{DownloadBlobRequest, DownloadBlobResponse, UploadBlobRequest, UploadBlobResponse};
use qpq_proto::{Failure, Method};

use crate::blobs::{BlobHash, BlobJob, BlobResult, UploadId};
use crate::input::{CallId, Caller, Effect, Input};
use crate::relay::{Config, Registration, Relay};
use crate::tests::world::{Device, World};

/// Uploads and objects.
#[derive(Debug, Default)]
pub(super) struct Store {
    pub uploads: BTreeMap<UploadId, Vec<u8>>,
    pub objects: BTreeMap<BlobHash, Vec<u8>>,
    /// Jobs that were carried out.
    pub done: Vec<BlobJob>,
}

/// What becomes of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// They are carried out and reported.
    Done,
    /// The store fails before it does anything.
    Fails,
    /// The store fails after it did everything.
    DoneButFails,
    /// The program ends before they are carried out.
    CrashBefore,
    /// The program ends after they are carried out, and before that is recorded.
    CrashAfter,
}

impl Store {
    pub(super) fn carry_out(&mut self, job: BlobJob) -> BlobResult {
        self.done.push(job.clone());
        match job {
            BlobJob::Append { upload, offset, chunk } => {
                let bytes = self.uploads.entry(upload).or_default();
                let offset = usize::try_from(offset).unwrap();
                assert!(offset <= bytes.len(), "a piece begins behind the upload's end");
                bytes.truncate(offset);
                bytes.extend_from_slice(&chunk);
                BlobResult::Done
            }
            BlobJob::Finish { upload, hash, total_bytes } => match self.uploads.get(&upload) {
                Some(bytes) if bytes.len() as u64 == total_bytes && hash_of(bytes) == hash => {
                    self.objects.insert(hash, bytes.clone());
                    BlobResult::Done
                }
                Some(_) => BlobResult::Mismatch,
                None => BlobResult::Failed,
            },
            BlobJob::Read { hash, offset, length } => {
                let offset = usize::try_from(offset).unwrap();
                let bytes = self.objects.get(&hash).and_then(|bytes| bytes.get(offset..offset + length));
                bytes.map_or(BlobResult::Failed, |bytes| BlobResult::Read(Bytes::copy_from_slice(bytes)))
            }
            BlobJob::Discard { upload } => {
                self.uploads.remove(&upload);
                BlobResult::Done
            }
            BlobJob::Delete { hash } => {
                self.objects.remove(&hash);
                BlobResult::Done
            }
        }
    }
}

/// A hash as good as any: the relay never computes it.
pub(super) fn hash_of(bytes: &[u8]) -> BlobHash {
    BlobHash(qpq_crypto::digest::sha256(&[bytes]))
}

impl World {
    /// Has the store carry out all jobs, and those that follow. Returns false if the program ended.
    pub(super) fn run_jobs(&mut self, store: &mut Store, fate: Fate) -> bool {
        loop {
            let effects = self.effects();
            let is_job = |effect: &Effect| matches!(effect, Effect::Blob { .. });
            let (jobs, rest): (Vec<_>, Vec<_>) = effects.into_iter().partition(is_job);
            self.put_back(rest);
            if jobs.is_empty() {
                return true;
            }
            for job in jobs {
                let Effect::Blob { id, job } = job else { continue };
                let result = match fate {
                    Fate::Done => store.carry_out(job),
                    Fate::Fails => BlobResult::Failed,
                    Fate::DoneButFails => {
                        store.carry_out(job);
                        BlobResult::Failed
                    }
                    Fate::CrashBefore => return self.crash(),
                    Fate::CrashAfter => {
                        store.carry_out(job);
                        return self.crash();
                    }
                };
                self.give(Input::BlobDone { id, result });
            }
        }
    }

    /// Has the store carry out the jobs that were given, and not those that follow.
    pub(super) fn run_once(&mut self, store: &mut Store) {
        for effect in self.effects() {
            match effect {
                Effect::Blob { id, job } => {
                    let result = store.carry_out(job);
                    self.give(Input::BlobDone { id, result });
                }
                effect => self.put_back(vec![effect]),
            }
        }
    }

    /// The program ends, and begins again with what is durable.
    fn crash(&mut self) -> bool {
        let (node, limits) =
            (qpq_crypto::identity::DeviceSecret::from_seed(&[9; 32]), self.relay.limits.clone());
        let (domain, signed_trees) = (String::new(), Vec::new());
        let config = Config { node, limits, registration: Registration::Open, domain, signed_trees };
        self.relay = Relay::open(config, &mut self.rng, &mut self.memory).unwrap();
        self.effects();
        false
    }

    pub(super) fn submit_piece(&mut self, who: Device, request: &UploadBlobRequest) -> CallId {
        self.submit(who.caller(), Method::UploadBlob, request)
    }

    /// Uploads a piece. `None` if it is not answered, because the program ended.
    pub(super) fn try_upload(
        &mut self,
        store: &mut Store,
        fate: Fate,
        who: Device,
        request: &UploadBlobRequest,
    ) -> Option<Result<UploadBlobResponse, Failure>> {
        let call = self.submit_piece(who, request);
        if !self.run_jobs(store, fate) {
            return None;
        }
        let answer = self.answer(call).expect("an answer");
        Some(answer.map(|payload| prost::Message::decode(payload).unwrap()))
    }

    pub(super) fn upload_piece(
        &mut self,
        store: &mut Store,
        who: Device,
        request: &UploadBlobRequest,
    ) -> Result<UploadBlobResponse, Failure> {
        self.try_upload(store, Fate::Done, who, request).expect("no crash")
    }

    pub(super) fn download(
        &mut self,
        store: &mut Store,
        caller: Caller,
        request: &DownloadBlobRequest,
    ) -> Result<DownloadBlobResponse, Failure> {
        let call = self.submit(caller, Method::DownloadBlob, request);
        self.run_jobs(store, Fate::Done);
        let answer = self.answer(call).expect("an answer");
        answer.map(|payload| prost::Message::decode(payload).unwrap())
    }
}

/// A piece of a blob of these bytes.
pub(super) fn piece(bytes: &[u8], from: usize, to: usize) -> UploadBlobRequest {
    UploadBlobRequest {
        hash: hash_of(bytes).0.to_vec(),
        total_size: bytes.len() as u64,
        offset: from as u64,
        chunk: Bytes::copy_from_slice(&bytes[from..to]),
        last: to == bytes.len(),
        ..UploadBlobRequest::default()
    }
}
