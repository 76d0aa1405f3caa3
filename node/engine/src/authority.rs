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
//!
//! A change that is out of date counts no more: see [`eras`].

use std::collections::BTreeSet;

use prost::Message as _;
use qpq_crypto::{
    device_list::DeviceList,
    mls::{self, Refusal},
    signature::{Domain, Verify as _},
};
use qpq_proto::{
    limits::MEMBERS_PER_CHANGE_MAX,
    v1::{AddMembers, Change, CommitAnnotation, GroupKind, GroupRecord, SignedChange, change},
};

use crate::{conversations::GroupView, eras, records::ConversationRecord};

/// Changes in one commit.
pub(crate) const CHANGES_MAX: usize = 64;
/// Longest change: one that adds as many people as one may, with the longest key packages and device lists.
pub(crate) const CHANGE_BYTES_MAX: usize = 1_048_576;

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

/// The group's record after a commit of these changes has taken leaves away, and with them some people; only if it has,
/// the routing secret is another.
pub(crate) fn next_record(
    group: &GroupView,
    changes: &[SignedChange],
    gone: &BTreeSet<Vec<u8>>,
    routing_secret: &[u8],
) -> GroupRecord {
    let mut next = group.record.clone();
    next.administrators.retain(|administrator| !gone.contains(administrator));
    if !gone.is_empty() {
        next.routing_secret = routing_secret.to_vec();
    }
    eras::end(&mut next, &group.epoch, changes, gone);
    next
}

/// Checks a signed change against the group in which it is asked for, whoever brings it.
pub(crate) fn check_change(group: &GroupView, signed: &SignedChange) -> Result<Change, Refusal> {
    let change = check_signed(group, signed)?;
    check_allowed(group, &change).map(|()| change)
}

/// Checks that a change is its author's word, and for this group.
pub(crate) fn check_signed(group: &GroupView, signed: &SignedChange) -> Result<Change, Refusal> {
    if signed.change.len() > CHANGE_BYTES_MAX {
        return Err(Refusal("a change is too long"));
    }
    let change = Change::decode(signed.change.as_slice()).map_err(|_| Refusal("a change is malformed"))?;
    let author = group.member(&change.author).ok_or(Refusal("a change is by nobody in the group"))?;
    let device = author.certificate.device;
    if device.verify(Domain::GroupChange, &[&signed.change], &signed.signature).is_err() {
        return Err(Refusal("a change is not signed by its author"));
    }
    if change.group_id != group.id || change.id.len() != 16 {
        return Err(Refusal("a change is for another group"));
    }
    Ok(change)
}

/// Checks that a change is its author's to ask for, in the group as it is now.
pub(crate) fn check_allowed(group: &GroupView, change: &Change) -> Result<(), Refusal> {
    let is_group = group.record.kind() == GroupKind::Group;
    let is_allowed = match &change.kind {
        Some(change::Kind::Add(_)) => is_group,
        Some(change::Kind::Remove(_)) => is_group && may_remove(group, &change.author),
        Some(change::Kind::Leave(_)) => is_group,
        Some(change::Kind::Rotate(_)) => true,
        None => false,
    };
    if !is_allowed {
        return Err(Refusal("a change is not its author's to ask for"));
    }
    if let Some(change::Kind::Add(add)) = &change.kind {
        check_addition(add)?;
    }
    eras::check(&group.record, change)
}

/// Checks that a change says of everybody whom it adds who it is, and does not add too many.
fn check_addition(add: &AddMembers) -> Result<(), Refusal> {
    if add.members.len() > MEMBERS_PER_CHANGE_MAX {
        return Err(Refusal("a change adds too many people"));
    }
    if add.key_packages.len() > add.members.len() {
        return Err(Refusal("a change does not say whom it adds"));
    }
    Ok(())
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
                for (package, profile) in add.key_packages.iter().zip(&add.members) {
                    self.added.insert(added_by(group, package, &profile.identity)?);
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

/// Whom a key package adds that a change brings for a person.
fn added_by(group: &GroupView, package: &[u8], person: &[u8]) -> Result<Vec<u8>, Refusal> {
    let package =
        mls::KeyPackage::validate(package).map_err(|_| Refusal("a key package is not valid"))?.certificate;
    if package.identity.as_bytes() != person {
        return Err(Refusal("a change adds another than it says"));
    }
    // Else a change that was carried out could be used again to give a member a leaf whose secret is gone.
    if group.member(person).is_some_and(|member| member.certificate.device == package.device) {
        return Err(Refusal("a change adds a device that is in the group"));
    }
    Ok(person.to_vec())
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
    check_record(group, commit, &annotation.changes, &gone)
}

/// A record changes only with commits that take leaves away: the era ends, and if people are gone, there is a new routing
/// secret, and the administrators are those who are left.
fn check_record(
    group: &GroupView,
    commit: &mls::CommitView<'_>,
    changes: &[SignedChange],
    gone: &BTreeSet<Vec<u8>>,
) -> Result<(), Refusal> {
    let Some(after) = commit.record else {
        let is_due = !commit.removed.is_empty();
        return if is_due { Err(Refusal("the group's record outlives a removal")) } else { Ok(()) };
    };
    let after = GroupRecord::decode(after).map_err(|_| Refusal("the group's record is malformed"))?;
    let is_replaced = after.routing_secret.len() == 32 && after.routing_secret != group.record.routing_secret;
    let is_due = !commit.removed.is_empty() && is_replaced != gone.is_empty();
    if !is_due || after != next_record(group, changes, gone, &after.routing_secret) {
        return Err(Refusal("the group's record was changed beyond what the removal asks for"));
    }
    Ok(())
}
