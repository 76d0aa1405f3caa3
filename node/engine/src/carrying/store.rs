//! What the mesh needs of the engine: storage within its transaction, and the routing secrets.

use bytes::Bytes;
use qpq_mesh::bundle::Kind;
use qpq_mesh::storage::{
    Loaded, Record, RecordError, Store, TombstoneRecord, decode_record, decode_tombstone, encode_record,
    encode_tombstone,
};
use qpq_mesh::{BundleId, Class, Interest, SortKey, StorageError};

use crate::{
    input::EngineError,
    routes::RouteIndex,
    storage::Transaction,
    tables::{self, BODIES, BUNDLES, CUSTODY, SINGLE, TOMBSTONES},
};

use super::volatile::Volatile;

/// Bundles, bodies and tombstones as records of the engine's tables. Where custody lives in memory, only this node's own
/// bundles do, and what was taken before it did.
///
/// The engine makes its own; it is public so that a simulation keeps custody by the very same code.
pub struct BundleStore<'a> {
    pub(super) tx: &'a mut dyn Transaction,
    pub(super) memory: Option<&'a mut Volatile>,
}

impl<'a> BundleStore<'a> {
    /// Within the transaction given; nothing lives in memory.
    pub fn new(tx: &'a mut dyn Transaction) -> Self {
        Self { tx, memory: None }
    }
}

impl std::fmt::Debug for BundleStore<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("BundleStore").finish_non_exhaustive()
    }
}

/// Recognises by routing secrets.
pub(super) struct Recogniser<'a>(pub(super) &'a RouteIndex);

impl Interest for Recogniser<'_> {
    fn is_mine(&mut self, class: Class, salt: &[u8; 8], tag: &[u8]) -> bool {
        self.0.recognises(class, salt, tag)
    }
}

impl From<crate::storage::StorageError> for StorageError {
    fn from(error: crate::storage::StorageError) -> Self {
        Self(error.0)
    }
}

impl From<StorageError> for EngineError {
    fn from(error: StorageError) -> Self {
        Self::Storage(crate::storage::StorageError(error.0))
    }
}

fn corrupt(error: impl std::error::Error + Send + Sync + 'static) -> StorageError {
    StorageError(Box::new(error))
}

/// A sort key is the byte of a kind and the first 15 bytes of an id.
fn sort_key(bytes: &[u8; 16]) -> Result<SortKey, StorageError> {
    let kind = Kind::from_byte(bytes[0]).ok_or_else(|| corrupt(RecordError))?;
    let mut id = [0; 32];
    id[..15].copy_from_slice(&bytes[1..]);
    Ok(SortKey::new(kind, &BundleId::from_bytes(id)))
}

impl BundleStore<'_> {
    /// The memory, if it holds a bundle.
    fn memory_with(&mut self, id: &BundleId) -> Option<&mut Volatile> {
        self.memory.as_deref_mut().filter(|memory| memory.holds(id))
    }
}

impl Store for BundleStore<'_> {
    fn put(&mut self, record: &Record, body: &Bytes) -> Result<(), StorageError> {
        if let (Some(memory), Some(_)) = (self.memory.as_deref_mut(), record.bringer) {
            memory.put(record, body.clone());
            return Ok(());
        }
        self.tx.put(BODIES, tables::key(record.header.id().as_bytes()), body.clone())?;
        self.update(record)
    }

    fn update(&mut self, record: &Record) -> Result<(), StorageError> {
        let id = record.header.id();
        if let Some(memory) = self.memory_with(id) {
            let body = memory.body(id).unwrap_or_default();
            memory.put(record, body);
            return Ok(());
        }
        Ok(self.tx.put(BUNDLES, tables::key(id.as_bytes()), encode_record(record))?)
    }

    fn body(&mut self, id: &BundleId) -> Result<Option<Bytes>, StorageError> {
        match self.memory_with(id) {
            Some(memory) => Ok(memory.body(id)),
            None => Ok(self.tx.get(BODIES, tables::key(id.as_bytes()))?),
        }
    }

    fn remove(&mut self, id: &BundleId) -> Result<(), StorageError> {
        if let Some(memory) = self.memory_with(id) {
            memory.remove(id);
            return Ok(());
        }
        self.tx.delete(BODIES, tables::key(id.as_bytes()))?;
        Ok(self.tx.delete(BUNDLES, tables::key(id.as_bytes()))?)
    }

    fn put_tombstone(&mut self, key: SortKey, tombstone: &TombstoneRecord) -> Result<(), StorageError> {
        if let Some(memory) = &mut self.memory {
            memory.put_tombstone(key, *tombstone);
            return Ok(());
        }
        // A scan of a whole table does not say under which keys it finds what it finds.
        let value = [&key.to_bytes()[..], &encode_tombstone(tombstone)].concat();
        Ok(self.tx.put(TOMBSTONES, tables::key(&key.to_bytes()), value.into())?)
    }

    fn remove_tombstone(&mut self, key: SortKey) -> Result<(), StorageError> {
        if let Some(memory) = self.memory.as_deref_mut().filter(|memory| memory.has_tombstone(key)) {
            memory.remove_tombstone(key);
            return Ok(());
        }
        Ok(self.tx.delete(TOMBSTONES, tables::key(&key.to_bytes()))?)
    }

    fn put_instance(&mut self, instance: [u8; 16]) -> Result<(), StorageError> {
        if let Some(memory) = &mut self.memory {
            memory.put_instance(instance);
            return Ok(());
        }
        Ok(self.tx.put(CUSTODY, tables::key(SINGLE), Bytes::copy_from_slice(&instance))?)
    }

    fn load(&mut self, each: &mut dyn FnMut(Loaded)) -> Result<(), StorageError> {
        for record in self.tx.all(BUNDLES)? {
            each(Loaded::Bundle(decode_record(&record).map_err(corrupt)?));
        }
        for record in self.tx.all(TOMBSTONES)? {
            let (key, tombstone) = record.split_first_chunk().ok_or_else(|| corrupt(RecordError))?;
            let tombstone = decode_tombstone(tombstone).map_err(corrupt)?;
            each(Loaded::Tombstone(sort_key(key)?, tombstone));
        }
        // A custody in memory has another name after each start: neighbours ask anew what it holds.
        if let Some(memory) = &self.memory {
            memory.load(each);
        } else if let Some(name) = self.tx.get(CUSTODY, tables::key(SINGLE))?
            && let Ok(instance) = <[u8; 16]>::try_from(&name[..])
        {
            each(Loaded::Instance(instance));
        }
        Ok(())
    }
}
