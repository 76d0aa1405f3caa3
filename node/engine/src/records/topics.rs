//! Topics and posts.

use std::fmt;

use prost::Message;
use qpq_crypto::topic::TopicKey;

/// A topic subscribed to.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(crate) struct TopicRecord {
    /// The key, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub key: Vec<u8>,
    #[prost(string, tag = "2")]
    pub name: String,
    /// Cursor of the oldest post of which something is known.
    #[prost(uint64, tag = "3")]
    pub known_from: u64,
    /// Cursor of the oldest post whose text is kept.
    #[prost(uint64, tag = "4")]
    pub kept_from: u64,
    /// Cursor of the next post.
    #[prost(uint64, tag = "5")]
    pub next: u64,
    /// Bytes of the texts kept.
    #[prost(uint64, tag = "6")]
    pub bytes: u64,
    /// Unix time in ms at which the newest post came in.
    #[prost(uint64, tag = "7")]
    pub newest_at_ms: u64,
    /// Bundles of the topic that were dropped.
    #[prost(uint64, tag = "8")]
    pub dropped: u64,
}

impl TopicRecord {
    pub(crate) fn key(&self) -> Option<TopicKey> {
        self.key.as_slice().try_into().ok().map(TopicKey::from_bytes)
    }
}

impl fmt::Debug for TopicRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicRecord").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A post. When it is too old its text is cleared, and the rest stays for a while, so that it does not come in again.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PostRecord {
    /// Chosen by its author, 16 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub id: Vec<u8>,
    /// Identity key.
    #[prost(bytes = "vec", tag = "2")]
    pub author: Vec<u8>,
    #[prost(string, tag = "3")]
    pub claimed_name: String,
    #[prost(string, tag = "4")]
    pub text: String,
    #[prost(uint64, tag = "5")]
    pub posted_at_ms: u64,
    #[prost(uint64, tag = "6")]
    pub received_at_ms: u64,
}

/// Where a post lies.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PostPlaceRecord {
    #[prost(uint64, tag = "1")]
    pub cursor: u64,
}

/// How much an author posts to a topic.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PostAuthorRecord {
    /// The day of the node's own time in which the last post came in.
    #[prost(uint64, tag = "1")]
    pub day: u64,
    /// Posts that came in on that day.
    #[prost(uint64, tag = "2")]
    pub taken: u64,
    /// Posts of which something is known.
    #[prost(uint64, tag = "3")]
    pub known: u64,
}

/// An own post that is under way until its bundle's lifetime ends. The bundle can be made again from it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct OwnPostRecord {
    /// Topic id, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub topic: Vec<u8>,
    #[prost(uint64, tag = "2")]
    pub cursor: u64,
    /// The bundle's salt, 8 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub salt: Vec<u8>,
    /// The bundle's id, 32 bytes.
    #[prost(bytes = "vec", tag = "4")]
    pub bundle: Vec<u8>,
    /// Class and size class of the bundle.
    #[prost(uint32, tag = "5")]
    pub kind: u32,
    /// End of its lifetime in the node's own time.
    #[prost(uint64, tag = "6")]
    pub until_node_ms: u64,
}
