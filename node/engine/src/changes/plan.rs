//! What a set of changes comes to in the group as it is.

use std::collections::BTreeSet;

use prost::Message as _;
use qpq_crypto::mls::{self, ValidatedKeyPackage};
use qpq_proto::{
    Failure,
    v1::{MemberProfile, SignedChange, change},
};

use crate::{
    authority,
    context::Context,
    conversations::GroupView,
    engine::Engine,
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
        let mut plan = Plan::default();
        for (ordinal, record) in pending {
            if plan.changes.len() == authority::CHANGES_MAX {
                break;
            }
            // Of a change that cannot be made as a whole, nothing may stay in the plan: nobody asked for that part.
            let mut with_change = plan.clone();
            let planned = SignedChange::decode(record.signed.as_slice())
                .map_err(|_| "the change is malformed".to_owned())
                .and_then(|signed| self.plan_change(&group, &mut with_change, signed));
            match planned {
                Ok(()) => plan = with_change,
                Err(reason) => {
                    cx.tx.delete(CHANGES, tables::at(conversation_id, ordinal))?;
                    self.change_failed(cx, &record.id, &reason)?;
                }
            }
        }
        if plan.changes.is_empty() {
            return Ok(());
        }
        self.commit(cx, conversation, &group, plan)
    }

    /// Adds a change to a plan, or says why it cannot be made.
    pub(super) fn plan_change(
        &self,
        group: &GroupView,
        plan: &mut Plan,
        signed: SignedChange,
    ) -> Result<(), String> {
        let change = authority::check_change(group, &signed).map_err(|refusal| refusal.to_string())?;
        match &change.kind {
            Some(change::Kind::Add(add)) => {
                for (index, package) in add.key_packages.iter().enumerate() {
                    self.plan_add(group, plan, package, add.members.get(index))?;
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
            Some(change::Kind::Rotate(rotate)) => self.plan_add(group, plan, &rotate.key_package, None)?,
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
        profile: Option<&MemberProfile>,
    ) -> Result<(), String> {
        let package = mls::KeyPackage::validate(package).map_err(|error| error.to_string())?;
        let identity = package.certificate.identity;
        let is_new_profile = profile.is_none_or(|profile| profile.identity == identity.as_bytes());
        if package.suite != group.suite {
            return Err("the person's device cannot use this group's cipher suite".into());
        }
        if !is_new_profile || plan.add.iter().any(|other| other.certificate.identity == identity) {
            return Err("the change contradicts itself or another".into());
        }
        if let Some(member) = group.member(identity.as_bytes()) {
            let is_replaced = profile.is_none() || member.certificate.device != package.certificate.device;
            if !is_replaced {
                return Err("the person is a member already".into());
            }
            plan.remove.insert(member.leaf);
        }
        if group.members.len() - plan.remove.len() + plan.add.len() >= self.limits.group_members_max {
            return Err("the group has as many members as a group can have".into());
        }
        plan.profiles.push(profile.cloned().unwrap_or_default());
        plan.add.push(package);
        Ok(())
    }
}
