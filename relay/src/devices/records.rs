//! What is kept of devices, besides their account's record.

use prost::Message;

/// How a device is woken.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PushTokenRecord {
    /// A `PushKind`.
    #[prost(int32, tag = "1")]
    pub kind: i32,
    /// The service's token or endpoint.
    #[prost(bytes = "vec", tag = "2")]
    pub token: Vec<u8>,
}
