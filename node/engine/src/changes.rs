//! Changes of groups: asked for, committed, followed.

use prost::Message as _;
use qpq_crypto::mls;
use qpq_proto::{
    Failure,
    v1::{
        Change, CommitAnnotation, GroupChange, SignedChange, WaitChangeRequest, WaitChangeResponse, change,
    },
};

use crate::{
    authority,
    context::Context,
    conversations::GroupView,
    engine::Engine,
    input::EngineError,
    records::{ChangeStateRecord, ConversationRecord, PersonRecord, Stage},
    sealing::Audience,
    tables::{self, CHANGE_IDS},
};

mod asking;

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

impl Engine {
    /// Whether this node makes the group's commits.
    fn is_committer(&self, group: &GroupView, conversation: &ConversationRecord) -> Result<bool, Failure> {
        let me = self.me()?;
        let committer = authority::committer(group, conversation.away());
        Ok(committer.is_some_and(|member| me.is(member.certificate.identity.as_bytes())))
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
