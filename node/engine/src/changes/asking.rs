//! Asking for a change: signing it, letting it wait, and making it or sending it to who does.

use prost::Message as _;
use qpq_crypto::signature::Domain;
use qpq_proto::{
    Failure,
    v1::{Change, GroupChange, SignedChange, change, content},
};

use crate::{
    authority,
    context::Context,
    conversations::GroupView,
    engine::Engine,
    input::{Effect, EngineError, Next},
    records::{ChangeRecord, ChangeStateRecord, ConversationRecord},
    sealing::Audience,
    tables::{self, CHANGE_IDS, CHANGES},
};

/// Bytes of changes of one group that wait.
const PENDING_BYTES_MAX: usize = 8 * authority::CHANGE_BYTES_MAX;

/// A change that waits, asked for by this node.
struct Requested {
    conversation: ConversationRecord,
    id: [u8; 16],
    signed: SignedChange,
    /// Whether this node makes it.
    is_committer: bool,
}

impl Engine {
    /// Makes a change if this node commits, or else asks the committer for it.
    pub(crate) fn request_change(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        kind: change::Kind,
    ) -> Result<GroupChange, Failure> {
        let Requested { conversation, id, signed, is_committer } =
            self.note_request(cx, conversation.clone(), kind)?;
        let state =
            ChangeStateRecord { conversation: conversation.id.clone(), ..ChangeStateRecord::default() };
        tables::save(cx.tx, CHANGE_IDS, tables::key(&id), &state)?;
        if is_committer {
            self.commit_pending(cx, &conversation.id)?;
        } else {
            self.send_change(cx, &conversation, signed)?;
        }
        let view = self.change_view(cx, &id)?;
        if is_committer && !view.failed.is_empty() {
            return Err(Failure::conflict(view.failed));
        }
        Ok(view)
    }

    /// The same for a change that somebody else wants, of whom this node's owner hears nothing.
    pub(crate) fn request_for_another(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        kind: change::Kind,
    ) -> Result<(), Failure> {
        let view = self.request_change(cx, conversation, kind)?;
        // What nobody asks about is not kept: others could make it grow without end.
        Ok(cx.tx.delete(CHANGE_IDS, tables::key(&view.change))?)
    }

    /// The same in one of several groups: if this node is to make the change, an input of its own does ([`Next::Resume`]),
    /// and a refusal leaves nothing behind, so that neither takes back what was done in the others.
    ///
    /// # Errors
    /// If the change is refused; with [`Status::Internal`](qpq_proto::Status::Internal), if the transaction must be
    /// dropped.
    pub(crate) fn request_apart(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        kind: change::Kind,
    ) -> Result<(), Failure> {
        let requested = self.note_request(cx, conversation.clone(), kind)?;
        if requested.is_committer {
            cx.effects.push(Effect::Next(Next::Resume(requested.conversation.id)));
            return Ok(());
        }
        Ok(self.send_change(cx, &requested.conversation, requested.signed)?)
    }

    /// Signs a change and lets it wait. If it is refused, nothing was written.
    fn note_request(
        &mut self,
        cx: &mut Context<'_>,
        mut conversation: ConversationRecord,
        kind: change::Kind,
    ) -> Result<Requested, Failure> {
        let group = self.group_view(cx, &conversation.group_id)?;
        let (id, signed) = self.sign_change(cx, &group, kind)?;
        let change = authority::check_change(&group, &signed)
            .map_err(|refusal| Failure::forbidden(refusal.to_string()))?;
        let own = self.me()?.id();
        self.save_change(cx, &conversation, &id, &own, &signed)?;
        self.note_away(cx, &mut conversation, &group, &change)?;
        let is_committer = self.is_committer(&group, &conversation)?;
        Ok(Requested { conversation, id, signed, is_committer })
    }

    /// Asks the committer, and lets everybody know, for any member may be the next.
    fn send_change(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        signed: SignedChange,
    ) -> Result<(), EngineError> {
        let content = self.unnumbered(cx, content::Kind::Change(signed));
        self.seal_content(cx, conversation, &content, Audience::Everybody)
    }

    pub(crate) fn sign_change(
        &self,
        cx: &mut Context<'_>,
        group: &GroupView,
        kind: change::Kind,
    ) -> Result<([u8; 16], SignedChange), Failure> {
        let id = cx.message_id();
        let me = self.me()?;
        let change = Change {
            id: id.to_vec(),
            group_id: group.id.clone(),
            author: me.id(),
            era: group.record.era.clone(),
            kind: Some(kind),
        };
        let change = change.encode_to_vec();
        let signature = me.device.sign(Domain::GroupChange, &[&change]).to_vec();
        Ok((id, SignedChange { change, signature }))
    }

    pub(crate) fn save_change(
        &self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        id: &[u8],
        author: &[u8],
        signed: &SignedChange,
    ) -> Result<(), Failure> {
        let pending: Vec<(u64, ChangeRecord)> = tables::first(cx.tx, CHANGES, &conversation.id, usize::MAX)?;
        if pending.iter().any(|(_, record)| record.id == id) {
            return Ok(());
        }
        let bytes: usize = pending.iter().map(|(_, record)| record.signed.len()).sum();
        if pending.len() >= self.limits.group_changes_max || bytes + signed.encoded_len() > PENDING_BYTES_MAX
        {
            return Err(Failure::quota(
                "too many changes of this group wait already: wait until its committer's node has made some",
            ));
        }
        let ordinal = pending.last().map_or(1, |(ordinal, _)| ordinal + 1);
        let (signed, id, author) = (signed.encode_to_vec(), id.to_vec(), author.to_vec());
        let record = ChangeRecord { signed, id, author, ..ChangeRecord::default() };
        Ok(tables::save(cx.tx, CHANGES, tables::at(&conversation.id, ordinal), &record)?)
    }
}
