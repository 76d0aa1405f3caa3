//! Files that are cut, flipped, exchanged or lengthened: each is refused, and none makes a panic or a record.

use std::sync::LazyLock;

use proptest::prelude::*;
use qpq_crypto::backup::BACKUP_HEADER_BYTES;
use qpq_proto::Status;

use super::*;

/// The bytes of a backup, and a place for files.
struct Written {
    directory: TempDir,
    bytes: &'static [u8],
}

impl Written {
    fn new() -> Self {
        static BYTES: LazyLock<Vec<u8>> = LazyLock::new(new_backup);
        Self { directory: tempfile::tempdir().unwrap(), bytes: &BYTES }
    }

    fn source(&self) -> Source {
        let path = self.directory.path().join("qpq.backup");
        Source { path, passphrase: Zeroizing::new(b"correct horse".to_vec()) }
    }

    /// Reads the file with these bytes in it; the records that were given out, and how it ended.
    fn read(&self, bytes: &[u8]) -> (usize, Result<Header, Failure>) {
        let source = self.source();
        fs::write(&source.path, bytes).unwrap();
        let mut records = 0;
        let read = file::read(&source, &mut |_| {
            records += 1;
            Ok(())
        });
        (records, read.map_err(Failure::from))
    }

    /// Why these bytes are refused.
    fn refusal(&self, bytes: &[u8]) -> Failure {
        self.read(bytes).1.unwrap_err()
    }
}

fn new_backup() -> Vec<u8> {
    let home = Home::with_messages();
    home.write().unwrap();
    fs::read(home.source("").path).unwrap()
}

/// Where the cost of the passphrase stands in the header: changed, it would be paid.
const COST: std::ops::Range<usize> = 10..22;

#[test]
fn a_file_cut_at_any_place_of_its_beginning_or_end_is_refused() {
    let written = Written::new();
    let length = written.bytes.len();
    let near_chunk = |end: usize| (end.saturating_sub(30)..end + 30).step_by(7);
    let ends = (0..BACKUP_HEADER_BYTES).step_by(3).chain(near_chunk(65_600)).chain(near_chunk(length - 31));
    for end in ends.filter(|end| *end < length) {
        let refused = written.refusal(&written.bytes[..end]);
        assert_eq!((refused.status, refused.field.as_str()), (Status::Conflict, "path"), "{end} bytes");
    }
    assert_eq!(written.read(written.bytes).1.unwrap().name, "alice", "and the whole is good");
}

#[test]
fn what_follows_the_end_is_noticed() {
    let written = Written::new();
    for more in [&b"x"[..], &[0; 100], written.bytes] {
        let refused = written.refusal(&[written.bytes, more].concat());
        assert_eq!(refused.field, "path", "{} bytes", more.len());
    }
}

#[test]
fn chunks_of_two_backups_cannot_be_mixed() {
    let (written, other) = (Written::new(), new_backup());
    assert_eq!(written.bytes.len(), other.len());
    for at in [BACKUP_HEADER_BYTES, other.len() / 2] {
        let mixed = [&written.bytes[..at], &other[at..]].concat();
        assert_eq!(written.refusal(&mixed).status, Status::Conflict, "{at}");
    }
}

#[test]
fn a_header_that_asks_for_more_than_is_granted_is_refused_before_it_is_paid() {
    let written = Written::new();
    for place in COST.step_by(4) {
        let mut bytes = written.bytes.to_vec();
        bytes[place..place + 4].copy_from_slice(&u32::MAX.to_be_bytes());
        let refused = written.refusal(&bytes);
        assert_eq!((refused.status, refused.field.as_str()), (Status::Conflict, "passphrase"), "{place}");
    }
}

#[test]
fn what_is_no_file_is_told_apart() {
    let written = Written::new();
    let source = |path: PathBuf| Source { path, ..written.source() };
    let read = |path| Failure::from(file::read(&source(path), &mut |_| Ok(())).unwrap_err());
    let here = written.directory.path();
    fs::write(here.join("qpq.backup"), written.bytes).unwrap();
    assert_eq!(read(here.join("absent")).status, Status::NotFound);
    assert_eq!(read(here.to_owned()).status, Status::Conflict, "a directory");
    assert_eq!(read(here.join("qpq.backup/below")).status, Status::Conflict);
}

#[test]
fn what_could_not_be_finished_is_removed() {
    let home = Home::with_messages();
    let source = Source { passphrase: Zeroizing::new(Vec::new()), ..home.source("") };
    let snapshot = home.store.snapshot().unwrap();
    let written = file::write(&source, Header::default(), &snapshot, None, CHEAP, &mut generator().unwrap());
    assert!(matches!(written, Err(FileError::Backup(_))), "without a passphrase there is no backup");
    assert!(!source.path.exists());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// One byte that is another: the file is refused, and what was given out before are true records.
    #[test]
    fn a_flipped_byte_is_noticed(place in any::<prop::sample::Index>(), change in 1_u8..) {
        let written = Written::new();
        let mut bytes = written.bytes.to_vec();
        let place = place.index(bytes.len());
        prop_assume!(!COST.contains(&place));
        bytes[place] ^= change;
        let (records, read) = written.read(&bytes);
        let refused = read.unwrap_err();
        prop_assert_eq!(refused.status, Status::Conflict, "byte {}", place);
        prop_assert!(records as u64 <= RECORDS + 1);
        let is_named = if place < BACKUP_HEADER_BYTES { ["passphrase", "path"] } else { ["path", "path"] };
        prop_assert!(is_named.contains(&refused.field.as_str()), "byte {place}: {refused:?}");
    }
}
