//! What a set of changes comes to in the group as it is.

use std::collections::BTreeSet;

use prost::Message as _;
use qpq_crypto::{
    hybrid::HybridPublic,
    mls::{self, ValidatedKeyPackage},
};
use qpq_proto::{
    Failure,
    v1::{Change, MemberProfile, SignedChange, change},
};

use crate::{
    authority,
    context::Context,
    conversations::GroupView,
    engine::Engine,
    input::EngineError,
    records::{ChangeRecord, Stage},
    tables::{self, CHANGES},
};

/// What a set of changes comes to in the group as it is.
#[derive(Clone, Default)]
pub(super) struct Plan {
    pub(super) changes: Vec<SignedChange>,
    pub(super) add: Vec<ValidatedKeyPackage>,
    pub(super) profiles: Vec<MemberProfile>,
    pub(super) remove: BTreeSet<u32>,
    pub(super) force_path: bool,
}

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
        let pending: Vec<(u64, ChangeRecord)> = tables::first(cx.tx, CHANGES, conversation_id, usize::MAX)?;
        if !is_committer || pending.is_empty() {
            return Ok(());
        }
        let plan = self.plan_pending(cx, conversation_id, &group, pending)?;
        // By the changes in it everybody checks whose commit it may be.
        if plan.changes.is_empty() || !authority::may_commit(&group, &plan.changes) {
            return Ok(());
        }
        self.commit(cx, conversation, &group, plan)
    }

    /// Plans what waits, and drops what cannot be made.
    pub(super) fn plan_pending(
        &self,
        cx: &mut Context<'_>,
        conversation_id: &[u8],
        group: &GroupView,
        pending: Vec<(u64, ChangeRecord)>,
    ) -> Result<Plan, EngineError> {
        // Whoever is to go goes, whatever else is asked for at the same time.
        let (removals, others): (Vec<_>, Vec<_>) = pending.into_iter().partition(|(_, it)| is_removal(it));
        let mut plan = Plan::default();
        for (ordinal, record) in removals.into_iter().chain(others) {
            if plan.changes.len() == authority::CHANGES_MAX {
                break;
            }
            // Of a change that cannot be made as a whole, nothing may stay in the plan: nobody asked for that part.
            let mut with_change = plan.clone();
            let planned = SignedChange::decode(record.signed.as_slice())
                .map_err(|_| "the change is malformed".to_owned())
                .and_then(|signed| self.plan_change(cx, group, &mut with_change, signed));
            match planned {
                Ok(()) => plan = with_change,
                Err(reason) => {
                    cx.tx.delete(CHANGES, tables::at(conversation_id, ordinal))?;
                    self.change_failed(cx, &record.id, &reason)?;
                }
            }
        }
        Ok(plan)
    }

    /// Adds a change to a plan, or says why it cannot be made.
    pub(super) fn plan_change(
        &self,
        cx: &Context<'_>,
        group: &GroupView,
        plan: &mut Plan,
        signed: SignedChange,
    ) -> Result<(), String> {
        let change = authority::check_change(group, &signed).map_err(|refusal| refusal.to_string())?;
        match &change.kind {
            Some(change::Kind::Add(add)) => {
                for (index, package) in add.key_packages.iter().enumerate() {
                    let profile = add.members.get(index).ok_or("the change does not say whom it adds")?;
                    check_welcome(&profile.hybrid_key)?;
                    self.plan_add(group, plan, package, profile, false)?;
                }
            }
            Some(change::Kind::Remove(remove)) => {
                let member = group.member(&remove.identity).ok_or("the person is not a member")?;
                if member.leaf == group.own_leaf {
                    return Err("the group's committer cannot be removed: it has to leave by itself".into());
                }
                plan.remove.insert(member.leaf);
            }
            Some(change::Kind::Leave(_)) => {
                let member = group.member(&change.author).ok_or("the person is not a member")?;
                plan.remove.insert(member.leaf);
            }
            Some(change::Kind::Rotate(rotate)) if rotate.key_package.is_empty() => plan.force_path = true,
            Some(change::Kind::Rotate(rotate)) => {
                let known = self.person(cx, &change.author).map_err(|error| error.to_string())?;
                let known = known.unwrap_or_default();
                check_welcome(&known.hybrid_key).or_else(|_| check_welcome(&known.welcome_key))?;
                let author = MemberProfile { identity: change.author.clone(), ..MemberProfile::default() };
                self.plan_add(group, plan, &rotate.key_package, &author, true)?;
            }
            None => return Err("the change asks for nothing".into()),
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
    ) -> Result<(), String> {
        let package = mls::KeyPackage::validate(package).map_err(|error| error.to_string())?;
        let identity = package.certificate.identity;
        if package.suite != group.suite {
            return Err("the person's device cannot use this group's cipher suite".into());
        }
        if profile.identity != identity.as_bytes()
            || plan.add.iter().any(|other| other.certificate.identity == identity)
        {
            return Err("the change contradicts itself or another".into());
        }
        if let Some(member) = group.member(identity.as_bytes()) {
            if !is_renewal && member.certificate.device == package.certificate.device {
                return Err("the person is a member already".into());
            }
            if !plan.remove.insert(member.leaf) {
                return Err("the person is to be removed".into());
            }
        }
        if group.members.len() - plan.remove.len() + plan.add.len() >= self.limits.group_members_max {
            return Err("the group has as many members as a group can have".into());
        }
        plan.profiles.push(profile.clone());
        plan.add.push(package);
        Ok(())
    }
}

/// Refuses to give somebody a leaf who could not be sent the welcome.
fn check_welcome(hybrid_key: &[u8]) -> Result<(), String> {
    HybridPublic::from_bytes(hybrid_key)
        .map(drop)
        .map_err(|error| format!("the hybrid key to welcome with: {error}"))
}

fn is_removal(record: &ChangeRecord) -> bool {
    let signed = SignedChange::decode(record.signed.as_slice()).ok();
    let change = signed.and_then(|signed| Change::decode(signed.change.as_slice()).ok());
    change.is_some_and(|it| matches!(it.kind, Some(change::Kind::Remove(_) | change::Kind::Leave(_))))
}

#[cfg(test)]
mod tests;
