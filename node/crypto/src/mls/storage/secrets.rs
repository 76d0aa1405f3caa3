//! The record that every message changes: the message secrets of a group.
//!
//! OpenMLS hands over everything at once whenever a message is sent or opened: for the current epoch and up
//! to 32 past ones a secret tree, and for each past one a list of its members with their public keys, some
//! megabytes in a large group. One message changes one ratchet of one epoch, and the first of a sender some
//! nodes on the way to its leaf. Hence:
//!
//! | record | content | written |
//! |---|---|---|
//! | `top` | the past epochs by number, the current one, limits | at a commit |
//! | `head` of an epoch | its keys, and which chunks there are | when a sender speaks first |
//! | a chunk of an epoch's secret tree | some node secrets, or one ratchet | when one of them changes |
//! | `leaves` | a list of members, shared by the epochs that have the same | when members change |
//!
//! An epoch's records are named after its group context, so that nothing is written again when the current
//! epoch becomes a past one. Records whose secrets are used up are written over or removed at once: a chunk
//! whose secrets are all gone has no record. What an operation did not touch is not even looked at, so that a
//! message costs no more in a large group than in a small one: see [`Touched`].
//!
//! Two things are left out: a past member's encryption key, as OpenMLS uses a past member's credential and
//! signature key alone; and the time by the system clock at which an epoch began, which we do not go by.

mod ratchet;
mod read;
#[cfg(test)]
mod tests;
mod update;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::chunks::{Chunks, ChunksShape, Fingerprint};
use super::codec::{Assembler, CodecError, encode};

pub(super) use read::{Fetch, ReadError, Whole, read};
pub(super) use update::update;

/// What an operation can have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::mls) enum Touched {
    /// Any epoch. After a commit that is the one that was current; nothing else makes an epoch a past one.
    Any,
    /// The current epoch: an application message of the member at this leaf was sealed or opened.
    Current(u32),
    /// A past epoch, by its number: an application message of the member at this leaf was opened.
    Past(u64, u32),
    /// No epoch; past ones may be dropped.
    Nothing,
}

/// A change of the records, by their names.
pub(super) enum Change {
    Put(Vec<u8>, Zeroizing<Vec<u8>>),
    Remove(Vec<u8>),
}

impl Change {
    pub(super) fn of(name: Vec<u8>, content: Option<Zeroizing<Vec<u8>>>) -> Self {
        match content {
            Some(content) => Self::Put(name, content),
            None => Self::Remove(name),
        }
    }
}

/// What is known of the records of one group.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Known {
    top: Option<Top>,
    epochs: BTreeMap<Fingerprint, KnownEpoch>,
}

/// What is known of an epoch's records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct KnownEpoch {
    head: Option<Fingerprint>,
    arrays: [Chunks; ARRAYS.len()],
}

/// The names of all records that are known.
pub(super) fn names(known: &Known) -> Vec<Vec<u8>> {
    let lists = known.top.iter().flat_map(|top| &top.past).map(|past| Name::leaves(past.leaves));
    let epochs = known.epochs.iter().flat_map(|(name, epoch)| epoch.names(*name));
    epochs.chain(lists).chain([Name::top()]).collect()
}

impl KnownEpoch {
    /// The names of all records of an epoch.
    fn names(&self, epoch: Fingerprint) -> Vec<Vec<u8>> {
        let arrays = self.arrays.iter().enumerate();
        let chunks = arrays.flat_map(|(array, chunks)| {
            chunks.present().map(move |number| Name::chunk(epoch, array, number))
        });
        chunks.chain([Name::head(epoch)]).collect()
    }
}

/// The record that leads to the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Top {
    fields: Vec<Field>,
    past: Vec<PastEpoch>,
    current: Fingerprint,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct PastEpoch {
    number: u64,
    fields: Vec<Field>,
    epoch: Fingerprint,
    leaves: Fingerprint,
}

/// The record that leads to the chunks of an epoch.
#[derive(Serialize, Deserialize)]
struct Head {
    fields: Vec<Field>,
    tree_fields: Vec<Field>,
    arrays: Vec<ChunksShape>,
}

/// A field that is kept as it is, its value encoded.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub(super) struct Field {
    name: String,
    value: Vec<u8>,
}

impl Field {
    pub(super) fn of<T: Serialize + ?Sized>(name: &'static str, value: &T) -> Result<Self, CodecError> {
        Ok(Self { name: name.into(), value: encode(value)?.to_vec() })
    }

    /// Writes fields into a record that is being put together.
    pub(super) fn write_all(fields: &[Self], output: &mut Assembler) {
        for field in fields {
            output.name(&field.name);
            output.embedded(&field.value);
        }
    }
}

impl std::fmt::Debug for Field {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Field").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Names of records.
struct Name;

impl Name {
    fn top() -> Vec<u8> {
        PREFIX.to_vec()
    }

    fn head(epoch: Fingerprint) -> Vec<u8> {
        [PREFIX, b"/epoch/", &epoch.0].concat()
    }

    fn chunk(epoch: Fingerprint, array: usize, number: usize) -> Vec<u8> {
        let (array, number) = (array as u64, number as u64);
        [PREFIX, b"/chunk/", &epoch.0, &array.to_be_bytes()[7..], &number.to_be_bytes()[4..]].concat()
    }

    fn leaves(leaves: Fingerprint) -> Vec<u8> {
        [PREFIX, b"/leaves/", &leaves.0].concat()
    }
}

/// The sequences of a secret tree, and how many of their elements make a chunk. A ratchet alone can reach
/// 12 KiB, when none of the last 256 messages arrived; node secrets have 32 bytes each.
const ARRAYS: [(&str, usize); 4] = [
    ("leaf_nodes", NODES_PER_CHUNK),
    ("parent_nodes", NODES_PER_CHUNK),
    ("handshake_sender_ratchets", 1),
    (APPLICATION_RATCHETS, 1),
];
/// Which of them the ratchets of application messages are.
const APPLICATION: usize = 3;
const NODES_PER_CHUNK: usize = 32;

// Names of OpenMLS's fields.
const PAST_EPOCHS: &str = "past_epoch_trees";
const MESSAGE_SECRETS: &str = "message_secrets";
const SECRET_TREE: &str = "secret_tree";
const GROUP_CONTEXT: &str = "serialized_context";
const BEGAN_AT: &str = "added_at";
const EPOCH_NUMBER: &str = "epoch";
const LEAVES: &str = "leaves";
const ENCRYPTION_KEY: &str = "encryption_key";
const APPLICATION_RATCHETS: &str = "application_sender_ratchets";

const PREFIX: &[u8] = b"message secrets";
