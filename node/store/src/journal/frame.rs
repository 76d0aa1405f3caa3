//! Frames: a batch, sealed, bound to its place in one journal.

use qpq_crypto::at_rest::SEALED_VALUE_OVERHEAD_BYTES;
use rand_core::CryptoRng;

use super::{EPOCH_BYTES, Epoch, FRAMES_OFFSET, PAGE_BYTES};
use crate::error::Failure;
use crate::open::StoreId;
use crate::secrets_key::SecretSealers;

/// What stands before a sealed batch, in the clear. The seal is bound to all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) id: StoreId,
    pub(super) epoch: Epoch,
    /// The count of commits with this one.
    pub(super) count: u64,
    /// Generation of the secrets' key that the batch is sealed under.
    pub(super) generation: u64,
    /// Bytes of the sealed batch.
    pub(super) length: u32,
}

impl FrameHeader {
    fn encode(&self) -> [u8; FRAME_HEADER_BYTES] {
        let mut bytes = [0; FRAME_HEADER_BYTES];
        let fields: [&[u8]; 6] = [
            MAGIC,
            self.id.as_bytes(),
            self.epoch.as_bytes(),
            &self.count.to_be_bytes(),
            &self.generation.to_be_bytes(),
            &self.length.to_be_bytes(),
        ];
        let mut rest = bytes.as_mut_slice();
        for field in fields {
            let (place, after) = rest.split_at_mut(field.len());
            place.copy_from_slice(field);
            rest = after;
        }
        bytes
    }

    /// The header that a page begins with, if it begins with one. Nothing of it is authentic.
    pub(super) fn decode(bytes: &[u8; FRAME_HEADER_BYTES]) -> Option<Self> {
        let fields = bytes.strip_prefix(MAGIC)?;
        let (id, fields) = fields.split_first_chunk::<16>()?;
        let (epoch, fields) = fields.split_first_chunk::<EPOCH_BYTES>()?;
        let (count, fields) = fields.split_first_chunk()?;
        let (generation, length) = fields.split_first_chunk()?;
        Some(Self {
            id: StoreId::from_bytes(*id),
            epoch: Epoch::from_bytes(*epoch),
            count: u64::from_be_bytes(*count),
            generation: u64::from_be_bytes(*generation),
            length: u32::from_be_bytes(length.try_into().ok()?),
        })
    }

    /// Where the next frame may begin after one with this header.
    pub(super) fn end(&self, offset: u64) -> u64 {
        offset + (FRAME_HEADER_BYTES as u64 + u64::from(self.length)).next_multiple_of(PAGE_BYTES)
    }

    /// The batch, if it was sealed with this header at this offset.
    pub(super) fn open(&self, sealers: &SecretSealers, offset: u64, sealed: &[u8]) -> Option<Vec<u8>> {
        sealers.open_frame(self.generation, &self.bound(offset), sealed)
    }

    fn bound(&self, offset: u64) -> Vec<u8> {
        [self.encode().as_slice(), &offset.to_be_bytes()].concat()
    }
}

/// Bytes that a frame with a batch of this length takes on disk; `None` if no frame can hold it.
pub(super) fn frame_bytes(batch_bytes: usize) -> Option<u64> {
    let sealed = u32::try_from(batch_bytes.checked_add(SEALED_VALUE_OVERHEAD_BYTES)?).ok()?;
    Some((FRAME_HEADER_BYTES as u64 + u64::from(sealed)).next_multiple_of(PAGE_BYTES))
}

/// A whole frame, to be written at an offset. The caller has looked whether it [fits](frame_bytes).
pub(super) fn seal_frame(
    rng: &mut dyn CryptoRng,
    sealers: &SecretSealers,
    (id, epoch, count): (StoreId, Epoch, u64),
    offset: u64,
    batch: &[u8],
) -> Result<Vec<u8>, Failure> {
    let length = u32::try_from(batch.len() + SEALED_VALUE_OVERHEAD_BYTES).expect("the caller has looked");
    let header = FrameHeader { id, epoch, count, generation: sealers.newest(), length };
    let sealed = sealers.seal_frame(rng, &header.bound(offset), batch)?;
    let length = usize::try_from(header.end(offset) - offset).expect("a batch in memory is not that long");
    let mut frame = Vec::with_capacity(length);
    frame.extend(header.encode());
    frame.extend(sealed);
    frame.resize(length, 0);
    Ok(frame)
}

/// The last byte is the version of headers and frames.
const MAGIC: &[u8; 9] = b"qpq-jfrm\x01";
pub(super) const FRAME_HEADER_BYTES: usize = MAGIC.len() + 16 + EPOCH_BYTES + 8 + 8 + 4;

const _: () = assert!(FRAMES_OFFSET.is_multiple_of(PAGE_BYTES) && FRAME_HEADER_BYTES <= 512);
