//! A tree head as text: a checkpoint of C2SP (<https://c2sp.org/tlog-checkpoint>), so that witnesses and
//! monitors that know nothing of this program can follow a log.
//!
//! ```text
//! relay.example
//! 5
//! 16gGJpqrmqCM6YCG7PdjNZ1NiVtxhgpbxX5BM5yqUJs=
//!
//! — relay.example 5Jg7vgo...
//! ```
//!
//! A signed note (<https://c2sp.org/signed-note>): the origin, which is the relay's domain and the name of its
//! key; the size; the root; lines of others' extensions, which are kept out of what is read; an empty line; and
//! signatures. Ours is Ed25519 (type 0x01) over the text up to the empty line, by the same key that signs
//! [`super::TreeHead`]: what that covers starts with a zero byte, an origin never does. It carries no time, so
//! that two checkpoints convict a relay only where they have one size.

use data_encoding::{BASE64, HEXLOWER};
use sha2::{Digest, Sha256};

use super::merkle::LogHash;
use crate::identity::LogSecret;
use crate::ids::LogKey;
use crate::signature::{SIGNATURE_BYTES, Verify, verify_bytes};

/// Bytes of a checkpoint that is read at most.
pub const CHECKPOINT_BYTES_MAX: usize = 16_384;

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Domain of the relay: not empty, without blanks and `+`.
    pub origin: String,
    /// Entries in the log.
    pub size: u64,
    /// Root of the log.
    pub root: LogHash,
}

/// Why text is not a checkpoint of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// More than [`CHECKPOINT_BYTES_MAX`].
    #[error("checkpoint has {0} bytes, more than {CHECKPOINT_BYTES_MAX}")]
    TooLong(usize),
    /// An origin that is none.
    #[error("checkpoint's origin is empty or holds blanks or \"+\"")]
    Origin,
    /// Of another log.
    #[error("checkpoint is of another log")]
    OtherOrigin,
    /// No size in decimal digits, without zeros before it.
    #[error("checkpoint's size is malformed")]
    Size,
    /// No 32 bytes in base64.
    #[error("checkpoint's root is malformed")]
    Root,
    /// No empty line, a line without its end, a signature line that is none, or a control character.
    #[error("checkpoint is not a signed note")]
    Form,
    /// No signature by the log's key.
    #[error("checkpoint is not signed by its log")]
    Unsigned,
    /// A signature that claims to be by the log's key, and is not.
    #[error("checkpoint's signature does not verify")]
    Signature,
}

impl Checkpoint {
    /// Writes and signs it.
    ///
    /// # Errors
    /// [`CheckpointError::Origin`].
    pub fn sign(&self, key: &LogSecret) -> Result<String, CheckpointError> {
        check_origin(&self.origin)?;
        let text = format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(&self.root));
        let hash = key_hash(&self.origin, &key.public());
        let signature = BASE64.encode(&[&hash[..], &key.sign_text(&text)].concat());
        Ok(format!("{text}\n{SIGNATURE_START}{} {signature}\n", self.origin))
    }

    /// Reads a checkpoint of one log, and verifies the log's signature. Those of others are passed over.
    ///
    /// # Errors
    /// The first violation, of [`CheckpointError`].
    pub fn read_and_verify(note: &str, origin: &str, key: &LogKey) -> Result<Self, CheckpointError> {
        if note.len() > CHECKPOINT_BYTES_MAX {
            return Err(CheckpointError::TooLong(note.len()));
        }
        let is_control = |character: char| character.is_control() && character != '\n';
        if note.contains(is_control) {
            return Err(CheckpointError::Form);
        }
        // The last empty line: there may be others in extensions to come.
        let (text, signatures) = note.rsplit_once("\n\n").ok_or(CheckpointError::Form)?;
        let text = &note[..=text.len()];
        let checkpoint = Self::read_text(text)?;
        if checkpoint.origin != origin {
            return Err(CheckpointError::OtherOrigin);
        }
        verify_signatures(text, signatures, origin, key)?;
        Ok(checkpoint)
    }

    fn read_text(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.lines();
        let mut line = || lines.next().ok_or(CheckpointError::Form);
        let (origin, size, root) = (line()?, line()?, line()?);
        check_origin(origin)?;
        let number = size.parse::<u64>().map_err(|_| CheckpointError::Size)?;
        if number.to_string() != size {
            return Err(CheckpointError::Size);
        }
        let root = BASE64.decode(root.as_bytes()).map_err(|_| CheckpointError::Root)?;
        let root = root.try_into().map_err(|_| CheckpointError::Root)?;
        Ok(Self { origin: origin.to_owned(), size: number, root })
    }
}

/// The key in the form in which witnesses and monitors are given it: `name+hash+type and key`.
///
/// # Errors
/// [`CheckpointError::Origin`].
pub fn verifier_key(origin: &str, key: &LogKey) -> Result<String, CheckpointError> {
    check_origin(origin)?;
    let hash = HEXLOWER.encode(&key_hash(origin, key));
    Ok(format!("{origin}+{hash}+{}", BASE64.encode(&[&[ED25519][..], key.as_bytes()].concat())))
}

fn verify_signatures(
    text: &str,
    signatures: &str,
    origin: &str,
    key: &LogKey,
) -> Result<(), CheckpointError> {
    let signatures = signatures.strip_suffix('\n').ok_or(CheckpointError::Form)?;
    let mut is_signed = false;
    for line in signatures.split('\n') {
        let (name, signature) = line
            .strip_prefix(SIGNATURE_START)
            .and_then(|line| line.split_once(' '))
            .ok_or(CheckpointError::Form)?;
        let signature = BASE64.decode(signature.as_bytes()).map_err(|_| CheckpointError::Form)?;
        let (hash, signature) = signature.split_first_chunk::<4>().ok_or(CheckpointError::Form)?;
        if name != origin || *hash != key_hash(origin, key) {
            continue;
        }
        if signature.len() != SIGNATURE_BYTES
            || verify_bytes(key.key_bytes(), text.as_bytes(), signature).is_err()
        {
            return Err(CheckpointError::Signature);
        }
        is_signed = true;
    }
    if is_signed { Ok(()) } else { Err(CheckpointError::Unsigned) }
}

fn key_hash(origin: &str, key: &LogKey) -> [u8; 4] {
    let hash = Sha256::new()
        .chain_update(origin)
        .chain_update([b'\n', ED25519])
        .chain_update(key.as_bytes())
        .finalize();
    [hash[0], hash[1], hash[2], hash[3]]
}

fn check_origin(origin: &str) -> Result<(), CheckpointError> {
    let is_bad = |character: char| character.is_whitespace() || character.is_control() || character == '+';
    if origin.is_empty() || origin.contains(is_bad) { Err(CheckpointError::Origin) } else { Ok(()) }
}

const ED25519: u8 = 0x01;
const SIGNATURE_START: &str = "\u{2014} ";
