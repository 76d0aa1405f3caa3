//! A journal that was damaged or cut: what can be told is told, and nothing that was not written is read.

use bytes::Bytes;
use qpq_engine::storage::Transaction;
use qpq_store::testing::{Fault, Survivors};
use qpq_store::{OpenError, Storage};
use rand_core::Rng;

use crate::common::{TABLE, key, lock, open, rng, used_disk};
use crate::killed::{COMMITS, Found, Killed, PAGE, assert_found, commit, find, place};

/// Where the first frame lies.
const FRAMES_OFFSET: usize = 2 * PAGE;
/// Where a frame has the count of commits, in the clear.
const COUNT_OFFSET: usize = 9 + 16 + 16;

#[test]
fn a_whole_journal_gives_everything() {
    let killed = Killed::new();
    assert_eq!(killed.frames.len(), COMMITS);
    for (frame, next) in killed.frames.iter().zip(&killed.frames[1..]) {
        assert!(
            frame.end.next_multiple_of(PAGE) <= next.start,
            "no page of an acknowledged frame is written again"
        );
    }
    assert_found(&killed.disk, Found::Commits(6, false), Found::Commits(6, false), "nothing was touched");
}

#[test]
fn damage_before_the_newest_commit_is_told_and_damage_to_the_newest_shows_in_the_count() {
    let killed = Killed::new();
    let length = killed.disk.journal().len();
    for at in (0..length).step_by(61) {
        let disk = killed.with_journal(|journal| journal[at] ^= 0x10);
        let what = format!("byte {at} of {:?}", killed.frames);
        match killed.frames.iter().position(|frame| frame.contains(&at)) {
            Some(5) => assert_found(&disk, Found::Commits(5, true), Found::Commits(5, false), &what),
            Some(_) => assert_found(&disk, Found::Damaged, Found::Damaged, &what),
            // Headers, of which the frames make up for either, padding, and what was never written.
            None => assert_eq!(find(&disk, true), Found::Commits(6, false), "{what}"),
        }
    }
}

#[test]
fn every_byte_of_a_frame_is_vouched_for() {
    let killed = Killed::new();
    let frame = killed.frames[1].clone();
    for at in frame {
        let disk = killed.with_journal(|journal| journal[at] ^= 1);
        assert_eq!(find(&disk, true), Found::Damaged, "byte {at}");
    }
}

#[test]
fn a_file_that_was_cut_short_is_told() {
    let killed = Killed::new();
    let length = killed.disk.journal().len();
    for kept in (0..length).step_by(PAGE / 2).chain([length - 1]) {
        let disk = killed.with_journal(|journal| journal.truncate(kept));
        assert_found(&disk, Found::Lost, Found::Lost, &format!("{kept} bytes"));
    }
    let longer = killed.with_journal(|journal| journal.resize(length + 3 * PAGE + 1, 9));
    assert_found(&longer, Found::Commits(6, false), Found::Commits(6, false), "a longer file");
}

/// What the last write looks like that the power cut short on a medium which may leave anything behind.
#[test]
fn noise_behind_the_newest_commit_hurts_none_before_it() {
    let killed = Killed::new();
    let end = killed.frames[5].end.next_multiple_of(PAGE);
    for seed in 0..20 {
        let noisy = killed.with_journal(|journal| rng(seed).fill_bytes(&mut journal[end..end + 2 * PAGE]));
        assert_found(&noisy, Found::Commits(6, false), Found::Commits(6, false), "noise");
    }
}

#[test]
fn a_frame_in_another_place_is_none() {
    let killed = Killed::new();
    let page_of = |frame: usize| {
        let start = killed.frames[frame].start / PAGE * PAGE;
        start..start + PAGE
    };
    let copy =
        |journal: &mut Vec<u8>, from: usize, to: usize| journal.copy_within(page_of(from), page_of(to).start);
    let swap = |journal: &mut Vec<u8>, a: usize, b: usize| {
        let kept = journal[page_of(a)].to_vec();
        copy(journal, b, a);
        journal[page_of(b)].copy_from_slice(&kept);
    };
    let swapped = killed.with_journal(|journal| swap(journal, 0, 1));
    assert_found(&swapped, Found::Damaged, Found::Damaged, "two commits swapped");
    let repeated = killed.with_journal(|journal| copy(journal, 0, 1));
    assert_found(&repeated, Found::Damaged, Found::Damaged, "a commit in place of the one after it");
    let end = killed.frames[5].end.next_multiple_of(PAGE);
    let appended = killed.with_journal(|journal| journal.copy_within(page_of(0), end));
    assert_found(&appended, Found::Commits(6, false), Found::Commits(6, false), "an old commit at the end");
}

/// What a checkpoint left behind is passed off as newer than the database.
#[test]
fn an_old_frame_under_a_newer_count_is_none() {
    let disk = used_disk();
    let mut store = open(&disk).unwrap();
    commit(&mut store, 0);
    let mut batch = store.begin();
    let mut transaction = batch.transaction();
    transaction.delete(TABLE, place(0)).unwrap();
    transaction.accept();
    batch.commit().unwrap();
    store.checkpoint().unwrap();
    disk.kill();
    drop(store);
    let journal = disk.journal();
    let at = FRAMES_OFFSET + COUNT_OFFSET;
    let count = u64::from_be_bytes(journal[at..at + 8].try_into().unwrap());
    for newer in count..count + 9 {
        let forged = disk.copy();
        let mut journal = journal.clone();
        journal[at..at + 8].copy_from_slice(&newer.to_be_bytes());
        forged.replace_journal(journal);
        assert_found(&forged, Found::Commits(0, false), Found::Commits(0, false), "a forged count");
    }
}

#[test]
fn a_journal_that_lacks_the_newest_commits_shows_in_the_count() {
    let killed = Killed::new();
    for kept in 0..COMMITS {
        let start = killed.frames[kept].start / PAGE * PAGE;
        let zeroed = killed.with_journal(|journal| journal[start..].fill(0));
        assert_found(&zeroed, Found::Commits(kept, true), Found::Commits(kept, false), "the end zeroed");
    }
}

/// A write that the power cut short, on top of frames that a checkpoint has left behind.
#[test]
fn a_torn_frame_over_old_ones_is_dropped() {
    for seed in 0..60 {
        let disk = used_disk();
        let mut store = open(&disk).unwrap();
        (0..COMMITS - 1).for_each(|number| commit(&mut store, number));
        store.checkpoint().unwrap();
        disk.set_fault(Some(Fault::PowerAt(disk.operations() + 1)));
        let mut batch = store.begin();
        let mut transaction = batch.transaction();
        transaction.put(TABLE, place(5), Bytes::from(vec![7; 4_500])).unwrap();
        transaction.accept();
        assert!(batch.commit().is_err());
        drop(store);
        disk.crash(Survivors::AnySectors, &mut rng(seed));
        let found = find(&disk, true);
        assert!([Found::Commits(5, false), Found::Commits(6, false)].contains(&found), "{found:?}");
    }
}

#[test]
fn the_right_key_is_asked_for_before_the_journal_is_read() {
    let killed = Killed::new();
    let wrong = qpq_crypto::at_rest::AtRestKey::from_bytes(&[1; 32]);
    assert!(matches!(lock(&killed.disk).unwrap().unlock(&wrong), Err(OpenError::WrongKey)));
    assert!(lock(&killed.disk).unwrap().unlock(&key()).is_ok());
}
