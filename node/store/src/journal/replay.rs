//! What a journal holds beyond its database.

use std::collections::BTreeMap;

use super::frame::{FRAME_HEADER_BYTES, FrameHeader};
use super::{Epoch, FRAMES_OFFSET, JournalFile, PAGE_BYTES};
use crate::files::JOURNAL_FILE;
use crate::open::StoreId;
use crate::open_error::OpenError;
use crate::sealing::Keys;
use crate::secrets_key::SecretSealers;

/// The batches that a database lacks.
#[derive(Debug, Default)]
pub(crate) struct Unapplied {
    /// Encoded changes, batch by batch in the order of the commits.
    pub(crate) batches: Vec<Vec<u8>>,
    /// There was one under a secrets' key that is erased: only an older copy of the files can hold one.
    pub(crate) is_older_copy: bool,
}

/// What a page begins with.
enum Found {
    /// A frame that is authentic, and where it ends.
    Frame {
        count: u64,
        batch: Vec<u8>,
        end: u64,
    },
    /// What may have been one, with its count.
    Erased(u64),
    Nothing,
}

impl JournalFile {
    /// The batches after the count that the database has, in the epoch that it names.
    ///
    /// # Errors
    /// [`OpenError::Damaged`] and [`OpenError::JournalLost`] as the table of the [module](super) says.
    pub(crate) fn unapplied(
        &self,
        (id, epoch): (StoreId, Epoch),
        applied: u64,
        keys: &Keys,
        sealers: &SecretSealers,
    ) -> Result<Unapplied, OpenError> {
        let length = self.file.length()?;
        let mut unapplied = Unapplied::default();
        let header = self.length_of(id, epoch, keys)?;
        let mut is_ours = header.is_some_and(|told| told <= length);
        if header.is_some() && !is_ours {
            return Err(OpenError::JournalLost);
        }
        let mut newer = BTreeMap::new();
        let mut offset = FRAMES_OFFSET;
        while offset + PAGE_BYTES <= length {
            match self.frame_at(offset, length, (id, epoch), sealers)? {
                Found::Frame { count, batch, end } => {
                    is_ours = true;
                    offset = end;
                    // What a checkpoint left behind is not needed.
                    if count > applied {
                        newer.insert(count, batch);
                    }
                    continue;
                }
                Found::Erased(count) => unapplied.is_older_copy |= count > applied,
                Found::Nothing => {}
            }
            offset += PAGE_BYTES;
        }
        for (expected, (count, batch)) in (applied + 1..).zip(newer) {
            if count != expected {
                return Err(gap(expected, count));
            }
            unapplied.batches.push(batch);
        }
        if is_ours { Ok(unapplied) } else { Err(OpenError::JournalLost) }
    }

    fn frame_at(
        &self,
        offset: u64,
        length: u64,
        (id, epoch): (StoreId, Epoch),
        sealers: &SecretSealers,
    ) -> Result<Found, OpenError> {
        let bytes = self.file.read::<FRAME_HEADER_BYTES>(offset)?;
        let header = FrameHeader::decode(&bytes).filter(|header| (header.id, header.epoch) == (id, epoch));
        let Some(header) = header.filter(|header| header.end(offset) <= length) else {
            return Ok(Found::Nothing);
        };
        if header.generation < sealers.oldest() {
            return Ok(Found::Erased(header.count));
        }
        let sealed = self.file.read_long(offset + FRAME_HEADER_BYTES as u64, header.length)?;
        Ok(match header.open(sealers, offset, &sealed) {
            Some(batch) => Found::Frame { count: header.count, batch, end: header.end(offset) },
            None => Found::Nothing,
        })
    }
}

fn gap(expected: u64, found: u64) -> OpenError {
    OpenError::Damaged(format!(
        "{JOURNAL_FILE} lacks commit {expected} and goes on with {found}: it is damaged, or the database is an older copy"
    ))
}
