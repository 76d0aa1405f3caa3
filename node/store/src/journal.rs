//! The journal: where a batch becomes durable before the database does.
//!
//! A batch of a chat message changes a handful of records, but a commit of redb writes each page that it touches,
//! and these lie scattered. So a batch that must be durable is sealed into one frame and appended to a file of its
//! own, one write and one sync in a row, and kept in memory, in the [overlay](crate::overlay). Now and then a
//! [*checkpoint*](crate::checkpoint) brings the overlay into the database, once for all batches since the last.
//!
//! ```text
//! write       frame appended, synced ─► into the overlay ─► count beside the key ─► the caller is answered
//! checkpoint  overlay into the database, durable by one sync ─► its half of the file is free
//! opening     frames newer than the database ─► into the database, one commit ─► a new epoch ─► somebody may read
//! ```
//! Frames fill the two **halves** of the file in turn. A checkpoint begins when a half is full, and must be done before
//! that half is written again: until then frames go to the other.
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
//! and are overwritten one after the other. Opening looks for frames in the whole file and sorts them by count: in which
//! half they lie says nothing, so that a journal whose frames lie in a row, as programs of version 2 wrote it, is read
//! the same way.
//!
//! The file has its full length from the first opening on, and is overwritten in place: a sync has no change of length
//! and no new block to write besides. A page that holds a part of an acknowledged frame is not written again before the
//! database has that frame, so that a write which the power cuts short can hurt none but its own.
//!
//! # Secrecy
//! In a batch keys are blinded and secrets sealed as in the database; [records](crate::encoding) are in the clear, and
//! sealed one by one only if they reach the database. The frame around them is sealed under a key derived from the *secrets' key* of its generation, with the
//! whole frame header and the offset as associated data: a frame in another place, of another store, epoch or count does
//! not open. Replacing the secrets' key brings everything into the database and erases the older key, and with it
//! everything that the journal held until then. In the clear are how many batches there were and how long they are.
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
use std::ops::Range;

use bytes::Bytes;

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
    id: StoreId,
    epoch: Epoch,
    /// Where frames go in turn.
    halves: [Range<u64>; 2],
    /// The half that frames go to now.
    active: usize,
    /// Where the next frame goes.
    next: u64,
    /// Changes that the overlay has and the next frame takes along, encoded.
    deferred: Vec<Bytes>,
    deferred_bytes: usize,
}

const EPOCH_BYTES: usize = 16;
/// What is acknowledged is never written again in part, on disks whose sectors are as large as this.
const PAGE_BYTES: u64 = 4096;
const FRAMES_OFFSET: u64 = 2 * PAGE_BYTES;
