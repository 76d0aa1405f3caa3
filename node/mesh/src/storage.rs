//! What the mesh needs of a storage: bundles, tombstones and one name, inside the driver's transaction.
//!
//! The driver commits after each input, and only then sends answers and carries out effects. Custody that lives in RAM
//! by setting is a driver that passes a [`MemoryStore`].

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use qpq_proto::ids::NodeKey;

use crate::bundle::{BundleId, Header, Secret, SortKey};

pub use record::{RecordError, decode_record, decode_tombstone, encode_record, encode_tombstone};

mod record;

/// A failure of the storage below; the transaction must be dropped, and the mesh opened again from what is stored.
#[derive(Debug, thiserror::Error)]
#[error("storage failed: {0}")]
pub struct StorageError(#[from] pub Box<dyn std::error::Error + Send + Sync>);

/// How close a bundle's bringer stands to this node; the first may push out the later ones, never the reverse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// This node itself.
    Own,
    /// Another node of the same owner, or of one who agreed to carry.
    Paired,
    /// A neighbour that is known.
    Contact,
    /// Anybody else.
    Stranger,
}

/// What is stored of a bundle besides its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What never changes.
    pub header: Arc<Header>,
    /// Node time at which it ends, ms.
    pub expires_ms: u64,
    /// Number of its arrival at this node; grows.
    pub arrival: u64,
    /// How far it may still go.
    pub hops_left: u8,
    /// Copies that this node may hand over, its own included.
    pub copies: u16,
    /// Who is charged for it; none for this node's own.
    pub bringer: Option<NodeKey>,
    /// How close the bringer stood when it came.
    pub tier: Tier,
    /// It is addressed to this node too.
    pub is_mine: bool,
    /// This node has opened it.
    pub is_opened: bool,
}

/// What is remembered of a bundle that is gone for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TombstoneRecord {
    /// By what it was settled; none if this node opened it and carries for nobody.
    pub secret: Option<Secret>,
    /// Node time until which it is kept, ms.
    pub expires_ms: u64,
    /// Number by which the oldest is told; grows.
    pub sequence: u64,
}

/// One thing found when opening.
#[derive(Clone, Debug)]
pub enum Loaded {
    /// A bundle, without its body.
    Bundle(Record),
    /// A tombstone, by the kind and id of what it is for.
    Tombstone(SortKey, TombstoneRecord),
    /// The store's name.
    Instance([u8; 16]),
}

/// Storage of the mesh within one transaction.
pub trait Store {
    /// Writes a bundle.
    ///
    /// # Errors
    /// As the storage fails; so for all methods.
    fn put(&mut self, record: &Record, body: &Bytes) -> Result<(), StorageError>;
    /// Writes what has changed of a bundle.
    ///
    /// # Errors
    /// As the storage fails.
    fn update(&mut self, record: &Record) -> Result<(), StorageError>;
    /// The body of a bundle.
    ///
    /// # Errors
    /// As the storage fails.
    fn body(&mut self, id: &BundleId) -> Result<Option<Bytes>, StorageError>;
    /// Removes a bundle.
    ///
    /// # Errors
    /// As the storage fails.
    fn remove(&mut self, id: &BundleId) -> Result<(), StorageError>;
    /// Writes a tombstone.
    ///
    /// # Errors
    /// As the storage fails.
    fn put_tombstone(&mut self, key: SortKey, tombstone: &TombstoneRecord) -> Result<(), StorageError>;
    /// Removes a tombstone.
    ///
    /// # Errors
    /// As the storage fails.
    fn remove_tombstone(&mut self, key: SortKey) -> Result<(), StorageError>;
    /// Writes the store's name, when it is new.
    ///
    /// # Errors
    /// As the storage fails.
    fn put_instance(&mut self, instance: [u8; 16]) -> Result<(), StorageError>;
    /// Hands out all there is, in any order.
    ///
    /// # Errors
    /// As the storage fails.
    fn load(&mut self, each: &mut dyn FnMut(Loaded)) -> Result<(), StorageError>;
}

/// A store in memory: for custody that may be lost, for tests and for simulations.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    bundles: BTreeMap<BundleId, (Record, Bytes)>,
    tombstones: BTreeMap<SortKey, TombstoneRecord>,
    instance: Option<[u8; 16]>,
}

impl MemoryStore {
    /// Nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Bundles in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bundles.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bundles.is_empty()
    }

    /// Whether it holds a bundle.
    #[must_use]
    pub fn contains(&self, id: &BundleId) -> bool {
        self.bundles.contains_key(id)
    }
}

impl Store for MemoryStore {
    fn put(&mut self, record: &Record, body: &Bytes) -> Result<(), StorageError> {
        self.bundles.insert(*record.header.id(), (record.clone(), body.clone()));
        Ok(())
    }

    fn update(&mut self, record: &Record) -> Result<(), StorageError> {
        if let Some((stored, _)) = self.bundles.get_mut(record.header.id()) {
            *stored = record.clone();
        }
        Ok(())
    }

    fn body(&mut self, id: &BundleId) -> Result<Option<Bytes>, StorageError> {
        Ok(self.bundles.get(id).map(|(_, body)| body.clone()))
    }

    fn remove(&mut self, id: &BundleId) -> Result<(), StorageError> {
        self.bundles.remove(id);
        Ok(())
    }

    fn put_tombstone(&mut self, key: SortKey, tombstone: &TombstoneRecord) -> Result<(), StorageError> {
        self.tombstones.insert(key, *tombstone);
        Ok(())
    }

    fn remove_tombstone(&mut self, key: SortKey) -> Result<(), StorageError> {
        self.tombstones.remove(&key);
        Ok(())
    }

    fn put_instance(&mut self, instance: [u8; 16]) -> Result<(), StorageError> {
        self.instance = Some(instance);
        Ok(())
    }

    fn load(&mut self, each: &mut dyn FnMut(Loaded)) -> Result<(), StorageError> {
        self.bundles.values().for_each(|(record, _)| each(Loaded::Bundle(record.clone())));
        self.tombstones.iter().for_each(|(key, tombstone)| each(Loaded::Tombstone(*key, *tombstone)));
        self.instance.into_iter().for_each(|instance| each(Loaded::Instance(instance)));
        Ok(())
    }
}
