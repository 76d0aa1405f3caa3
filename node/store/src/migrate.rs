//! Bringing an older database forward, one version at a time.

use redb::{Database, WriteTransaction};

use crate::error::Failure;
use crate::meta::Meta;
use crate::open::OpenError;
use crate::sealing::Keys;

/// Brings a database from one version to the next, inside the transaction that records the new version.
pub(crate) type Migration = fn(&WriteTransaction, &Keys) -> Result<(), Failure>;

/// The last one leads to [`SCHEMA_VERSION`](crate::SCHEMA_VERSION), the one before it to the version before.
pub(crate) const MIGRATIONS: &[Migration] = &[];

/// Runs the migrations a database lacks, each in a transaction of its own: a crash leaves a version that
/// some program wrote, and the next start goes on from there.
pub(crate) fn migrate(
    database: &Database,
    meta: &mut Meta,
    keys: &Keys,
    migrations: &[Migration],
    newest: u32,
) -> Result<(), OpenError> {
    let oldest = newest.saturating_sub(u32::try_from(migrations.len()).unwrap_or(u32::MAX));
    check_version(meta.schema, newest)?;
    let Some(done) = meta.schema.checked_sub(oldest) else {
        return Err(OpenError::TooOld { found: meta.schema, oldest });
    };
    for migration in migrations.iter().skip(done as usize) {
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

/// Refuses a database that a newer program has changed.
pub(crate) fn check_version(found: u32, supported: u32) -> Result<(), OpenError> {
    if found > supported { Err(OpenError::Newer { found, supported }) } else { Ok(()) }
}
