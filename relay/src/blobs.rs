//! Blobs: large ciphertexts, content-addressed, whose bytes lie outside of the transaction.
//!
//! ```text
//!   UploadBlob            Append             Finish: checks the hash
//!  ────────────► record ─────────► upload ────────────────────────────► object, readable by hash
//!                  │                                                       ▲
//!                  └── received so far, quota, lifetime, access token      │ Read
//!   DownloadBlob, with the access token or as an owner ────────────────────┘
//! ```
//!
//! The bytes are an object store's, which the driver keeps ([`BlobJob`] says what it does). A call that needs it is
//! answered when its job is done, in a transaction of its own, and so nothing is acknowledged that is not durable:
//!
//! - **Before a job's record**: bytes that no record counts. They are written over by the next piece, which begins where
//!   the record says.
//! - **Before its job**: a record that promises nothing. The client goes on from what was acknowledged.
//!
//! Each account uploads on its own, bytes and all, until its upload's hash was checked. Only then do two accounts share an
//! object: nobody comes to own what it does not have, learns what is there, or spoils what another uploads. What has no
//! owner any more is garbage, which is written down before it is removed and crossed out after.

mod download;
mod garbage;
mod jobs;
mod records;
mod upload;

use qpq_proto::Failure;
use qpq_proto::ids::Identity;

use crate::blobs::records::{BlobAccountRecord, OwnedRecord};
use crate::input::RelayError;
use crate::storage::Transaction;
use crate::tables::{self, BLOB_ACCOUNTS, OWNED_BLOBS, key};

pub(crate) use garbage::forget_account;
pub use jobs::{BlobHash, BlobJob, BlobResult, JobId, UploadId};
pub(crate) use jobs::{Blobs, Work};
#[cfg(test)]
pub(crate) use records::BlobRecord;

/// Where what an account has of a blob is kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    identity: [u8; Identity::LENGTH_BYTES],
    /// The account's life.
    incarnation: [u8; 8],
    hash: [u8; BLOB_HASH_BYTES],
}

impl Place {
    fn new(identity: Identity, account: &BlobAccountRecord, hash: BlobHash) -> Option<Self> {
        let incarnation = account.incarnation.as_slice().try_into().ok()?;
        Some(Self { identity: *identity.as_bytes(), incarnation, hash: hash.0 })
    }

    /// From the list of what is to be looked at.
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (identity, rest) = bytes.split_first_chunk()?;
        let (incarnation, rest) = rest.split_first_chunk()?;
        let hash = rest.try_into().ok()?;
        Some(Self { identity: *identity, incarnation: *incarnation, hash })
    }

    fn to_bytes(&self) -> Vec<u8> {
        [self.all().as_slice(), &self.hash].concat()
    }

    /// Under which the hashes of all that the account has lie.
    fn all(&self) -> Vec<u8> {
        [self.identity.as_slice(), &self.incarnation].concat()
    }

    fn hash(&self) -> BlobHash {
        BlobHash(self.hash)
    }

    fn load(&self, tx: &dyn Transaction) -> Result<Option<OwnedRecord>, RelayError> {
        tables::load(tx, OWNED_BLOBS, key(&self.to_bytes()))
    }

    fn save(&self, tx: &mut dyn Transaction, record: &OwnedRecord) -> Result<(), RelayError> {
        tables::save(tx, OWNED_BLOBS, key(&self.to_bytes()), record)
    }
}

fn account(tx: &dyn Transaction, identity: &[u8]) -> Result<Option<BlobAccountRecord>, RelayError> {
    tables::load(tx, BLOB_ACCOUNTS, key(identity))
}

fn hash_field(bytes: &[u8]) -> Result<BlobHash, Failure> {
    let hash = bytes.try_into().map_err(|_| {
        Failure::bad_request("hash", format!("{} bytes instead of {BLOB_HASH_BYTES}", bytes.len()))
    })?;
    Ok(BlobHash(hash))
}

/// Bytes of a blob's hash.
const BLOB_HASH_BYTES: usize = 32;
