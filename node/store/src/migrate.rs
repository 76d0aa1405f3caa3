//! Bringing an older database forward, one version at a time.

use redb::{Database, WriteTransaction};

use crate::error::Failure;
use crate::meta::Meta;
use crate::open_error::OpenError;
use crate::sealing::Keys;

/// Brings a database from one version to the next, inside the transaction that records the new version.
pub(crate) type Migration = fn(&WriteTransaction, &Keys) -> Result<(), Failure>;

/// The last one leads to [`SCHEMA_VERSION`](crate::SCHEMA_VERSION), the one before it to the version before.
pub(crate) const MIGRATIONS: &[Migration] = &[
    // From 1: commits go into a journal first. An older program would not look for them there.
    |_, _| Ok(()),
    // From 2: records lie in the journal's frames in the clear, and frames in two halves. An older program would take
    // the journal for damaged.
    |_, _| Ok(()),
];

/// Runs the migrations a database lacks, each in a transaction of its own: a crash leaves a version that
/// some program wrote, and the next start goes on from there.
pub(crate) fn migrate(
    database: &Database,
    meta: &mut Meta,
    keys: &Keys,
    migrations: &[Migration],
    newest: u32,
) -> Result<(), OpenError> {
    for migration in lacking(meta.schema, migrations, newest)? {
        let transaction = database.begin_write().map_err(Failure::from)?;
        migration(&transaction, keys)?;
        let migrated = Meta { schema: meta.schema + 1, ..meta.clone() };
        migrated.write(&transaction)?;
        transaction.commit().map_err(Failure::from)?;
        *meta = migrated;
        tracing::info!(version = meta.schema, "database brought forward");
    }
    Ok(())
}

/// The migrations that a database of this version lacks.
pub(crate) fn lacking(found: u32, migrations: &[Migration], newest: u32) -> Result<&[Migration], OpenError> {
    check_version(found, newest)?;
    let oldest = newest.saturating_sub(u32::try_from(migrations.len()).unwrap_or(u32::MAX));
    let done = found.checked_sub(oldest).ok_or(OpenError::TooOld { found, oldest })?;
    Ok(migrations.get(done as usize..).unwrap_or_default())
}

/// Refuses a database that a newer program has changed.
pub(crate) fn check_version(found: u32, supported: u32) -> Result<(), OpenError> {
    if found > supported { Err(OpenError::Newer { found, supported }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use chacha20::ChaCha20Rng;
    use qpq_crypto::at_rest::AtRestKey;
    use rand_core::SeedableRng;
    use redb::{ReadableDatabase, ReadableTable, TableDefinition};

    use super::*;
    use crate::open::StoreId;
    use crate::testing::{Disk, Fault, Survivors};

    const NAMES: TableDefinition<'_, &str, &str> = TableDefinition::new("names");

    /// Leads from 1 to 2 and from 2 to 3.
    const TWO: &[Migration] =
        &[|transaction, _| rename(transaction, "one"), |transaction, _| rename(transaction, "two")];

    fn rename(transaction: &WriteTransaction, name: &str) -> Result<(), Failure> {
        let mut table = transaction.open_table(NAMES)?;
        let before = table.get("name")?.map(|name| name.value().to_owned()).unwrap_or_default();
        table.insert("name", format!("{before} {name}").as_str())?;
        Ok(())
    }

    fn name(database: &Database) -> String {
        let table = database.begin_read().unwrap().open_table(NAMES).unwrap();
        table.get("name").unwrap().unwrap().value().to_owned()
    }

    fn keys() -> Keys {
        Keys::new(&AtRestKey::from_bytes(&[1; 32]))
    }

    /// A disk with a database of a version.
    fn written_by(schema: u32) -> Disk {
        let disk = Disk::new();
        let database = disk.open_redb().unwrap();
        let transaction = database.begin_write().unwrap();
        Meta { schema, ..Meta::new(StoreId::from_bytes([9; 16])) }.write(&transaction).unwrap();
        transaction.open_table(NAMES).unwrap().insert("name", format!("v{schema}").as_str()).unwrap();
        transaction.commit().unwrap();
        disk
    }

    fn migrate_to_3(disk: &Disk) -> Result<String, OpenError> {
        let database = disk.open_redb()?;
        let mut meta = Meta::read(&database)?.unwrap();
        migrate(&database, &mut meta, &keys(), TWO, 3)?;
        assert_eq!(Meta::read(&database)?, Some(meta.clone()));
        assert_eq!((meta.schema, meta.id), (3, StoreId::from_bytes([9; 16])));
        Ok(name(&database))
    }

    #[test]
    fn each_version_takes_the_steps_it_lacks() {
        assert_eq!(migrate_to_3(&written_by(1)).unwrap(), "v1 one two");
        assert_eq!(migrate_to_3(&written_by(2)).unwrap(), "v2 two");
        assert_eq!(migrate_to_3(&written_by(3)).unwrap(), "v3");
    }

    #[test]
    fn versions_out_of_reach_are_refused_and_left_alone() {
        let disk = written_by(0);
        assert!(matches!(migrate_to_3(&disk), Err(OpenError::TooOld { found: 0, oldest: 1 })));
        assert_eq!(name(&disk.open_redb().unwrap()), "v0");
        let disk = written_by(4);
        assert!(matches!(migrate_to_3(&disk), Err(OpenError::Newer { found: 4, supported: 3 })));
        assert_eq!(name(&disk.open_redb().unwrap()), "v4");
    }

    #[test]
    fn a_step_is_taken_once_wherever_the_power_goes() {
        let whole = written_by(1).copy();
        migrate_to_3(&whole).unwrap();
        for at in 0..whole.operations() {
            for survivors in Survivors::ALL {
                let disk = written_by(1).copy();
                disk.set_fault(Some(Fault::PowerAt(at)));
                // redb does not tell when it fails to close.
                let _ = migrate_to_3(&disk);
                disk.crash(survivors, &mut ChaCha20Rng::from_seed([7; 32]));
                assert_eq!(migrate_to_3(&disk).unwrap(), "v1 one two");
            }
        }
    }

    #[test]
    fn a_step_that_fails_changes_nothing() {
        let disk = written_by(2);
        let database = disk.open_redb().unwrap();
        let mut meta = Meta::read(&database).unwrap().unwrap();
        let failing: &[Migration] = &[|transaction, _| {
            rename(transaction, "half")?;
            Err(Failure::ReadOnly)
        }];
        assert!(migrate(&database, &mut meta, &keys(), failing, 3).is_err());
        assert_eq!(meta.schema, 2);
        assert_eq!(Meta::read(&database).unwrap(), Some(meta));
        assert_eq!(name(&database), "v2");
    }

    #[test]
    fn the_list_leads_to_this_version() {
        assert!(MIGRATIONS.len() < crate::SCHEMA_VERSION as usize + 1);
    }
}
