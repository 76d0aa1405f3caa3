//! What is kept of a group's past, so that its members can agree again after a partition (MESH.md, section 2 F).
//!
//! With each epoch the group's state is copied under its epoch id, and the commit that led to it is logged. The
//! newest epoch that every member is known to have reached is *stable*; what is older than it is dropped after a
//! day, everything after thirty, the secrets with which messages of past epochs are opened among it. The cost: whoever seizes the device can read back to the oldest copy.

use qpq_crypto::mls;
use qpq_proto::v1::GroupKind;

use crate::{
    content::sender_key,
    context::Context,
    conversations::GroupView,
    engine::Engine,
    group_cache::GroupFailure,
    input::{Effect, EngineError},
    records::{CheckpointRecord, CommitRecord, ConversationRecord, Kind, SenderRecord, Stage},
    tables::{self, CHECKPOINTS, COMMITS, CONVERSATIONS, SENDERS},
};

/// How long what lies before the stable epoch is kept at least: 24 hours, ms.
const KEPT_AT_LEAST_MS: u64 = 24 * 3_600_000;
/// How long anything is kept at most: 30 days, ms.
const KEPT_AT_MOST_MS: u64 = 30 * 86_400_000;
/// Copies kept of a group (MESH.md, section 2 H).
const CHECKPOINTS_MAX: usize = 64;
/// Copies kept of a group whose state is so large that each copy costs megabytes.
const CHECKPOINTS_OF_LARGE_MAX: usize = 4;
/// From so many members on, a group counts as large.
const LARGE_GROUP_MEMBERS: u32 = 128;

impl Engine {
    /// A commit has led to a new epoch: log it and copy the state.
    pub(crate) fn note_epoch(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &mut ConversationRecord,
        before: &GroupView,
        commit: &[u8],
    ) -> Result<(), EngineError> {
        if before.record.kind() == GroupKind::Direct && conversation.group_id != before.id {
            return Ok(());
        }
        conversation.epoch_ordinal += 1;
        let ordinal = conversation.epoch_ordinal;
        let epoch = self.with_group(cx, &before.id, |group, mls| group.checkpoint(mls))?;
        let log = CommitRecord {
            parent: before.epoch.0.to_vec(),
            epoch: epoch.0.to_vec(),
            commit: commit.to_vec(),
            at_node_ms: cx.node_ms,
        };
        tables::save(cx.tx, COMMITS, tables::at(&conversation.id, ordinal), &log)?;
        let checkpoint = CheckpointRecord {
            group_id: before.id.clone(),
            epoch: epoch.0.to_vec(),
            at_node_ms: cx.node_ms,
            epoch_ordinal: ordinal,
        };
        tables::save(cx.tx, CHECKPOINTS, tables::at(&conversation.id, ordinal), &checkpoint)?;
        self.prune(cx, conversation)
    }

    /// A member has sent in an epoch: it has reached it.
    pub(crate) fn note_reached(
        &self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        sender: &mls::Member,
        epoch: &mls::EpochId,
    ) -> Result<(), EngineError> {
        if conversation.epoch_ordinal == 0 {
            return Ok(());
        }
        let key = sender_key(&conversation.id, sender.certificate.identity.as_bytes());
        let mut record: SenderRecord = tables::load(cx.tx, SENDERS, tables::key(&key))?.unwrap_or_default();
        if record.epoch_ordinal >= conversation.epoch_ordinal {
            return Ok(());
        }
        let newest = tables::scan::<CommitRecord>(
            cx.tx,
            COMMITS,
            &conversation.id,
            record.epoch_ordinal + 1..u64::MAX,
            crate::storage::Direction::Backward,
            CHECKPOINTS_MAX,
        )?;
        let Some((ordinal, _)) = newest.iter().find(|(_, log)| log.epoch == epoch.0) else { return Ok(()) };
        record.epoch_ordinal = *ordinal;
        record.conversation.clone_from(&conversation.id);
        record.identity = sender.certificate.identity.as_bytes().to_vec();
        tables::save(cx.tx, SENDERS, tables::key(&key), &record)
    }

    /// Drops what need not be kept any longer, of every group.
    pub(crate) fn retire(&mut self, cx: &mut Context<'_>) -> Result<(), EngineError> {
        let conversations: Vec<ConversationRecord> = tables::all(cx.tx, CONVERSATIONS)?;
        // Among the routes there may be some whose time is over.
        self.routes = None;
        for mut conversation in conversations {
            if conversation.stage() == Stage::Open {
                let retired = self.retire_epochs(cx, &mut conversation);
                self.unless_broken(cx, &conversation.id, retired)?;
            }
        }
        self.forget_all_departed(cx)
    }

    fn retire_epochs(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &mut ConversationRecord,
    ) -> Result<(), EngineError> {
        self.forget_past_epochs(cx, conversation)?;
        self.prune(cx, conversation)?;
        if conversation.kind() == Kind::Group {
            self.forget_late_senders(cx, conversation)?;
        }
        self.save_conversation(cx, conversation)
    }

    /// Deletes the secrets of epochs that have been past for too long.
    fn forget_past_epochs(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
    ) -> Result<(), EngineError> {
        let Some(me) = &self.me else { return Ok(()) };
        let Ok(id) = conversation.group_id.as_slice().try_into().map(mls::GroupId) else { return Ok(()) };
        let node_ms = cx.node_ms;
        let is_due = mls::Group::note_past_epochs(&mut me.mls(cx), &id, node_ms, KEPT_AT_MOST_MS);
        if is_due.map_err(GroupFailure::from)? {
            self.with_group(cx, &id.0, |group, mls| group.forget_past_epochs(mls, node_ms, KEPT_AT_MOST_MS))?;
            want_rotation(cx);
        }
        Ok(())
    }

    fn prune(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &mut ConversationRecord,
    ) -> Result<(), EngineError> {
        let checkpoints: Vec<(u64, CheckpointRecord)> =
            tables::first(cx.tx, CHECKPOINTS, &conversation.id, usize::MAX)?;
        let stable = self.stable_ordinal(cx, conversation)?;
        let limit = match conversation.members {
            LARGE_GROUP_MEMBERS.. => CHECKPOINTS_OF_LARGE_MAX,
            _ => CHECKPOINTS_MAX,
        };
        let surplus = checkpoints.len().saturating_sub(limit);
        let node_ms = cx.node_ms;
        let mut is_dropped = false;
        for (index, (ordinal, checkpoint)) in checkpoints.iter().enumerate() {
            let is_newest = index + 1 == checkpoints.len();
            let age_ms = node_ms.saturating_sub(checkpoint.at_node_ms);
            let is_old = age_ms > KEPT_AT_MOST_MS || (*ordinal < stable && age_ms > KEPT_AT_LEAST_MS);
            if !is_newest && (index < surplus || is_old) {
                self.drop_checkpoint(cx, conversation, *ordinal, checkpoint)?;
                is_dropped = true;
            }
        }
        if let Some((_, checkpoint)) = checkpoints.iter().find(|(ordinal, _)| *ordinal == stable) {
            conversation.stable_epoch.clone_from(&checkpoint.epoch);
        }
        if is_dropped {
            want_rotation(cx);
        }
        Ok(())
    }

    /// The newest epoch that every other member is known to have reached, by its ordinal.
    fn stable_ordinal(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
    ) -> Result<u64, EngineError> {
        let mut stable = conversation.epoch_ordinal;
        for identity in self.other_members(cx, &conversation.group_id)? {
            let key = sender_key(&conversation.id, &identity);
            let record: SenderRecord = tables::load(cx.tx, SENDERS, tables::key(&key))?.unwrap_or_default();
            stable = stable.min(record.epoch_ordinal);
        }
        Ok(stable)
    }

    fn drop_checkpoint(
        &self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        ordinal: u64,
        checkpoint: &CheckpointRecord,
    ) -> Result<(), EngineError> {
        cx.tx.delete(CHECKPOINTS, tables::at(&conversation.id, ordinal))?;
        cx.tx.delete(COMMITS, tables::at(&conversation.id, ordinal))?;
        let Some(me) = &self.me else { return Ok(()) };
        let group = checkpoint.group_id.as_slice().try_into().map(mls::GroupId);
        let epoch = checkpoint.epoch.as_slice().try_into().map(mls::EpochId);
        if let (Ok(group), Ok(epoch)) = (group, epoch) {
            let dropped = mls::Group::drop_checkpoint(&mut me.mls(cx), &group, &epoch);
            dropped.map_err(GroupFailure::from)?;
        }
        Ok(())
    }

    /// Drops everything kept of a conversation's past.
    pub(crate) fn drop_retained(
        &self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
    ) -> Result<(), EngineError> {
        let checkpoints: Vec<(u64, CheckpointRecord)> =
            tables::first(cx.tx, CHECKPOINTS, &conversation.id, usize::MAX)?;
        for (ordinal, checkpoint) in checkpoints {
            self.drop_checkpoint(cx, conversation, ordinal, &checkpoint)?;
        }
        tables::clear(cx.tx, COMMITS, &conversation.id)
    }
}

/// Deleting secrets means erasing the key under which they lie.
pub(crate) fn want_rotation(cx: &mut Context<'_>) {
    if !cx.effects.contains(&Effect::RotateSecrets) {
        cx.effects.push(Effect::RotateSecrets);
    }
}

#[cfg(test)]
mod tests;
