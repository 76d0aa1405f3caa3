//! What this node does for others.

use prost::Message;

/// The roles that are switched on, beside serving its owner.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RolesRecord {
    #[prost(bool, tag = "1")]
    pub is_carrier: bool,
    #[prost(bool, tag = "2")]
    pub is_relay: bool,
}

impl RolesRecord {
    /// Their names, in alphabetical order.
    pub(crate) fn names(&self) -> Vec<String> {
        let names = [(self.is_carrier, "carrier"), (self.is_relay, "relay")];
        names.into_iter().filter(|(is_on, _)| *is_on).map(|(_, name)| name.to_owned()).collect()
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
