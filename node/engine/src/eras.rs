//! The eras of a group: by them every member sees whether a signed change is out of date.
//!
//! A change is signed by who asks for it and carried out by somebody else, the committer, who might keep it for another
//! day or bring it a second time: the removal of somebody who has come back since, or a key package whose secret is
//! long gone. So a change names the *era* in which it was signed. An era ends with every commit that takes a leaf away
//! or replaces one, and the group's record, which all members share and newcomers get with the group, says of the last
//! [`PAST_ERAS_MAX`] eras what ended them. Commits that only add end none: nothing that such a commit carries out can
//! be carried out again while those it adds are members, and when they are gone an era has ended.
//!
//! A change counts in the era in which it was signed and in those that follow, unless since then
//!
//! - it was carried out,
//! - its author has left the group, or been taken out, and come back,
//! - whoever it removes or adds has been taken out.
//!
//! The name of an era is the epoch id of the epoch on which the commit was made that began it, so that it is another on
//! every branch and nobody can choose it.

use std::collections::BTreeSet;

use prost::Message as _;
use qpq_crypto::mls::{EpochId, Refusal};
use qpq_proto::v1::{Change, GroupRecord, PastEra, SignedChange, change};

/// Eras before the present one in which a change may have been signed.
pub(crate) const PAST_ERAS_MAX: usize = 32;

/// Ends a record's era with a commit on an epoch that carries out these changes, after which these people are gone.
pub(crate) fn end(
    record: &mut GroupRecord,
    epoch: &EpochId,
    changes: &[SignedChange],
    gone: &BTreeSet<Vec<u8>>,
) {
    let changes = changes.iter().filter_map(|signed| Change::decode(signed.change.as_slice()).ok());
    let era = std::mem::replace(&mut record.era, epoch.0.to_vec());
    let gone = gone.iter().cloned().collect();
    record.past_eras.push(PastEra { era, changes: changes.map(|change| change.id).collect(), gone });
    let surplus = record.past_eras.len().saturating_sub(PAST_ERAS_MAX);
    record.past_eras.drain(..surplus);
}

/// Checks that a change is not out of date.
pub(crate) fn check(record: &GroupRecord, change: &Change) -> Result<(), Refusal> {
    let since = since(record, &change.era).ok_or(Refusal("a change is too old"))?;
    if since.iter().any(|past| past.changes.contains(&change.id)) {
        return Err(Refusal("a change has been carried out before"));
    }
    let has_gone = |identity: &Vec<u8>| since.iter().any(|past| past.gone.contains(identity));
    let is_overtaken = match &change.kind {
        Some(change::Kind::Add(add)) => add.members.iter().any(|member| has_gone(&member.identity)),
        Some(change::Kind::Remove(remove)) => has_gone(&remove.identity),
        _ => false,
    };
    if is_overtaken || has_gone(&change.author) {
        return Err(Refusal("a change is older than the time at which somebody whom it concerns was gone"));
    }
    Ok(())
}

/// What has ended eras since one of this name; `None` if it is not known, or not any more.
fn since<'a>(record: &'a GroupRecord, era: &[u8]) -> Option<&'a [PastEra]> {
    if record.era == era {
        return Some(&[]);
    }
    let position = record.past_eras.iter().position(|past| past.era == era)?;
    record.past_eras.get(position..)
}

#[cfg(test)]
mod tests;
