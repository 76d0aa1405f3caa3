//! Putting sealed changes into the database.

use redb::WriteTransaction;

use crate::error::Failure;
use crate::key::{RecordKey, SecretKey};
use crate::sealed_change::{Place, SealedChange};
use crate::view::{RECORD_TABLE_PREFIX, SECRETS, SealedTable, redb_name};

/// Applies changes in their order, until one fails; then the transaction must be dropped.
pub(crate) fn apply<'a>(
    transaction: &WriteTransaction,
    changes: impl Iterator<Item = Result<SealedChange<'a>, Failure>>,
) -> Result<(), Failure> {
    let mut tables = Tables { transaction, records: None, secrets: None };
    for change in changes {
        let SealedChange { place, value } = change?;
        match place {
            Place::Record(table, key) => tables.change_record(table, &key, value.as_deref())?,
            Place::Secret(key) => tables.change_secret(&key, value.as_deref())?,
        }
    }
    Ok(())
}

/// Tables that are open: redb opens each once at a time.
struct Tables<'t> {
    transaction: &'t WriteTransaction,
    /// The table of the newest record, by its name in redb.
    records: Option<(String, SealedRecords<'t>)>,
    secrets: Option<SealedSecrets<'t>>,
}

type SealedRecords<'t> = redb::Table<'t, &'static [u8; 24], &'static [u8]>;
type SealedSecrets<'t> = redb::Table<'t, &'static [u8; 32], &'static [u8]>;

impl Tables<'_> {
    fn change_record(&mut self, table: &str, key: &RecordKey, value: Option<&[u8]>) -> Result<(), Failure> {
        let is_open = |name: &str| name.strip_prefix(RECORD_TABLE_PREFIX) == Some(table);
        let open = match self.records.take_if(|(name, _)| is_open(name)) {
            Some(open) => open,
            None => {
                self.records = None;
                let name = redb_name(table);
                let open = self.transaction.open_table(SealedTable::new(&name))?;
                (name, open)
            }
        };
        let (_, open) = self.records.insert(open);
        match value {
            Some(sealed) => drop(open.insert(key.as_bytes(), sealed)?),
            None => drop(open.remove(key.as_bytes())?),
        }
        Ok(())
    }

    fn change_secret(&mut self, key: &SecretKey, value: Option<&[u8]>) -> Result<(), Failure> {
        let open = match self.secrets.take() {
            Some(open) => open,
            None => self.transaction.open_table(SECRETS)?,
        };
        let open = self.secrets.insert(open);
        match value {
            Some(sealed) => drop(open.insert(key.as_bytes(), sealed)?),
            None => drop(open.remove(key.as_bytes())?),
        }
        Ok(())
    }
}
