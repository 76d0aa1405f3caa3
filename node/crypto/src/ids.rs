//! Public keys as distinct types, so that none is taken for another.

pub use qpq_proto::ids::{DeviceKey, Identity, LogKey, NodeKey};
