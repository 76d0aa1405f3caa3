//! The journal: where a batch becomes durable before the database does.
//!
//! A batch of a chat message changes a handful of records, but a commit of redb writes each page that it touches,
//! and these lie scattered. So a batch that must be durable is sealed into one frame and appended to a file of its
//! own, one write and one sync in a row, and the database takes it in memory alone. Now and then a *checkpoint*
//! makes the database durable, once for all batches since the last, and the journal starts over.
//!
//! ```text
//! write       database in memory ─► frame appended, synced ─► count beside the key ─► the caller is answered
//! checkpoint  database made durable, one sync ─► the next frame goes to the journal's start
//! opening     frames newer than the database ─► into the database, one commit ─► a new epoch ─► somebody may read
//! ```
//!
//! # File
//! ```text
//! node.journal    0  header slot 0: magic (8) | version (1) | store id (16) | epoch (16) | file length (8) | seal (41)
//!              4096  header slot 1: the same
//!              8192  frames, each at the start of a page of 4096 bytes:
//!                    magic (8) | version (1) | store id (16) | epoch (16) | count (8) | generation (8) | length (4)
//!                    | sealed batch (length) | zeros up to the end of the page
//! ```
//! An **epoch** is 16 random bytes that each opening draws anew. The database names the epoch of the journal that
//! continues it, and names none when the store was closed in order. The **count** is that of the commits of the whole
//! life of the store ([`Meta::opened`](crate::meta::Meta)): the database knows the count of the newest batch in it, so
//! a frame is to be applied exactly when its count is larger, and a batch is one more than the one before it. A
//! checkpoint therefore writes nothing to the journal: frames that the database has outrun are told by their counts,
//! and are overwritten one after the other.
//!
//! The file has its full length from the first opening on, and is overwritten in place: a sync has no change of length
//! and no new block to write besides. A page that holds a part of an acknowledged frame is not written again before the
//! database has that frame, so that a write which the power cuts short can hurt none but its own.
//!
//! # Secrecy
//! A batch is sealed twice. Its records and secrets are sealed, and their keys blinded, byte for byte as they lie in the
//! database. The frame around them is sealed under a key derived from the *secrets' key* of its generation, with the
//! whole frame header and the offset as associated data: a frame in another place, of another store, epoch or count does
//! not open. Replacing the secrets' key makes the database durable and erases the older key, and with it everything
//! that the journal held until then. In the clear are how many batches there were and how long they are.
//!
//! # What a damaged journal is told from
//! Each opening looks for frames of its epoch at every page, so that a length which cannot be trusted hides nothing.
//!
//! | found | meaning | what opening does |
//! |---|---|---|
//! | frames `n+1, n+2, …` after the database's `n`, then nothing | what a loss of power leaves | applies them |
//! | the same, then a page that does not open | the last write was cut short and never acknowledged, *or* the last acknowledged frame was damaged | applies them; if the last was acknowledged, the count beside the key says so and the store is [rolled back](crate::Store::is_rolled_back) |
//! | a frame behind a missing one | frames are synced one by one, so the missing one was acknowledged: damage, or an older database | [`OpenError::Damaged`](crate::OpenError::Damaged) |
//! | neither a frame nor a header of the epoch, or a file shorter than its header says | missing, cut short, or a copy from another opening | [`OpenError::JournalLost`](crate::OpenError::JournalLost) |
//! | the header of another store | files were mixed up | [`OpenError::Foreign`](crate::OpenError::Foreign) |
//! | a newer frame under a secrets' key that was erased | an older copy of journal and database | the store is rolled back |
//! | the database was closed in order | the journal holds nothing | does not look into it |
//!
//! Two things look alike on disk: frames missing from the *end*, and never written ones. What notices the first is the
//! count beside the at-rest key, as it notices an older copy of the whole data directory.

mod append;
mod frame;
mod header;
mod replay;

use std::fmt;

use crate::files::SmallFile;
use crate::open::StoreId;

/// One opening of a store: drawn at random, named by the database and by everything in the journal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Epoch([u8; EPOCH_BYTES]);

impl Epoch {
    pub(crate) fn from_bytes(bytes: [u8; EPOCH_BYTES]) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; EPOCH_BYTES] {
        &self.0
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The file, not yet begun: what an earlier opening left can be read.
#[derive(Debug)]
pub(crate) struct JournalFile {
    file: SmallFile,
    /// Length that the file shall have, in bytes: whole pages, headers included.
    bytes_max: u64,
}

impl JournalFile {
    /// A file that may be empty. A journal without room for a frame holds none, and every commit is one of redb.
    pub(crate) fn new(file: SmallFile, bytes_max: u64) -> Self {
        let whole_pages = bytes_max / PAGE_BYTES * PAGE_BYTES;
        Self { file, bytes_max: whole_pages.max(FRAMES_OFFSET) }
    }
}

/// The journal of an open store, to be appended to.
#[derive(Debug)]
pub(crate) struct Journal {
    file: SmallFile,
    bytes_max: u64,
    id: StoreId,
    epoch: Epoch,
    /// Where the next frame goes.
    next: u64,
    /// Changes that the database holds in memory and the next frame takes along, encoded. `None` if they are too many
    /// for a frame: then only a checkpoint makes them durable.
    deferred: Option<Vec<u8>>,
}

const EPOCH_BYTES: usize = 16;
/// What is acknowledged is never written again in part, on disks whose sectors are as large as this.
const PAGE_BYTES: u64 = 4096;
const FRAMES_OFFSET: u64 = 2 * PAGE_BYTES;
