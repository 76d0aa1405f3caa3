use std::io;
use std::ops::Bound;

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;
use redb::BackendError;

use super::state::Change;
use super::*;

fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

/// A disk where 2048 bytes are synced as ones, and then as many written as twos, in two writes.
fn half_written() -> Disk {
    let disk = Disk::new();
    let file = disk.open_file(DATABASE);
    file.write(0, &[1; 2048]).unwrap();
    file.sync_data().unwrap();
    file.write(0, &[2; 1024]).unwrap();
    file.write(1024, &[2; 1024]).unwrap();
    disk
}

fn after_crash(survivors: Survivors, seed: u8) -> Vec<u8> {
    let disk = half_written();
    disk.crash(survivors, &mut rng(seed));
    disk.database()
}

#[test]
fn what_was_not_synced_survives_as_planned() {
    assert_eq!(after_crash(Survivors::Nothing, 0), [1; 2048]);
    assert_eq!(after_crash(Survivors::Everything, 0), [2; 2048]);
    let sectors = |contents: Vec<u8>| contents.chunks(512).map(|sector| sector[0]).collect::<Vec<_>>();
    let mut earliest = Vec::from_iter((0..40).map(|seed| sectors(after_crash(Survivors::Earliest, seed))));
    earliest.sort();
    earliest.dedup();
    assert_eq!(earliest, [[1, 1, 1, 1], [2, 2, 1, 1], [2, 2, 2, 2]]);
    let mut any = Vec::from_iter((0..200).map(|seed| sectors(after_crash(Survivors::AnySectors, seed))));
    any.sort();
    any.dedup();
    assert_eq!(any.len(), 16);
}

#[test]
fn sectors_are_torn_where_the_disk_has_them() {
    let change = Change::Write { offset: 500, data: vec![7; 600] };
    let parts: Vec<_> = change
        .sectors()
        .into_iter()
        .map(|part| match part {
            Change::Write { offset, data } => (offset, data.len()),
            Change::Length(length) => (length, 0),
        })
        .collect();
    assert_eq!(parts, [(500, 12), (512, 512), (1024, 76)]);
}

#[test]
fn the_power_goes_at_the_planned_operation() {
    let disk = Disk::new();
    let file = disk.open_file(DATABASE);
    disk.set_fault(Some(Fault::PowerAt(1)));
    file.write(0, &[1]).unwrap();
    assert!(file.sync_data().is_err() && disk.is_off());
    assert!(file.write(0, &[1]).is_err() && file.len().is_err() && file.read(0, &mut [0]).is_err());
    disk.crash(Survivors::Nothing, &mut rng(0));
    assert!(file.len().is_err(), "a file that was open before is dead");
    assert_eq!(disk.open_file(DATABASE).len().unwrap(), 0);
}

#[test]
fn what_a_killed_process_wrote_stays_until_the_power_goes() {
    let disk = half_written();
    let file = disk.open_file(DATABASE);
    assert!(file.try_lock_range(Bound::Unbounded, Bound::Unbounded).unwrap());
    disk.kill();
    assert!(file.write(0, &[3]).is_err() && file.sync_data().is_err());
    assert_eq!(disk.database(), [2; 2048]);
    assert!(disk.open_file(DATABASE).try_lock_range(Bound::Unbounded, Bound::Unbounded).unwrap());
    disk.crash(Survivors::Nothing, &mut rng(0));
    assert_eq!(disk.database(), [1; 2048]);
}

#[test]
fn a_full_disk_takes_nothing_until_there_is_space() {
    let disk = half_written();
    let file = disk.open_file(DATABASE);
    let before = disk.database();
    disk.set_fault(Some(Fault::FullAt(disk.operations() + 1)));
    file.write(0, &[7]).unwrap();
    let full = |result: io::Result<()>| {
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::StorageFull);
    };
    full(file.write(0, &[8]));
    full(file.set_len(1 << 20));
    file.set_len(1).unwrap();
    file.sync_data().unwrap();
    assert_ne!(before, [7]);
    assert_eq!(disk.database(), [7]);
    disk.set_fault(None);
    file.write(0, &[9]).unwrap();
    assert_eq!(disk.database(), [9]);
}

#[test]
fn a_sync_fails_once_and_what_it_should_have_written_is_never_safe() {
    let disk = half_written();
    let file = disk.open_file(DATABASE);
    disk.set_fault(Some(Fault::SyncAt(0)));
    assert!(file.sync_data().is_err());
    file.sync_data().unwrap();
    assert_eq!(disk.database(), [2; 2048]);
    disk.crash(Survivors::Everything, &mut rng(0));
    assert_eq!(disk.database(), [1; 2048]);
}

#[test]
fn a_lock_ends_with_its_file_or_the_power() {
    let whole = (Bound::Unbounded, Bound::Unbounded);
    let disk = Disk::new();
    let (first, second) = (disk.open_file(DATABASE), disk.open_file(DATABASE));
    assert!(first.try_lock_range(whole.0, whole.1).unwrap());
    assert!(!second.try_lock_range(whole.0, whole.1).unwrap());
    second.close().unwrap();
    assert!(!second.try_lock_range(whole.0, whole.1).unwrap(), "only its holder releases a lock");
    first.close().unwrap();
    assert!(second.try_lock_range(whole.0, whole.1).unwrap());
    disk.crash(Survivors::Nothing, &mut rng(0));
    assert!(disk.open_file(DATABASE).try_lock_range(whole.0, whole.1).unwrap());
    let part = (Bound::Included(1), Bound::Excluded(2));
    assert!(matches!(second.try_lock_range(part.0, part.1), Err(BackendError::Unsupported)));
}

#[test]
fn bytes_beyond_the_end_are_not_read() {
    let disk = half_written();
    let file = disk.open_file(DATABASE);
    assert!(file.read(2047, &mut [0; 2]).is_err() && file.read(u64::MAX, &mut [0; 2]).is_err());
    file.set_len(4096).unwrap();
    let mut bytes = [9; 2];
    file.read(2047, &mut bytes).unwrap();
    assert_eq!(bytes, [2, 0]);
}
