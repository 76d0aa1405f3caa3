//! What is kept of devices, besides their account's record.

use prost::Message;

/// A person's newest device list.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct DeviceListRecord {
    /// As signed.
    #[prost(bytes = "vec", tag = "1")]
    pub list: Vec<u8>,
}

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
