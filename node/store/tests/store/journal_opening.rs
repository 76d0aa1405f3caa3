//! Stores with a journal of another length, or none.

use bytes::Bytes;
use qpq_store::testing::Disk;
use qpq_store::{OpenError, Options};

use crate::common::{get, open, open_with, options, put, used_disk};
use crate::journal::{PAGE_BYTES, killed, records, write};

#[test]
fn a_store_without_a_journal_to_speak_of_commits_to_the_database() {
    let disk = Disk::new();
    for journal_bytes in [0, 5_000, 3 * PAGE_BYTES - 1] {
        let without = Options { journal_bytes, ..options() };
        let mut store = open_with(&disk, &without, true).unwrap();
        let database = disk.database();
        write(&mut store, 1, 100, true);
        write(&mut store, journal_bytes, 100, false);
        assert_ne!(disk.database(), database);
        disk.kill();
        drop(store);
        assert!(records(&mut open_with(&disk, &without, true).unwrap()).contains(&(journal_bytes, 100)));
    }
}

#[test]
fn a_journal_of_another_length_is_used_and_what_it_holds_is_kept() {
    let disk = Disk::new();
    for (ordinal, pages) in [(0, 9), (1, 20), (2, 4), (3, 2), (4, 40)] {
        let length = Options { journal_bytes: pages * PAGE_BYTES, ..options() };
        let mut store = open_with(&disk, &length, true).unwrap();
        assert_eq!(records(&mut store).len() as u64, ordinal);
        write(&mut store, ordinal, 100, false);
        assert!(disk.journal().len() as u64 >= pages * PAGE_BYTES);
        disk.kill();
        drop(store);
    }
    assert_eq!(records(&mut open(&disk).unwrap()).len(), 5);
}

#[test]
fn a_store_of_the_version_before_opens_and_gets_a_journal() {
    let disk = used_disk();
    open(&disk).unwrap().close().unwrap();
    let database = disk.open_redb().unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut meta = transaction.open_table(redb::TableDefinition::<&str, &[u8]>::new("meta")).unwrap();
        meta.insert("schema", &1_u32.to_be_bytes()[..]).unwrap();
        assert!(meta.remove("journal").unwrap().is_none(), "a store that was closed needs none");
    }
    transaction.commit().unwrap();
    drop(database);
    disk.replace_journal(Vec::new());

    let mut store = open(&disk).unwrap();
    assert_eq!(get(&mut store).0, Some(Bytes::from_static(b"value")));
    let database = disk.database();
    put(&mut store, b"newer");
    assert_eq!(disk.database(), database);
    let mut store = killed(&disk, store);
    assert_eq!(get(&mut store).0, Some(Bytes::from_static(b"newer")));
    assert!(!store.is_rolled_back());
}

#[test]
fn a_store_that_was_closed_needs_no_journal_and_one_that_was_not_does() {
    let disk = used_disk();
    let store = open(&disk).unwrap();
    let open_still = disk.copy();
    store.close().unwrap();
    for journal in [Vec::new(), vec![0; 100_000], b"noise".to_vec()] {
        let (closed, unclosed) = (disk.copy(), open_still.copy());
        closed.replace_journal(journal.clone());
        let mut store = open(&closed).unwrap();
        assert_eq!(get(&mut store).0, Some(Bytes::from_static(b"value")));
        put(&mut store, b"newer");
        assert_eq!(get(&mut killed(&closed, store)).0, Some(Bytes::from_static(b"newer")));
        unclosed.replace_journal(journal);
        assert!(matches!(open(&unclosed), Err(OpenError::JournalLost)));
    }
}
