//! One encrypted database with a journal in front: batched commits, blinded keys, backup.
//!
//! ```text
//!  engine ─ Transaction ─┐                        ┌─ Store ─┬─ node.journal: commits, durable at once
//!                        │                        │         ├─ overlay: the same in memory, to be read
//!                        ├─ Batch ─ Storage ──────┤         └─ node.redb: all before, by checkpoints in the background
//!  OpenMLS ─ KeyValue ───┘                        └─ MemoryStore: tests, simulations
//! ```
//!
//! The daemon's storage thread takes what waits, runs each input in a [`BatchTransaction`], accepts those
//! that went well, and commits the [`Batch`]: one sync serves all of them, and nobody is answered before.
//!
//! # What holds
//! - **Durability.** When [`Batch::commit`] returns `Ok`, the batch survives the loss of power; when the power
//!   goes earlier, all of it is there or nothing. Batches survive in the order of their commits: none without those
//!   before it. After any failed write the store is latched and writes nothing more, and opening it again makes sure
//!   that what can be read is on the disk. [`Batch::commit_deferred`] leaves the sync to the next commit, for what was
//!   promised to nobody.
//! - **Wear.** A commit is one write in a row to the journal, as long as the batch, and one sync. What it changed
//!   stays in memory until half of the journal is full; then the newest value of each record that is still there goes
//!   into the database, in one transaction, on a thread of its own, while commits go on in the other half. What was
//!   deleted by then never gets there. Everything is brought there, and waited for, when the store is closed or compacted
//!   and when its secrets' key is replaced. Opening the store after anything but an orderly end brings in what only the
//!   journal has.
//! - **Memory.** What the database lacks takes as much memory as the journal is long at most, and as much again while a
//!   checkpoint is under way. If the other half is full before that is done, the writer waits for it.
//! - **Secrecy.** In the database values are sealed with the table and key as associated data, and what a key reveals
//!   about a person is replaced by a keyed hash; in the journal whole batches are sealed. In the clear are: table names,
//!   ordinals, how many records a prefix has and how long they are, and how long the newest commits were. In memory
//!   secrets lie sealed outside of transactions, and the records of the newest batches in the clear.
//! - **Deletion.** Records that are deleted stay in free pages, sealed, until these are used again. Secrets
//!   are gone for good after [`Store::rotate_secrets`], and so is what the journal held.
//! - **Damage.** A value that was damaged is never read as another: its seal does not open. Where the pages around
//!   it contradict themselves, that is an error and no panic. Not noticed is damage in pages that nobody reads,
//!   and a damaged key hides its record: to know better means to read everything at every start. A journal that is
//!   missing, cut short, mixed up or damaged is an error. Only its last commit cannot be told by itself from one that
//!   the power cut short: if it was acknowledged, the count of commits shows it, as it shows a rollback.
//! - **Rollback.** An older copy of the data directory is told at opening by a single commit that it lacks, if
//!   there is an open counter beside the at-rest key: see [`Store::is_rolled_back`]. A process that is killed
//!   is not taken for one. Not noticed is whoever can write the file and puts back an older value of one
//!   record, nor that the counter went back as well, as with a snapshot of a whole machine.
//! - **Space.** What is deleted makes room for what comes, and redb cuts free space off the file's end. The
//!   store never compacts by itself: to know whether that is worth it means to read everything at every
//!   start, and to do it means to write everything, which flash wears out on. [`Store::compact`] is for
//!   people who ask for it.
//!
//! ```
//! use bytes::Bytes;
//! use qpq_crypto::at_rest::AtRestKey;
//! use qpq_engine::storage::{Key, Table, Transaction};
//! use qpq_store::{Options, Storage, Store};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let key = AtRestKey::from_bytes(&[0; 32]);
//! let mut store = Store::open(directory.path(), &key, &Options::default())?;
//! let mut batch = store.begin();
//! let mut transaction = batch.transaction();
//! transaction.put(Table("messages"), Key { prefix: b"alice", ordinal: 1 }, Bytes::from("hello"))?;
//! transaction.accept();
//! assert_eq!(batch.commit()?.syncs, 1);
//! # Ok(())
//! # }
//! ```

mod apply;
mod batch;
mod changes;
mod checkpoint;
mod encoding;
mod error;
mod files;
mod guard;
mod journal;
mod key;
mod layers;
pub mod memory;
mod merge;
mod meta;
mod migrate;
mod open;
mod open_counter;
mod open_error;
mod overlay;
mod recent;
mod relay;
mod restore;
mod rotation;
mod sealing;
mod secrets_key;
mod snapshot;
mod storage;
mod store;
mod suspicion;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod unlock;
mod view;
mod write;

pub use batch::{Batch, BatchTransaction};
pub use changes::Changes;
pub use error::{CommitError, Failure};
pub use files::{DATABASE_FILE, Files, JOURNAL_FILE, SECRETS_KEY_FILE};
pub use key::{Blinded, RecordKey, SecretKey};
pub use memory::MemoryStore;
pub use meta::SCHEMA_VERSION;
pub use open::{LockedStore, Options, StoreId};
pub use open_error::OpenError;
pub use restore::RestoreError;
pub use snapshot::{PlacedRecord, Snapshot};
pub use storage::{
    CommitInfo, Durability, PREFIX_BYTES_MAX, Record, Records, Secret, Storage, VALUE_BYTES_MAX,
};
pub use store::Store;
