//! What waits to be sent, and what came in.

use prost::Message;

/// An entry of the outbox; its payload lies beside it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ParcelRecord {
    /// Recipients that are not done with it.
    #[prost(uint32, tag = "1")]
    pub remaining: u32,
    /// Message id, 16 bytes; empty for what is no message.
    #[prost(bytes = "vec", tag = "2")]
    pub message: Vec<u8>,
    /// Conversation, 16 bytes; empty for introductions.
    #[prost(bytes = "vec", tag = "3")]
    pub conversation: Vec<u8>,
    /// In the node's own time.
    #[prost(uint64, tag = "4")]
    pub expires_node_ms: u64,
    /// Identity key if it is for one person; empty if for members of the conversation.
    #[prost(bytes = "vec", tag = "5")]
    pub recipient: Vec<u8>,
    /// Delivery id, 16 bytes.
    #[prost(bytes = "vec", tag = "6")]
    pub delivery: Vec<u8>,
    /// A content that is no text, to be sealed again if the recipient can no longer open it.
    #[prost(bytes = "vec", tag = "7")]
    pub content: Vec<u8>,
    /// It is an introduction, which says who it is from and belongs to no group.
    #[prost(bool, tag = "10")]
    pub is_introduction: bool,
    /// Token of a request; empty for everything else.
    #[prost(bytes = "vec", tag = "11")]
    pub request: Vec<u8>,
    /// Sequence of the own device list under which it was sealed.
    #[prost(uint64, tag = "9")]
    pub device_list_sequence: u64,
    /// The bundles that carry it, one for each of its pieces, 32 bytes each; empty if none does.
    #[prost(bytes = "vec", tag = "12")]
    pub bundles: Vec<u8>,
    /// Identity keys of members whom it is not for.
    #[prost(bytes = "vec", repeated, tag = "8")]
    pub except: Vec<Vec<u8>>,
    #[prost(uint64, tag = "13")]
    pub payload_bytes: u64,
    /// This node's own custody had no room for one of the bundles: they are to be deposited again.
    #[prost(bool, tag = "14")]
    pub is_refused: bool,
}

/// Which entry of the outbox a bundle carries.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct CarriedRecord {
    /// 0 for introductions, 1 for a person, 2 for a conversation.
    #[prost(uint32, tag = "1")]
    pub stream: u32,
    /// Key of the stream.
    #[prost(bytes = "vec", tag = "2")]
    pub key: Vec<u8>,
    #[prost(uint64, tag = "3")]
    pub ordinal: u64,
}

/// How far a recipient is in a stream of the outbox.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct CursorRecord {
    /// Ordinal up to which every entry was taken, or is for others.
    #[prost(uint64, tag = "1")]
    pub through: u64,
    /// Ordinals of entries that the recipient's node has stored and not opened, ascending.
    #[prost(uint64, repeated, tag = "2")]
    pub stored: Vec<u64>,
    /// Ordinals beyond `through` of entries that the recipient has opened, ascending: they came another way.
    #[prost(uint64, repeated, tag = "3")]
    pub done: Vec<u64>,
    /// Those of `stored` that lie at a relay of the recipient's, not on the recipient's node, ascending.
    #[prost(uint64, repeated, tag = "4")]
    pub relayed: Vec<u64>,
}

/// The outbox as a whole.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct OutboxRecord {
    /// No ordinal from here on has been used.
    #[prost(uint64, tag = "1")]
    pub reserved: u64,
}

/// What was answered to a delivery.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SeenRecord {
    /// A `Disposition`.
    #[prost(int32, tag = "1")]
    pub disposition: i32,
    /// Delivery id, 16 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub delivery: Vec<u8>,
    /// Why it was not taken, if it was stored first and refused when it could be opened.
    #[prost(message, optional, tag = "3")]
    pub refusal: Option<RefusalRecord>,
    /// Identity key of the sender, 32 bytes, if it is known and this person has a relay.
    #[prost(bytes = "vec", tag = "4")]
    pub sender: Vec<u8>,
}

/// A refusal, so that it can be repeated.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RefusalRecord {
    /// A `Status`.
    #[prost(uint32, tag = "1")]
    pub status: u32,
    #[prost(string, tag = "2")]
    pub field: String,
    #[prost(string, tag = "3")]
    pub message: String,
}

/// An MLS message of an epoch that is not here yet.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct FutureRecord {
    #[prost(bytes = "vec", tag = "1")]
    pub message: Vec<u8>,
    /// Node it came from.
    #[prost(bytes = "vec", tag = "2")]
    pub node: Vec<u8>,
    /// Delivery id, 16 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub delivery: Vec<u8>,
    /// The bundles that brought it, 32 bytes each; none if its sender's node did.
    #[prost(bytes = "vec", repeated, tag = "4")]
    pub bundles: Vec<Vec<u8>>,
    /// The bundles' secrets, 32 bytes each; none if their sender keeps them.
    #[prost(bytes = "vec", repeated, tag = "5")]
    pub settle_secrets: Vec<Vec<u8>>,
}

/// Contents of a member that this node has opened, and has not acknowledged.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ReceiptsRecord {
    #[prost(bytes = "vec", tag = "1")]
    pub conversation: Vec<u8>,
    /// Identity key of the member.
    #[prost(bytes = "vec", tag = "2")]
    pub identity: Vec<u8>,
    /// Content ids, 16 bytes each.
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub ids: Vec<Vec<u8>>,
    /// Delivery ids of what came through a relay and holds no text, 16 bytes each.
    #[prost(bytes = "vec", repeated, tag = "4")]
    pub deliveries: Vec<Vec<u8>>,
}
