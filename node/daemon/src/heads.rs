//! The newest trees that this node signed its relay's log at, outside of the database.
//!
//! What a relay signs of its log others keep, and it must never sign another log of the same size. A database that was put
//! back to an older copy does not know what was signed since; this file does, for it lies beside the at-rest key and is
//! not copied along. It is forced to disk after the commit that signed a tree and before anybody is shown it: once for
//! each tree that is signed, which is not even each registration, and never for a call that shows a tree again.
//!
//! ```text
//! slot 0 (4096 bytes)   length (2) | protobuf | SHA-256 of all before (32)
//! slot 1                the same; the larger count is the newer one
//! ```
//! Slots take turns, so that a write which the power cuts short leaves the one before.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use prost::Message;
use qpq_crypto::digest::sha256;
use qpq_relay::SignedTree;

use crate::private_file;

/// The file, and what is in it.
#[derive(Debug)]
pub(crate) struct Heads {
    path: PathBuf,
    /// None until there is something to write.
    file: Option<File>,
    count: u64,
    /// One for each name, the newest last.
    trees: Vec<SignedTree>,
}

/// What a slot holds.
#[derive(Clone, PartialEq, Message)]
struct SlotRecord {
    /// Counts the writes.
    #[prost(uint64, tag = "1")]
    count: u64,
    /// The newest of each name.
    #[prost(message, repeated, tag = "2")]
    trees: Vec<TreeRecord>,
}

/// A tree that was signed.
#[derive(Clone, PartialEq, Message)]
struct TreeRecord {
    /// The name under which it was signed.
    #[prost(string, tag = "1")]
    relay: String,
    /// Entries.
    #[prost(uint64, tag = "2")]
    size: u64,
    /// 32 bytes.
    #[prost(bytes = "vec", tag = "3")]
    root: Vec<u8>,
}

impl Heads {
    /// Opens the file, if there is one. What is damaged in it counts for nothing, which the log says.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { path: path.to_owned(), file: None, count: 0, trees: Vec::new() });
            }
            Err(error) => return Err(error),
        };
        let length = file.metadata()?.len();
        let slots = [read(&file, 0)?, read(&file, 1)?];
        if length > 0 && slots.iter().all(Option::is_none) {
            tracing::error!(
                "{} is damaged: whether the relay's log is the newest is not known",
                path.display()
            );
        }
        let newest = slots.into_iter().flatten().max_by_key(|slot| slot.count).unwrap_or_default();
        let tree = |tree: TreeRecord| {
            let TreeRecord { relay, size, root } = tree;
            Some(SignedTree { relay, size, root: root.try_into().ok()? })
        };
        let trees = newest.trees.into_iter().filter_map(tree).collect();
        Ok(Self { path: path.to_owned(), file: Some(file), count: newest.count, trees })
    }

    /// The newest tree of each name under which this node ever signed, as far as there is room.
    pub(crate) fn trees(&self) -> &[SignedTree] {
        &self.trees
    }

    /// Makes a tree durable, in place of the one before of the same name.
    pub(crate) fn keep(&mut self, tree: &SignedTree) -> io::Result<()> {
        let mut trees: Vec<_> =
            self.trees.iter().filter(|other| other.relay != tree.relay).cloned().collect();
        let surplus = (trees.len() + 1).saturating_sub(NAMES_MAX);
        trees.drain(..surplus);
        trees.push(tree.clone());
        let count = self.count + 1;
        let record = |tree: &SignedTree| TreeRecord {
            relay: tree.relay.clone(),
            size: tree.size,
            root: tree.root.to_vec(),
        };
        let slot = encode(&SlotRecord { count, trees: trees.iter().map(record).collect() })?;
        let file = match self.file.take() {
            Some(file) => self.file.insert(file),
            None => self.file.insert(make(&self.path)?),
        };
        file.write_all_at(&slot, count % SLOTS * SLOT_BYTES)?;
        file.sync_data()?;
        (self.count, self.trees) = (count, trees);
        Ok(())
    }
}

/// A new file whose name is on disk.
fn make(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    private_file::sync_directory(private_file::parent(path))?;
    Ok(file)
}

fn encode(record: &SlotRecord) -> io::Result<Vec<u8>> {
    let fields = record.encode_to_vec();
    let too_long = |_| io::Error::from(io::ErrorKind::InvalidData);
    let mut slot = u16::try_from(fields.len()).map_err(too_long)?.to_be_bytes().to_vec();
    slot.extend(fields);
    slot.extend(sha256(&[&slot]));
    // Whole slots, so that the file has its full length from the first write of each on.
    slot.resize(usize::try_from(SLOT_BYTES).map_err(too_long)?, 0);
    Ok(slot)
}

fn read(file: &File, slot: u64) -> io::Result<Option<SlotRecord>> {
    let mut bytes = vec![0; usize::try_from(SLOT_BYTES).unwrap_or_default()];
    let mut filled = 0;
    loop {
        match file.read_at(&mut bytes[filled..], slot * SLOT_BYTES + filled as u64)? {
            0 => break,
            length => filled += length,
        }
    }
    Ok(decode(&bytes))
}

fn decode(bytes: &[u8]) -> Option<SlotRecord> {
    let (length, _) = bytes.split_first_chunk::<2>()?;
    let (covered, rest) = bytes.split_at_checked(2 + usize::from(u16::from_be_bytes(*length)))?;
    let (checksum, _) = rest.split_first_chunk::<32>()?;
    if *checksum != sha256(&[covered]) {
        return None;
    }
    SlotRecord::decode(&covered[2..]).ok()
}

const SLOTS: u64 = 2;
/// Slots lie in pages of their own.
const SLOT_BYTES: u64 = 4096;
/// Names of at most 253 bytes, so that all fit into a slot.
const NAMES_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(relay: &str, size: u64) -> SignedTree {
        SignedTree { relay: relay.to_owned(), size, root: [size.to_be_bytes()[7]; 32] }
    }

    /// A file into which trees were written, one after the other.
    fn written(trees: &[SignedTree]) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("heads");
        let mut heads = Heads::open(&path).unwrap();
        for tree in trees {
            heads.keep(tree).unwrap();
        }
        (directory, path)
    }

    fn found(path: &Path) -> Vec<SignedTree> {
        Heads::open(path).unwrap().trees().to_vec()
    }

    #[test]
    fn the_newest_tree_of_each_name_is_found_again() {
        let (_directory, path) = written(&[tree("a", 1), tree("b", 5), tree("a", 2), tree("a", 7)]);
        assert_eq!(found(&path), [tree("b", 5), tree("a", 7)]);
        let (_directory, path) = written(&[]);
        assert_eq!(found(&path), []);
    }

    #[test]
    fn a_write_that_was_cut_short_leaves_the_one_before() {
        let (_directory, path) = written(&[tree("a", 1), tree("a", 2)]);
        // The next goes where the first was.
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        for torn in [&[0xff; 100][..], &[0; 4096]] {
            file.write_all_at(torn, SLOT_BYTES).unwrap();
            assert_eq!(found(&path), [tree("a", 2)]);
        }
        file.write_all_at(&[0xff; 1], 0).unwrap();
        assert_eq!(found(&path), [], "both are damaged");
    }

    #[test]
    fn names_that_are_not_used_any_more_make_room() {
        let long = |number: usize| tree(&format!("{number:0253}"), 1);
        let trees: Vec<_> = (0..NAMES_MAX + 3).map(long).collect();
        let (_directory, path) = written(&trees);
        assert_eq!(found(&path), trees[3..]);
    }
}
