//! Bundles in a file, carried by hand.
//!
//! ```text
//!  magic "qpqmesh\0" | version (1) | wall clock of the exporter (8, Unix time in ms)
//!  length (4) | bundle          as often as there are bundles
//!  0 (4) | BLAKE3 of all before (32)
//! ```
//!
//! A bundle is a `MeshBundle` as in transfers, so that its id is computed when it is read. The time that the file lay in
//! a drawer is charged by the wall clocks of both ends, as far as they can be believed ([`charge`]).
//!
//! [`Writer`] and [`Reader`] work on slices of bytes: whoever has the file reads and writes it. The reader takes in no
//! more than one bundle at a time and looks at a length before it keeps anything. The hash at the end finds damage, not
//! malice: each bundle protects itself, so those read before the damage are good.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::Message;
use qpq_proto::v1;

use crate::bundle::{Bundle, SizeClass};
use crate::lifetime::gap_ms;
use crate::wire;

/// How a file begins.
const MAGIC: &[u8; 8] = b"qpqmesh\0";
const VERSION: u8 = 1;
const START_BYTES: usize = 8 + 1 + 8;
const HASH_BYTES: usize = 32;
/// Longest bundle in a file: the largest body, and room for the other fields.
const BUNDLE_BYTES_MAX: usize = SizeClass::Kib64.bytes() + 256;

/// Why a file cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It is no file of bundles.
    #[error("this is no file of bundles")]
    Magic,
    /// A newer program wrote it.
    #[error("version {0} of the file is not known")]
    Version(u8),
    /// A bundle in it is longer than any can be.
    #[error("a bundle of {0} bytes is longer than any can be")]
    TooLong(usize),
    /// A bundle in it is malformed.
    #[error("a bundle is malformed")]
    Bundle,
    /// It was damaged.
    #[error("the file is damaged")]
    Hash,
    /// It ends in the middle, or goes on after its end.
    #[error("the file is cut off, or longer than it should be")]
    Length,
}

/// Writes a file.
#[derive(Debug)]
pub struct Writer {
    hasher: blake3::Hasher,
}

impl Writer {
    /// Begins a file, with the wall clock, Unix time in ms.
    #[must_use]
    pub fn begin(wall_ms: u64) -> (Self, Bytes) {
        let mut start = Vec::with_capacity(START_BYTES);
        start.put_slice(MAGIC);
        start.put_u8(VERSION);
        start.put_u64(wall_ms);
        let mut hasher = blake3::Hasher::new();
        hasher.update(&start);
        (Self { hasher }, start.into())
    }

    /// The bytes of one more bundle.
    pub fn bundle(&mut self, bundle: &Bundle) -> Bytes {
        let message = wire::to_message(bundle);
        let length = message.encoded_len();
        let mut bytes = Vec::with_capacity(4 + length);
        bytes.put_u32(u32::try_from(length).expect("a bundle is not longer than 64 KiB and its header"));
        message.encode(&mut bytes).expect("a vector grows");
        self.hasher.update(&bytes);
        bytes.into()
    }

    /// The end of the file.
    #[must_use]
    pub fn end(mut self) -> Bytes {
        let mut bytes = vec![0; 4];
        self.hasher.update(&bytes);
        bytes.extend_from_slice(self.hasher.finalize().as_bytes());
        bytes.into()
    }
}

/// Reads a file, as it comes.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: BytesMut,
    hasher: blake3::Hasher,
    wall_ms: Option<u64>,
    is_ended: bool,
}

impl Reader {
    /// Nothing read yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The exporter's wall clock, Unix time in ms, once it was read.
    #[must_use]
    pub const fn wall_ms(&self) -> Option<u64> {
        self.wall_ms
    }

    /// Gives it more of the file; take out with [`next`](Self::next) what is whole before giving more.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next bundle, or none until there is more of the file.
    ///
    /// # Errors
    /// [`FileError`]; nothing more can be read then.
    #[expect(clippy::should_implement_trait, reason = "none means not yet, not never")]
    pub fn next(&mut self) -> Result<Option<Bundle>, FileError> {
        if self.wall_ms.is_none() && !self.read_start()? {
            return Ok(None);
        }
        if self.is_ended {
            return if self.buffer.is_empty() { Ok(None) } else { Err(FileError::Length) };
        }
        let Some(length) = self.buffer.first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_be_bytes(*length) as usize;
        if length > BUNDLE_BYTES_MAX {
            return Err(FileError::TooLong(length));
        }
        let needed = 4 + if length == 0 { HASH_BYTES } else { length };
        if self.buffer.len() < needed {
            return Ok(None);
        }
        if length == 0 {
            return self.read_end().map(|()| None);
        }
        let mut bytes = self.take(needed).freeze();
        bytes.advance(4);
        let message = v1::MeshBundle::decode(bytes).map_err(|_| FileError::Bundle)?;
        from_message(message).map(Some)
    }

    /// The file is at its end.
    ///
    /// # Errors
    /// [`FileError::Length`] where it should not be.
    pub fn finish(&self) -> Result<(), FileError> {
        if self.is_ended && self.buffer.is_empty() { Ok(()) } else { Err(FileError::Length) }
    }

    fn read_start(&mut self) -> Result<bool, FileError> {
        let known = self.buffer.len().min(MAGIC.len());
        if self.buffer[..known] != MAGIC[..known] {
            return Err(FileError::Magic);
        }
        if self.buffer.len() < START_BYTES {
            return Ok(false);
        }
        let mut start = self.take(START_BYTES);
        start.advance(MAGIC.len());
        let version = start.get_u8();
        if version != VERSION {
            return Err(FileError::Version(version));
        }
        self.wall_ms = Some(start.get_u64());
        Ok(true)
    }

    fn read_end(&mut self) -> Result<(), FileError> {
        self.take(4);
        let hash = self.hasher.finalize();
        let read = self.buffer.split_to(HASH_BYTES);
        self.is_ended = true;
        if read == hash.as_bytes()[..] { Ok(()) } else { Err(FileError::Hash) }
    }

    fn take(&mut self, length: usize) -> BytesMut {
        let taken = self.buffer.split_to(length);
        self.hasher.update(&taken);
        taken
    }
}

/// A bundle as it stands in files and transfers.
#[must_use]
pub fn to_message(bundle: &Bundle) -> v1::MeshBundle {
    wire::to_message(bundle)
}

/// A bundle as it stands in files and transfers; its id is computed.
///
/// # Errors
/// [`FileError::Bundle`].
pub fn from_message(message: v1::MeshBundle) -> Result<Bundle, FileError> {
    wire::from_message(message).map_err(|_| FileError::Bundle)
}

/// Charges a bundle for the time its file lay somewhere, by the wall clocks of exporter and importer, Unix time in ms.
pub fn charge(bundle: &mut Bundle, exported_wall_ms: u64, imported_wall_ms: u64) {
    let gap_s = gap_ms(exported_wall_ms, imported_wall_ms).div_ceil(1_000);
    let remaining_s = &mut bundle.transit.remaining_s;
    *remaining_s = u32::try_from(u64::from(*remaining_s).saturating_sub(gap_s)).unwrap_or(0);
}

#[cfg(test)]
mod tests;
