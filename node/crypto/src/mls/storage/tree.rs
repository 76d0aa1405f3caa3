//! The ratchet tree, stored node by node.
//!
//! OpenMLS writes the whole tree at every commit, 2.6 MB for a thousand members; a commit changes the nodes
//! on one path. The tree's two sequences are therefore stored in [chunks](super::chunks), the rest of it in
//! one record that says which chunks there are.

use serde::{Deserialize, Serialize};

use super::chunks::{ChangedChunk, Chunks, ChunksShape};
use super::codec::{Assembler, CodecError, decode, encode};
use super::secrets::{Change, Fetch, Field, ReadError, Whole};
use super::visit::{Visitor, visit};

/// What is known of the records of one group's tree.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct KnownTree {
    arrays: [Chunks; ARRAYS.len()],
}

/// The record that leads to the chunks.
#[derive(Serialize, Deserialize)]
struct Top {
    fields: Vec<Field>,
    tree_fields: Vec<Field>,
    arrays: Vec<ChunksShape>,
}

/// Compares a tree with what was written last, and gives the changes that make the records equal to it.
pub(super) fn update<T: Serialize>(tree: &T, known: &mut KnownTree) -> Result<Vec<Change>, CodecError> {
    let mut outer = OuterVisitor { known, fields: Vec::new(), tree_fields: Vec::new(), changes: Vec::new() };
    visit(tree, &mut outer)?;
    let OuterVisitor { fields, tree_fields, mut changes, .. } = outer;
    let arrays = known.arrays.iter().map(Chunks::shape).collect();
    changes.push(Change::Put(PREFIX.to_vec(), encode(&Top { fields, tree_fields, arrays })?));
    Ok(changes)
}

/// Reads a tree, if there is one.
pub(super) fn read(fetch: &Fetch<'_>) -> Result<Option<Whole<KnownTree>>, ReadError> {
    let Some(top) = fetch(PREFIX)? else {
        return Ok(None);
    };
    let top: Top = decode(&top)?;
    if top.arrays.len() != ARRAYS.len() {
        return Err(CodecError::UnknownForm.into());
    }
    let mut known = KnownTree::default();
    let mut output = Assembler::default();
    output.begin_record();
    Field::write_all(&top.fields, &mut output);
    output.name(TREE);
    output.begin_record();
    Field::write_all(&top.tree_fields, &mut output);
    for (array, (field, shape)) in ARRAYS.iter().zip(&top.arrays).enumerate() {
        output.name(field);
        known.arrays[array] = shape.read(NODES_PER_CHUNK, &mut output, |number| {
            fetch(&chunk_name(array, number))?.ok_or(ReadError::Codec(CodecError::RecordMissing))
        })?;
    }
    output.end();
    output.end();
    Ok(Some((output.finish(), known)))
}

/// The names of all records that are known.
pub(super) fn names(known: &KnownTree) -> Vec<Vec<u8>> {
    let arrays = known.arrays.iter().enumerate();
    let chunks =
        arrays.flat_map(|(array, chunks)| chunks.present().map(move |number| chunk_name(array, number)));
    chunks.chain([PREFIX.to_vec()]).collect()
}

/// Visits `TreeSync`.
struct OuterVisitor<'k> {
    known: &'k mut KnownTree,
    fields: Vec<Field>,
    tree_fields: Vec<Field>,
    changes: Vec<Change>,
}

impl Visitor for OuterVisitor<'_> {
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), CodecError> {
        if name == TREE {
            return visit(value, &mut TreeVisitor(self));
        }
        self.fields.push(Field::of(name, value)?);
        Ok(())
    }
}

/// Visits `ABinaryTree`.
struct TreeVisitor<'v, 'k>(&'v mut OuterVisitor<'k>);

impl Visitor for TreeVisitor<'_, '_> {
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), CodecError> {
        let Some(array) = ARRAYS.iter().position(|known| *known == name) else {
            self.0.tree_fields.push(Field::of(name, value)?);
            return Ok(());
        };
        let changed = self.0.known.arrays[array].update(value, NODES_PER_CHUNK)?;
        let changes = changed
            .into_iter()
            .map(|ChangedChunk { number, content }| Change::of(chunk_name(array, number), content));
        self.0.changes.extend(changes);
        Ok(())
    }
}

fn chunk_name(array: usize, number: usize) -> Vec<u8> {
    let (array, number) = (array as u64, number as u64);
    [PREFIX, b"/", &array.to_be_bytes()[7..], &number.to_be_bytes()[4..]].concat()
}

/// A hybrid node takes 1.3 to 1.7 KB.
const NODES_PER_CHUNK: usize = 4;

// Names of OpenMLS's fields.
const TREE: &str = "tree";
const ARRAYS: [&str; 2] = ["leaf_nodes", "parent_nodes"];

const PREFIX: &[u8] = b"tree";
