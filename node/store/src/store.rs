//! The store on disk.

use std::cell::OnceCell;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use qpq_crypto::at_rest::AtRestKey;
use qpq_engine::storage::{Direction, Table};
use rand_core::CryptoRng;

use crate::changes::Changes;
use crate::checkpoint::Checkpoint;
use crate::error::{CommitError, Failure};
use crate::guard::Guarded;
use crate::journal::Journal;
use crate::key::{Blinded, RecordKey, SecretKey};
use crate::layers::Layers;
use crate::meta::Meta;
use crate::open::{LockedStore, Options, StoreId};
use crate::open_counter::OpenCounter;
use crate::open_error::OpenError;
use crate::overlay::Overlay;
use crate::sealing::Keys;
use crate::secrets_key::SecretsKeyFile;
use crate::snapshot::Snapshot;
use crate::storage::{CommitInfo, Durability, Record, Records, Secret, Storage};
use crate::suspicion::Io;
use crate::view::View;

/// An open store: one writer, on the thread that owns it. [`Snapshot`]s may be read on others.
///
/// After a failed write it is latched: every later call fails, until the store is opened again.
pub struct Store {
    // Before the database, so that it is dropped first.
    pub(crate) view: OnceCell<View>,
    /// What the journal or nobody has, and the database will have after the next checkpoint.
    pub(crate) overlay: Arc<Overlay>,
    pub(crate) overlay_bytes_max: usize,
    /// The checkpoint under way.
    pub(crate) checkpoint: Option<Checkpoint>,
    /// Whether a thread of its own does it.
    pub(crate) is_threaded: bool,
    pub(crate) database: Arc<Guarded>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) secrets: SecretsKeyFile,
    pub(crate) journal: Journal,
    pub(crate) open_counter: Option<OpenCounter>,
    pub(crate) meta: Meta,
    pub(crate) io: Arc<Io>,
    pub(crate) rng: Box<dyn CryptoRng + Send>,
    pub(crate) is_latched: bool,
    /// Somebody was told that the count beside the key cannot be written.
    pub(crate) has_warned_of_count: bool,
}

impl Store {
    /// Opens the store in a data directory, or makes it.
    ///
    /// # Errors
    /// [`OpenError`]. Use [`LockedStore`] to look at the store before its key is known.
    pub fn open(directory: &Path, key: &AtRestKey, options: &Options) -> Result<Self, OpenError> {
        LockedStore::open(directory, options)?.unlock(key)
    }

    /// Which store this is.
    pub fn id(&self) -> StoreId {
        self.meta.id
    }

    /// Whether the database was found to be an older copy, at this opening or an earlier one that nobody has
    /// [acknowledged](Self::acknowledge_rollback). Ratchet state in it may have been used already and must
    /// not be used again.
    pub fn is_rolled_back(&self) -> bool {
        self.meta.rolled_back
    }

    /// Says that what a rollback asks for is done and committed.
    ///
    /// # Errors
    /// [`CommitError`]; the store is latched.
    pub fn acknowledge_rollback(&mut self) -> Result<(), CommitError> {
        self.latching(|store| {
            store.meta.rolled_back = false;
            let transaction = store.begin_whole()?;
            store.meta.write(&transaction)?;
            store.commit_durably(transaction)
        })?;
        Ok(())
    }

    /// The store as it is now, to be read while the writer goes on.
    ///
    /// # Errors
    /// [`Failure`] of the database.
    pub fn snapshot(&self) -> Result<Snapshot, Failure> {
        self.check_latch()?;
        let view = Failure::guarded(|| View::new(&self.database, &self.keys, self.secrets.sealers()))?;
        let frozen = self.checkpoint.as_ref().map(|checkpoint| Arc::clone(&checkpoint.overlay));
        Ok(Snapshot { view, overlays: [Some(Arc::clone(&self.overlay)), frozen] })
    }

    /// Brings everything into the database, so that it needs nothing from the journal. Happens by itself, on another
    /// thread, when half of the journal is full. Costs nothing if there is nothing to be done.
    ///
    /// # Errors
    /// [`CommitError`]; the store is latched.
    pub fn checkpoint(&mut self) -> Result<CommitInfo, CommitError> {
        self.check_latch()?;
        if self.overlay.is_empty() && self.checkpoint.is_none() {
            return Ok(CommitInfo::default());
        }
        self.latching(|store| {
            let transaction = store.begin_whole()?;
            store.commit_durably(transaction)
        })
    }

    /// Gives space that nothing uses back to the file system, if no snapshot is alive. Takes time and
    /// writes the whole database; true if the file became smaller.
    ///
    /// # Errors
    /// [`CommitError`]; the store is latched.
    pub fn compact(&mut self) -> Result<bool, CommitError> {
        let mut is_smaller = false;
        self.latching(|store| {
            let transaction = store.begin_whole()?;
            store.commit_durably(transaction)?;
            // No checkpoint is under way that would share it.
            let Some(database) = Arc::get_mut(&mut store.database) else { return Ok(()) };
            is_smaller = match database.compact() {
                Err(redb::CompactionError::TransactionInProgress) => false,
                compacted => compacted?,
            };
            Ok(())
        })?;
        Ok(is_smaller)
    }

    /// Bytes handed to files, and times one was forced to disk, since the store was opened.
    pub fn written(&self) -> CommitInfo {
        let (bytes, syncs) = self.io.totals();
        CommitInfo { changes: 0, bytes, syncs }
    }

    /// Closes the store. Dropping it is safe too, but then a copy made while it was open is not told apart
    /// from what it becomes.
    ///
    /// # Errors
    /// [`CommitError`].
    pub fn close(mut self) -> Result<(), CommitError> {
        // Only of a store that is closed in order may the journal be absent.
        self.meta.journal = None;
        self.latching(Self::count_opening).map(drop)
    }

    /// Writes what opening changes, and finishes a rotation that a crash interrupted.
    pub(crate) fn finish_opening(&mut self) -> Result<(), Failure> {
        if self.secrets.is_rotating() { self.reseal_secrets() } else { self.count_opening() }
    }

    /// Runs a write; if it fails, nothing is known about the disk any more.
    pub(crate) fn latching(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<(), Failure>,
    ) -> Result<CommitInfo, CommitError> {
        self.check_latch()?;
        let (bytes, syncs) = self.io.totals();
        self.is_latched = true;
        Failure::guarded(|| write(self)).inspect_err(|_| self.io.cut())?;
        self.is_latched = false;
        let (bytes_after, syncs_after) = self.io.totals();
        Ok(CommitInfo { changes: 0, bytes: bytes_after - bytes, syncs: syncs_after - syncs })
    }

    pub(crate) fn check_latch(&self) -> Result<(), Failure> {
        if self.is_latched { Err(Failure::Latched) } else { Ok(()) }
    }

    /// What can be read now. The view of the database is kept as long as nothing is committed to it.
    fn layers(&self) -> Result<Layers<'_>, Failure> {
        self.check_latch()?;
        let view = match self.view.get() {
            Some(view) => view,
            None => {
                let keys = &self.keys;
                let view = Failure::guarded(|| View::new(&self.database, keys, self.secrets.sealers()))?;
                self.view.get_or_init(|| view)
            }
        };
        let frozen = self.checkpoint.as_ref().map(|checkpoint| &*checkpoint.overlay);
        Ok(Layers { overlays: [Some(&self.overlay), frozen], view })
    }
}

impl Storage for Store {
    fn blind_prefix(&self, table: Table, prefix: &[u8]) -> Blinded {
        self.keys.blind_prefix(table, prefix)
    }

    fn blind_namespace(&self, namespace: &[u8]) -> Blinded {
        self.keys.blind_namespace(namespace)
    }

    fn blind_name(&self, name: &[u8]) -> Blinded {
        self.keys.blind_name(name)
    }

    fn record(&self, table: Table, key: &RecordKey) -> Result<Option<Record>, Failure> {
        self.layers()?.record(table, key)
    }

    fn records(
        &self,
        table: Table,
        keys: RangeInclusive<RecordKey>,
        direction: Direction,
    ) -> Result<Records<'_>, Failure> {
        self.layers()?.records(table, keys, direction)
    }

    fn secret(&self, key: &SecretKey) -> Result<Option<Secret>, Failure> {
        self.layers()?.secret(key)
    }

    fn secret_keys(&self, namespace: Blinded) -> Result<Vec<SecretKey>, Failure> {
        self.layers()?.secret_keys(namespace)
    }

    fn write(&mut self, changes: &Changes, durability: Durability) -> Result<CommitInfo, CommitError> {
        let info = self.latching(|store| store.write_changes(changes, durability))?;
        Ok(CommitInfo { changes: changes.len(), ..info })
    }

    fn sync(&mut self) -> Result<CommitInfo, CommitError> {
        self.check_latch()?;
        if !self.journal.has_deferred() {
            return Ok(CommitInfo::default());
        }
        self.write(&Changes::default(), Durability::Immediate)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("meta", &self.meta)
            .field("overlay", &self.overlay)
            .field("is_latched", &self.is_latched)
            .finish_non_exhaustive()
    }
}
