use std::cell::RefCell;

use qpq_mesh::{Bundle, Class, Label};

use super::*;

/// A custody that gives what it has, and takes what it does not have yet.
#[derive(Default)]
struct Shelf(RefCell<Vec<v1::MeshBundle>>);

impl Shelf {
    fn with(bundles: u8) -> Self {
        Self(RefCell::new((0..bundles).map(bundle).collect()))
    }

    fn copy(&self, request: &v1::CopyBundlesRequest) -> v1::CopyBundlesResponse {
        let from = request.after.first().map_or(0, |last| usize::from(*last));
        let bundles: Vec<_> = self.0.borrow().iter().skip(from).take(3).cloned().collect();
        let to = from + bundles.len();
        let next = if to < self.0.borrow().len() { vec![u8::try_from(to).unwrap()] } else { Vec::new() };
        v1::CopyBundlesResponse { bundles, next }
    }

    fn take(&self, request: v1::TakeBundlesRequest) -> v1::TakeBundlesResponse {
        assert_eq!(request.copied_at_ms, WALL_MS);
        assert!(request.bundles.len() <= TAKEN_BUNDLES_MAX);
        let mut response = v1::TakeBundlesResponse::default();
        for bundle in request.bundles {
            if self.0.borrow().contains(&bundle) {
                response.known += 1;
            } else {
                self.0.borrow_mut().push(bundle);
                response.taken += 1;
            }
        }
        response
    }
}

impl Custody for Shelf {
    fn call(&self, method: Method, payload: Bytes) -> Result<Bytes, Failure> {
        Ok(match method {
            Method::CopyBundles => {
                self.copy(&v1::CopyBundlesRequest::decode(payload).unwrap()).encode_to_vec()
            }
            Method::TakeBundles => {
                self.take(v1::TakeBundlesRequest::decode(payload).unwrap()).encode_to_vec()
            }
            _ => return Err(Failure::internal()),
        }
        .into())
    }
}

const WALL_MS: u64 = 1_767_225_600_000;

fn bundle(number: u8) -> v1::MeshBundle {
    let label = Label {
        class: Class::Message,
        lifetime_max_s: 3_600,
        salt: [number; 8],
        tag: [number; 16],
        settle: None,
    };
    sneakernet::to_message(&Bundle::new(label, vec![number; 1_024].into()).unwrap())
}

fn exported(bundles: u8) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bundles.qpqmesh");
    let response = write(&Shelf::with(bundles), &path, WALL_MS).unwrap();
    assert_eq!(response.bundles, u64::from(bundles));
    assert_eq!(response.bytes, std::fs::metadata(&path).unwrap().len());
    (directory, path)
}

#[test]
fn what_was_exported_is_taken_once() {
    for bundles in [0, 1, 3, 7, 100] {
        let (_directory, path) = exported(bundles);
        let other = Shelf::default();
        let counts = read(&other, &path).unwrap();
        assert_eq!(counts, v1::ImportBundlesResponse { taken: bundles.into(), known: 0, refused: 0 });
        assert_eq!(other.0.borrow().len(), usize::from(bundles));
        let again = read(&other, &path).unwrap();
        assert_eq!((again.taken, again.known), (0, bundles.into()));
    }
}

#[test]
fn a_file_that_exists_is_left_alone() {
    let (_directory, path) = exported(2);
    let before = std::fs::read(&path).unwrap();
    let failure = write(&Shelf::with(5), &path, WALL_MS).unwrap_err();
    assert!(failure.message.contains("choose another name"), "{failure}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn what_could_not_be_finished_is_removed() {
    struct Broken;
    impl Custody for Broken {
        fn call(&self, _: Method, _: Bytes) -> Result<Bytes, Failure> {
            Err(Failure::unavailable("the node stops", 0))
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bundles");
    assert!(write(&Broken, &path, WALL_MS).is_err());
    assert!(!path.exists());
}

#[test]
fn of_a_damaged_file_what_is_before_the_damage_is_taken() {
    let (_directory, path) = exported(10);
    let whole = std::fs::read(&path).unwrap();
    for (length, least) in [(whole.len() - 1, 10), (whole.len() / 2, 4), (40, 0), (3, 0)] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let other = Shelf::default();
        let failure = read(&other, &path).unwrap_err();
        let taken = other.0.borrow().len();
        assert!(taken >= least, "{length}: {taken}");
        let told = if taken == 0 { "nothing of it" } else { &format!("{taken} bundles were taken") };
        assert!(failure.message.contains(told), "{length}: {failure}");
        assert_eq!(failure.field, "path");
    }
}

#[test]
fn only_files_of_bundles_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("letter.txt");
    std::fs::write(&text, "dear bob").unwrap();
    for (path, message) in [
        (text.as_path(), "no file of bundles"),
        (directory.path(), "is not a file"),
        (Path::new("/nowhere/bundles"), "No such file"),
    ] {
        let failure = read(&Shelf::default(), path).unwrap_err();
        assert!(failure.message.contains(message), "{failure}");
    }
    assert!(absolute("bundles").is_err());
}
