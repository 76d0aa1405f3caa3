use std::fs;
use std::os::unix::fs::PermissionsExt;

use qpq_crypto::at_rest::AtRestKey;
use qpq_store::{Options, Storage, Store};
use tempfile::TempDir;

use super::*;

mod damage;

const CHEAP: PassphraseCost = PassphraseCost { memory_kib: 32, passes: 1, lanes: 1 };
const RECORDS: u64 = 300;

/// A directory with a database in it.
struct Home {
    directory: TempDir,
    store: Store,
}

impl Home {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = AtRestKey::from_bytes(&[7; 32]);
        let store = Store::open(&directory.path().join("data"), &key, &Options::default()).unwrap();
        Self { directory, store }
    }

    fn with_messages() -> Self {
        let mut home = Self::new();
        let mut batch = home.store.begin();
        let mut tx = batch.transaction();
        for ordinal in 0..RECORDS {
            let key = Key { prefix: b"conversation", ordinal };
            tx.put(MESSAGES, key, Bytes::from(vec![b'm'; 1000])).unwrap();
        }
        tx.put(IN_BACKUP[0], Key { prefix: b"", ordinal: 0 }, Bytes::from_static(b"identity")).unwrap();
        tx.accept();
        batch.commit().unwrap();
        home
    }

    fn source(&self, passphrase: &str) -> Source {
        let path = self.directory.path().join("qpq.backup");
        Source { path, passphrase: Zeroizing::new(passphrase.as_bytes().to_vec()) }
    }

    fn write(&self) -> Result<(u64, u64), FileError> {
        let header = Header { name: "alice".to_owned(), contacts: 3, ..Header::default() };
        let snapshot = self.store.snapshot().unwrap();
        file::write(&self.source("correct horse"), header, &snapshot, None, CHEAP, &mut generator().unwrap())
    }

    fn read(&self) -> Result<Vec<BackupRecord>, FileError> {
        read_records(&self.source("correct horse")).map(|(records, _)| records)
    }
}

#[test]
fn what_is_written_is_read_and_nothing_shows() {
    let home = Home::with_messages();
    let (bytes, messages) = home.write().unwrap();
    let path = home.source("").path;
    let content = fs::read(&path).unwrap();
    assert_eq!((content.len() as u64, messages), (bytes, RECORDS));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!content.windows(8).any(|window| window == b"mmmmmmmm" || window == b"identity"));
    assert_eq!(home.read().unwrap().len() as u64, RECORDS + 1);
}

#[test]
fn records_come_back_into_another_database() {
    let from = Home::with_messages();
    from.write().unwrap();
    let mut to = Home::new();
    let mut batch = to.store.begin();
    let mut tx = batch.transaction();
    put_records(&mut tx, from.read().unwrap()).unwrap();
    let key = |ordinal| Key { prefix: b"conversation", ordinal };
    assert_eq!(tx.get(MESSAGES, key(RECORDS - 1)).unwrap().unwrap().len(), 1000);
    assert_eq!(tx.get(MESSAGES, key(RECORDS)).unwrap(), None);
}

#[test]
fn a_file_that_exists_is_left_alone() {
    let home = Home::with_messages();
    fs::write(home.source("").path, b"precious").unwrap();
    assert!(matches!(home.write(), Err(FileError::Exists(_))));
    assert_eq!(fs::read(home.source("").path).unwrap(), b"precious");
}

#[test]
fn each_way_to_be_wrong_has_its_failure() {
    use qpq_proto::Status;
    let home = Home::with_messages();
    let failure = |result: Result<Vec<BackupRecord>, FileError>| {
        let failure = Failure::from(result.unwrap_err());
        (failure.status, failure.field)
    };
    assert_eq!(failure(home.read()), (Status::NotFound, String::new()));
    home.write().unwrap();
    let wrong = read_records(&home.source("correct house")).map(|(records, _)| records);
    assert_eq!(failure(wrong), (Status::Conflict, "passphrase".to_owned()));
    let path = home.source("").path;
    let content = fs::read(&path).unwrap();
    for damaged in [&content[..content.len() - 1], &content[..40], b"a diary", &[&content[..], b"x"].concat()]
    {
        fs::write(&path, damaged).unwrap();
        assert_eq!(failure(home.read()), (Status::Conflict, "path".to_owned()), "{} bytes", damaged.len());
    }
}

#[test]
fn paths_and_passphrases_are_checked_first() {
    let field =
        |path: &str, passphrase: &str| Source::new(path, passphrase.into()).map(|_| ()).unwrap_err().field;
    assert_eq!(field("relative", "correct horse"), "path");
    assert_eq!(field("", "correct horse"), "path");
    assert_eq!(field("/backup", "short"), "passphrase");
    assert!(Source::new("/backup", b"correct horse".to_vec()).is_ok());
}

#[test]
fn a_record_of_an_unknown_table_is_refused() {
    let mut home = Home::new();
    let mut batch = home.store.begin();
    let record = BackupRecord { table: "secrets".to_owned(), ..BackupRecord::default() };
    let failure = put_records(&mut batch.transaction(), vec![record]).unwrap_err();
    assert_eq!(failure.field, "path");
}
