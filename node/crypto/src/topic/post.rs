//! One post: what is signed, and how it is read.

use qpq_proto::limits::TEXT_BYTES_MAX;

use crate::encoding::{Reader, Truncated};
use crate::identity::{DeviceSecret, IdentityKey};
use crate::ids::{DeviceKey, Identity};
use crate::link::{put_name, read_name};
use crate::signature::{Domain, SIGNATURE_BYTES, Verify};
use crate::text::{NameError, check_name};

/// What an author writes.
#[derive(Debug, Clone, Copy)]
pub struct Draft<'a> {
    /// Chosen by the author; a post whose id the same author used before is the same post.
    pub id: [u8; 16],
    /// Unix time in ms by the author's clock: for people to read, never to decide by.
    pub posted_at_ms: u64,
    /// What the author says their name is.
    pub name: &'a str,
    /// 1 to [`TEXT_BYTES_MAX`] bytes.
    pub text: &'a str,
}

/// A post whose signatures were verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// Whose post it is.
    pub author: Identity,
    /// Which of their devices signed it.
    pub device: DeviceKey,
    /// Chosen by the author.
    pub id: [u8; 16],
    /// Unix time in ms by the author's clock: for people to read, never to decide by.
    pub posted_at_ms: u64,
    /// What the author says their name is, as [`check_name`] gives it.
    pub name: String,
    /// 1 to [`TEXT_BYTES_MAX`] bytes.
    pub text: String,
}

/// Why a body is no post of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PostError {
    /// Not sealed under this topic's key and this salt.
    #[error("post's body is not authentic")]
    Body,
    /// What was sealed does not end in padding.
    #[error("post's padding is malformed")]
    Padding,
    /// The bytes end too early.
    #[error("post is truncated")]
    Truncated,
    /// Bytes follow the signature.
    #[error("post is followed by other bytes")]
    TrailingBytes,
    /// Made by a newer version.
    #[error("post has the unknown version {0}")]
    UnknownVersion(u8),
    /// The name or the text is not UTF-8, or the name is not in its normal form (NFKC).
    #[error("post's name or text is not encoded as it should be")]
    Encoding,
    /// The name is none.
    #[error("post's author: {0}")]
    Name(#[from] NameError),
    /// The text is empty or too long.
    #[error("post's text has {0} bytes, not 1 to {TEXT_BYTES_MAX}")]
    TextLength(usize),
    /// The identity has not said that the device posts for it.
    #[error("post's device is not its author's")]
    Device,
    /// The device has not signed it, or for another topic or salt.
    #[error("post's signature does not verify")]
    Signature,
}

impl From<Truncated> for PostError {
    fn from(_: Truncated) -> Self {
        Self::Truncated
    }
}

impl Draft<'_> {
    /// The signed encoding.
    pub(super) fn sign(
        &self,
        topic: &[u8; 32],
        salt: &[u8],
        identity: &IdentityKey,
        device: &DeviceSecret,
    ) -> Result<Vec<u8>, PostError> {
        check_length(self.text.len())?;
        let name = check_name(self.name)?;
        let device_key = device.public();
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(identity.public().as_bytes());
        bytes.extend_from_slice(device_key.as_bytes());
        bytes.extend_from_slice(&identity.sign(Domain::PostingDevice, &[device_key.as_bytes()]));
        bytes.extend_from_slice(&self.id);
        bytes.extend_from_slice(&self.posted_at_ms.to_be_bytes());
        put_name(&mut bytes, &name);
        let length = u16::try_from(self.text.len()).map_err(|_| PostError::TextLength(self.text.len()))?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(self.text.as_bytes());
        let signature = device.sign(Domain::TopicPost, &[topic, salt, &bytes]);
        bytes.extend_from_slice(&signature);
        Ok(bytes)
    }
}

impl Post {
    /// Reads a post and verifies what it says of its author.
    pub(super) fn decode_and_verify(topic: &[u8; 32], salt: &[u8], signed: &[u8]) -> Result<Self, PostError> {
        let (covered, signature) =
            signed.split_last_chunk::<SIGNATURE_BYTES>().ok_or(PostError::Truncated)?;
        let (post, proof) = Self::read(covered)?;
        post.author
            .verify(Domain::PostingDevice, &[post.device.as_bytes()], &proof)
            .map_err(|_| PostError::Device)?;
        post.device
            .verify(Domain::TopicPost, &[topic, salt, covered], signature)
            .map_err(|_| PostError::Signature)?;
        Ok(post)
    }

    fn read(covered: &[u8]) -> Result<(Self, [u8; SIGNATURE_BYTES]), PostError> {
        let mut reader = Reader::new(covered);
        let version = reader.u8()?;
        if version != VERSION {
            return Err(PostError::UnknownVersion(version));
        }
        let author = Identity::from_bytes(reader.array()?);
        let device = DeviceKey::from_bytes(reader.array()?);
        let proof = reader.array()?;
        let id = reader.array()?;
        let posted_at_ms = reader.u64()?;
        let name = utf8(read_name(&mut reader)?)?;
        let length = usize::from(reader.u16()?);
        check_length(length)?;
        let text = utf8(reader.bytes(length)?)?;
        if reader.remaining() > 0 {
            return Err(PostError::TrailingBytes);
        }
        if check_name(name)? != name {
            return Err(PostError::Encoding);
        }
        let (name, text) = (name.to_owned(), text.to_owned());
        Ok((Self { author, device, id, posted_at_ms, name, text }, proof))
    }
}

fn check_length(length: usize) -> Result<(), PostError> {
    if length == 0 || length > TEXT_BYTES_MAX { Err(PostError::TextLength(length)) } else { Ok(()) }
}

fn utf8(bytes: &[u8]) -> Result<&str, PostError> {
    std::str::from_utf8(bytes).map_err(|_| PostError::Encoding)
}

const VERSION: u8 = 1;
