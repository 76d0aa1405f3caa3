//! Changes that are not made: whoever asked learns why, and nobody keeps them waiting.
//!
//! The committer says so in the group. Everybody else believes only the committer; what another member says is noted
//! beside the change, for when that member turns out to be the committer now, as when the one before has left and this
//! node hears of it later.

use qpq_crypto::mls;
use qpq_proto::{
    Failure,
    v1::{Change, ChangeRefusal, ChangeRefusalReason as Reason, content},
};

use super::plan::is_fit;
use crate::{
    authority,
    context::Context,
    conversations::GroupView,
    engine::Engine,
    input::EngineError,
    records::{ChangeRecord, ChangeStateRecord, ConversationRecord},
    sealing::Audience,
    tables::{self, CHANGE_IDS, CHANGES},
};

impl ChangeRecord {
    /// Whether the change itself is not here: it was refused before it came.
    pub(crate) fn is_refused(&self) -> bool {
        self.signed.is_empty()
    }
}

impl Engine {
    /// The changes of a conversation that wait for the committer.
    pub(crate) fn pending_changes(
        &self,
        cx: &Context<'_>,
        conversation: &[u8],
    ) -> Result<Vec<(u64, ChangeRecord)>, EngineError> {
        let mut pending: Vec<(u64, ChangeRecord)> = tables::first(cx.tx, CHANGES, conversation, usize::MAX)?;
        pending.retain(|(_, record)| !record.is_refused());
        Ok(pending)
    }

    /// Tells members that a change is not made.
    pub(super) fn send_refusal(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        change: &[u8],
        reason: Reason,
        audience: Audience<'_>,
    ) -> Result<(), EngineError> {
        let refusal = ChangeRefusal { change: change.to_vec(), reason: reason.into() };
        let content = self.unnumbered(cx, content::Kind::Refusal(refusal));
        self.seal_content(cx, conversation, &content, audience)
    }

    /// A member says that a change is not made.
    pub(crate) fn take_refusal(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        group_id: &[u8],
        sender: &mls::Member,
        refusal: &ChangeRefusal,
    ) -> Result<(), Failure> {
        if conversation.group_id != group_id || refusal.change.len() != 16 {
            return Ok(());
        }
        let group = self.group_view(cx, group_id)?;
        let says = sender.certificate.identity.as_bytes().to_vec();
        let waiting: Vec<(u64, ChangeRecord)> = tables::first(cx.tx, CHANGES, &conversation.id, usize::MAX)?;
        if let Some((ordinal, record)) = waiting.iter().find(|(_, record)| record.id == refusal.change) {
            // The lowest leaf's word is the one that may come to count.
            let noted = group.member(&record.refused_by).map(|member| member.leaf);
            if noted.is_none_or(|noted| sender.leaf <= noted) {
                let record =
                    ChangeRecord { refused_by: says, refusal: refusal.reason().into(), ..record.clone() };
                tables::save(cx.tx, CHANGES, tables::at(&conversation.id, *ordinal), &record)?;
            }
            return Ok(self.settle_refused(cx, conversation, &group)?);
        }
        let is_committer = authority::committer(&group, conversation.away())
            .is_some_and(|committer| committer.certificate.identity == sender.certificate.identity);
        if is_committer && waiting.len() < self.limits.group_changes_max {
            // The change itself comes from another member, and may come later.
            let record = ChangeRecord {
                id: refusal.change.clone(),
                refused_by: says,
                refusal: refusal.reason().into(),
                ..ChangeRecord::default()
            };
            let ordinal = waiting.last().map_or(1, |(ordinal, _)| ordinal + 1);
            tables::save(cx.tx, CHANGES, tables::at(&conversation.id, ordinal), &record)?;
        }
        Ok(())
    }

    /// Drops the changes that the group's committer, as it is known now, has refused.
    pub(super) fn settle_refused(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        group: &GroupView,
    ) -> Result<(), EngineError> {
        let Some(committer) = authority::committer(group, conversation.away()) else { return Ok(()) };
        let identity = committer.certificate.identity;
        for (ordinal, record) in self.pending_changes(cx, &conversation.id)? {
            if record.refused_by == identity.as_bytes() {
                self.drop_change(cx, &conversation.id, ordinal, &record.id, record.refusal())?;
            }
        }
        Ok(())
    }

    /// The group is another than it was: drops the changes that do not count any more in it, as everybody does.
    pub(crate) fn review_changes(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        group: &GroupView,
    ) -> Result<(), EngineError> {
        for (ordinal, record) in tables::first::<ChangeRecord>(cx.tx, CHANGES, &conversation.id, usize::MAX)?
        {
            if record.is_refused() {
                cx.tx.delete(CHANGES, tables::at(&conversation.id, ordinal))?;
            } else if let Err(reason) = is_fit(group, &record) {
                self.drop_change(cx, &conversation.id, ordinal, &record.id, reason)?;
            }
        }
        self.settle_refused(cx, conversation, group)
    }

    /// The conversation has ended: nothing that was asked for in it will be made.
    pub(super) fn drop_changes(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
    ) -> Result<(), EngineError> {
        for (_, record) in self.pending_changes(cx, &conversation.id)? {
            self.fail_change(cx, &record.id, "you are no longer a member of the group")?;
        }
        tables::clear(cx.tx, CHANGES, &conversation.id)
    }

    /// Lets a change wait no more, and tells the owner if it was asked for here.
    pub(super) fn drop_change(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &[u8],
        ordinal: u64,
        id: &[u8],
        reason: Reason,
    ) -> Result<(), EngineError> {
        cx.tx.delete(CHANGES, tables::at(conversation, ordinal))?;
        self.fail_change(cx, id, words(reason))
    }

    fn fail_change(&mut self, cx: &mut Context<'_>, id: &[u8], reason: &str) -> Result<(), EngineError> {
        let state: Option<ChangeStateRecord> = tables::load(cx.tx, CHANGE_IDS, tables::key(id))?;
        let Some(mut state) = state.filter(|state| !state.committed && state.failed.is_empty()) else {
            return Ok(());
        };
        reason.clone_into(&mut state.failed);
        tables::save(cx.tx, CHANGE_IDS, tables::key(id), &state)?;
        let Some(conversation) = self.conversation(cx, &state.conversation)? else { return Ok(()) };
        let text = format!("a change that you asked for is not made: {reason}");
        self.log_group(cx, conversation.conversation_id()?, "refused", text, conversation.members)
    }
}

/// A change's id, if it has one by which others may know it.
pub(super) fn known_id(change: &Change) -> Option<&[u8]> {
    Some(change.id.as_slice()).filter(|id| id.len() == 16)
}

/// Why a change is not made, to whoever asked for it.
pub(super) fn words(reason: Reason) -> &'static str {
    match reason {
        Reason::Unspecified => "the group's committer does not make it",
        Reason::Contradictory => "it contradicts itself or another change",
        Reason::NotAllowed => "you may not ask for it: only an administrator removes members",
        Reason::OutOfDate => "the group has changed too much since you asked: ask again",
        Reason::NotAMember => "the person is not a member",
        Reason::MemberAlready => "the person is a member already",
        Reason::UnusableKey => {
            "the keys known of the person cannot be used: ask again when you have been connected with the person"
        }
        Reason::OtherSuite => "the person's device cannot use this group's cipher suite",
        Reason::GroupFull => "the group has as many members as a group can have: remove somebody first",
        Reason::OwnRemoval => "the group's committer cannot be removed: it has to leave by itself",
    }
}

#[cfg(test)]
mod tests;
