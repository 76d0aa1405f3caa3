//! One encrypted database file: batched commits, blinded keys, backup.

mod batch;
mod changes;
mod error;
mod files;
mod key;
pub mod memory;
mod merge;
mod meta;
mod migrate;
mod open;
mod open_counter;
mod restore;
mod sealing;
mod secrets_key;
mod snapshot;
mod storage;
mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod view;

pub use batch::{Batch, BatchTransaction};
pub use changes::Changes;
pub use error::{CommitError, Failure};
pub use files::{DATABASE_FILE, Files, SECRETS_KEY_FILE};
pub use key::{Blinded, RecordKey, SecretKey};
pub use memory::MemoryStore;
pub use meta::SCHEMA_VERSION;
pub use open::{LockedStore, OpenError, Options, StoreId};
pub use restore::RestoreError;
pub use snapshot::{PlacedRecord, Snapshot};
pub use storage::{CommitInfo, PREFIX_BYTES_MAX, Record, Records, Secret, Storage, VALUE_BYTES_MAX};
pub use store::Store;
