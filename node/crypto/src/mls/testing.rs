//! A device and storage for unit tests.

use std::collections::BTreeMap;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;

use super::{CLASSICAL, HYBRID};
use crate::certificate::DeviceCertificate;
use crate::identity::{DeviceSecret, IdentityKey};
use crate::ids::NodeKey;
use crate::key_value::{KeyValue, KeyValueError};

pub(super) struct Device {
    seed: [u8; 32],
    pub(super) secret: DeviceSecret,
    pub(super) certificate: DeviceCertificate,
}

impl Device {
    pub(super) fn new(number: u8) -> Self {
        let seed = [number; 32];
        let secret = DeviceSecret::from_seed(&seed);
        let node = NodeKey::from_bytes([number ^ 0xff; 32]);
        let identity = IdentityKey::from_seed(&[number ^ 0x55; 32]);
        let certificate =
            DeviceCertificate::issue(&identity, secret.public(), node, &[HYBRID, CLASSICAL], 0).unwrap();
        Self { seed, secret, certificate }
    }

    pub(super) fn rng(&self) -> ChaCha20Rng {
        ChaCha20Rng::from_seed(self.seed)
    }
}

/// Records in a map.
#[derive(Default)]
pub(super) struct MapStorage {
    pub(super) records: BTreeMap<(Vec<u8>, Vec<u8>), Vec<u8>>,
    pub(super) bytes_put: usize,
}

impl KeyValue for MapStorage {
    fn get(&self, namespace: &[u8], name: &[u8]) -> Result<Option<Vec<u8>>, KeyValueError> {
        Ok(self.records.get(&(namespace.to_vec(), name.to_vec())).cloned())
    }

    fn put(&mut self, namespace: &[u8], name: &[u8], value: &[u8]) -> Result<(), KeyValueError> {
        self.bytes_put += value.len();
        self.records.insert((namespace.to_vec(), name.to_vec()), value.to_vec());
        Ok(())
    }

    fn delete(&mut self, namespace: &[u8], name: &[u8]) -> Result<(), KeyValueError> {
        self.records.remove(&(namespace.to_vec(), name.to_vec()));
        Ok(())
    }

    fn copy_namespace(&mut self, from: &[u8], to: &[u8]) -> Result<(), KeyValueError> {
        self.clear_namespace(to)?;
        let of_namespace = self.records.iter().filter(|((namespace, _), _)| namespace == from);
        let copies: Vec<_> =
            of_namespace.map(|((_, name), value)| ((to.to_vec(), name.clone()), value.clone())).collect();
        self.records.extend(copies);
        Ok(())
    }

    fn clear_namespace(&mut self, namespace: &[u8]) -> Result<(), KeyValueError> {
        self.records.retain(|(candidate, _), _| candidate != namespace);
        Ok(())
    }
}
