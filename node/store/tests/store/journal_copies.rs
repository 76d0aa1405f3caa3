//! A journal or a database of another time or store: that it does not belong here is told.

use qpq_store::testing::Disk;

use crate::common::{disk_of_another_store, open, used_disk};
use crate::killed::{COMMITS, Found, Killed, assert_found, commit, find};

#[test]
fn a_journal_of_another_time_or_store_is_told() {
    let killed = Killed::new();
    let older = used_disk();
    // The opening before.
    let copy = older.copy();
    commit(&mut open(&older).unwrap(), 0);
    let before = older.journal();
    let mut store = open(&older).unwrap();
    (0..COMMITS).for_each(|number| commit(&mut store, number));
    older.kill();
    drop(store);
    let mixed = older.copy();
    mixed.replace_journal(before);
    assert_found(&mixed, Found::Lost, Found::Lost, "the journal of an earlier opening");
    mixed.replace_journal(copy.journal());
    assert_found(&mixed, Found::Lost, Found::Lost, "a journal that is older still");
    mixed.replace_journal(killed.disk.journal());
    assert_found(&mixed, Found::Lost, Found::Lost, "the journal of a clone that went on by itself");

    let foreign = disk_of_another_store().journal();
    for disk in [&killed.disk, &used_disk()] {
        let disk = disk.copy();
        disk.replace_journal(foreign.clone());
        assert_found(&disk, Found::Foreign, Found::Foreign, "the journal of another store");
        assert_eq!(disk.journal(), foreign, "it was not touched");
    }
    let empty = Disk::new();
    empty.replace_journal(foreign.clone());
    assert_eq!(find(&empty, false), Found::Foreign);
    assert_eq!(empty.journal(), foreign);
}

/// The database went back to a time before the journal started over, as when only one file was put back.
#[test]
fn a_database_older_than_its_journal_is_told() {
    let disk = used_disk();
    let mut store = open(&disk).unwrap();
    commit(&mut store, 0);
    let before = disk.copy();
    store.checkpoint().unwrap();
    (1..COMMITS).for_each(|number| commit(&mut store, number));
    let mixed = disk.copy();
    mixed.replace_database(before.database());
    assert_found(&mixed, Found::Damaged, Found::Damaged, "a database that lacks a checkpoint");
    // As long as the journal goes on from it, it is not too old.
    let fits = before.copy();
    fits.replace_open_counter(before.open_counter());
    assert_found(&fits, Found::Commits(1, false), Found::Commits(1, false), "both files of one time");
}

#[test]
fn an_older_copy_of_journal_and_database_lacks_even_one_commit_noticeably() {
    let disk = used_disk();
    let mut store = open(&disk).unwrap();
    let mut copies = vec![disk.copy()];
    for number in 0..COMMITS {
        commit(&mut store, number);
        copies.push(disk.copy());
    }
    for (number, copy) in copies.iter().enumerate() {
        let restored = disk.copy();
        restored.restore_data_directory(copy);
        let is_older = number < COMMITS;
        assert_found(&restored, Found::Commits(number, is_older), Found::Commits(number, false), "a copy");
    }
}

#[test]
fn a_copy_whose_journal_lies_under_an_erased_key_counts_as_older() {
    let disk = used_disk();
    let mut store = open(&disk).unwrap();
    (0..COMMITS).for_each(|number| commit(&mut store, number));
    let copy = disk.copy();
    store.rotate_secrets().unwrap();
    drop(store);
    // Journal and database of before, and the key of now.
    disk.replace_database(copy.database());
    disk.replace_journal(copy.journal());
    assert_found(&disk, Found::Commits(0, true), Found::Commits(0, true), "an erased journal");
}
