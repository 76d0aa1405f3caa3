//! Broadcast topics: whoever has a topic's key reads its posts and posts to it; each post is signed by its author.
//!
//! A [`TopicKey`] is handed on in a [topic link](crate::link::Link::Topic). Three things are derived from it:
//!
//! ```text
//!   id    = BLAKE3 derive_key("qpq/v1/topic id", key)       what signatures name
//!   route = BLAKE3 derive_key("qpq/v1/topic route", key)    a routing secret: recognises the topic's bundles
//!   body  = BLAKE3 derive_key("qpq/v1/topic body", key)     a routing secret: seals and opens posts
//! ```
//!
//! so that no routing secret of a group, however it was chosen, opens what a topic's opens, and a node could be shown
//! which bundles belong to a topic without being able to read them.
//!
//! A post is [padded](crate::padding) to a size class and [sealed](RoutingSecret::seal_body) under a fresh salt. Its form:
//!
//! ```text
//! version (1) = 1 | author (32) | device (32) | proof of the device (64) | id (16) | posted_at_ms (8)
//!   | name | length (2) | text | signature (64)
//! name = length - 1 (1) | UTF-8
//! ```
//!
//! Numbers are big-endian; one post has one encoding. The *proof* is the identity's word that the device posts for it.
//! A device certificate would say so too, but names the node as well: a topic has readers who should not learn at which
//! node an author is found. The *signature* is the device's, and covers
//!
//! ```text
//! "qpq/v1/topic post" | topic's id | salt | everything before it
//! ```
//!
//! so that no one can move a post to another topic, or seal it again under a new salt, by which it would be a new bundle
//! with a new lifetime. Whether the device was revoked since, only a [device list](crate::device_list) tells.

use std::fmt;

use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::identity::{DeviceSecret, IdentityKey};
use crate::padding;
use crate::route::{BODY_OVERHEAD_BYTES, RoutingSecret, SALT_BYTES};

pub use post::{Draft, Post, PostError};

mod post;

/// Bytes of a topic's key.
pub const TOPIC_KEY_BYTES: usize = 32;

/// The key of a topic. Whoever has it reads and posts.
///
/// Overwritten when dropped; never printed.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct TopicKey([u8; TOPIC_KEY_BYTES]);

impl TopicKey {
    /// Makes a new topic.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut key = Self([0; TOPIC_KEY_BYTES]);
        rng.fill_bytes(&mut key.0);
        key
    }

    /// A key that was handed over or stored.
    pub fn from_bytes(bytes: &[u8; TOPIC_KEY_BYTES]) -> Self {
        Self(*bytes)
    }

    /// The bytes, to be handed over or stored.
    pub fn as_bytes(&self) -> &[u8; TOPIC_KEY_BYTES] {
        &self.0
    }

    /// Names the topic among those who have its key, and says nothing of the key.
    pub fn id(&self) -> [u8; 32] {
        blake3::derive_key("qpq/v1/topic id", &self.0)
    }

    /// The secret by which the topic's bundles are recognised; it opens none of them.
    pub fn route(&self) -> RoutingSecret {
        self.derive("qpq/v1/topic route")
    }

    /// Signs a post and seals it under a salt that was never used before.
    ///
    /// # Errors
    /// [`PostError::Name`], [`PostError::TextLength`].
    pub fn seal_post(
        &self,
        salt: &[u8; SALT_BYTES],
        identity: &IdentityKey,
        device: &DeviceSecret,
        draft: &Draft<'_>,
    ) -> Result<Vec<u8>, PostError> {
        let signed = draft.sign(&self.id(), salt, identity, device)?;
        let padded = Zeroizing::new(padding::pad(&signed, BODY_OVERHEAD_BYTES));
        Ok(self.body().seal_body(salt, &padded))
    }

    /// Opens a post and verifies it.
    ///
    /// # Errors
    /// The first violation, of [`PostError`].
    pub fn open_post(&self, salt: &[u8; SALT_BYTES], body: &[u8]) -> Result<Post, PostError> {
        let padded = self.body().open_body(salt, body).map(Zeroizing::new).map_err(|_| PostError::Body)?;
        let signed = padding::unpad(&padded).map_err(|_| PostError::Padding)?;
        Post::decode_and_verify(&self.id(), salt, signed)
    }

    fn body(&self) -> RoutingSecret {
        self.derive("qpq/v1/topic body")
    }

    fn derive(&self, context: &str) -> RoutingSecret {
        RoutingSecret::from_bytes(&Zeroizing::new(blake3::derive_key(context, &self.0)))
    }
}

impl fmt::Debug for TopicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TopicKey(..)")
    }
}

#[cfg(test)]
mod tests;
