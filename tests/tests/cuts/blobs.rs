//! One who uploads blobs piece by piece, goes on after each cut where the relay is, and reads what is whole.

use qpq_crypto::digest::{ContentHash, sha256};
use qpq_proto::Status;
use qpq_proto::v1::{DownloadBlobRequest, UploadBlobRequest};
use qpq_tests::RelayAddress;

use crate::visitor::{Arrivals, Visitor, status};

pub(crate) struct Blobs {
    owner: Visitor,
    /// Blobs that are whole.
    whole: u32,
    /// Bytes of the next one that were acknowledged.
    received: usize,
    /// Bytes of it if the piece under way was taken.
    wanted: usize,
    /// How often an upload went on after a cut.
    resumed: u32,
    /// Blobs that were whole before this run of the relay.
    looked_at: u32,
}

const BLOB_BYTES: usize = 40_003;
const PIECE_BYTES: usize = 7_000;

impl Blobs {
    pub(crate) async fn arrive(arrivals: &mut Arrivals) -> Self {
        let owner = arrivals.next().await;
        Self { owner, whole: 0, received: 0, wanted: 0, resumed: 0, looked_at: 0 }
    }

    pub(crate) async fn act(&mut self) {
        loop {
            let end = (self.received + PIECE_BYTES).min(BLOB_BYTES);
            let request = piece(self.whole, self.received, end);
            self.wanted = end;
            let answer = self.owner.line().upload_blob(&request).await.unwrap();
            assert_eq!((answer.received, answer.complete), (end as u64, request.last));
            self.took(end);
        }
    }

    fn took(&mut self, end: usize) {
        self.received = end;
        if end == BLOB_BYTES {
            self.whole += 1;
            (self.received, self.wanted) = (0, 0);
        }
    }

    /// What was acknowledged is there, a blob that is not whole is no blob, and one that is whole has all its bytes.
    pub(crate) async fn check(&mut self, relay: &RelayAddress) {
        self.owner.enter(relay).await;
        let ask = UploadBlobRequest { last: false, ..piece(self.whole, 0, 0) };
        let answer = self.owner.line().upload_blob(&ask).await.unwrap();
        let received = usize::try_from(answer.received).unwrap();
        let is_possible = received == self.received || received == self.wanted;
        assert!(is_possible, "{received} bytes, {} acknowledged, {} asked for", self.received, self.wanted);
        assert!(!answer.complete || received == BLOB_BYTES);
        if !answer.complete {
            let refused = self.owner.line().download_blob(&whole(self.whole)).await.unwrap_err();
            assert_eq!(status(&refused), Status::NotFound);
            self.resumed += u32::from(received > 0);
            // All bytes may be there and not their end: it is asked for again.
            self.received = received;
        } else {
            self.took(received);
        }
        for number in self.looked_at.saturating_sub(1)..self.whole {
            let found = self.owner.line().download_blob(&whole(number)).await.unwrap();
            assert_eq!(found.total_size, BLOB_BYTES as u64);
            assert!(found.chunk == bytes(number), "blob {number} has other bytes");
        }
        self.looked_at = self.whole;
    }

    pub(crate) fn summary(&self) -> String {
        format!("{} blobs whole, {} uploads gone on with", self.whole, self.resumed)
    }
}

/// Bytes of a blob that are like no other's.
fn bytes(blob: u32) -> Vec<u8> {
    let blocks = (0..).flat_map(|block: u32| sha256(&[&blob.to_be_bytes(), &block.to_be_bytes()]));
    blocks.take(BLOB_BYTES).collect()
}

fn hash(bytes: &[u8]) -> Vec<u8> {
    let mut hash = ContentHash::default();
    hash.update(bytes);
    hash.finish().to_vec()
}

fn piece(blob: u32, from: usize, to: usize) -> UploadBlobRequest {
    let bytes = bytes(blob);
    UploadBlobRequest {
        hash: hash(&bytes),
        total_size: BLOB_BYTES as u64,
        offset: from as u64,
        chunk: bytes[from..to].to_vec().into(),
        last: to == BLOB_BYTES,
        ..UploadBlobRequest::default()
    }
}

fn whole(blob: u32) -> DownloadBlobRequest {
    DownloadBlobRequest { hash: hash(&bytes(blob)), ..DownloadBlobRequest::default() }
}
