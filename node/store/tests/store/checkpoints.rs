//! Checkpoints: what reaches the database, when, and what can be read and is safe meanwhile.

use qpq_engine::storage::{Direction, Key, Transaction};
use qpq_store::testing::{Disk, Fault, Survivors};
use qpq_store::{CommitInfo, LockedStore, Options, Storage, Store};

use crate::common::{JOURNAL_BYTES, TABLE, key, open, open_with, options, rng, used_disk};
use crate::journal::{PAGE_BYTES, delete, killed, records, write};

/// Frames of one page in half of the journal.
const HALF: u64 = (JOURNAL_BYTES / PAGE_BYTES - 2) / 2;

/// Opens a store whose checkpoints have a thread of their own.
fn open_threaded(disk: &Disk) -> Store {
    let locked = LockedStore::open_files(disk.files(), &options(), Box::new(rng(disk.operations())));
    locked.unwrap().with_checkpoints_in_background().unlock(&key()).unwrap()
}

fn expected(ordinals: std::ops::Range<u64>) -> Vec<(u64, usize)> {
    ordinals.map(|ordinal| (ordinal, 100)).collect()
}

#[test]
fn half_a_journal_goes_into_the_database_while_the_other_half_is_filled() {
    let disk = used_disk();
    let mut store = open(&disk).unwrap();
    let mut changed_at = Vec::new();
    for ordinal in 0..4 * HALF {
        let database = disk.database();
        let info = write(&mut store, ordinal, 100, false);
        let is_changed = disk.database() != database;
        assert_eq!(info.syncs, 1 + u64::from(is_changed));
        changed_at.extend(is_changed.then_some(ordinal));
        assert_eq!(disk.journal().len() as u64, JOURNAL_BYTES);
        assert_eq!(records(&mut store), expected(0..ordinal + 1));
    }
    // As late as can be: when the half is needed for the next commit.
    assert_eq!(changed_at, [2 * HALF, 3 * HALF]);
    assert_eq!(records(&mut killed(&disk, store)), expected(0..4 * HALF));
}

#[test]
fn what_is_gone_before_a_checkpoint_never_reaches_the_database() {
    let write_and_delete = |bytes| {
        let disk = used_disk();
        let mut store = open(&disk).unwrap();
        write(&mut store, 1, bytes, false);
        delete(&mut store, 1);
        let info = store.checkpoint().unwrap();
        assert_eq!(records(&mut store), []);
        info.bytes
    };
    assert_eq!(write_and_delete(10), write_and_delete(10_000));
}

#[test]
fn deletions_alone_do_not_fill_the_memory() {
    let disk = used_disk();
    let journal_bytes = 256 * 1024;
    let mut store = open_with(&disk, &Options { journal_bytes, ..options() }, true).unwrap();
    // A page of deletions takes several pages in memory.
    let mut delete_many = |batch: u64| {
        let mut batch_of = store.begin();
        let mut transaction = batch_of.transaction();
        for ordinal in batch * 100..(batch + 1) * 100 {
            transaction.delete(TABLE, Key { prefix: b"bob", ordinal }).unwrap();
        }
        transaction.accept();
        batch_of.commit().unwrap()
    };
    let until_checkpoint = (0..).take_while(|batch| delete_many(*batch).syncs == 1).count();
    // Of two halves, each as long as its entries in memory allow.
    let most = 2 * journal_bytes / (100 * 96);
    assert!(until_checkpoint as u64 <= most, "{until_checkpoint} of {most}");
}

#[test]
fn everything_is_read_wherever_it_is() {
    let disk = used_disk();
    let mut store = open(&disk).unwrap();
    for ordinal in 0..4 {
        write(&mut store, ordinal, 100, false);
    }
    store.checkpoint().unwrap();
    // Of what the database has one is replaced and one deleted, here and in the layer above.
    write(&mut store, 0, 200, false);
    delete(&mut store, 1);
    write(&mut store, 4, 200, false);
    write(&mut store, 5, 200, false);
    store.begin_checkpoint().unwrap();
    write(&mut store, 2, 300, false);
    delete(&mut store, 3);
    delete(&mut store, 4);
    write(&mut store, 5, 300, true);
    let all = [(0, 200), (2, 300), (5, 300)];
    let check = |store: &mut Store| {
        assert_eq!(records(store), all);
        let mut batch = store.begin();
        let transaction = batch.transaction();
        let found = transaction.scan(TABLE, b"alice", 1..9, Direction::Backward, 9).unwrap();
        assert_eq!(found.iter().map(|(ordinal, _)| *ordinal).collect::<Vec<_>>(), [5, 2]);
        for ordinal in 0..6 {
            let value = transaction.get(TABLE, Key { prefix: b"alice", ordinal }).unwrap();
            let expected = all.iter().find(|(at, _)| *at == ordinal).map(|(_, bytes)| *bytes);
            assert_eq!(value.map(|value| value.len()), expected);
        }
        // The record of `used_disk` is in the table, too.
        assert_eq!(transaction.all(TABLE).unwrap().len(), 1 + all.len());
    };
    check(&mut store);
    let snapshot = store.snapshot().unwrap();
    store.end_checkpoint().unwrap();
    check(&mut store);
    store.checkpoint().unwrap();
    delete(&mut store, 0);
    store.compact().unwrap();
    assert_eq!(snapshot.all(TABLE).unwrap().len(), 1 + all.len(), "a snapshot does not move");
}

/// Otherwise it could be missing below a later commit.
#[test]
fn what_is_deferred_is_in_the_journal_before_a_checkpoint_begins() {
    let disk = used_disk();
    let mut store = open(&disk).unwrap();
    write(&mut store, 1, 100, false);
    write(&mut store, 2, 100, true);
    assert_eq!(store.begin_checkpoint().unwrap().syncs, 1);
    assert_eq!(records(&mut open(&disk.copy()).unwrap()), [(1, 100), (2, 100)]);
    assert_eq!(store.sync().unwrap(), CommitInfo::default());
    write(&mut store, 3, 100, false);
    assert_eq!(records(&mut open(&disk.copy()).unwrap()), [(1, 100), (2, 100), (3, 100)]);
    store.end_checkpoint().unwrap();
    assert_eq!(records(&mut killed(&disk, store)), [(1, 100), (2, 100), (3, 100)]);
}

/// They need no commit of the database that the writer would wait for.
#[test]
fn many_deferred_batches_take_the_halves_in_turn() {
    let disk = used_disk();
    let mut store = open(&disk).unwrap();
    let third_of_a_half = usize::try_from(HALF * PAGE_BYTES / 3 - 200).unwrap();
    let syncs: Vec<_> =
        (0..7).map(|ordinal| write(&mut store, ordinal, third_of_a_half, true).syncs).collect();
    // Of a frame with three batches; of that and of the checkpoint before.
    assert_eq!(syncs, [0, 0, 0, 1, 0, 0, 2]);
    assert_eq!(records(&mut store).len(), 7);
    assert_eq!(records(&mut killed(&disk, store)).len(), 6);
}

#[test]
fn a_store_that_is_dropped_leaves_its_checkpoint_to_the_next_start() {
    let disk = used_disk();
    let mut store = open(&disk).unwrap();
    write(&mut store, 1, 100, false);
    store.begin_checkpoint().unwrap();
    write(&mut store, 2, 100, false);
    drop(store);
    assert_eq!(records(&mut open(&disk).unwrap()), [(1, 100), (2, 100)]);
}

/// Operations on the disk that a checkpoint of these commits takes.
fn operations_of_a_checkpoint(disk: &Disk) -> u64 {
    let disk = disk.copy();
    let mut store = open(&disk).unwrap();
    fill_half(&mut store);
    store.begin_checkpoint().unwrap();
    let before = disk.operations();
    assert!(store.end_checkpoint().unwrap().syncs > 0);
    disk.operations() - before
}

fn fill_half(store: &mut Store) -> CommitInfo {
    (0..3).map(|ordinal| write(store, ordinal, 100, false)).last().unwrap()
}

/// The thread of a checkpoint is held at each of its operations; meanwhile the writer commits, and the power goes.
#[test]
fn the_power_goes_at_every_operation_of_a_checkpoint_while_the_writer_goes_on() {
    let before = used_disk();
    let operations = operations_of_a_checkpoint(&before);
    assert!(operations > 3);
    for (at, survivors) in (0..operations).flat_map(|at| Survivors::ALL.map(|survivors| (at, survivors))) {
        let disk = before.copy();
        let mut store = open_threaded(&disk);
        fill_half(&mut store);
        disk.hold_database(at);
        store.begin_checkpoint().unwrap();
        disk.wait_until_held();
        // Nobody waits for it.
        write(&mut store, 3, 100, false);
        write(&mut store, 4, 100, true);
        assert_eq!(records(&mut store), expected(0..5));
        let snapshot = store.snapshot().unwrap();
        write(&mut store, 5, 100, false);
        assert_eq!(snapshot.all(TABLE).unwrap().len(), 1 + 5);
        drop(snapshot);
        disk.set_fault(Some(Fault::PowerAt(disk.operations())));
        disk.let_go();
        assert!(store.end_checkpoint().is_err() && store.checkpoint().is_err());
        drop(store);
        disk.crash(survivors, &mut rng(at));
        let mut store = open(&disk).unwrap();
        assert_eq!(records(&mut store), expected(0..6), "at {at}, {survivors:?}");
        assert!(!store.is_rolled_back());
    }
}

/// A sync or a write of the database fails in the background: what was acknowledged is in the journal.
#[test]
fn a_checkpoint_that_fails_in_the_background_loses_nothing() {
    let before = used_disk();
    let mut failed = 0;
    for at in 0..operations_of_a_checkpoint(&before) {
        for fault in [Fault::SyncAt, Fault::FullAt] {
            let disk = before.copy();
            let mut store = open_threaded(&disk);
            fill_half(&mut store);
            disk.hold_database(at);
            store.begin_checkpoint().unwrap();
            disk.wait_until_held();
            write(&mut store, 3, 100, false);
            disk.set_fault(Some(fault(disk.operations())));
            disk.let_go();
            let ended = store.end_checkpoint();
            failed += usize::from(ended.is_err());
            assert_eq!(store.snapshot().is_err(), ended.is_err(), "a store that failed must stay closed");
            drop(store);
            disk.set_fault(None);
            assert_eq!(records(&mut open(&disk).unwrap()), expected(0..4));
            disk.crash(Survivors::Nothing, &mut rng(at));
            assert_eq!(records(&mut open(&disk).unwrap()), expected(0..4));
        }
    }
    assert!(failed > 0);
}

/// The writer waits for the half that it needs, and for no more.
#[test]
fn threads_of_their_own_bring_everything_into_the_database() {
    let directory = tempfile::tempdir().unwrap();
    let small = Options { journal_bytes: JOURNAL_BYTES, ..Options::default() };
    let mut store = Store::open(directory.path(), &key(), &small).unwrap();
    for ordinal in 0..20 * HALF {
        write(&mut store, ordinal, 100, ordinal % 3 == 0);
        if ordinal % 7 == 0 {
            delete(&mut store, ordinal);
        }
    }
    let kept = |store: &mut Store| {
        let expected: Vec<_> = expected(0..20 * HALF).into_iter().filter(|(at, _)| at % 7 != 0).collect();
        assert_eq!(records(store), expected);
    };
    kept(&mut store);
    store.sync().unwrap();
    drop(store);
    let mut store = Store::open(directory.path(), &key(), &small).unwrap();
    kept(&mut store);
    store.close().unwrap();
    kept(&mut Store::open(directory.path(), &key(), &small).unwrap());
}
