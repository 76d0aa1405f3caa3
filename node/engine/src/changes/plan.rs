//! What a set of changes comes to in the group as it is.

use std::collections::BTreeSet;

use prost::Message as _;
use qpq_crypto::{
    hybrid::HybridPublic,
    mls::{self, ValidatedKeyPackage},
};
use qpq_proto::{
    Failure,
    v1::{Change, ChangeRefusalReason as Reason, MemberProfile, SignedChange, change},
};

use crate::{
    authority,
    context::Context,
    conversations::GroupView,
    engine::Engine,
    eras,
    input::EngineError,
    records::{ChangeRecord, Stage},
    sealing::Audience,
};

use super::{commit::is_welcome_key_signed, refusals::known_id};

/// Bytes of changes in one commit, with which it still fits a delivery; more than the longest change.
const COMMIT_BYTES_MAX: usize = 3 * authority::CHANGE_BYTES_MAX / 2;

/// What a set of changes comes to in the group as it is.
#[derive(Clone, Default)]
pub(super) struct Plan {
    pub(super) changes: Vec<SignedChange>,
    pub(super) add: Vec<ValidatedKeyPackage>,
    pub(super) profiles: Vec<MemberProfile>,
    pub(super) remove: BTreeSet<u32>,
    pub(super) force_path: bool,
    /// More waits than one commit may carry.
    pub(super) is_cut: bool,
}

/// A change that cannot be made.
pub(super) struct Refused {
    /// Its id, if others may have heard of it.
    pub(super) id: Option<Vec<u8>>,
    pub(super) reason: Reason,
}

/// Why a change is not in a plan.
#[derive(Debug, PartialEq)]
pub(super) struct NotPlanned(pub(super) Reason);

impl Engine {
    /// Commits the changes that wait, if this node is the one that commits.
    pub(crate) fn commit_pending(
        &mut self,
        cx: &mut Context<'_>,
        conversation_id: &[u8],
    ) -> Result<(), Failure> {
        let conversation = self.conversation_of(cx, conversation_id)?;
        if conversation.stage() != Stage::Open {
            return Ok(());
        }
        let group = self.group_view(cx, &conversation.group_id)?;
        let is_committer = self.is_committer(&group, &conversation)?;
        let pending = self.pending_changes(cx, conversation_id)?;
        if !is_committer || pending.is_empty() {
            return Ok(());
        }
        let (plan, refused) = self.plan_pending(cx, conversation_id, &group, pending)?;
        for Refused { id, reason } in refused {
            if let Some(id) = id {
                self.send_refusal(cx, &conversation, &id, reason, Audience::Everybody)?;
            }
        }
        // By the changes in it everybody checks whose commit it may be.
        if plan.changes.is_empty() || !authority::may_commit(&group, &plan.changes) {
            return Ok(());
        }
        let is_cut = plan.is_cut;
        self.commit(cx, conversation, &group, plan)?;
        if is_cut { self.commit_pending(cx, conversation_id) } else { Ok(()) }
    }

    /// Plans what waits, and drops what cannot be made.
    pub(super) fn plan_pending(
        &mut self,
        cx: &mut Context<'_>,
        conversation_id: &[u8],
        group: &GroupView,
        pending: Vec<(u64, ChangeRecord)>,
    ) -> Result<(Plan, Vec<Refused>), EngineError> {
        // Whoever is to go goes, whatever else is asked for at the same time.
        let (removals, others): (Vec<_>, Vec<_>) = pending.into_iter().partition(|(_, it)| is_removal(it));
        let (mut plan, mut refused, mut bytes) = (Plan::default(), Vec::new(), 0);
        for (ordinal, record) in removals.into_iter().chain(others) {
            bytes += record.signed.len();
            if plan.changes.len() == authority::CHANGES_MAX || bytes > COMMIT_BYTES_MAX {
                plan.is_cut = true;
                break;
            }
            // Of a change that cannot be made as a whole, nothing may stay in the plan: nobody asked for that part.
            let mut with_change = plan.clone();
            match self.plan_change(cx, group, &mut with_change, &record)? {
                Ok(()) => plan = with_change,
                Err(NotPlanned(reason)) => {
                    self.drop_change(cx, conversation_id, ordinal, &record.id, reason)?;
                    let change = decode(&record).map(|(_, change)| change);
                    let id = change.ok().and_then(|change| known_id(&change).map(<[u8]>::to_vec));
                    refused.push(Refused { id, reason });
                }
            }
        }
        Ok((plan, refused))
    }

    /// Adds a change to a plan, or says why it cannot be made.
    fn plan_change(
        &self,
        cx: &Context<'_>,
        group: &GroupView,
        plan: &mut Plan,
        record: &ChangeRecord,
    ) -> Result<Result<(), NotPlanned>, EngineError> {
        let author = self.person(cx, &record.author)?.unwrap_or_default();
        let keys = [author.hybrid_key.as_slice(), author.welcome_key.as_slice()];
        Ok(self.plan_known(group, plan, record, &keys))
    }

    /// The same, with the keys to which its author could be sent a welcome.
    fn plan_known(
        &self,
        group: &GroupView,
        plan: &mut Plan,
        record: &ChangeRecord,
        keys: &[&[u8]],
    ) -> Result<(), NotPlanned> {
        let (signed, change) = is_fit(group, record).map_err(NotPlanned)?;
        match &change.kind {
            Some(change::Kind::Add(add)) => {
                for (package, profile) in add.key_packages.iter().zip(&add.members) {
                    // Else whoever asks could have the welcome sealed to another's key, and it would never arrive.
                    if !is_welcome_key_signed(profile) {
                        return Err(NotPlanned(Reason::UnusableKey));
                    }
                    self.plan_add(group, plan, package, profile, false)?;
                }
            }
            Some(change::Kind::Remove(remove)) => {
                let member = group.member(&remove.identity).ok_or(NotPlanned(Reason::NotAMember))?;
                if member.leaf == group.own_leaf {
                    return Err(NotPlanned(Reason::OwnRemoval));
                }
                plan.remove.insert(member.leaf);
            }
            Some(change::Kind::Leave(_)) => {
                let member = group.member(&change.author).ok_or(NotPlanned(Reason::NotAMember))?;
                plan.remove.insert(member.leaf);
            }
            Some(change::Kind::Rotate(rotate)) if rotate.key_package.is_empty() => plan.force_path = true,
            Some(change::Kind::Rotate(rotate)) => {
                check_welcome(keys)?;
                let author = MemberProfile { identity: change.author.clone(), ..MemberProfile::default() };
                self.plan_add(group, plan, &rotate.key_package, &author, true)?;
            }
            None => return Err(NotPlanned(Reason::Contradictory)),
        }
        plan.changes.push(signed);
        Ok(())
    }

    pub(super) fn plan_add(
        &self,
        group: &GroupView,
        plan: &mut Plan,
        package: &[u8],
        profile: &MemberProfile,
        is_renewal: bool,
    ) -> Result<(), NotPlanned> {
        let package = mls::KeyPackage::validate(package).map_err(|_| NotPlanned(Reason::UnusableKey))?;
        let identity = package.certificate.identity;
        if package.suite != group.suite {
            return Err(NotPlanned(Reason::OtherSuite));
        }
        if profile.identity != identity.as_bytes()
            || plan.add.iter().any(|other| other.certificate.identity == identity)
        {
            return Err(NotPlanned(Reason::Contradictory));
        }
        if let Some(member) = group.member(identity.as_bytes()) {
            if !is_renewal && member.certificate.device == package.certificate.device {
                return Err(NotPlanned(Reason::MemberAlready));
            }
            // Whoever is to be removed is not renewed.
            if !plan.remove.insert(member.leaf) {
                return Err(NotPlanned(Reason::Contradictory));
            }
        }
        if group.members.len() - plan.remove.len() + plan.add.len() >= self.limits.group_members_max {
            return Err(NotPlanned(Reason::GroupFull));
        }
        plan.profiles.push(profile.clone());
        plan.add.push(package);
        Ok(())
    }
}

/// Refuses to give somebody a leaf who could not be sent the welcome to any of these keys.
fn check_welcome(hybrid_keys: &[&[u8]]) -> Result<(), NotPlanned> {
    let is_fit = hybrid_keys.iter().any(|key| HybridPublic::from_bytes(key).is_ok());
    if is_fit { Ok(()) } else { Err(NotPlanned(Reason::UnusableKey)) }
}

/// Whether a change that waits counts in the group as it is now.
pub(super) fn is_fit(group: &GroupView, record: &ChangeRecord) -> Result<(SignedChange, Change), Reason> {
    let (signed, _) = decode(record)?;
    let change = authority::check_signed(group, &signed).map_err(|_| Reason::OutOfDate)?;
    is_allowed(group, &change).map(|()| (signed, change))
}

/// Whether its author may ask for a change in the group as it is now.
pub(super) fn is_allowed(group: &GroupView, change: &Change) -> Result<(), Reason> {
    eras::check(&group.record, change).map_err(|_| Reason::OutOfDate)?;
    authority::check_allowed(group, change).map_err(|_| Reason::NotAllowed)
}

fn decode(record: &ChangeRecord) -> Result<(SignedChange, Change), Reason> {
    let signed = SignedChange::decode(record.signed.as_slice()).map_err(|_| Reason::Contradictory)?;
    let change = Change::decode(signed.change.as_slice()).map_err(|_| Reason::Contradictory)?;
    Ok((signed, change))
}

fn is_removal(record: &ChangeRecord) -> bool {
    let change = decode(record).map(|(_, change)| change).ok();
    change.is_some_and(|it| matches!(it.kind, Some(change::Kind::Remove(_) | change::Kind::Leave(_))))
}

#[cfg(test)]
mod tests;
