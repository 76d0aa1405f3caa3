//! Deleting: of a conversation that is deleted nothing stays, neither what was said nor the keys with which it was.
//!
//! A group can be deleted when it has ended here. While this person is a member that would help nobody: the group
//! would go on counting it as one, and wait for what nobody receives.

use qpq_proto::{
    Failure,
    v1::{DeleteGroupRequest, DeleteGroupResponse},
};

use crate::{
    content::sender_key,
    context::Context,
    engine::Engine,
    input::EngineError,
    records::{ConversationRecord, InvitationRecord, MessageRecord, PlaceRecord, SenderRecord, Stage},
    retention::want_rotation,
    tables::{
        self, CHANGES, CONVERSATIONS, DELIVERIES, FUTURE, GROUPS, INVITATIONS, MESSAGE_IDS, MESSAGES,
        SENDERS, UNSEALED,
    },
};

/// Messages read at once while a history is deleted.
const MESSAGES_AT_ONCE: usize = 256;

impl Engine {
    /// `DeleteGroup`: deletes a group that has ended here, and frees its name.
    pub(crate) fn delete_ended_group(
        &mut self,
        cx: &mut Context<'_>,
        request: &DeleteGroupRequest,
    ) -> Result<DeleteGroupResponse, Failure> {
        let own = self.me()?.id();
        if request.group.starts_with('@') {
            let message = "the conversation with a contact goes with the contact: `qpq contact remove`";
            return Err(Failure::bad_request("group", message));
        }
        let id = self.find_group(cx, &request.group)?;
        let conversation = self.conversation_of(cx, &id)?;
        let name = &conversation.name;
        match conversation.stage() {
            Stage::Ended => {}
            Stage::Waiting => {
                return Err(Failure::conflict(format!(
                    "#{name} has no group yet: the other side must answer"
                )));
            }
            Stage::Open if conversation.leaving.contains(&own) => {
                let committer = self.committer_name(cx, &conversation)?;
                let message = format!(
                    "you are a member of #{name} until @{committer}'s node carries your `qpq group leave` out"
                );
                return Err(Failure::conflict(message));
            }
            Stage::Open => {
                let message = format!("you are still a member of #{name}: `qpq group leave #{name}` first");
                return Err(Failure::conflict(message));
            }
        }
        self.forget_conversation(cx, &conversation)?;
        self.release_name(cx, '#', name)?;
        Ok(DeleteGroupResponse {})
    }

    /// Deletes a conversation with everything that belongs to it; its name is the caller's to free.
    pub(crate) fn forget_conversation(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
    ) -> Result<(), EngineError> {
        self.drop_stream(cx, &conversation.id)?;
        self.drop_retained(cx, conversation)?;
        for group_id in conversation.retired_groups.iter().chain([&conversation.group_id]) {
            self.delete_group(cx, group_id)?;
            tables::clear(cx.tx, FUTURE, group_id)?;
            cx.tx.delete(GROUPS, tables::key(group_id))?;
        }
        forget_messages(cx, &conversation.id)?;
        forget_senders(cx, &conversation.id)?;
        forget_invitations(cx, &conversation.id)?;
        for table in [UNSEALED, CHANGES] {
            tables::clear(cx.tx, table, &conversation.id)?;
        }
        cx.tx.delete(CONVERSATIONS, tables::key(&conversation.id))?;
        self.forget_departed(cx, &conversation.departed.iter().cloned().collect())?;
        self.routes = None;
        want_rotation(cx);
        Ok(())
    }
}

fn forget_messages(cx: &mut Context<'_>, conversation: &[u8]) -> Result<(), EngineError> {
    loop {
        let messages: Vec<(u64, MessageRecord)> =
            tables::first(cx.tx, MESSAGES, conversation, MESSAGES_AT_ONCE)?;
        if messages.is_empty() {
            return Ok(());
        }
        for (cursor, message) in messages {
            let places: Vec<(u64, PlaceRecord)> = tables::first(cx.tx, MESSAGE_IDS, &message.id, usize::MAX)?;
            for (ordinal, _) in places.iter().filter(|(_, place)| place.conversation == conversation) {
                cx.tx.delete(MESSAGE_IDS, tables::at(&message.id, *ordinal))?;
            }
            if message.own {
                tables::clear(cx.tx, DELIVERIES, &message.id)?;
            }
            cx.tx.delete(MESSAGES, tables::at(conversation, cursor))?;
        }
    }
}

pub(crate) fn forget_senders(cx: &mut Context<'_>, conversation: &[u8]) -> Result<(), EngineError> {
    let senders: Vec<SenderRecord> = tables::all(cx.tx, SENDERS)?;
    for sender in senders.iter().filter(|sender| sender.conversation == conversation) {
        cx.tx.delete(SENDERS, tables::key(&sender_key(conversation, &sender.identity)))?;
    }
    Ok(())
}

/// Links that lead to a group that is deleted lead nowhere.
fn forget_invitations(cx: &mut Context<'_>, conversation: &[u8]) -> Result<(), EngineError> {
    let invitations: Vec<InvitationRecord> = tables::all(cx.tx, INVITATIONS)?;
    for invitation in invitations.iter().filter(|invitation| invitation.conversation == conversation) {
        cx.tx.delete(INVITATIONS, tables::key(&invitation.token))?;
    }
    Ok(())
}
