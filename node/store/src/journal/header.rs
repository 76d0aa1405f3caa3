//! Headers: they say that a file is the journal of this store and of this opening, even where no frame does.
//!
//! There are two slots. The header of a new epoch goes where the one that the database names does not lie, and is on
//! disk before the database names it: whenever the power goes, the epoch that the database names has its header.

use rand_core::CryptoRng;

use super::{EPOCH_BYTES, Epoch, FRAMES_OFFSET, Journal, JournalFile, PAGE_BYTES};
use crate::error::Failure;
use crate::open::StoreId;
use crate::open_error::OpenError;
use crate::sealing::{Keys, SEAL_BYTES};

impl JournalFile {
    /// The stores that headers name. Nothing of it is authentic.
    pub(crate) fn owners(&self) -> Result<Vec<StoreId>, OpenError> {
        let mut owners = Vec::new();
        for slot in SLOTS {
            let bytes = self.file.read::<HEADER_BYTES>(slot)?;
            let id = bytes.strip_prefix(MAGIC).and_then(|fields| fields.first_chunk());
            owners.extend(id.map(|id| StoreId::from_bytes(*id)));
        }
        Ok(owners)
    }

    /// The length that the header of an epoch tells; `None` if there is none.
    pub(super) fn length_of(&self, id: StoreId, epoch: Epoch, keys: &Keys) -> Result<Option<u64>, Failure> {
        for slot in SLOTS {
            let bytes = self.file.read::<HEADER_BYTES>(slot)?;
            let (fields, seal) = bytes.split_at(HEADER_BYTES - SEAL_BYTES);
            let Some(length) = fields.last_chunk().map(|length| u64::from_be_bytes(*length)) else {
                continue;
            };
            if fields == fields_of(id, epoch, length) && keys.opens_seal(PURPOSE, &bound(fields, slot), seal)
            {
                return Ok(Some(length));
            }
        }
        Ok(None)
    }

    /// Begins an epoch, and returns when its header is durable. What the epoch before has left stays as it is until
    /// the first frame.
    pub(crate) fn begin(
        self,
        id: StoreId,
        before: Option<Epoch>,
        keys: &Keys,
        rng: &mut dyn CryptoRng,
    ) -> Result<Journal, Failure> {
        let mut epoch = [0; EPOCH_BYTES];
        rng.fill_bytes(&mut epoch);
        let epoch = Epoch(epoch);
        self.file.fill(self.bytes_max)?;

        let slot = self.free_slot(before)?;
        let mut header = fields_of(id, epoch, self.file.length()?);
        header.extend(keys.seal_nothing(rng, PURPOSE, &bound(&header, slot)));
        header.resize(PAGE_LENGTH, 0);
        self.file.write(&[(slot, &header)])?;
        let Self { file, bytes_max } = self;
        let middle = FRAMES_OFFSET + (bytes_max - FRAMES_OFFSET) / PAGE_BYTES / 2 * PAGE_BYTES;
        let halves = [FRAMES_OFFSET..middle, middle..bytes_max];
        let next = FRAMES_OFFSET;
        Ok(Journal { file, id, epoch, halves, active: 0, next, deferred: Vec::new(), deferred_bytes: 0 })
    }

    /// Where a header may be written: not over the one that the database names.
    fn free_slot(&self, named: Option<Epoch>) -> Result<u64, Failure> {
        let first = self.file.read::<HEADER_BYTES>(SLOTS[0])?;
        let epoch = first.get(EPOCH_OFFSET..EPOCH_OFFSET + EPOCH_BYTES);
        let is_named = named.is_some_and(|named| epoch == Some(named.as_bytes()));
        Ok(SLOTS[usize::from(is_named)])
    }
}

fn fields_of(id: StoreId, epoch: Epoch, length: u64) -> Vec<u8> {
    let mut fields = Vec::with_capacity(PAGE_LENGTH);
    fields.extend(MAGIC);
    fields.extend(id.as_bytes());
    fields.extend(epoch.as_bytes());
    fields.extend(length.to_be_bytes());
    fields
}

/// What the seal is bound to.
fn bound(fields: &[u8], slot: u64) -> Vec<u8> {
    [fields, &slot.to_be_bytes()].concat()
}

const SLOTS: [u64; 2] = [0, PAGE_BYTES];
/// The last byte is the version of headers and frames.
const MAGIC: &[u8; 9] = b"qpq-jhdr\x01";
const EPOCH_OFFSET: usize = MAGIC.len() + 16;
const HEADER_BYTES: usize = EPOCH_OFFSET + EPOCH_BYTES + 8 + SEAL_BYTES;
const PAGE_LENGTH: usize = 4096;
/// No table has this name: it holds capitals.
const PURPOSE: &str = "JOURNAL-HEADER";

const _: () = assert!(PAGE_LENGTH as u64 == PAGE_BYTES && HEADER_BYTES <= 512);
