//! Noticing that the database file is an older copy.
//!
//! The database counts its commits, and so does a file beside the at-rest key, which a copy of the data
//! directory does not bring along. The database counts first: if it is ever behind, it was replaced by an older
//! copy, and ratchet state in it may have been used already. A process that is killed, or a loss of power,
//! leaves the database at the same count or one ahead, so neither is taken for a rollback.
//!
//! The file is forced to disk when the store is opened or closed and when the secrets' key is replaced, and
//! merely written with every other commit: what the system then still holds in memory outlives the process,
//! though not a loss of power. Two slots take turns, so that a torn write leaves the count before.
//!
//! What no file on the machine can tell is that all of its files went back at once, as with a snapshot of a
//! virtual machine. Restoring one is like restoring the disk of another machine: start it as a new device.

use crate::error::Failure;
use crate::files::{CHECKSUM_BYTES, OPEN_COUNTER_FILE, SmallFile, checked, checksum};
use crate::open::StoreId;
use crate::open_error::OpenError;

/// The count beside the at-rest key.
#[derive(Debug)]
pub(crate) struct OpenCounter {
    file: SmallFile,
    id: StoreId,
}

impl OpenCounter {
    pub(crate) fn new(file: SmallFile, id: StoreId) -> Self {
        Self { file, id }
    }

    /// The count: 0 if the file is new, `None` if it is damaged.
    pub(crate) fn read(&self) -> Result<Option<u64>, OpenError> {
        let mut newest = None;
        let mut is_new = true;
        for slot in 0..SLOTS {
            let bytes = self.file.read::<COUNTER_BYTES>(slot * SLOT_BYTES)?;
            is_new &= bytes == [0; COUNTER_BYTES];
            newest = newest.max(self.decode(&bytes)?);
        }
        Ok(if is_new { Some(0) } else { newest })
    }

    /// Writes the count and returns when it is durable; the database must have it already.
    pub(crate) fn write(&self, count: u64) -> Result<(), Failure> {
        self.file.reserve(SLOTS * SLOT_BYTES)?;
        self.file.write(&[(Self::offset(count), &self.encode(count))])
    }

    /// Writes the count where [`write`](Self::write) made room before; the database must have it already.
    pub(crate) fn write_soon(&self, count: u64) -> Result<(), Failure> {
        self.file.write_soon(Self::offset(count), &self.encode(count))
    }

    fn offset(count: u64) -> u64 {
        count % SLOTS * SLOT_BYTES
    }

    fn encode(&self, count: u64) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.id.as_bytes());
        bytes.extend(count.to_be_bytes());
        bytes.extend(checksum(&bytes));
        bytes
    }

    fn decode(&self, bytes: &[u8]) -> Result<Option<u64>, OpenError> {
        let fields = checked(bytes).and_then(|fields| fields.strip_prefix(MAGIC));
        let Some((id, count)) = fields.and_then(|fields| fields.split_first_chunk::<16>()) else {
            return Ok(None);
        };
        if StoreId::from_bytes(*id) != self.id {
            return Err(OpenError::Foreign { file: OPEN_COUNTER_FILE });
        }
        Ok(count.try_into().map(u64::from_be_bytes).ok())
    }
}

const MAGIC: &[u8; 8] = b"qpqopens";
const COUNTER_BYTES: usize = 8 + 16 + 8 + CHECKSUM_BYTES;
const SLOTS: u64 = 2;
/// Slots lie in sectors of their own.
const SLOT_BYTES: u64 = 512;
