//! One encrypted database file: batched commits, blinded keys, backup.

mod batch;
mod changes;
mod error;
mod key;
pub mod memory;
mod merge;
mod storage;

pub use batch::{Batch, BatchTransaction};
pub use changes::Changes;
pub use error::{CommitError, Failure};
pub use key::{Blinded, RecordKey, SecretKey};
pub use memory::MemoryStore;
pub use storage::{CommitInfo, PREFIX_BYTES_MAX, Record, Records, Secret, Storage, VALUE_BYTES_MAX};
