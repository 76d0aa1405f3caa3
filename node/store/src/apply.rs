//! Putting changes into the database, sealing what is not sealed yet.

use std::borrow::Cow;

use rand_core::CryptoRng;
use redb::WriteTransaction;

use crate::encoding::{Change, RecordValue};
use crate::error::Failure;
use crate::key::{RecordKey, SecretKey};
use crate::overlay::Overlay;
use crate::sealing::Keys;
use crate::view::{RECORD_TABLE_PREFIX, SECRETS, SealedTable, redb_name};

/// Applies changes in their order, until one fails; then the transaction must be dropped.
pub(crate) fn apply<'a>(
    transaction: &WriteTransaction,
    keys: &Keys,
    rng: &mut dyn CryptoRng,
    changes: impl Iterator<Item = Result<Change<'a>, Failure>>,
) -> Result<(), Failure> {
    let mut tables = Tables { transaction, records: None, secrets: None };
    for change in changes {
        match change? {
            Change::Record(table, key, Some(RecordValue::Clear(clear))) => {
                let sealed = keys.seal(rng, table, &key, &clear);
                tables.change_record(table, &key, Some(&sealed))?;
            }
            Change::Record(table, key, Some(RecordValue::Sealed(sealed))) => {
                tables.change_record(table, &key, Some(sealed))?;
            }
            Change::Record(table, key, None) => tables.change_record(table, &key, None)?,
            Change::Secret(key, sealed) => tables.change_secret(&key, sealed)?,
        }
    }
    Ok(())
}

/// The changes of an overlay, in the order of tables and keys.
pub(crate) fn changes_of(overlay: &Overlay) -> impl Iterator<Item = Result<Change<'_>, Failure>> {
    let records = overlay.all_records().map(move |(table, key, value)| {
        let value = value.map(|clear| RecordValue::Clear(Cow::Borrowed(clear.as_ref())));
        Change::Record(table.0, *key, value)
    });
    let secrets = overlay.all_secrets().map(|(key, sealed)| Change::Secret(*key, sealed.map(AsRef::as_ref)));
    records.chain(secrets).map(Ok)
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
