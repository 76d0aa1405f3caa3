//! A commit is in force: what it changed, and which changes are settled by it.

use std::collections::BTreeSet;

use prost::Message as _;
use qpq_crypto::mls;
use qpq_proto::{
    Failure,
    v1::{Change, CommitAnnotation, MemberProfile, SignedChange, change},
};

use crate::{
    context::Context,
    conversations::GroupView,
    engine::Engine,
    forgetting::forget_senders,
    input::EngineError,
    records::{ChangeRecord, ChangeStateRecord, ConversationRecord, Kind, Stage},
    tables::{self, CHANGE_IDS, CHANGES, FUTURE, UNSEALED},
};

use super::{Followed, changes_in};

impl Engine {
    /// Another member's commit is in force: note what it changed.
    pub(crate) fn follow_commit(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        before: &GroupView,
        message: &[u8],
        followed: &Followed,
    ) -> Result<(), Failure> {
        let mut conversation = conversation.clone();
        let annotation = CommitAnnotation::decode(followed.annotation.as_slice())
            .map_err(|error| EngineError::Internal(error.to_string()))?;
        if followed.removed_us {
            return self.leave_for_good(cx, conversation, &annotation);
        }
        tracing::debug!(leaf = followed.committer.leaf, added = followed.added.len(), "followed a commit");
        self.note_epoch(cx, &mut conversation, before, message)?;
        let after = self.group_view(cx, &before.id)?;
        self.follow_group(cx, &mut conversation, &after)?;
        let gone = followed.removed.iter().map(|member| member.certificate.identity.as_bytes().to_vec());
        let gone: BTreeSet<Vec<u8>> = gone.filter(|identity| !after.has(identity)).collect();
        self.note_departed(cx, &mut conversation, &gone)?;
        self.save_conversation(cx, &conversation)?;
        let profiles = profiles_in(&annotation);
        for member in &followed.added {
            let identity = member.certificate.identity;
            if !before.has(identity.as_bytes()) {
                self.read_from_now_on(cx, &conversation.id, identity.as_bytes())?;
            }
            let profile = profiles.iter().find(|profile| profile.identity == identity.as_bytes());
            self.learn_member(cx, identity, member.certificate.node, profile)?;
            if let Some(profile) = profile {
                self.learn_welcome_key(cx, profile)?;
            }
        }
        for identity in &gone {
            self.drop_queue(cx, identity, &conversation.id, "the recipient is no longer a member")?;
        }
        self.forget_departed(cx, &gone)?;
        self.log_changes(cx, &conversation, &after, &annotation.changes)?;
        self.settle_changes(cx, &conversation, &annotation.changes)?;
        self.settle_overtaken(cx, &conversation, &after)?;
        self.review_changes(cx, &conversation, &after)?;
        self.commit_pending(cx, &conversation.id)
    }

    /// Settles changes that are true already, because somebody else asked for the same.
    pub(super) fn settle_overtaken(
        &self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        group: &GroupView,
    ) -> Result<(), Failure> {
        let pending = self.pending_changes(cx, &conversation.id)?;
        let signed = pending.iter().filter_map(|(_, record)| SignedChange::decode(&record.signed[..]).ok());
        let is_true = |signed: &SignedChange| {
            Change::decode(&signed.change[..]).is_ok_and(|change| is_true_already(group, &change))
        };
        let overtaken: Vec<SignedChange> = signed.filter(is_true).collect();
        self.settle_changes(cx, conversation, &overtaken)
    }

    /// A commit has removed this person.
    pub(super) fn leave_for_good(
        &mut self,
        cx: &mut Context<'_>,
        conversation: ConversationRecord,
        annotation: &CommitAnnotation,
    ) -> Result<(), Failure> {
        let own = self.me()?.id();
        let is_leaving = changes_in(annotation)
            .any(|change| change.author == own && matches!(change.kind, Some(change::Kind::Leave(_))));
        self.settle_changes(cx, &conversation, &annotation.changes)?;
        self.end_conversation(cx, conversation, if is_leaving { "left" } else { "removed" })
    }

    /// Closes a conversation: its keys are deleted, its history stays.
    pub(crate) fn end_conversation(
        &mut self,
        cx: &mut Context<'_>,
        mut conversation: ConversationRecord,
        how: &str,
    ) -> Result<(), Failure> {
        conversation.stage = Stage::Ended.into();
        let others = self.other_members(cx, &conversation.group_id).unwrap_or_default();
        let others: BTreeSet<Vec<u8>> = others.into_iter().collect();
        for identity in &others {
            self.drop_queue(cx, identity, &conversation.id, "this person is no longer a member")?;
        }
        self.note_departed(cx, &mut conversation, &others)?;
        self.drop_retained(cx, &conversation)?;
        self.delete_group(cx, &conversation.group_id.clone())?;
        self.drop_changes(cx, &conversation)?;
        tables::clear(cx.tx, UNSEALED, &conversation.id)?;
        tables::clear(cx.tx, FUTURE, &conversation.group_id)?;
        forget_senders(cx, &conversation.id)?;
        self.save_conversation(cx, &conversation)?;
        self.forget_departed(cx, &others)?;
        let text = match how {
            "left" => "you left the group".to_owned(),
            "refused" => "the request to join the group failed".to_owned(),
            _ => "you were removed from the group".to_owned(),
        };
        Ok(self.log_group(cx, conversation.conversation_id()?, how, text, 0)?)
    }

    /// Removes changes that a commit has carried out, and tells those who wait.
    pub(super) fn settle_changes(
        &self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        done: &[SignedChange],
    ) -> Result<(), Failure> {
        let done: BTreeSet<Vec<u8>> = done
            .iter()
            .filter_map(|signed| Change::decode(signed.change.as_slice()).ok())
            .map(|change| change.id)
            .collect();
        let pending: Vec<(u64, ChangeRecord)> = tables::first(cx.tx, CHANGES, &conversation.id, usize::MAX)?;
        for (ordinal, record) in pending {
            if done.contains(&record.id) {
                cx.tx.delete(CHANGES, tables::at(&conversation.id, ordinal))?;
            }
        }
        for id in &done {
            let state: Option<ChangeStateRecord> = tables::load(cx.tx, CHANGE_IDS, tables::key(id))?;
            if let Some(mut state) = state {
                state.committed = true;
                tables::save(cx.tx, CHANGE_IDS, tables::key(id), &state)?;
            }
        }
        Ok(())
    }

    /// A welcome has brought this person's renewed leaf: its own requests for that are done.
    pub(crate) fn settle_renewal(
        &self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
    ) -> Result<(), Failure> {
        let own = self.me()?.id();
        let pending = self.pending_changes(cx, &conversation.id)?;
        let signed =
            pending.iter().filter_map(|(_, record)| SignedChange::decode(record.signed.as_slice()).ok());
        let annotation = CommitAnnotation { changes: signed.collect() };
        let is_done =
            |change: &Change| change.author == own && matches!(change.kind, Some(change::Kind::Rotate(_)));
        let done =
            annotation.changes.iter().zip(changes_in(&annotation)).filter(|(_, change)| is_done(change));
        let done: Vec<SignedChange> = done.map(|(signed, _)| signed.clone()).collect();
        self.settle_changes(cx, conversation, &done)
    }

    pub(super) fn log_changes(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        after: &GroupView,
        changes: &[SignedChange],
    ) -> Result<(), Failure> {
        if conversation.kind() == Kind::Direct {
            return Ok(());
        }
        let members = u32::try_from(after.members.len()).unwrap_or(u32::MAX);
        let annotation = CommitAnnotation { changes: changes.to_vec() };
        for change in changes_in(&annotation) {
            let author = self.display_name(cx, &change.author)?;
            let (what, text) = match &change.kind {
                Some(change::Kind::Add(add)) => {
                    let names = add.members.iter().map(|member| self.display_name(cx, &member.identity));
                    let names = names.collect::<Result<Vec<_>, EngineError>>()?.join(", ");
                    ("added", format!("{author} added {names}"))
                }
                Some(change::Kind::Remove(remove)) => {
                    ("removed", format!("{author} removed {}", self.display_name(cx, &remove.identity)?))
                }
                Some(change::Kind::Leave(_)) => ("left", format!("{author} left")),
                Some(change::Kind::Rotate(_)) => ("rotated", format!("{author} renewed its keys")),
                None => continue,
            };
            self.log_group(cx, conversation.conversation_id()?, what, text, members)?;
        }
        Ok(())
    }
}

/// Whether a group is as a change wants it.
pub(super) fn is_true_already(group: &GroupView, change: &Change) -> bool {
    match &change.kind {
        Some(change::Kind::Add(add)) => {
            let is_member = |package: &Vec<u8>| {
                let Ok(package) = mls::KeyPackage::validate(package) else { return false };
                let member = group.member(package.certificate.identity.as_bytes());
                member.is_some_and(|member| member.certificate.device == package.certificate.device)
            };
            !add.key_packages.is_empty() && add.key_packages.iter().all(is_member)
        }
        Some(change::Kind::Remove(remove)) => !group.has(&remove.identity),
        Some(change::Kind::Leave(_)) => !group.has(&change.author),
        Some(change::Kind::Rotate(_)) | None => false,
    }
}

pub(super) fn profiles_in(annotation: &CommitAnnotation) -> Vec<MemberProfile> {
    let adds = changes_in(annotation).filter_map(|change| match change.kind {
        Some(change::Kind::Add(add)) => Some(add.members),
        _ => None,
    });
    adds.flatten().collect()
}

#[cfg(test)]
mod tests;
