//! What a client holds against a relay: two tree heads that it signed, in a form that others can check.
//!
//! ```text
//! binary = form (1) = 1 | length (1) | relay | log key (32) | tree head seen | tree head shown
//!          | hashes (1) | root at the size seen, then the path (32 each); no hashes where there is no path
//! text   = "qpq relay proof 1", then the binary in base64 on lines of 64 characters
//! ```
//!
//! Two heads that [contradict](Contradiction) each other convict by themselves. Where the tree shown is the larger one, the
//! relay's own proof of consistency may convict it: the path leads to the root that it signed and shows that the tree below it
//! had another root, at the size seen, than the one that it signed then. A path that leads nowhere convicts nobody, since
//! anybody can write one.

use data_encoding::BASE64;

use super::head::{Contradiction, TreeHead, TreeHeadError, read_relay};
use super::merkle::{LogHash, shown_root};
use crate::encoding::{Reader, Truncated};
use crate::ids::LogKey;

/// Bytes of a text that is read at most.
pub const EVIDENCE_BYTES_MAX: usize = 16_384;

/// Two tree heads of a relay's, and what it said of how the one grew from the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The name under which the relay signs.
    pub relay: String,
    /// The key of its log.
    pub log: LogKey,
    /// What was seen first.
    pub seen: TreeHead,
    /// What was shown later.
    pub shown: TreeHead,
    /// What the larger tree has at the size of the smaller one.
    pub grown: Option<Grown>,
}

/// That the tree shown had a certain root when it had as many entries as the tree seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grown {
    /// The root.
    pub root: LogHash,
    /// From it to the tree shown, as a proof of consistency.
    pub path: Vec<LogHash>,
}

/// What evidence shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The heads cannot both be true.
    Contradiction(Contradiction),
    /// The tree shown did not grow from the tree seen.
    Diverged,
    /// Nothing: both heads are the relay's, and both may be true.
    Inconclusive,
}

/// Why something is no evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// More than [`EVIDENCE_BYTES_MAX`].
    #[error("proof has {0} bytes, more than {EVIDENCE_BYTES_MAX}")]
    TooLong(usize),
    /// It does not begin as such a text does, or does not go on in base64.
    #[error("this is not a proof against a relay")]
    Form,
    /// Made by a newer version.
    #[error("proof has the unknown form {0}")]
    UnknownForm(u8),
    /// A tree head is malformed, another relay's, or not signed by the log's key.
    #[error(transparent)]
    Head(#[from] TreeHeadError),
}

impl From<Truncated> for EvidenceError {
    fn from(_: Truncated) -> Self {
        Self::Form
    }
}

impl Evidence {
    /// What it shows to whoever knows that the key is the relay's.
    ///
    /// # Errors
    /// [`EvidenceError::Head`] where a head is not signed by the log for that relay.
    pub fn verdict(&self) -> Result<Verdict, EvidenceError> {
        self.seen.verify(&self.relay, &self.log)?;
        self.shown.verify(&self.relay, &self.log)?;
        if let Some(contradiction) = self.seen.contradiction(&self.shown) {
            return Ok(Verdict::Contradiction(contradiction));
        }
        let has_diverged = self.grown.as_ref().is_some_and(|grown| self.has_diverged(grown));
        Ok(if has_diverged { Verdict::Diverged } else { Verdict::Inconclusive })
    }

    fn has_diverged(&self, grown: &Grown) -> bool {
        let Self { seen, shown, .. } = self;
        let at_the_size_seen = shown_root(seen.size, shown.size, &shown.root, &grown.path, &grown.root);
        at_the_size_seen == Ok(grown.root) && grown.root != seen.root
    }

    /// The binary form.
    pub fn encode(&self) -> Vec<u8> {
        let relay = self.relay.as_bytes();
        let mut bytes = vec![FORM, u8::try_from(relay.len()).unwrap_or(u8::MAX)];
        bytes.extend_from_slice(relay);
        bytes.extend_from_slice(self.log.as_bytes());
        bytes.extend_from_slice(&self.seen.encode());
        bytes.extend_from_slice(&self.shown.encode());
        let hashes: Vec<&LogHash> =
            self.grown.iter().flat_map(|grown| std::iter::once(&grown.root).chain(&grown.path)).collect();
        bytes.push(u8::try_from(hashes.len()).unwrap_or(u8::MAX));
        hashes.iter().for_each(|hash| bytes.extend_from_slice(*hash));
        bytes
    }

    /// Reads what [`Evidence::encode`] wrote. Nothing is verified.
    ///
    /// # Errors
    /// [`EvidenceError`], by its form.
    pub fn decode(bytes: &[u8]) -> Result<Self, EvidenceError> {
        let mut reader = Reader::new(bytes);
        let form = reader.u8()?;
        if form != FORM {
            return Err(EvidenceError::UnknownForm(form));
        }
        let relay = read_relay(&mut reader)?;
        let log = LogKey::from_bytes(reader.array()?);
        let (seen, shown) = (TreeHead::read(&mut reader)?, TreeHead::read(&mut reader)?);
        let count = usize::from(reader.u8()?);
        let hashes: Result<Vec<LogHash>, Truncated> = (0..count).map(|_| reader.array()).collect();
        if reader.remaining() > 0 {
            return Err(EvidenceError::Form);
        }
        let mut hashes = hashes?.into_iter();
        let grown = hashes.next().map(|root| Grown { root, path: hashes.collect() });
        Ok(Self { relay, log, seen, shown, grown })
    }

    /// The form for people to pass on.
    pub fn to_text(&self) -> String {
        let encoded = BASE64.encode(&self.encode());
        let mut text = format!("{FIRST_LINE}\n");
        for line in encoded.as_bytes().chunks(LINE_CHARACTERS) {
            text.push_str(&String::from_utf8_lossy(line));
            text.push('\n');
        }
        text
    }

    /// Reads what [`Evidence::to_text`] wrote. Nothing is verified.
    ///
    /// # Errors
    /// [`EvidenceError`], by its form.
    pub fn from_text(text: &str) -> Result<Self, EvidenceError> {
        if text.len() > EVIDENCE_BYTES_MAX {
            return Err(EvidenceError::TooLong(text.len()));
        }
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        if lines.next() != Some(FIRST_LINE) {
            return Err(EvidenceError::Form);
        }
        let encoded: String = lines.collect();
        Self::decode(&BASE64.decode(encoded.as_bytes()).map_err(|_| EvidenceError::Form)?)
    }
}

const FORM: u8 = 1;
const FIRST_LINE: &str = "qpq relay proof 1";
const LINE_CHARACTERS: usize = 64;
