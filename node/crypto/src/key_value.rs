//! The storage on which OpenMLS's state is kept: a map in namespaces, implemented by `qpq-store`.
//!
//! Writes are buffered by the implementer and become durable together with the engine's own records, in
//! one transaction. OpenMLS itself has no transaction hook; this trait is where it gets one.

use std::error::Error;

/// A failure of the storage below, not of the caller.
#[derive(Debug, thiserror::Error)]
#[error("storage failed: {0}")]
pub struct KeyValueError(#[from] pub Box<dyn Error + Send + Sync>);

/// A map from (namespace, name) to bytes, with read-your-writes.
///
/// A namespace holds one branch of one group, or what belongs to no group. Both halves of a key may reveal
/// people; the implementer hides them.
pub trait KeyValue {
    /// The value under a key, if there is one.
    fn get(&self, namespace: &[u8], name: &[u8]) -> Result<Option<Vec<u8>>, KeyValueError>;
    /// Writes a value.
    fn put(&mut self, namespace: &[u8], name: &[u8], value: &[u8]) -> Result<(), KeyValueError>;
    /// Removes a value; nothing happens where there is none.
    fn delete(&mut self, namespace: &[u8], name: &[u8]) -> Result<(), KeyValueError>;
    /// Writes everything of one namespace into another, which is cleared first.
    fn copy_namespace(&mut self, from: &[u8], to: &[u8]) -> Result<(), KeyValueError>;
    /// Removes everything of a namespace.
    fn clear_namespace(&mut self, namespace: &[u8]) -> Result<(), KeyValueError>;
}
