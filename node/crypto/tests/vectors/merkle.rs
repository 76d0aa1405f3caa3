//! The cases of transparency-dev/merkle: proofs of inclusion and consistency, in trees and in subtrees, that
//! hold and that do not.

#![allow(clippy::unwrap_used, reason = "vectors that cannot be read have failed")]

use std::path::Path;

use data_encoding::BASE64;
use qpq_crypto::transparency::merkle::{
    LogHash, ProofError, verify_consistency, verify_inclusion, verify_subtree_consistency,
    verify_subtree_inclusion,
};
use serde::Deserialize;

use crate::support::{folder, load};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inclusion {
    leaf_idx: u64,
    #[serde(default)]
    start: u64,
    #[serde(alias = "treeSize")]
    end: u64,
    root: String,
    leaf_hash: String,
    proof: Option<Vec<String>>,
    want_err: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Consistency {
    #[serde(default)]
    start: u64,
    #[serde(alias = "size1")]
    end: u64,
    #[serde(alias = "size2")]
    size: u64,
    root1: String,
    root2: String,
    proof: Option<Vec<String>>,
    want_err: bool,
}

/// A hash, if it is one: the types of the functions admit nothing else.
fn hash(text: &str) -> Result<LogHash, ProofError> {
    BASE64.decode(text.as_bytes()).unwrap().try_into().map_err(|_| ProofError::Length)
}

fn path(proof: Option<&Vec<String>>) -> Result<Vec<LogHash>, ProofError> {
    proof.into_iter().flatten().map(|text| hash(text)).collect()
}

impl Inclusion {
    fn verify(&self, is_tree: bool) -> Result<(), ProofError> {
        let (leaf, root, path) = (hash(&self.leaf_hash)?, hash(&self.root)?, path(self.proof.as_ref())?);
        if is_tree {
            verify_inclusion(self.leaf_idx, self.end, &leaf, &path, &root)
        } else {
            verify_subtree_inclusion(self.leaf_idx, self.start, self.end, &leaf, &path, &root)
        }
    }
}

impl Consistency {
    fn verify(&self, is_tree: bool) -> Result<(), ProofError> {
        let (from, root, path) = (hash(&self.root1)?, hash(&self.root2)?, path(self.proof.as_ref())?);
        if is_tree {
            verify_consistency(self.end, self.size, &from, &root, &path)
        } else {
            verify_subtree_consistency(self.start, self.end, self.size, &from, &root, &path)
        }
    }
}

/// The names of the cases below a folder, in order.
fn cases(under: &str) -> Vec<String> {
    let Some(root) = folder() else { return Vec::new() };
    let (mut pending, mut found) = (vec![format!("merkle-rfc6962/testdata/{under}")], Vec::new());
    while let Some(name) = pending.pop() {
        for entry in std::fs::read_dir(Path::new(&root).join(&name)).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{name}/{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() { &mut pending } else { &mut found }.push(name);
        }
    }
    found.sort();
    found
}

/// Four cases hold there in spite of a root of 11 bytes.
const SHORT_ROOTS: [&str; 3] = [
    "sizes-are-equal-one-and-proof-is-empty.json",
    "subtree-is-empty-sizes-are-equal-one-subtree-root-valid-tree-root-random-proof-is-empty.json",
    "subtree-is-empty-sizes-are-equal-zero-subtree-root-valid-tree-root-random-proof-is-empty.json",
];

fn check<T: serde::de::DeserializeOwned>(
    under: &str,
    count: usize,
    verify: impl Fn(&T) -> (Result<(), ProofError>, bool),
) {
    let cases = cases(under);
    assert!(cases.is_empty() || cases.len() == count, "{under} has {} cases", cases.len());
    for name in cases {
        let Some(case) = load::<T>(&name) else { return };
        let (verdict, is_refused) = verify(&case);
        let has_short_root = SHORT_ROOTS.iter().any(|short| name.ends_with(&format!("/{short}")));
        assert_eq!(verdict.is_err(), is_refused || has_short_root, "{name}: {verdict:?}");
    }
}

#[test]
fn inclusion() {
    check::<Inclusion>("inclusion", 98, |case| (case.verify(true), case.want_err));
    check::<Inclusion>("subtreeinclusion", 204, |case| (case.verify(false), case.want_err));
}

#[test]
fn consistency() {
    check::<Consistency>("consistency", 98, |case| (case.verify(true), case.want_err));
    check::<Consistency>("subtreeconsistency", 118, |case| (case.verify(false), case.want_err));
}
