//! The files of the checkout, without what is built or generated at run time.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold nothing written by hand.
const SKIPPED: [&str; 6] = [".git", "target", "corpus", "artifacts", "book", "node_modules"];

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// One file of the checkout.
pub(crate) struct Source {
    /// Path from the root, with slashes.
    pub(crate) path: String,
    /// Content.
    pub(crate) text: String,
}

impl Source {
    /// Whether a program wrote it.
    pub(crate) fn is_generated(&self) -> bool {
        self.path.contains("/generated/")
    }
}

/// Every text file, in the order of the paths.
pub(crate) fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    collect(root(), &mut paths);
    paths.sort();
    paths
        .into_iter()
        .filter_map(|path| {
            let text = String::from_utf8(fs::read(&path).unwrap()).ok()?;
            let path = path.strip_prefix(root()).unwrap().to_str()?.to_owned();
            Some(Source { path, text })
        })
        .collect()
}

/// Every Rust file written by hand.
pub(crate) fn rust_sources() -> Vec<Source> {
    sources().into_iter().filter(|file| file.path.ends_with(".rs") && !file.is_generated()).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        let name = entry.file_name();
        if kind.is_dir() && !SKIPPED.iter().any(|skipped| name == *skipped) {
            collect(&entry.path(), paths);
        } else if kind.is_file() {
            paths.push(entry.path());
        }
    }
}
