//! Who may change a group, in one place.
//!
//! Until groups can merge what happened apart, a group must not fork: only the lowest remaining leaf commits.
//! *Remaining* means that its member has not said that it leaves, since nobody can commit the own removal
//! (RFC 9420, section 12.2), and that the person has not revoked the leaf's device. Everybody else asks by a signed [`SignedChange`]; the committer puts it into the
//! commit's authenticated data, where every member checks it against the rules below.
//!
//! | change | by whom |
//! |---|---|
//! | add | any member of a group; nobody in a direct conversation |
//! | remove | an administrator; while there is none, the lowest leaf |
//! | leave, renew the own leaf | the member itself |

use std::collections::BTreeSet;

use prost::Message as _;
use qpq_crypto::{
    device_list::DeviceList,
    mls::{self, Refusal},
    signature::{Domain, Verify as _},
};
use qpq_proto::v1::{Change, CommitAnnotation, GroupKind, GroupRecord, SignedChange, change};

use crate::{conversations::GroupView, records::ConversationRecord};

/// Changes in one commit.
pub(crate) const CHANGES_MAX: usize = 64;

/// Members who do not commit.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Away<'a> {
    /// Identity keys of those who have said that they leave.
    pub leaving: &'a [Vec<u8>],
    /// Keys of devices that their persons have revoked.
    pub revoked: &'a [Vec<u8>],
}

impl ConversationRecord {
    pub(crate) fn away(&self) -> Away<'_> {
        Away { leaving: &self.leaving, revoked: &self.revoked }
    }
}

/// The member whose node commits, given who is away.
pub(crate) fn committer<'a>(group: &'a GroupView, away: Away<'_>) -> Option<&'a mls::Member> {
    let is_remaining = |member: &&mls::Member| {
        let certificate = &member.certificate;
        !away.leaving.iter().any(|identity| identity == certificate.identity.as_bytes())
            && !away.revoked.iter().any(|device| device == certificate.device.as_bytes())
    };
    group.members.iter().filter(is_remaining).min_by_key(|member| member.leaf)
}

/// Devices of members that a change proves to be revoked: their person's own signature says so.
pub(crate) fn revoked_by(group: &GroupView, change: &Change) -> Vec<Vec<u8>> {
    let Some(change::Kind::Add(add)) = &change.kind else { return Vec::new() };
    let proofs = add.members.iter().filter(|profile| !profile.device_list.is_empty());
    let lists = proofs.filter_map(|profile| DeviceList::decode_and_verify(&profile.device_list).ok());
    let revoked = lists.filter_map(|list| {
        let member = group.member(list.identity.as_bytes())?;
        let device = member.certificate.device;
        list.revoked.contains(&device).then(|| device.as_bytes().to_vec())
    });
    revoked.collect()
}

/// Whether a member may have others removed.
pub(crate) fn may_remove(group: &GroupView, author: &[u8]) -> bool {
    let is_administrator =
        |identity: &[u8]| group.record.administrators.iter().any(|administrator| administrator == identity);
    if group.members.iter().any(|member| is_administrator(member.certificate.identity.as_bytes())) {
        return is_administrator(author);
    }
    committer(group, Away::default()).is_some_and(|lowest| lowest.certificate.identity.as_bytes() == author)
}

/// The group's record after some members are gone.
pub(crate) fn next_record(
    record: &GroupRecord,
    gone: &BTreeSet<Vec<u8>>,
    routing_secret: &[u8],
) -> GroupRecord {
    let mut next = record.clone();
    next.administrators.retain(|administrator| !gone.contains(administrator));
    next.routing_secret = routing_secret.to_vec();
    next
}

/// Checks a signed change against the group in which it is asked for, whoever brings it.
pub(crate) fn check_change(group: &GroupView, signed: &SignedChange) -> Result<Change, Refusal> {
    let change = Change::decode(signed.change.as_slice()).map_err(|_| Refusal("a change is malformed"))?;
    let author = group.member(&change.author).ok_or(Refusal("a change is by nobody in the group"))?;
    let device = author.certificate.device;
    if device.verify(Domain::GroupChange, &[&signed.change], &signed.signature).is_err() {
        return Err(Refusal("a change is not signed by its author"));
    }
    if change.group_id != group.id || change.id.len() != 16 {
        return Err(Refusal("a change is for another group"));
    }
    let is_group = group.record.kind() == GroupKind::Group;
    let is_allowed = match &change.kind {
        Some(change::Kind::Add(_)) => is_group,
        Some(change::Kind::Remove(_)) => is_group && may_remove(group, &change.author),
        Some(change::Kind::Leave(_)) => is_group,
        Some(change::Kind::Rotate(_)) => true,
        None => false,
    };
    if is_allowed { Ok(change) } else { Err(Refusal("a change is not its author's to ask for")) }
}

/// Whether a commit of these changes would be this node's to make, as every member checks it.
pub(crate) fn may_commit(group: &GroupView, changes: &[SignedChange]) -> bool {
    let allowed = Allowed::by(group, changes);
    allowed.is_ok_and(|allowed| allowed.committer(group).is_some_and(|it| it.leaf == group.own_leaf))
}

/// What the changes of a commit allow it to do.
#[derive(Debug, Default)]
struct Allowed {
    added: BTreeSet<Vec<u8>>,
    removed: BTreeSet<Vec<u8>>,
    leaving: Vec<Vec<u8>>,
    revoked: Vec<Vec<u8>>,
}

impl Allowed {
    fn by(group: &GroupView, changes: &[SignedChange]) -> Result<Self, Refusal> {
        let mut allowed = Self::default();
        for signed in changes {
            allowed.note(group, &check_change(group, signed)?)?;
        }
        Ok(allowed)
    }

    fn committer<'a>(&self, group: &'a GroupView) -> Option<&'a mls::Member> {
        committer(group, Away { leaving: &self.leaving, revoked: &self.revoked })
    }

    fn note(&mut self, group: &GroupView, change: &Change) -> Result<(), Refusal> {
        self.revoked.extend(revoked_by(group, change));
        match &change.kind {
            Some(change::Kind::Add(add)) => {
                for package in &add.key_packages {
                    let package = mls::KeyPackage::validate(package)
                        .map_err(|_| Refusal("a key package is not valid"))?;
                    self.added.insert(package.certificate.identity.as_bytes().to_vec());
                }
            }
            Some(change::Kind::Remove(remove)) => drop(self.removed.insert(remove.identity.clone())),
            Some(change::Kind::Leave(_)) => {
                self.removed.insert(change.author.clone());
                self.leaving.push(change.author.clone());
            }
            Some(change::Kind::Rotate(_)) => drop(self.added.insert(change.author.clone())),
            None => {}
        }
        Ok(())
    }
}

/// Checks a commit: by the right member, and nothing in it that nobody was allowed to ask for.
pub(crate) fn check_commit(group: &GroupView, commit: &mls::CommitView<'_>) -> Result<(), Refusal> {
    let annotation = CommitAnnotation::decode(commit.annotation)
        .map_err(|_| Refusal("the commit's changes are malformed"))?;
    if annotation.changes.len() > CHANGES_MAX {
        return Err(Refusal("the commit carries too many changes"));
    }
    let allowed = Allowed::by(group, &annotation.changes)?;
    if allowed.committer(group).is_none_or(|member| member.leaf != commit.committer.leaf) {
        return Err(Refusal("the commit is not by the group's committer"));
    }
    let identities = |members: &[mls::Member]| -> BTreeSet<Vec<u8>> {
        members.iter().map(|member| member.certificate.identity.as_bytes().to_vec()).collect()
    };
    let (added, removed) = (identities(commit.added), identities(commit.removed));
    if added.len() != commit.added.len() || !added.is_subset(&allowed.added) {
        return Err(Refusal("the commit adds somebody whom nobody asked to add"));
    }
    // Who is added takes the place of an own leaf, and of nobody else's; without the new leaf the old one stays.
    if removed.difference(&added).any(|identity| !allowed.removed.contains(identity)) {
        return Err(Refusal("the commit removes somebody whom nobody may remove"));
    }
    if added.iter().any(|identity| group.has(identity) && !removed.contains(identity)) {
        return Err(Refusal("the commit adds a second leaf of one person"));
    }
    let gone = removed.difference(&added).cloned().collect();
    check_record(&group.record, commit.record, &gone)
}

/// A record changes only with removals: a new routing secret, and the administrators without those who are gone.
fn check_record(before: &GroupRecord, after: Option<&[u8]>, gone: &BTreeSet<Vec<u8>>) -> Result<(), Refusal> {
    let Some(after) = after else {
        return if gone.is_empty() { Ok(()) } else { Err(Refusal("the routing secret outlives a removal")) };
    };
    let after = GroupRecord::decode(after).map_err(|_| Refusal("the group's record is malformed"))?;
    let is_replaced = after.routing_secret.len() == 32 && after.routing_secret != before.routing_secret;
    if !is_replaced || after != next_record(before, gone, &after.routing_secret) {
        return Err(Refusal("the group's record was changed beyond what the removal asks for"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(secret: u8, administrators: &[u8]) -> GroupRecord {
        GroupRecord {
            version: 1,
            kind: GroupKind::Group.into(),
            name: "village".into(),
            routing_secret: vec![secret; 32],
            administrators: administrators.iter().map(|id| vec![*id; 32]).collect(),
        }
    }

    fn check(after: Option<&GroupRecord>, gone: &[u8]) -> Result<(), Refusal> {
        let gone = gone.iter().map(|id| vec![*id; 32]).collect();
        check_record(&record(1, &[7, 8]), after.map(prost::Message::encode_to_vec).as_deref(), &gone)
    }

    #[test]
    fn records_follow_removals_and_nothing_else() {
        assert_eq!(check(None, &[]), Ok(()));
        assert_eq!(check(Some(&record(2, &[8])), &[7]), Ok(()));
        assert_eq!(check(Some(&record(2, &[7, 8])), &[9]), Ok(()));
        assert!(check(None, &[9]).is_err(), "a removal without a new routing secret");
        assert!(check(Some(&record(1, &[7, 8])), &[9]).is_err(), "the old routing secret again");
        assert!(check(Some(&record(2, &[7, 8, 9])), &[]).is_err(), "an administrator out of nowhere");
        assert!(check(Some(&record(2, &[8])), &[]).is_err(), "an administrator deposed");
        let renamed = GroupRecord { name: "town".into(), ..record(2, &[7, 8]) };
        assert!(check(Some(&renamed), &[9]).is_err(), "another name");
    }
}
