//! The change that nearly every message makes: one ratchet goes on.
//!
//! A sender who has spoken in an epoch before has its ratchet, and the nodes above its leaf are used up; its
//! next message changes that ratchet and nothing else. So nothing else is looked at, or the cost of a message
//! would grow with the members who have spoken.
//!
//! A message that failed may have changed more in memory, as OpenMLS derives the ratchets of a sender before it
//! decrypts. What is written here fits what was written before all the same: the nodes in storage are those
//! from which that sender's ratchets can be derived again.

use serde::Serialize;
use zeroize::Zeroizing;

use super::{
    APPLICATION, APPLICATION_RATCHETS, Change, EPOCH_NUMBER, Known, MESSAGE_SECRETS, Name, PAST_EPOCHS,
    SECRET_TREE, Touched,
};
use crate::mls::storage::codec::{CodecError, Encoder, decode, encode};
use crate::mls::storage::visit::{Visitor, visit};

/// Gives the change of the records if only a ratchet that has a record can have changed; else `None`.
pub(super) fn update<T: Serialize>(
    secrets: &T,
    known: &mut Known,
    touched: Touched,
) -> Result<Option<Vec<Change>>, CodecError> {
    let Some(top) = &known.top else {
        return Ok(None);
    };
    let (number, epoch, leaf) = match touched {
        Touched::Current(leaf) => (None, Some(top.current), leaf),
        Touched::Past(number, leaf) => {
            let past = top.past.iter().find(|past| past.number == number);
            (Some(number), past.map(|past| past.epoch), leaf)
        }
        Touched::Any | Touched::Nothing => return Ok(None),
    };
    let (Some(epoch), Ok(leaf)) = (epoch, usize::try_from(leaf)) else {
        return Ok(None);
    };
    let Some(ratchets) = known.epochs.get_mut(&epoch).map(|epoch| &mut epoch.arrays[APPLICATION]) else {
        return Ok(None);
    };
    if !ratchets.has_record(leaf) {
        return Ok(None);
    }
    let mut finder = Finder { number, is_wanted: number.is_none(), leaf, found: None };
    visit(secrets, &mut finder)?;
    let Some(ratchet) = finder.found else {
        return Ok(None);
    };
    let is_changed = ratchets.replace(leaf, &ratchet);
    let change = is_changed.then(|| Change::Put(Name::chunk(epoch, APPLICATION, leaf), ratchet));
    Ok(Some(change.into_iter().collect()))
}

/// Visits `MessageSecretsStore`, in it the sequence of `EpochTree`s if one of them is meant, and then down to
/// the ratchets of one epoch.
struct Finder {
    /// The past epoch that is meant; the current one if there is none.
    number: Option<u64>,
    /// Whether what is visited belongs to the epoch that is meant.
    is_wanted: bool,
    leaf: usize,
    found: Option<Zeroizing<Vec<u8>>>,
}

impl Visitor for Finder {
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), CodecError> {
        match name {
            PAST_EPOCHS if self.number.is_some() => visit(value, self),
            EPOCH_NUMBER => {
                self.is_wanted = self.number == Some(decode(&encode(value)?)?);
                Ok(())
            }
            MESSAGE_SECRETS | SECRET_TREE if self.is_wanted => visit(value, self),
            APPLICATION_RATCHETS => {
                let mut ratchets = Ratchets { number: 0, leaf: self.leaf, found: &mut self.found };
                visit(value, &mut ratchets)
            }
            _ => Ok(()),
        }
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CodecError> {
        visit(value, self)?;
        self.is_wanted = false;
        Ok(())
    }
}

/// Visits the ratchets of an epoch.
struct Ratchets<'f> {
    /// Of the leaf that is visited next.
    number: usize,
    leaf: usize,
    found: &'f mut Option<Zeroizing<Vec<u8>>>,
}

impl Visitor for Ratchets<'_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CodecError> {
        if self.number == self.leaf {
            let mut encoder = Encoder::default();
            encoder.value(value)?;
            if !encoder.is_none_after(0) {
                *self.found = Some(encoder.finish());
            }
        }
        self.number += 1;
        Ok(())
    }
}
