//! What this node does for others.

use prost::Message;

/// The roles that are switched on, beside serving its owner.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RolesRecord {
    #[prost(bool, tag = "1")]
    pub is_carrier: bool,
}

impl RolesRecord {
    /// Their names, in alphabetical order.
    pub(crate) fn names(&self) -> Vec<String> {
        self.is_carrier.then(|| "carrier".to_owned()).into_iter().collect()
    }
}

/// A node that this one is paired with.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PairRecord {
    /// Node key, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub node: Vec<u8>,
    /// Where it may be, as IP addresses with ports.
    #[prost(string, repeated, tag = "2")]
    pub addresses: Vec<String>,
}
