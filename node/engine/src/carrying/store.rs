//! The mesh's storage within the engine's transaction.

use bytes::Bytes;
use qpq_mesh::bundle::Kind;
use qpq_mesh::storage::{
    Loaded, Record, RecordError, Store, TombstoneRecord, decode_record, decode_tombstone, encode_record,
    encode_tombstone,
};
use qpq_mesh::{BundleId, SortKey, StorageError};

use crate::{
    input::EngineError,
    storage::Transaction,
    tables::{self, BODIES, BUNDLES, CUSTODY, SINGLE, TOMBSTONES},
};

/// Bundles, bodies and tombstones as records of the engine's tables.
pub(super) struct BundleStore<'a>(pub(super) &'a mut dyn Transaction);

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

impl Store for BundleStore<'_> {
    fn put(&mut self, record: &Record, body: &Bytes) -> Result<(), StorageError> {
        self.0.put(BODIES, tables::key(record.header.id().as_bytes()), body.clone())?;
        self.update(record)
    }

    fn update(&mut self, record: &Record) -> Result<(), StorageError> {
        let key = tables::key(record.header.id().as_bytes());
        Ok(self.0.put(BUNDLES, key, encode_record(record))?)
    }

    fn body(&mut self, id: &BundleId) -> Result<Option<Bytes>, StorageError> {
        Ok(self.0.get(BODIES, tables::key(id.as_bytes()))?)
    }

    fn remove(&mut self, id: &BundleId) -> Result<(), StorageError> {
        self.0.delete(BODIES, tables::key(id.as_bytes()))?;
        Ok(self.0.delete(BUNDLES, tables::key(id.as_bytes()))?)
    }

    fn put_tombstone(&mut self, key: SortKey, tombstone: &TombstoneRecord) -> Result<(), StorageError> {
        // A scan of a whole table does not say under which keys it finds what it finds.
        let value = [&key.to_bytes()[..], &encode_tombstone(tombstone)].concat();
        Ok(self.0.put(TOMBSTONES, tables::key(&key.to_bytes()), value.into())?)
    }

    fn remove_tombstone(&mut self, key: SortKey) -> Result<(), StorageError> {
        Ok(self.0.delete(TOMBSTONES, tables::key(&key.to_bytes()))?)
    }

    fn put_instance(&mut self, instance: [u8; 16]) -> Result<(), StorageError> {
        Ok(self.0.put(CUSTODY, tables::key(SINGLE), Bytes::copy_from_slice(&instance))?)
    }

    fn load(&mut self, each: &mut dyn FnMut(Loaded)) -> Result<(), StorageError> {
        for record in self.0.all(BUNDLES)? {
            each(Loaded::Bundle(decode_record(&record).map_err(corrupt)?));
        }
        for record in self.0.all(TOMBSTONES)? {
            let (key, tombstone) = record.split_first_chunk().ok_or_else(|| corrupt(RecordError))?;
            let tombstone = decode_tombstone(tombstone).map_err(corrupt)?;
            each(Loaded::Tombstone(sort_key(key)?, tombstone));
        }
        if let Some(name) = self.0.get(CUSTODY, tables::key(SINGLE))?
            && let Ok(instance) = <[u8; 16]>::try_from(&name[..])
        {
            each(Loaded::Instance(instance));
        }
        Ok(())
    }
}
