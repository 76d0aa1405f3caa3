//! What goes into the journal, and when the database follows.

use bytes::Bytes;
use qpq_engine::storage::{Direction, Key, Transaction};
use qpq_store::testing::{Disk, Fault};
use qpq_store::{CommitInfo, Failure, Storage, Store};

use crate::common::{JOURNAL_BYTES, TABLE, open, used_disk};

pub(crate) const PAGE_BYTES: u64 = 4096;

fn key(ordinal: u64) -> Key<'static> {
    Key { prefix: b"alice", ordinal }
}

/// A batch of one record, committed or deferred.
pub(crate) fn write(store: &mut Store, ordinal: u64, bytes: usize, is_deferred: bool) -> CommitInfo {
    let mut batch = store.begin();
    let mut transaction = batch.transaction();
    transaction.put(TABLE, key(ordinal), Bytes::from(vec![7; bytes])).unwrap();
    transaction.accept();
    if is_deferred { batch.commit_deferred().unwrap() } else { batch.commit().unwrap() }
}

pub(crate) fn delete(store: &mut Store, ordinal: u64) {
    let mut batch = store.begin();
    let mut transaction = batch.transaction();
    transaction.delete(TABLE, key(ordinal)).unwrap();
    transaction.accept();
    batch.commit().unwrap();
}

/// Ordinals and lengths of what there is.
pub(crate) fn records(store: &mut Store) -> Vec<(u64, usize)> {
    let mut batch = store.begin();
    let found = batch.transaction().scan(TABLE, b"alice", 0..u64::MAX, Direction::Forward, 1_000).unwrap();
    found.into_iter().map(|(ordinal, value)| (ordinal, value.len())).collect()
}

/// The process is killed; the store is opened again.
pub(crate) fn killed(disk: &Disk, store: Store) -> Store {
    disk.kill();
    drop(store);
    open(disk).unwrap()
}

#[test]
fn a_commit_is_one_write_in_a_row_and_the_database_file_stays_as_it_is() {
    let disk = used_disk();
    let mut store = open(&disk).unwrap();
    let (database, journal) = (disk.database(), disk.journal());
    let info = write(&mut store, 1, 100, false);
    assert_eq!((info.syncs, info.changes), (1, 1));
    // One page, and the count beside the key.
    assert!((PAGE_BYTES..PAGE_BYTES + 100).contains(&info.bytes), "{info:?}");
    assert!(disk.database() == database);
    assert!(disk.journal() != journal);
    assert_eq!(disk.journal().len() as u64, JOURNAL_BYTES, "it has its length from the start");
    let info = write(&mut store, 2, 5_000, false);
    assert!((2 * PAGE_BYTES..2 * PAGE_BYTES + 100).contains(&info.bytes), "{info:?}");
    assert!(disk.database() == database);
    assert_eq!(records(&mut killed(&disk, store)), [(1, 100), (2, 5_000)]);
}

#[test]
fn what_is_deferred_goes_with_the_next_commit_and_never_without_what_was_before() {
    let disk = used_disk();
    let mut store = open(&disk).unwrap();
    let before = disk.operations();
    let info = write(&mut store, 1, 100, true);
    assert_eq!((info.bytes, info.syncs), (0, 0));
    write(&mut store, 2, 100, true);
    assert_eq!(disk.operations(), before);
    assert_eq!(records(&mut store), [(1, 100), (2, 100)], "it can be read at once");
    let lost = disk.copy();
    assert_eq!(records(&mut open(&lost).unwrap()), []);

    assert_eq!(write(&mut store, 3, 100, false).syncs, 1);
    assert_eq!(records(&mut killed(&disk, store)), [(1, 100), (2, 100), (3, 100)]);
}

#[test]
fn a_sync_appends_what_is_deferred_and_nothing_else() {
    let disk = used_disk();
    let mut store = open(&disk).unwrap();
    assert_eq!(store.sync().unwrap(), CommitInfo::default());
    write(&mut store, 1, 100, true);
    let database = disk.database();
    let info = store.sync().unwrap();
    assert_eq!(info.syncs, 1);
    assert!(info.bytes < PAGE_BYTES + 100, "{info:?}");
    assert!(disk.database() == database);
    assert_eq!(store.sync().unwrap(), CommitInfo::default());
    assert_eq!(records(&mut killed(&disk, store)), [(1, 100)]);
}

#[test]
fn what_does_not_fit_goes_to_the_database_with_all_before_it() {
    let disk = used_disk();
    // More than half of the journal.
    let too_long = usize::try_from(JOURNAL_BYTES / 2).unwrap();
    let mut store = open(&disk).unwrap();
    write(&mut store, 1, 100, false);
    store.begin_checkpoint().unwrap();
    write(&mut store, 2, 100, true);
    let database = disk.database();
    assert_eq!(
        write(&mut store, 3, too_long, false).syncs,
        2,
        "of the checkpoint under way, and of the batch"
    );
    assert!(disk.database() != database);
    write(&mut store, 4, 100, false);
    let mut store = killed(&disk, store);
    assert_eq!(records(&mut store), [(1, 100), (2, 100), (3, too_long), (4, 100)]);

    // Nor is it kept in memory when it is deferred.
    write(&mut store, 5, 100, true);
    assert!(write(&mut store, 6, too_long, true).syncs > 0);
    write(&mut store, 7, 100, true);
    assert_eq!(records(&mut killed(&disk, store)).len(), 6);
}

#[test]
fn what_fits_with_nothing_deferred_before_it_alone_takes_that_along() {
    let disk = used_disk();
    let mut store = open(&disk).unwrap();
    let most_of_a_half = usize::try_from(JOURNAL_BYTES / 2 - 3 * PAGE_BYTES).unwrap();
    write(&mut store, 1, 5_000, true);
    write(&mut store, 2, most_of_a_half, false);
    assert_eq!(records(&mut killed(&disk, store)), [(1, 5_000), (2, most_of_a_half)]);
}

#[test]
fn a_batch_that_was_undone_later_does_not_come_back() {
    let disk = used_disk();
    let mut store = open(&disk).unwrap();
    write(&mut store, 1, 100, false);
    let mut store = killed(&disk, store);
    delete(&mut store, 1);
    let mut store = killed(&disk, store);
    assert_eq!(records(&mut store), []);
    // The frame that deletes is overwritten, the one that wrote is not needed any more.
    store.checkpoint().unwrap();
    assert_eq!(records(&mut killed(&disk, store)), []);
}

#[test]
fn a_snapshot_and_so_a_backup_has_what_only_the_journal_has() {
    let disk = used_disk();
    let mut store = open(&disk).unwrap();
    let database = disk.database();
    write(&mut store, 1, 100, false);
    write(&mut store, 2, 100, true);
    assert!(disk.database() == database);
    let mut exported = Vec::new();
    let mut sink = |record: qpq_store::PlacedRecord| {
        exported.push(record.ordinal);
        Ok::<_, Failure>(())
    };
    store.snapshot().unwrap().export(&[TABLE], &mut sink).unwrap();
    exported.sort_unstable();
    assert_eq!(exported, [0, 1, 2]);
}

#[test]
fn a_store_whose_commit_failed_writes_nothing_more() {
    let disk = used_disk();
    let mut store = open(&disk).unwrap();
    let database = disk.database();
    write(&mut store, 1, 100, true);
    disk.set_fault(Some(Fault::SyncAt(disk.operations())));
    let mut batch = store.begin();
    let mut transaction = batch.transaction();
    transaction.put(TABLE, key(2), Bytes::from_static(b"value")).unwrap();
    transaction.accept();
    assert!(batch.commit().is_err());
    let operations = disk.operations();
    drop(store);
    assert_eq!(disk.operations(), operations);
    assert!(disk.database() == database);
}
