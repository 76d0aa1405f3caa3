//! What a database says about itself in the clear: whose format, which version, which store.

use redb::{Database, ReadTransaction, ReadableDatabase, TableDefinition, TableError, WriteTransaction};

use crate::error::Failure;
use crate::journal::Epoch;
use crate::open::StoreId;
use crate::open_error::OpenError;

/// Version of the tables and encodings this program writes.
pub const SCHEMA_VERSION: u32 = 3;

pub(crate) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

/// The clear part of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) schema: u32,
    pub(crate) id: StoreId,
    /// Seals nothing, under the at-rest key; absent until a key was given for the first time.
    pub(crate) key_check: Option<Vec<u8>>,
    /// The newest key that secrets were ever sealed under.
    pub(crate) secrets_generation: u64,
    /// How often the store was opened, closed or committed to. Batches in the journal are numbered by it. A checkpoint in
    /// the background does not count: the database then has as many commits as the overlay it took over.
    pub(crate) opened: u64,
    /// The journal that goes on from here; none if the store was closed in order.
    pub(crate) journal: Option<Epoch>,
    /// Whether it was found to be an older copy, and nobody has said yet that this was dealt with.
    pub(crate) rolled_back: bool,
}

impl Meta {
    pub(crate) fn new(id: StoreId) -> Self {
        Self {
            schema: SCHEMA_VERSION,
            id,
            key_check: None,
            secrets_generation: 0,
            opened: 0,
            journal: None,
            rolled_back: false,
        }
    }

    /// What a database says, or nothing if no store was ever made in it.
    pub(crate) fn read(database: &Database) -> Result<Option<Self>, OpenError> {
        let transaction = database.begin_read().map_err(Failure::from)?;
        let table = match transaction.open_table(META) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) if is_empty(&transaction)? => return Ok(None),
            Err(TableError::Storage(error)) => return Err(Failure::from(error).into()),
            Err(_) => return Err(OpenError::NotAStore),
        };
        let get = |name| -> Result<Option<Vec<u8>>, OpenError> {
            let value = table.get(name).map_err(Failure::from)?;
            Ok(value.map(|value| value.value().to_vec()))
        };
        if get(FORMAT)?.as_deref() != Some(FORMAT_MAGIC) {
            return Err(OpenError::NotAStore);
        }
        let number = |name| -> Result<Option<u64>, OpenError> {
            Ok(get(name)?.and_then(|bytes| Some(u64::from_be_bytes(bytes.try_into().ok()?))))
        };
        let schema = get(SCHEMA)?.and_then(|bytes| Some(u32::from_be_bytes(bytes.try_into().ok()?)));
        let id = get(ID)?.and_then(|bytes| Some(StoreId::from_bytes(bytes.try_into().ok()?)));
        let (Some(schema), Some(id)) = (schema, id) else {
            return Err(OpenError::Damaged("the table that describes the store is incomplete".to_owned()));
        };
        let epoch = match get(JOURNAL)?.map(TryInto::try_into) {
            Some(Ok(epoch)) => Some(Epoch::from_bytes(epoch)),
            Some(Err(_)) => return Err(OpenError::Damaged("the journal's name is malformed".to_owned())),
            None => None,
        };
        Ok(Some(Self {
            schema,
            id,
            key_check: get(KEY_CHECK)?,
            secrets_generation: number(SECRETS_GENERATION)?.unwrap_or_default(),
            opened: number(OPENED)?.unwrap_or_default(),
            journal: epoch,
            rolled_back: get(ROLLED_BACK)?.is_some(),
        }))
    }

    /// Writes everything, as part of a transaction.
    pub(crate) fn write(&self, transaction: &WriteTransaction) -> Result<(), Failure> {
        let mut table = transaction.open_table(META)?;
        table.insert(FORMAT, FORMAT_MAGIC)?;
        table.insert(SCHEMA, self.schema.to_be_bytes().as_slice())?;
        table.insert(ID, self.id.as_bytes().as_slice())?;
        table.insert(SECRETS_GENERATION, self.secrets_generation.to_be_bytes().as_slice())?;
        table.insert(OPENED, self.opened.to_be_bytes().as_slice())?;
        if let Some(check) = &self.key_check {
            table.insert(KEY_CHECK, check.as_slice())?;
        }
        match &self.journal {
            Some(epoch) => drop(table.insert(JOURNAL, epoch.as_bytes().as_slice())?),
            None => drop(table.remove(JOURNAL)?),
        }
        if self.rolled_back {
            table.insert(ROLLED_BACK, [].as_slice())?;
        } else {
            table.remove(ROLLED_BACK)?;
        }
        Ok(())
    }

    /// Writes everything and returns when it is durable.
    pub(crate) fn commit(&self, database: &Database) -> Result<(), Failure> {
        let transaction = database.begin_write()?;
        self.write(&transaction)?;
        Ok(transaction.commit()?)
    }
}

/// Writes the count of commits alone, as part of a transaction.
pub(crate) fn write_opened(transaction: &WriteTransaction, opened: u64) -> Result<(), Failure> {
    transaction.open_table(META)?.insert(OPENED, opened.to_be_bytes().as_slice())?;
    Ok(())
}

fn is_empty(transaction: &ReadTransaction) -> Result<bool, Failure> {
    Ok(transaction.list_tables()?.next().is_none() && transaction.list_multimap_tables()?.next().is_none())
}

const FORMAT: &str = "format";
const FORMAT_MAGIC: &[u8] = b"qpq-store";
const SCHEMA: &str = "schema";
const ID: &str = "id";
const KEY_CHECK: &str = "key check";
const SECRETS_GENERATION: &str = "secrets generation";
const OPENED: &str = "opened";
const JOURNAL: &str = "journal";
const ROLLED_BACK: &str = "rolled back";
