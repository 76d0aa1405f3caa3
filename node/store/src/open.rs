//! Opening a store: first the files, then the key.
//!
//! A [`LockedStore`] has the files, and with them the lock that keeps other processes out. It knows whether
//! this is a store at all, made by which version, and its id, by which the daemon finds the at-rest key; a
//! person is asked for a passphrase only when everything else is in order. [`LockedStore::unlock`] takes the
//! key.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chacha20::ChaCha20Rng;
use rand_core::{CryptoRng, SeedableRng};
use redb::{Builder, Database, StorageBackend};

use crate::error::Failure;
use crate::files::{
    Counted, DATABASE_FILE, Files, JOURNAL_FILE, OPEN_COUNTER_FILE, SECRETS_KEY_FILE, SmallFile,
};
use crate::guard::Guarded;
use crate::journal::JournalFile;
use crate::meta::{Meta, SCHEMA_VERSION};
use crate::migrate::check_version;
use crate::open_counter::OpenCounter;
use crate::open_error::OpenError;
use crate::secrets_key::read_header;
use crate::suspicion::{Io, rewrite};

/// How to open a store.
#[derive(Debug, Clone)]
pub struct Options {
    /// Memory for pages of the database, in bytes.
    pub cache_bytes: usize,
    /// Length of the journal, in bytes. It takes this much on the disk from the start. When half of it is full, what it
    /// holds goes into the database: the longer it is, the more often a page changes before it is written. A file that is
    /// longer already stays so; too little for any commit means no journal.
    ///
    /// It bounds the memory for what the database lacks, too: this much at most, and as much again while a checkpoint is
    /// under way. Commonly it is half of that.
    pub journal_bytes: u64,
    /// The file beside the at-rest key that counts openings and commits, so that an older copy of the data
    /// directory is noticed. Without it none is. Where the key's place depends on the store's id, leave it out
    /// and call [`LockedStore::count_in`].
    pub open_counter: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self { cache_bytes: CACHE_BYTES, journal_bytes: JOURNAL_BYTES, open_counter: None }
    }
}

/// What tells one store from another: 16 random bytes, chosen when it is made. Not secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoreId([u8; 16]);

impl StoreId {
    /// An id that was stored.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A store whose key is not known yet. Other processes are kept out while it exists.
pub struct LockedStore {
    pub(crate) database: Guarded,
    pub(crate) journal: JournalFile,
    pub(crate) secrets_key: SmallFile,
    pub(crate) open_counter: Option<OpenCounter>,
    pub(crate) meta: Meta,
    pub(crate) io: Arc<Io>,
    /// Whether all files were written once more, as what they showed was perhaps not on the disk.
    is_rewritten: bool,
    pub(crate) overlay_bytes_max: usize,
    pub(crate) is_threaded: bool,
    pub(crate) rng: Box<dyn CryptoRng + Send>,
}

impl LockedStore {
    /// Opens the files in a data directory, or makes them.
    ///
    /// # Errors
    /// All of [`OpenError`] but [`OpenError::WrongKey`].
    pub fn open(directory: &Path, options: &Options) -> Result<Self, OpenError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(Failure::Randomness)?;
        let files = Files::in_directory(directory, options.open_counter.as_deref())?;
        let locked = Self::open_files(files, options, Box::new(ChaCha20Rng::from_seed(seed)))?;
        Ok(locked.with_checkpoints_in_background())
    }

    /// Opens files that the caller brings, with randomness that the caller brings: for tests and simulations. The path
    /// among the options is not looked at.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_files(
        files: Files,
        options: &Options,
        rng: Box<dyn CryptoRng + Send>,
    ) -> Result<Self, OpenError> {
        OpenError::guarded(|| Self::open_unguarded(files, options, rng))
    }

    fn open_unguarded(
        files: Files,
        options: &Options,
        mut rng: Box<dyn CryptoRng + Send>,
    ) -> Result<Self, OpenError> {
        let database: Arc<dyn StorageBackend> = files.database.into();
        let journal: Arc<dyn StorageBackend> = files.journal.into();
        let keys: Arc<dyn StorageBackend> = files.secrets_key.into();
        let open_counter: Option<Arc<dyn StorageBackend>> = files.open_counter.map(Into::into);
        let io = Arc::new(Io::new(Arc::clone(&keys)));

        let secrets_key = SmallFile::new(SECRETS_KEY_FILE, Counted::new(Arc::clone(&keys), &io));
        if !secrets_key.lock()? {
            return Err(OpenError::InUse);
        }
        let all: Vec<_> =
            [&*database, &*journal, &*keys].into_iter().chain(open_counter.as_deref()).collect();
        let rewritten = io.rewrite_if_marked(&all);
        let is_rewritten = rewritten.map_err(|source| Failure::File { file: DATABASE_FILE, source })?;
        let owner = read_header(&secrets_key)?;
        let journal =
            JournalFile::new(SmallFile::new(JOURNAL_FILE, Counted::new(journal, &io)), options.journal_bytes);
        let journal_owners = journal.owners()?;
        let database = open_database(Counted::new(database, &io), options.cache_bytes, owner.is_none())?;
        let meta = match Meta::read(&database)? {
            Some(meta) => meta,
            None if owner.is_some() => return Err(OpenError::DatabaseLost),
            // Nothing is made over what another store may need.
            None if !journal_owners.is_empty() => return Err(OpenError::Foreign { file: JOURNAL_FILE }),
            None => make(&database, &mut *rng)?,
        };
        if owner.is_some_and(|owner| owner != meta.id) {
            return Err(OpenError::Foreign { file: SECRETS_KEY_FILE });
        }
        if !journal_owners.is_empty() && !journal_owners.contains(&meta.id) {
            return Err(OpenError::Foreign { file: JOURNAL_FILE });
        }
        check_version(meta.schema, SCHEMA_VERSION)?;
        let open_counter = open_counter.map(|file| {
            OpenCounter::new(SmallFile::new(OPEN_COUNTER_FILE, Counted::new(file, &io)), meta.id)
        });
        let overlay_bytes_max = usize::try_from(options.journal_bytes).unwrap_or(usize::MAX);
        let is_threaded = false;
        Ok(Self {
            database,
            journal,
            secrets_key,
            open_counter,
            meta,
            io,
            is_rewritten,
            overlay_bytes_max,
            is_threaded,
            rng,
        })
    }

    /// Has checkpoints done by a thread of their own, as [`open`](Self::open) does. Otherwise the writer does them, when
    /// it needs the room: as deterministic as a simulation.
    #[must_use]
    pub fn with_checkpoints_in_background(mut self) -> Self {
        self.is_threaded = true;
        self
    }

    /// Which store this is.
    pub fn id(&self) -> StoreId {
        self.meta.id
    }

    /// Counts in a file beside the at-rest key, whose place may depend on [`id`](Self::id); its directory must be
    /// there. Takes the place of [`Options::open_counter`].
    ///
    /// # Errors
    /// [`OpenError::Permission`], [`OpenError::ReadOnly`], [`OpenError::DiskFull`], [`OpenError::Io`].
    pub fn count_in(self, path: &Path) -> Result<Self, OpenError> {
        self.count_in_file(Files::open_counter(path)?)
    }

    /// Counts in a file that the caller brings.
    ///
    /// # Errors
    /// [`OpenError::Failure`].
    pub fn count_in_file(mut self, file: Box<dyn StorageBackend>) -> Result<Self, OpenError> {
        if self.is_rewritten {
            rewrite(&*file).map_err(|source| Failure::File { file: OPEN_COUNTER_FILE, source })?;
        }
        let file = SmallFile::new(OPEN_COUNTER_FILE, Counted::new(file.into(), &self.io));
        self.open_counter = Some(OpenCounter::new(file, self.meta.id));
        Ok(self)
    }
}

impl fmt::Debug for LockedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockedStore").field("meta", &self.meta).finish_non_exhaustive()
    }
}

/// Opens redb; `is_unused` if no store can have been made here yet.
fn open_database(backend: Counted, cache_bytes: usize, is_unused: bool) -> Result<Guarded, OpenError> {
    let failure = |source| Failure::File { file: DATABASE_FILE, source };
    let length = backend.len().map_err(failure)?;
    let mut start = [0; REDB_MAGIC.len()];
    if length >= start.len() as u64 {
        backend.read(0, &mut start).map_err(failure)?;
    }
    if length > 0 && start != *REDB_MAGIC {
        // redb writes its magic last. A crash before that left a file which never held anything; the
        // caller has the store's lock, so nobody else is making one here now.
        if start != [0; REDB_MAGIC.len()] || !is_unused || length > UNFINISHED_BYTES_MAX {
            return Err(OpenError::NotAStore);
        }
        backend.set_len(0).map_err(failure)?;
    }
    Ok(Guarded::new(Builder::new().set_cache_size(cache_bytes).create_with_backend(backend)?))
}

fn make(database: &Database, rng: &mut dyn CryptoRng) -> Result<Meta, Failure> {
    let mut id = [0; 16];
    rng.fill_bytes(&mut id);
    let meta = Meta::new(StoreId(id));
    meta.commit(database)?;
    Ok(meta)
}

const REDB_MAGIC: &[u8; 9] = b"redb\x1A\x0A\xA9\x0D\x0A";

/// More than redb's first allocation: a file this long whose magic is gone has held something.
const UNFINISHED_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Enough for the inner pages of some hundred thousand records.
const CACHE_BYTES: usize = 4 * 1024 * 1024;

/// Enough for some hundred messages.
const JOURNAL_BYTES: u64 = 1024 * 1024;
