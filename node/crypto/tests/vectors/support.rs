//! Finds and reads test vectors. They are kept beside the tree: the variable `QPQ_VECTORS` names their folder, or
//! else it is `../shared/vectors` from the workspace. Where they are absent a test says so and passes, except
//! where `CI` is `true`.

use std::ops::Deref;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The folder of all vectors, whether it is there or not.
fn expected_folder() -> PathBuf {
    match std::env::var_os("QPQ_VECTORS") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"),
    }
}

/// The folder of all vectors, unless they are absent.
pub(crate) fn folder() -> Option<PathBuf> {
    read("README.md").map(|_| expected_folder())
}

/// The text of a file, unless vectors are absent.
pub(crate) fn read(name: &str) -> Option<String> {
    let path = expected_folder().join(name);
    if path.exists() {
        return Some(std::fs::read_to_string(&path).expect("vectors can be read"));
    }
    let is_required = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(!is_required, "test vectors are absent: {}", path.display());
    eprintln!("SKIPPED: test vectors are absent: {}", path.display());
    None
}

/// A JSON file, unless vectors are absent.
pub(crate) fn load<T: DeserializeOwned>(name: &str) -> Option<T> {
    read(name).map(|text| serde_json::from_str(&text).expect("vectors have the form that they had"))
}

/// The tests of a Wycheproof file, each with its group; the whole file was read if their number is `count`.
pub(crate) fn load_wycheproof<G, T>(name: &str, count: usize) -> Vec<(G, T)>
where
    G: DeserializeOwned + Clone,
    T: DeserializeOwned,
{
    let Some(file) = load::<Wycheproof<G, T>>(&format!("wycheproof/{name}_test.json")) else {
        return Vec::new();
    };
    let groups = file.groups.into_iter();
    let tests = groups.flat_map(|group| group.tests.into_iter().map(move |test| (group.group.clone(), test)));
    let tests = tests.collect::<Vec<_>>();
    assert_eq!(tests.len(), count, "{name}");
    tests
}

#[derive(Deserialize)]
struct Wycheproof<G, T> {
    #[serde(rename = "testGroups")]
    groups: Vec<WycheproofGroup<G, T>>,
}

#[derive(Deserialize)]
struct WycheproofGroup<G, T> {
    #[serde(flatten)]
    group: G,
    tests: Vec<T>,
}

/// What an implementation must answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    Valid,
    Invalid,
    Acceptable,
}

/// Bytes written as hexadecimal digits of either case.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Hex(Vec<u8>);

impl Hex {
    /// As an array; panics where the vectors hold another length.
    pub(crate) fn array<const N: usize>(&self) -> [u8; N] {
        self.0.as_slice().try_into().expect("the vectors hold values of this length")
    }
}

impl TryFrom<String> for Hex {
    type Error = data_encoding::DecodeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map(Self)
    }
}

impl Deref for Hex {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
