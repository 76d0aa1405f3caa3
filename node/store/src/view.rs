//! Reading: one state of the database, as it was when the view was taken.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use qpq_engine::storage::{Direction, Table};
use redb::{Database, ReadOnlyTable, ReadTransaction, ReadableDatabase, TableDefinition, TableError};

use crate::error::Failure;
use crate::key::{Blinded, RecordKey, SecretKey};
use crate::recent::Recent;
use crate::sealing::Keys;
use crate::secrets_key::{SECRETS_TABLE, SecretSealers};
use crate::storage::{Record, Records, Secret};

pub(crate) type SealedTable<'a> = TableDefinition<'a, &'static [u8; 24], &'static [u8]>;

/// Sealed secrets by blinded namespace and name.
pub(crate) const SECRETS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new(SECRETS_TABLE);

/// The name under which redb keeps a table of records.
pub(crate) fn redb_name(table: &str) -> String {
    format!("{RECORD_TABLE_PREFIX}{table}")
}

/// What the names of all tables of records begin with.
pub(crate) const RECORD_TABLE_PREFIX: &str = "t/";

/// One state of the database with the keys to read it. Later commits do not show in it.
pub(crate) struct View {
    transaction: ReadTransaction,
    keys: Arc<Keys>,
    secrets: Arc<SecretSealers>,
    /// Tables that were opened; `None` is one that does not exist.
    tables: RefCell<BTreeMap<Table, OpenTable>>,
    secrets_table: OnceCell<Option<SecretsTable>>,
    /// Records that were read one by one, so that what every call asks for is opened once.
    recent: RefCell<Recent>,
}

type SecretsTable = ReadOnlyTable<&'static [u8; 32], &'static [u8]>;
type OpenTable = Option<Arc<ReadOnlyTable<&'static [u8; 24], &'static [u8]>>>;

impl View {
    pub(crate) fn new(
        database: &Database,
        keys: &Arc<Keys>,
        secrets: &Arc<SecretSealers>,
    ) -> Result<Self, Failure> {
        Ok(Self {
            transaction: database.begin_read()?,
            keys: Arc::clone(keys),
            secrets: Arc::clone(secrets),
            tables: RefCell::default(),
            secrets_table: OnceCell::new(),
            recent: RefCell::default(),
        })
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    pub(crate) fn record(&self, table: Table, key: &RecordKey) -> Result<Option<Record>, Failure> {
        if let Some(record) = self.recent.borrow().get(table, key) {
            return Ok(Some(record));
        }
        let read = Failure::guarded(|| {
            let Some(open) = self.table(table)? else {
                return Ok(None);
            };
            let sealed = open.get(key.as_bytes())?;
            sealed.map(|sealed| self.keys.open(table, key, sealed.value())).transpose()
        })?;
        if let Some(record) = &read {
            self.recent.borrow_mut().note(table, *key, record);
        }
        Ok(read)
    }

    pub(crate) fn records(
        &self,
        table: Table,
        keys: RangeInclusive<RecordKey>,
        direction: Direction,
    ) -> Result<Records<'_>, Failure> {
        let range = Failure::guarded(|| {
            let Some(open) = self.table(table)? else {
                return Ok(None);
            };
            Ok(Some(open.range::<&[u8; 24]>(keys.start().as_bytes()..=keys.end().as_bytes())?))
        })?;
        let Some(mut range) = range else {
            return Ok(Box::new(std::iter::empty()));
        };
        let mut next = move || {
            let entry = match direction {
                Direction::Forward => range.next(),
                Direction::Backward => range.next_back(),
            };
            let Some(entry) = entry else { return Ok(None) };
            let (key, sealed) = entry?;
            let key = RecordKey::from_bytes(*key.value());
            Ok(Some((key, self.keys.open(table, &key, sealed.value())?)))
        };
        let mut is_over = false;
        Ok(Box::new(std::iter::from_fn(move || {
            if is_over {
                return None;
            }
            let read = Failure::guarded(&mut next).transpose();
            // Behind damage, nothing that redb says can be relied on.
            is_over = matches!(read, Some(Err(Failure::Contradiction(_))));
            read
        })))
    }

    pub(crate) fn secret(&self, key: &SecretKey) -> Result<Option<Secret>, Failure> {
        Failure::guarded(|| {
            let Some(open) = self.secrets_table()? else {
                return Ok(None);
            };
            let sealed = open.get(key.as_bytes())?;
            sealed.map(|sealed| self.open_secret(key, sealed.value())).transpose()
        })
    }

    pub(crate) fn open_secret(&self, key: &SecretKey, sealed: &[u8]) -> Result<Secret, Failure> {
        self.secrets.open(key, sealed)
    }

    pub(crate) fn secret_keys(&self, namespace: Blinded) -> Result<Vec<SecretKey>, Failure> {
        Failure::guarded(|| {
            let Some(open) = self.secrets_table()? else {
                return Ok(Vec::new());
            };
            let keys = SecretKey::namespace(namespace);
            let range = open.range::<&[u8; 32]>(keys.start().as_bytes()..=keys.end().as_bytes())?;
            range.map(|entry| Ok(SecretKey::from_bytes(*entry?.0.value()))).collect()
        })
    }

    fn table(&self, table: Table) -> Result<OpenTable, Failure> {
        if let Some(open) = self.tables.borrow().get(&table) {
            return Ok(open.clone());
        }
        let open =
            existing(self.transaction.open_table(SealedTable::new(&redb_name(table.0))))?.map(Arc::new);
        self.tables.borrow_mut().insert(table, open.clone());
        Ok(open)
    }

    fn secrets_table(&self) -> Result<Option<&SecretsTable>, Failure> {
        if let Some(open) = self.secrets_table.get() {
            return Ok(open.as_ref());
        }
        let open = existing(self.transaction.open_table(SECRETS))?;
        Ok(self.secrets_table.get_or_init(|| open).as_ref())
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").finish_non_exhaustive()
    }
}

/// A table that nothing was written to yet is as good as an empty one.
pub(crate) fn existing<T>(opened: Result<T, TableError>) -> Result<Option<T>, Failure> {
    match opened {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
