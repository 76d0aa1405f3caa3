//! Finding what must be written.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{
    ARRAYS, BEGAN_AT, Change, ENCRYPTION_KEY, EPOCH_NUMBER, Field, GROUP_CONTEXT, Head, Known, KnownEpoch,
    LEAVES, MESSAGE_SECRETS, Name, PAST_EPOCHS, PastEpoch, SECRET_TREE, Top, Touched, ratchet,
};
use crate::mls::storage::chunks::{ChangedChunk, Chunks, Fingerprint};
use crate::mls::storage::codec::{CodecError, Encoder, decode, encode};
use crate::mls::storage::visit::{Visitor, visit};

/// Compares the message secrets with what was written last, and gives the changes that make the records
/// equal to them.
pub(in crate::mls::storage) fn update<T: Serialize>(
    secrets: &T,
    known: &mut Known,
    touched: Touched,
) -> Result<Vec<Change>, CodecError> {
    if let Some(changes) = ratchet::update(secrets, known, touched)? {
        return Ok(changes);
    }
    let before = known.top.take();
    let mut store = StoreVisitor {
        known,
        touched: if before.is_some() { touched } else { Touched::Any },
        before: before.as_ref(),
        fields: Vec::new(),
        past: None,
        current: None,
        changes: Vec::new(),
    };
    visit(secrets, &mut store)?;
    let StoreVisitor { fields, past, current, mut changes, .. } = store;
    let (past, current) = past.zip(current).ok_or(CodecError::UnknownForm)?;
    let top = Top { fields, past, current };
    if before.as_ref() != Some(&top) {
        changes.push(Change::Put(Name::top(), encode(&top)?));
        forget(known, before.as_ref(), &top, &mut changes);
    }
    known.top = Some(top);
    Ok(changes)
}

/// Removes the records of epochs and lists of members that are no longer referred to.
fn forget(known: &mut Known, before: Option<&Top>, top: &Top, changes: &mut Vec<Change>) {
    let live: BTreeSet<_> = top.past.iter().map(|past| past.epoch).chain([top.current]).collect();
    known.epochs.retain(|name, epoch| {
        if live.contains(name) {
            return true;
        }
        changes.extend(epoch.names(*name).into_iter().map(Change::Remove));
        false
    });
    let lists = |top: &Top| top.past.iter().map(|past| past.leaves).collect::<BTreeSet<_>>();
    let unused = before.map(lists).unwrap_or_default().difference(&lists(top)).copied().collect::<Vec<_>>();
    changes.extend(unused.into_iter().map(|leaves| Change::Remove(Name::leaves(leaves))));
}

/// Visits `MessageSecretsStore`.
struct StoreVisitor<'k> {
    known: &'k mut Known,
    before: Option<&'k Top>,
    touched: Touched,
    fields: Vec<Field>,
    past: Option<Vec<PastEpoch>>,
    current: Option<Fingerprint>,
    changes: Vec<Change>,
}

impl Visitor for StoreVisitor<'_> {
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), CodecError> {
        match (name, self.before, self.touched) {
            (PAST_EPOCHS, Some(before), Touched::Current(_)) => self.past = Some(before.past.clone()),
            (PAST_EPOCHS, ..) => {
                let mut past = PastEpochsVisitor {
                    known: self.known,
                    before: self.before,
                    touched: self.touched,
                    epochs: Vec::new(),
                    changes: &mut self.changes,
                };
                visit(value, &mut past)?;
                self.past = Some(past.epochs);
            }
            (MESSAGE_SECRETS, Some(before), Touched::Past(..) | Touched::Nothing) => {
                self.current = Some(before.current);
            }
            (MESSAGE_SECRETS, ..) => self.current = Some(update_epoch(value, self.known, &mut self.changes)?),
            _ => self.fields.push(Field::of(name, value)?),
        }
        Ok(())
    }
}

/// Visits the sequence of `EpochTree`s.
struct PastEpochsVisitor<'k> {
    known: &'k mut Known,
    before: Option<&'k Top>,
    touched: Touched,
    epochs: Vec<PastEpoch>,
    changes: &'k mut Vec<Change>,
}

impl Visitor for PastEpochsVisitor<'_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CodecError> {
        let mut past = PastEpochVisitor {
            known: self.known,
            before: self.before,
            touched: self.touched,
            unchanged: None,
            number: None,
            fields: Vec::new(),
            epoch: None,
            leaves: None,
            changes: self.changes,
        };
        visit(value, &mut past)?;
        let PastEpochVisitor { number, fields, epoch, leaves, .. } = past;
        let (Some(number), Some(epoch), Some(leaves)) = (number, epoch, leaves) else {
            return Err(CodecError::UnknownForm);
        };
        self.epochs.push(PastEpoch { number, fields, epoch, leaves });
        Ok(())
    }
}

/// Visits an `EpochTree`, whose number comes first.
struct PastEpochVisitor<'k> {
    known: &'k mut Known,
    before: Option<&'k Top>,
    touched: Touched,
    /// What was written of this epoch when it was a past one already.
    unchanged: Option<&'k PastEpoch>,
    number: Option<u64>,
    fields: Vec<Field>,
    epoch: Option<Fingerprint>,
    leaves: Option<Fingerprint>,
    changes: &'k mut Vec<Change>,
}

impl Visitor for PastEpochVisitor<'_> {
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), CodecError> {
        match (name, self.unchanged) {
            (EPOCH_NUMBER, _) => {
                let field = Field::of(name, value)?;
                let number = decode(&field.value)?;
                self.number = Some(number);
                self.unchanged =
                    self.before.and_then(|top| top.past.iter().find(|past| past.number == number));
                self.fields.push(field);
            }
            (MESSAGE_SECRETS, Some(past)) if !self.is_touched(past.number) => {
                self.epoch = Some(past.epoch);
            }
            (MESSAGE_SECRETS, _) => self.epoch = Some(update_epoch(value, self.known, self.changes)?),
            (LEAVES, Some(past)) => self.leaves = Some(past.leaves),
            (LEAVES, None) => self.leaves = Some(self.update_leaves(value)?),
            _ => self.fields.push(Field::of(name, value)?),
        }
        Ok(())
    }
}

impl PastEpochVisitor<'_> {
    fn is_touched(&self, epoch: u64) -> bool {
        matches!(self.touched, Touched::Past(number, _) if number == epoch)
    }

    fn update_leaves<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<Fingerprint, CodecError> {
        let mut members = MembersVisitor(Encoder::default());
        members.0.begin_sequence();
        visit(value, &mut members)?;
        members.0.end();
        let leaves = members.0.finish();
        let name = Fingerprint::of(&leaves);
        let is_known = self.before.is_some_and(|top| top.past.iter().any(|past| past.leaves == name));
        if !is_known {
            self.changes.push(Change::Put(Name::leaves(name), leaves));
        }
        Ok(name)
    }
}

/// Visits the members of a past epoch, and writes them without their encryption keys.
struct MembersVisitor(Encoder);

impl Visitor for MembersVisitor {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CodecError> {
        self.0.begin_record();
        visit(value, self)?;
        self.0.end();
        Ok(())
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), CodecError> {
        if name == ENCRYPTION_KEY {
            return self.0.field(name, &NO_BYTES);
        }
        self.0.field(name, value)
    }
}

/// Compares one epoch's secrets with what was written last. Gives the name of the epoch.
fn update_epoch<T: Serialize + ?Sized>(
    value: &T,
    known: &mut Known,
    changes: &mut Vec<Change>,
) -> Result<Fingerprint, CodecError> {
    let mut visitor = EpochVisitor {
        known,
        name: None,
        epoch: KnownEpoch::default(),
        fields: Vec::new(),
        tree: None,
        changes,
    };
    visit(value, &mut visitor)?;
    let EpochVisitor { name, mut epoch, fields, tree, .. } = visitor;
    let (name, tree_fields) = name.zip(tree).ok_or(CodecError::UnknownForm)?;
    let arrays = epoch.arrays.iter().map(Chunks::shape).collect();
    let head = encode(&Head { fields, tree_fields, arrays })?;
    let fingerprint = Some(Fingerprint::of(&head));
    if epoch.head != fingerprint {
        changes.push(Change::Put(Name::head(name), head));
        epoch.head = fingerprint;
    }
    known.epochs.insert(name, epoch);
    Ok(name)
}

/// Visits `MessageSecrets`, in which the group context comes before the secret tree.
struct EpochVisitor<'k> {
    known: &'k mut Known,
    name: Option<Fingerprint>,
    epoch: KnownEpoch,
    fields: Vec<Field>,
    tree: Option<Vec<Field>>,
    changes: &'k mut Vec<Change>,
}

impl Visitor for EpochVisitor<'_> {
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), CodecError> {
        match name {
            SECRET_TREE => {
                let epoch = self.name.ok_or(CodecError::UnknownForm)?;
                let (known, changes) = (&mut self.epoch, &mut *self.changes);
                let mut tree = TreeVisitor { name: epoch, known, fields: Vec::new(), changes };
                visit(value, &mut tree)?;
                self.tree = Some(tree.fields);
            }
            BEGAN_AT => self.fields.push(Field::of(name, &None::<()>)?),
            _ => {
                let field = Field::of(name, value)?;
                if name == GROUP_CONTEXT {
                    let epoch = Fingerprint::of(&field.value);
                    self.name = Some(epoch);
                    self.epoch = self.known.epochs.remove(&epoch).unwrap_or_default();
                }
                self.fields.push(field);
            }
        }
        Ok(())
    }
}

/// Visits `SecretTree`.
struct TreeVisitor<'k> {
    name: Fingerprint,
    known: &'k mut KnownEpoch,
    fields: Vec<Field>,
    changes: &'k mut Vec<Change>,
}

impl Visitor for TreeVisitor<'_> {
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), CodecError> {
        let Some(array) = ARRAYS.iter().position(|(known, _)| *known == name) else {
            self.fields.push(Field::of(name, value)?);
            return Ok(());
        };
        let (_, chunk_elements) = ARRAYS[array];
        let changed = self.known.arrays[array].update(value, chunk_elements)?;
        let epoch = self.name;
        self.changes.extend(
            changed.into_iter().map(|ChangedChunk { number, content }| {
                Change::of(Name::chunk(epoch, array, number), content)
            }),
        );
        Ok(())
    }
}

const NO_BYTES: [u8; 0] = [];
