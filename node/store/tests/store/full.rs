//! Disks without space, and directories without permission.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;

use bytes::Bytes;
use qpq_store::testing::{Disk, Fault};
use qpq_store::{Files, LockedStore, OpenError, Options};

use crate::common::{get, key, open, options, put, rng, try_put, used_disk};

/// A counter that cannot be written to any more costs no commit.
#[test]
fn a_full_disk_under_the_counter_alone_is_survived() {
    let (data, keys) = (Disk::new(), Disk::new());
    let mut files = data.files();
    files.open_counter = keys.files().open_counter;
    let mut store =
        LockedStore::open_files(files, &options(), Box::new(rng(0))).unwrap().unlock(&key()).unwrap();
    keys.set_fault(Some(Fault::FullAt(0)));
    put(&mut store, b"value");
    assert_eq!(get(&mut store).0, Some(Bytes::from_static(b"value")));
}

#[test]
fn a_disk_that_is_full_at_the_first_start_is_named_and_leaves_nothing_in_the_way() {
    let whole = Disk::new();
    drop(open(&whole).unwrap());
    for at in 0..whole.operations() {
        let disk = Disk::new();
        disk.set_fault(Some(Fault::FullAt(at)));
        match open(&disk) {
            Err(error) => assert!(matches!(error, OpenError::DiskFull), "at {at}: {error:?}"),
            // What is written when the store is dropped is not needed.
            Ok(store) => drop(store),
        }
        disk.set_fault(None);
        let mut store = open(&disk).unwrap();
        put(&mut store, b"value");
        assert!(!store.is_rolled_back());
    }
}

#[test]
fn a_disk_that_runs_full_loses_nothing() {
    let whole = used_disk();
    let before = whole.operations();
    put(&mut open(&whole).unwrap(), b"new");
    for at in before..whole.operations() {
        let disk = used_disk();
        disk.set_fault(Some(Fault::FullAt(at)));
        let stored = open(&disk).map(|mut store| try_put(&mut store, b"new").is_ok());
        match &stored {
            Ok(_) => {}
            Err(error) => assert!(matches!(error, OpenError::DiskFull), "at {at}: {error:?}"),
        }
        disk.set_fault(None);
        let mut store = open(&disk).unwrap();
        assert!(!store.is_rolled_back());
        let expected = if matches!(stored, Ok(true)) { b"new".as_slice() } else { b"value" };
        assert_eq!(get(&mut store), (Some(Bytes::copy_from_slice(expected)), Some(expected.to_vec())));
        put(&mut store, b"newer");
    }
}

/// The journal has its blocks from the start: what it took is kept until the database has space.
#[test]
fn a_database_without_space_costs_no_commit() {
    let (data, journals) = (Disk::new(), Disk::new());
    let open = || {
        let files = Files { journal: journals.files().journal, ..data.files() };
        LockedStore::open_files(files, &options(), Box::new(rng(data.operations())))
    };
    let mut store = open().unwrap().unlock(&key()).unwrap();
    data.set_fault(Some(Fault::FullAt(0)));
    put(&mut store, b"first");
    store.begin_checkpoint().unwrap();
    put(&mut store, b"second");
    assert!(store.end_checkpoint().unwrap_err().is_disk_full());
    assert!(try_put(&mut store, b"third").is_err());
    drop(store);
    assert!(matches!(open(), Err(OpenError::DiskFull)));

    data.set_fault(None);
    let mut store = open().unwrap().unlock(&key()).unwrap();
    assert_eq!(get(&mut store).0, Some(Bytes::from_static(b"second")));
    assert!(!store.is_rolled_back());
}

#[test]
fn what_the_system_says_is_told_apart() {
    let text = |kind: io::ErrorKind| {
        let disk = Disk::new();
        let files = Files { database: Box::new(Failing(kind)), ..disk.files() };
        LockedStore::open_files(files, &options(), Box::new(rng(0))).unwrap_err().to_string()
    };
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
        assert!(text(kind).contains("disk is full"), "{}", text(kind));
    }
    assert!(text(io::ErrorKind::ReadOnlyFilesystem).contains("read-only"));
}

/// A directory that may not be written to is refused with its path; the superuser may write to any.
#[test]
fn a_directory_without_permission_is_named() {
    let parent = tempfile::tempdir().unwrap();
    fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o500)).unwrap();
    let directory = parent.path().join("data");
    match LockedStore::open(&directory, &Options::default()) {
        Ok(_) => assert!(fs::write(parent.path().join("probe"), "").is_ok(), "only where it may be written"),
        Err(error) => {
            assert!(matches!(&error, OpenError::Permission { path } if *path == directory), "{error:?}");
        }
    }
    fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o700)).unwrap();
}

/// A file on which every change fails.
#[derive(Debug)]
struct Failing(io::ErrorKind);

impl redb::StorageBackend for Failing {
    fn len(&self) -> io::Result<u64> {
        Ok(0)
    }

    fn read(&self, _: u64, _: &mut [u8]) -> io::Result<()> {
        Err(io::ErrorKind::UnexpectedEof.into())
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(self.0.into())
    }

    fn sync_data(&self) -> io::Result<()> {
        Err(self.0.into())
    }

    fn write(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(self.0.into())
    }

    fn try_lock_range(
        &self,
        _: std::ops::Bound<u64>,
        _: std::ops::Bound<u64>,
    ) -> Result<bool, redb::BackendError> {
        Ok(true)
    }

    fn unlock_range(
        &self,
        _: std::ops::Bound<u64>,
        _: std::ops::Bound<u64>,
    ) -> Result<(), redb::BackendError> {
        Ok(())
    }
}
