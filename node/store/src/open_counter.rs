//! Noticing that the database file is an older copy.
//!
//! The database counts how often it was opened, and so does a file beside the at-rest key, which a copy of
//! the data directory does not bring along. The database counts first: if it is ever behind, it was
//! replaced by an older copy, and ratchet state in it may have been used already. The count goes up at
//! opening, at every rotation of the secrets' key and at closing, so that copies between these are told
//! apart as well.

use crate::error::Failure;
use crate::files::{CHECKSUM_BYTES, OPEN_COUNTER_FILE, SmallFile, checked, checksum};
use crate::open::{OpenError, StoreId};

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
        let bytes = self.file.read::<COUNTER_BYTES>(0)?;
        if bytes == [0; COUNTER_BYTES] {
            return Ok(Some(0));
        }
        let Some(fields) = checked(&bytes).and_then(|fields| fields.strip_prefix(MAGIC)) else {
            return Ok(None);
        };
        let Some((id, count)) = fields.split_first_chunk::<16>() else {
            return Ok(None);
        };
        if StoreId::from_bytes(*id) != self.id {
            return Err(OpenError::Foreign { file: OPEN_COUNTER_FILE });
        }
        Ok(count.try_into().map(u64::from_be_bytes).ok())
    }

    /// Writes the count; the database must have it already.
    pub(crate) fn write(&self, count: u64) -> Result<(), Failure> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.id.as_bytes());
        bytes.extend(count.to_be_bytes());
        bytes.extend(checksum(&bytes));
        self.file.write(&[(0, &bytes)])
    }
}

const MAGIC: &[u8; 8] = b"qpqopens";
const COUNTER_BYTES: usize = 8 + 16 + 8 + CHECKSUM_BYTES;
