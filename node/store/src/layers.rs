//! Reading: the overlays over the database.
//!
//! ```text
//! batch that is open  >  overlay  >  overlay on its way into the database  >  database
//! ```
//! Of a key that several have, the one farthest to the left wins. The database may have what is on its way already:
//! then both say the same.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use qpq_engine::storage::{Direction, Table};

use crate::error::Failure;
use crate::key::{Blinded, RecordKey, SecretKey};
use crate::merge::merge;
use crate::overlay::Overlay;
use crate::storage::{Record, Records, Secret};
use crate::view::View;

/// One state of the store.
#[derive(Clone, Copy)]
pub(crate) struct Layers<'a> {
    /// The newer one first.
    pub(crate) overlays: [Option<&'a Overlay>; 2],
    pub(crate) view: &'a View,
}

impl<'a> Layers<'a> {
    pub(crate) fn record(self, table: Table, key: &RecordKey) -> Result<Option<Record>, Failure> {
        let changed = self.overlays().find_map(|overlay| overlay.record(table, key));
        changed.unwrap_or_else(|| self.view.record(table, key))
    }

    pub(crate) fn records(
        self,
        table: Table,
        keys: RangeInclusive<RecordKey>,
        direction: Direction,
    ) -> Result<Records<'a>, Failure> {
        let mut records = self.view.records(table, keys.clone(), direction)?;
        for overlay in self.overlays().rev() {
            if let Some(changed) = overlay.records(table, &keys, direction) {
                records = Box::new(merge(changed, records, direction));
            }
        }
        Ok(records)
    }

    pub(crate) fn secret(self, key: &SecretKey) -> Result<Option<Secret>, Failure> {
        match self.overlays().find_map(|overlay| overlay.secret(key)) {
            Some(sealed) => sealed.map(|sealed| self.view.open_secret(key, sealed)).transpose(),
            None => self.view.secret(key),
        }
    }

    pub(crate) fn secret_keys(self, namespace: Blinded) -> Result<Vec<SecretKey>, Failure> {
        let mut keys = BTreeSet::from_iter(self.view.secret_keys(namespace)?);
        for overlay in self.overlays().rev() {
            for (key, is_put) in overlay.secret_range(SecretKey::namespace(namespace)) {
                if is_put {
                    keys.insert(key);
                } else {
                    keys.remove(&key);
                }
            }
        }
        Ok(keys.into_iter().collect())
    }

    fn overlays(self) -> impl DoubleEndedIterator<Item = &'a Overlay> {
        self.overlays.into_iter().flatten()
    }
}
