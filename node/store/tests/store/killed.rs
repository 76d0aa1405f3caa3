//! A node that was killed with commits in its journal, and what is found when it is started again.

use std::ops::Range;

use bytes::Bytes;
use qpq_engine::storage::{Key, Transaction};
use qpq_store::testing::Disk;
use qpq_store::{OpenError, Storage, Store};

use crate::common::{TABLE, open, open_with, options, used_disk};

pub(crate) const PAGE: usize = 4096;
pub(crate) const COMMITS: usize = 6;

pub(crate) fn place(commit: usize) -> Key<'static> {
    Key { prefix: b"alice", ordinal: commit as u64 }
}

/// One commit of a record; every third frame takes two pages.
pub(crate) fn commit(store: &mut Store, number: usize) {
    let mut batch = store.begin();
    let mut transaction = batch.transaction();
    let bytes = if number % 3 == 2 { 4_500 } else { 300 };
    transaction.put(TABLE, place(number), Bytes::from(vec![7; bytes])).unwrap();
    transaction.accept();
    batch.commit().unwrap();
}

/// A disk whose node was killed after some commits, and where in the journal each of them lies.
pub(crate) struct Killed {
    pub(crate) disk: Disk,
    pub(crate) frames: Vec<Range<usize>>,
}

impl Killed {
    pub(crate) fn new() -> Self {
        let disk = used_disk();
        let mut store = open(&disk).unwrap();
        let mut frames = Vec::new();
        for number in 0..COMMITS {
            let before = disk.journal();
            commit(&mut store, number);
            let after = disk.journal();
            let changed = |at: &usize| before[*at] != after[*at];
            let start = (0..after.len()).find(changed).unwrap();
            let last = (0..after.len()).rev().find(changed).unwrap();
            frames.push(start..last + 1);
        }
        disk.kill();
        drop(store);
        let disk = disk.copy();
        Self { disk, frames }
    }

    /// A copy of the disk with another journal.
    pub(crate) fn with_journal(&self, change: impl FnOnce(&mut Vec<u8>)) -> Disk {
        let disk = self.disk.copy();
        let mut journal = disk.journal();
        change(&mut journal);
        disk.replace_journal(journal);
        disk
    }
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// This many commits, in order; whether the store says that it is an older copy.
    Commits(usize, bool),
    Damaged,
    Lost,
    Foreign,
}

pub(crate) fn find(disk: &Disk, is_counted: bool) -> Found {
    let mut store = match open_with(disk, &options(), is_counted) {
        Ok(store) => store,
        Err(OpenError::Damaged(_)) => return Found::Damaged,
        Err(OpenError::JournalLost) => return Found::Lost,
        Err(OpenError::Foreign { .. }) => return Found::Foreign,
        Err(error) => panic!("{error:?}"),
    };
    let mut batch = store.begin();
    let transaction = batch.transaction();
    let lengths: Vec<_> = (0..COMMITS)
        .map_while(|number| transaction.get(TABLE, place(number)).unwrap())
        .map(|value| {
            assert!(value.iter().all(|byte| *byte == 7));
            value.len()
        })
        .collect();
    assert_eq!(lengths, [300, 300, 4_500, 300, 300, 4_500][..lengths.len()]);
    let count = lengths.len();
    assert!((count..COMMITS).all(|later| transaction.get(TABLE, place(later)).unwrap().is_none()));
    drop(transaction);
    drop(batch);
    Found::Commits(count, store.is_rolled_back())
}

/// With and without the count beside the key.
#[track_caller]
pub(crate) fn assert_found(disk: &Disk, counted: Found, uncounted: Found, what: &str) {
    assert_eq!(find(&disk.copy(), false), uncounted, "{what}, without a count");
    assert_eq!(find(disk, true), counted, "{what}");
}
