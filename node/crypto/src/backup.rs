//! A backup file: a stream sealed under a passphrase, written and read in chunks.
//!
//! ```text
//! file   = header | chunk 0 | chunk 1 | ... | last chunk
//! header = "qpqbackup" (9) | version (1) = 1 | memory_kib (4) | passes (4) | lanes (4) | salt (16) | check (16)
//! chunk  = number (8) | last (1) | length (4) | ciphertext | tag (16)
//! ```
//!
//! Argon2id makes a root key of passphrase and salt. HKDF-SHA256 makes two keys of it: one for the check, an
//! HMAC-SHA256 of the header before it, which tells a wrong passphrase before anything is read; one for the
//! chunks, with the header as its context. Chunks are sealed with ChaCha20-Poly1305 under the nonce
//! `0 (3) | number (8) | last (1)`, as STREAM does ([Hoang, Reyhanitabar, Rogaway, Vizár 2015]): none can be
//! left out, exchanged, repeated or taken from another backup, and the end cannot be cut off. The number and
//! the mark of the last chunk are written out as well, only so that an error can say what is wrong.
//!
//! What a reader gives out is authentic up to there; that it is complete is known only when
//! [`BackupReader::finish`] says so.
//!
//! [Hoang, Reyhanitabar, Rogaway, Vizár 2015]: https://eprint.iacr.org/2015/189

use std::fmt;

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Nonce, Tag};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use rand_core::CryptoRng;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::encoding::{Reader, Truncated};
use crate::passphrase::{PASSPHRASE_KDF_BYTES, PassphraseCost, PassphraseError, PassphraseKdf};

/// Bytes of a backup's header.
pub const BACKUP_HEADER_BYTES: usize = CHECK_AT + CHECK_BYTES;
/// Bytes of plaintext in every chunk but the last, which may have less.
pub const BACKUP_CHUNK_BYTES: usize = 65_536;

/// Why a backup cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The file does not start like a backup.
    #[error("file is not a qpq backup")]
    NotABackup,
    /// Made by a newer version.
    #[error("backup was made by a newer version of qpq (form {0})")]
    UnknownVersion(u8),
    /// The passphrase cannot be used, or the header asks for more than is granted.
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
    /// Another passphrase than the backup was made with, or a damaged header.
    #[error("passphrase is wrong")]
    WrongPassphrase,
    /// A chunk is not where it belongs: some are exchanged, repeated or left out.
    #[error("backup holds chunk {found} where chunk {expected} belongs")]
    OutOfOrder {
        /// The chunk that belongs here.
        expected: u64,
        /// The chunk that is here.
        found: u64,
    },
    /// A chunk's length is not what a writer makes.
    #[error("chunk {chunk} of the backup has the impossible length {length}")]
    Length {
        /// Which chunk, from 0.
        chunk: u64,
        /// Bytes it claims.
        length: u32,
    },
    /// A chunk was changed, or belongs to another backup.
    #[error("chunk {chunk} of the backup is damaged")]
    Damaged {
        /// Which chunk, from 0.
        chunk: u64,
    },
    /// The end is missing.
    #[error("backup is truncated: its end is missing")]
    Truncated,
    /// Bytes follow the last chunk.
    #[error("backup is followed by other bytes")]
    TrailingBytes,
}

impl From<Truncated> for BackupError {
    fn from(_: Truncated) -> Self {
        Self::Truncated
    }
}

/// Seals a stream; holds at most one chunk of plaintext.
pub struct BackupWriter {
    cipher: ChaCha20Poly1305,
    number: u64,
    pending: Zeroizing<Vec<u8>>,
}

impl BackupWriter {
    /// Begins a backup, with the header that starts the file. Takes as long as the cost says.
    ///
    /// # Errors
    /// [`PassphraseError`].
    pub fn new(
        rng: &mut dyn CryptoRng,
        passphrase: &[u8],
        cost: PassphraseCost,
    ) -> Result<(Self, Vec<u8>), PassphraseError> {
        let kdf = PassphraseKdf::generate(rng, cost)?;
        let mut header = Vec::with_capacity(BACKUP_HEADER_BYTES);
        header.extend_from_slice(MAGIC);
        header.push(VERSION);
        header.extend_from_slice(&kdf.encode());
        let keys = Keys::derive(&kdf, passphrase, &header)?;
        let check = keys.check(&header).finalize().into_bytes();
        header.extend_from_slice(&check[..CHECK_BYTES]);
        let pending = Zeroizing::new(Vec::with_capacity(BACKUP_CHUNK_BYTES));
        Ok((Self { cipher: keys.cipher, number: 0, pending }, header))
    }

    /// Takes the next bytes of the stream and gives the next bytes of the file, if a chunk is full.
    pub fn push(&mut self, mut plaintext: &[u8]) -> Vec<u8> {
        let mut file = Vec::new();
        while !plaintext.is_empty() {
            // A full chunk waits for what follows: it may be the last.
            if self.pending.len() == BACKUP_CHUNK_BYTES {
                self.seal_chunk(false, &mut file);
            }
            let room = BACKUP_CHUNK_BYTES - self.pending.len();
            let (taken, rest) = plaintext.split_at(room.min(plaintext.len()));
            self.pending.extend_from_slice(taken);
            plaintext = rest;
        }
        file
    }

    /// Ends the backup with the last bytes of the file.
    pub fn finish(mut self) -> Vec<u8> {
        let mut file = Vec::new();
        self.seal_chunk(true, &mut file);
        file
    }

    fn seal_chunk(&mut self, is_last: bool, file: &mut Vec<u8>) {
        let length = u32::try_from(self.pending.len()).expect("a chunk has at most 65,536 bytes");
        file.reserve(CHUNK_HEADER_BYTES + self.pending.len() + TAG_BYTES);
        file.extend_from_slice(&self.number.to_be_bytes());
        file.push(u8::from(is_last));
        file.extend_from_slice(&length.to_be_bytes());
        let start = file.len();
        file.extend_from_slice(&self.pending);
        let tag = self
            .cipher
            .encrypt_inout_detached(&nonce(self.number, is_last), &[], (&mut file[start..]).into())
            .expect("a chunk is far below ChaCha20's limit of 256 GiB");
        file.extend_from_slice(&tag);
        self.pending.clear();
        self.number += 1;
    }
}

impl fmt::Debug for BackupWriter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "BackupWriter(at chunk {})", self.number)
    }
}

/// Opens a sealed stream; holds at most one chunk and what was last pushed.
pub struct BackupReader {
    cipher: ChaCha20Poly1305,
    number: u64,
    is_ended: bool,
    pending: Vec<u8>,
    failed: Option<BackupError>,
}

impl BackupReader {
    /// Begins to read, with the first [`BACKUP_HEADER_BYTES`] of the file. Takes as long as the header's cost
    /// says, which is bounded.
    ///
    /// # Errors
    /// [`BackupError::NotABackup`], [`BackupError::UnknownVersion`], [`BackupError::Passphrase`],
    /// [`BackupError::WrongPassphrase`], [`BackupError::Truncated`].
    pub fn new(passphrase: &[u8], header: &[u8]) -> Result<Self, BackupError> {
        let mut reader = Reader::new(header);
        if reader.bytes(MAGIC.len()) != Ok(MAGIC) {
            return Err(BackupError::NotABackup);
        }
        let version = reader.u8()?;
        if version != VERSION {
            return Err(BackupError::UnknownVersion(version));
        }
        let kdf = PassphraseKdf::decode(reader.bytes(PASSPHRASE_KDF_BYTES)?)?;
        let check = reader.array::<CHECK_BYTES>()?;
        if reader.remaining() > 0 {
            return Err(BackupError::TrailingBytes);
        }
        let checked = &header[..CHECK_AT];
        let keys = Keys::derive(&kdf, passphrase, checked)?;
        let verdict = keys.check(checked).verify_truncated_left(&check);
        verdict.map_err(|_| BackupError::WrongPassphrase)?;
        Ok(Self { cipher: keys.cipher, number: 0, is_ended: false, pending: Vec::new(), failed: None })
    }

    /// Takes the next bytes of the file and gives what they hold of the stream.
    ///
    /// # Errors
    /// [`BackupError::OutOfOrder`], [`BackupError::Length`], [`BackupError::Damaged`],
    /// [`BackupError::TrailingBytes`]; after one of them, the same for ever.
    pub fn push(&mut self, file: &[u8]) -> Result<Zeroizing<Vec<u8>>, BackupError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.pending.extend_from_slice(file);
        let opened = self.open_chunks();
        self.failed = opened.as_ref().err().copied();
        opened
    }

    /// Whether the stream was complete.
    ///
    /// # Errors
    /// [`BackupError::Truncated`] if the last chunk has not come, or the error that [`BackupReader::push`] gave.
    pub fn finish(self) -> Result<(), BackupError> {
        match self.failed {
            Some(error) => Err(error),
            None if self.is_ended => Ok(()),
            None => Err(BackupError::Truncated),
        }
    }

    fn open_chunks(&mut self) -> Result<Zeroizing<Vec<u8>>, BackupError> {
        let pending = std::mem::take(&mut self.pending);
        let mut plaintext = Zeroizing::new(Vec::with_capacity(pending.len()));
        let mut reader = Reader::new(&pending);
        while reader.remaining() > 0 {
            if self.is_ended {
                return Err(BackupError::TrailingBytes);
            }
            let before = reader;
            let Some(chunk) = self.next_chunk(&mut reader)? else {
                reader = before;
                break;
            };
            self.open_chunk(&chunk, &mut plaintext)?;
        }
        self.pending = pending[pending.len() - reader.remaining()..].to_vec();
        Ok(plaintext)
    }

    /// The next chunk, if all of it is there. What its header claims is checked before more is waited for.
    fn next_chunk<'a>(&self, reader: &mut Reader<'a>) -> Result<Option<Chunk<'a>>, BackupError> {
        let chunk = self.number;
        let Ok(header) = reader.array::<CHUNK_HEADER_BYTES>() else { return Ok(None) };
        let mut header = Reader::new(&header);
        let (found, last, length) = (header.u64()?, header.u8()?, header.u32()?);
        if found != chunk {
            return Err(BackupError::OutOfOrder { expected: chunk, found });
        }
        if last > 1 {
            return Err(BackupError::Damaged { chunk });
        }
        let is_last = last == 1;
        let bytes = usize::try_from(length)
            .ok()
            .filter(|bytes| *bytes == BACKUP_CHUNK_BYTES || (is_last && *bytes < BACKUP_CHUNK_BYTES));
        let bytes = bytes.ok_or(BackupError::Length { chunk, length })?;
        let (Ok(ciphertext), Ok(tag)) = (reader.bytes(bytes), reader.array()) else { return Ok(None) };
        Ok(Some(Chunk { is_last, ciphertext, tag }))
    }

    fn open_chunk(&mut self, chunk: &Chunk<'_>, plaintext: &mut Vec<u8>) -> Result<(), BackupError> {
        let start = plaintext.len();
        plaintext.extend_from_slice(chunk.ciphertext);
        let nonce = nonce(self.number, chunk.is_last);
        self.cipher
            .decrypt_inout_detached(&nonce, &[], (&mut plaintext[start..]).into(), &Tag::from(chunk.tag))
            .map_err(|_| BackupError::Damaged { chunk: self.number })?;
        self.number += 1;
        self.is_ended = chunk.is_last;
        Ok(())
    }
}

impl fmt::Debug for BackupReader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "BackupReader(at chunk {})", self.number)
    }
}

struct Chunk<'a> {
    is_last: bool,
    ciphertext: &'a [u8],
    tag: [u8; TAG_BYTES],
}

struct Keys {
    check: Zeroizing<[u8; 32]>,
    cipher: ChaCha20Poly1305,
}

impl Keys {
    fn derive(kdf: &PassphraseKdf, passphrase: &[u8], header: &[u8]) -> Result<Self, PassphraseError> {
        let root = Hkdf::<Sha256>::new(None, kdf.derive(passphrase)?.as_slice());
        let expand = |label: &[u8]| {
            let mut key = Zeroizing::new([0; 32]);
            root.expand_multi_info(&[label, header], key.as_mut_slice())
                .expect("HKDF-SHA256 gives up to 255 * 32 bytes");
            key
        };
        let cipher = ChaCha20Poly1305::new(&(*expand(b"qpq/v1/backup chunks")).into());
        Ok(Self { check: expand(b"qpq/v1/backup check"), cipher })
    }

    fn check(&self, header: &[u8]) -> Hmac<Sha256> {
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(self.check.as_slice());
        mac.expect("HMAC takes a key of any length").chain_update(header)
    }
}

fn nonce(number: u64, is_last: bool) -> Nonce {
    let mut nonce = [0; 12];
    nonce[3..11].copy_from_slice(&number.to_be_bytes());
    nonce[11] = u8::from(is_last);
    nonce.into()
}

const MAGIC: &[u8] = b"qpqbackup";
const VERSION: u8 = 1;
const CHECK_AT: usize = MAGIC.len() + 1 + PASSPHRASE_KDF_BYTES;
const CHECK_BYTES: usize = 16;
const CHUNK_HEADER_BYTES: usize = 8 + 1 + 4;
const TAG_BYTES: usize = 16;

#[cfg(test)]
mod tests;
