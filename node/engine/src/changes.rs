//! Changes of groups: asked for, committed, followed.

use prost::Message as _;
use qpq_crypto::{
    mls::{self},
    signature::Domain,
};
use qpq_proto::{
    Failure,
    v1::{
        Change, CommitAnnotation, GroupChange, SignedChange, WaitChangeRequest, WaitChangeResponse, change,
        content,
    },
};

use crate::{
    authority,
    context::Context,
    conversations::GroupView,
    engine::Engine,
    input::{Effect, EngineError, Next},
    records::{ChangeRecord, ChangeStateRecord, ConversationRecord, PersonRecord, Stage},
    sealing::Audience,
    tables::{self, CHANGE_IDS, CHANGES},
};

/// Bytes of changes of one group that wait.
const PENDING_BYTES_MAX: usize = 8 * authority::CHANGE_BYTES_MAX;

mod plan;

mod commit;

mod follow;

mod refusals;

/// A commit of another member that has been applied.
pub(crate) struct Followed {
    pub committer: mls::Member,
    pub added: Vec<mls::Member>,
    pub removed: Vec<mls::Member>,
    pub annotation: Vec<u8>,
    pub removed_us: bool,
}

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

    /// Whether this node makes the group's commits.
    fn is_committer(&self, group: &GroupView, conversation: &ConversationRecord) -> Result<bool, Failure> {
        let me = self.me()?;
        let committer = authority::committer(group, conversation.away());
        Ok(committer.is_some_and(|member| me.is(member.certificate.identity.as_bytes())))
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

    /// Takes a change that a member asks for.
    pub(crate) fn take_change(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        group_id: &[u8],
        sender: &mls::Member,
        signed: &SignedChange,
    ) -> Result<(), Failure> {
        if conversation.group_id != group_id {
            return Ok(());
        }
        let group = self.group_view(cx, group_id)?;
        let change = authority::check_signed(&group, signed)
            .map_err(|refusal| Failure::forbidden(refusal.to_string()))?;
        if change.author != sender.certificate.identity.as_bytes() {
            return Err(Failure::forbidden("a change was sent by another than its author"));
        }
        let mut conversation = conversation.clone();
        if follow::is_true_already(&group, &change) {
            return Ok(());
        }
        if let Err(reason) = plan::is_allowed(&group, &change) {
            if !self.is_committer(&group, &conversation)? {
                return Err(Failure::forbidden(refusals::words(reason)));
            }
            let audience = Audience::Only(&change.author);
            return Ok(self.send_refusal(cx, &conversation, &change.id, reason, audience)?);
        }
        self.note_away(cx, &mut conversation, &group, &change)?;
        self.save_change(cx, &conversation, &change.id, &change.author, signed)?;
        self.settle_refused(cx, &conversation, &group)?;
        self.commit_pending(cx, &conversation.id)
    }

    /// Notes who does not commit any more, as a change says.
    fn note_away(
        &self,
        cx: &mut Context<'_>,
        conversation: &mut ConversationRecord,
        group: &GroupView,
        change: &Change,
    ) -> Result<(), EngineError> {
        let known = conversation.clone();
        if matches!(change.kind, Some(change::Kind::Leave(_))) && !known.leaving.contains(&change.author) {
            conversation.leaving.push(change.author.clone());
        }
        let revoked = authority::revoked_by(group, change).into_iter();
        conversation.revoked.extend(revoked.filter(|device| !known.revoked.contains(device)));
        if *conversation != known { self.save_conversation(cx, conversation) } else { Ok(()) }
    }

    /// How far a change got.
    pub(crate) fn change_view(&mut self, cx: &mut Context<'_>, id: &[u8]) -> Result<GroupChange, Failure> {
        let state: Option<ChangeStateRecord> = tables::load(cx.tx, CHANGE_IDS, tables::key(id))?;
        let state = state.ok_or_else(|| Failure::not_found("no change has this id"))?;
        let mut view = GroupChange {
            change: id.to_vec(),
            committed: state.committed,
            waiting_for: String::new(),
            failed: state.failed,
        };
        if !view.committed && view.failed.is_empty() {
            let conversation = self.conversation(cx, &state.conversation)?;
            let conversation =
                conversation.ok_or_else(|| Failure::not_found("the group of this change was deleted"))?;
            view.waiting_for = self.committer_name(cx, &conversation)?;
        }
        Ok(view)
    }

    /// Name of the member whose node commits; empty while there is no group.
    pub(crate) fn committer_name(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
    ) -> Result<String, Failure> {
        if conversation.stage() != Stage::Open {
            return Ok(String::new());
        }
        let group = self.group_view(cx, &conversation.group_id)?;
        let committer = authority::committer(&group, conversation.away());
        let name = committer.map(|member| self.display_name(cx, member.certificate.identity.as_bytes()));
        Ok(name.transpose()?.unwrap_or_default())
    }

    /// `WaitChange` without the waiting, which is the driver's.
    pub(crate) fn wait_change(
        &mut self,
        cx: &mut Context<'_>,
        request: &WaitChangeRequest,
    ) -> Result<WaitChangeResponse, Failure> {
        Ok(WaitChangeResponse { change: Some(self.change_view(cx, &request.change)?) })
    }

    /// A key package of a person for a group's suite, used up unless it is a last resort.
    pub(crate) fn take_key_package(
        &self,
        cx: &mut Context<'_>,
        person: &PersonRecord,
        suite: mls::Suite,
    ) -> Result<Vec<u8>, Failure> {
        let mut record = self.key_packages(cx, &person.identity)?;
        let mut best: Option<(usize, bool)> = None;
        for (index, package) in record.packages.iter().enumerate() {
            let Ok(package) = mls::KeyPackage::validate(package) else { continue };
            let is_better = best.is_none_or(|(_, is_last_resort)| is_last_resort && !package.is_last_resort);
            if package.suite == suite && is_better {
                best = Some((index, package.is_last_resort));
            }
        }
        let Some((index, is_last_resort)) = best else {
            return Err(Failure::conflict(format!("no key package of @{} fits this group", person.name)));
        };
        if is_last_resort {
            return Ok(record.packages[index].clone());
        }
        let package = record.packages.remove(index);
        self.save_key_packages(cx, &person.identity, &record)?;
        Ok(package)
    }
}

fn changes_in(annotation: &CommitAnnotation) -> impl Iterator<Item = Change> + '_ {
    annotation.changes.iter().filter_map(|signed| Change::decode(signed.change.as_slice()).ok())
}

#[cfg(test)]
mod tests;
