//! Messages of epochs that are not here yet.

use std::collections::BTreeSet;

use qpq_crypto::mls;
use qpq_mesh::{BundleId, Secret};
use qpq_proto::{Failure, Status, ids::NodeKey, v1::Disposition};

use crate::{
    content::Heard,
    context::Context,
    engine::Engine,
    group_cache::GroupFailure,
    input::EngineError,
    records::FutureRecord,
    tables::{self, FUTURE, SEEN},
};

use super::{Origin, PLACE_LATER_MS, Taken};

impl Engine {
    pub(super) fn keep_for_later(
        &self,
        cx: &mut Context<'_>,
        origin: Origin<'_>,
        group_id: &[u8],
        message: &[u8],
    ) -> Result<(), Failure> {
        let kept: Vec<(u64, FutureRecord)> = tables::first(cx.tx, FUTURE, group_id, usize::MAX)?;
        let bytes: usize = kept.iter().map(|(_, record)| record.message.len()).sum();
        let is_full = kept.len() >= self.limits.future_epoch_messages_max
            || bytes + message.len() > self.limits.future_epoch_bytes_max;
        if is_full {
            return Err(Failure::unavailable(
                "too much waits for a commit that is not here yet",
                PLACE_LATER_MS,
            ));
        }
        let ordinal = kept.last().map_or(1, |(ordinal, _)| ordinal + 1);
        let secrets = origin.carried.iter().filter_map(|carried| carried.secret);
        let record = FutureRecord {
            message: message.to_vec(),
            node: origin.node.map(|node| node.to_vec()).unwrap_or_default(),
            delivery: origin.delivery.to_vec(),
            bundles: origin.carried.iter().map(|carried| carried.id.as_bytes().to_vec()).collect(),
            settle_secrets: secrets.map(|secret| secret.as_bytes().to_vec()).collect(),
        };
        Ok(tables::save(cx.tx, FUTURE, tables::at(group_id, ordinal), &record)?)
    }

    /// Opens what waited for the epoch that has just come, and acknowledges it to its senders.
    pub(crate) fn open_future(&mut self, cx: &mut Context<'_>, group_id: &[u8]) -> Result<(), EngineError> {
        let kept: Vec<(u64, FutureRecord)> = tables::first(cx.tx, FUTURE, group_id, usize::MAX)?;
        let mut is_progress = true;
        let mut waiting = kept;
        let mut not_taken = BTreeSet::new();
        while std::mem::take(&mut is_progress) {
            let mut later = Vec::new();
            for (ordinal, record) in waiting {
                match self.open_message(cx, group_id, &record.message) {
                    Err(GroupFailure::Mls(mls::MlsError::FutureEpoch { .. })) => {
                        later.push((ordinal, record))
                    }
                    Err(GroupFailure::Engine(error)) => return Err(error),
                    Err(_) => {
                        cx.tx.delete(FUTURE, tables::at(group_id, ordinal))?;
                        // When it is offered again it is looked at again, and the sender told why it is refused.
                        cx.tx.delete(SEEN, tables::key(&record.delivery))?;
                        not_taken.insert(record.node);
                    }
                    Ok(opened) => {
                        cx.tx.delete(FUTURE, tables::at(group_id, ordinal))?;
                        let taken = self.take_late(cx, group_id, &record, opened)?;
                        let answer = taken.as_ref().map(|_| Disposition::Delivered);
                        self.answer_from_now_on(cx, &record.delivery, answer)?;
                        if taken.is_ok() {
                            self.settle_late(cx, &record)?;
                        } else {
                            not_taken.insert(record.node);
                        }
                        is_progress |= taken.unwrap_or_default();
                    }
                }
            }
            waiting = later;
        }
        for node in not_taken {
            self.ask_bringer(cx, group_id, &node)?;
        }
        Ok(())
    }

    /// What bundles brought early was taken: whoever carries them need not any more.
    fn settle_late(&mut self, cx: &mut Context<'_>, record: &FutureRecord) -> Result<(), EngineError> {
        for (id, secret) in record.bundles.iter().zip(&record.settle_secrets) {
            let id = id.as_slice().try_into().map(BundleId::from_bytes);
            let secret = secret.as_slice().try_into().map(Secret::from_bytes);
            if let (Ok(id), Ok(secret)) = (id, secret) {
                self.bundle_opened(cx, id, Some(secret))?;
            }
        }
        Ok(())
    }

    /// What a node brought early could not be taken after all: ask its person for it again.
    fn ask_bringer(&mut self, cx: &mut Context<'_>, group_id: &[u8], node: &[u8]) -> Result<(), EngineError> {
        let Ok(node) = NodeKey::try_from(node) else { return Ok(()) };
        let conversation = self.conversation_of_group(cx, group_id)?;
        let Some(conversation) = conversation else { return Ok(()) };
        for identity in self.owners_of_node(cx, node)? {
            self.ask_for_rest(cx, &conversation, &identity)?;
        }
        Ok(())
    }

    /// Takes a message that was kept; true if it was a commit, after which others may open. A refusal is for the sender
    /// when it offers the message again.
    fn take_late(
        &mut self,
        cx: &mut Context<'_>,
        group_id: &[u8],
        record: &FutureRecord,
        opened: Taken,
    ) -> Result<Result<bool, Failure>, EngineError> {
        let Some(conversation) = self.conversation_of_group(cx, group_id)? else { return Ok(Ok(false)) };
        match opened {
            Taken::Content { sender, epoch, plaintext } => {
                if let Err(refusal) = self.check_heard(cx, &conversation, &sender) {
                    return Ok(Err(for_good(refusal)));
                }
                self.note_reached(cx, &conversation, &sender, &epoch)?;
                match self.take_content(cx, &conversation, group_id, &sender, &plaintext) {
                    Ok(Heard::Text(id)) => {
                        self.note_receipt(cx, &conversation, sender.certificate.identity, id)?
                    }
                    Ok(Heard::Receipt | Heard::Other) => {}
                    Err(refusal) => return Ok(Err(for_good(refusal))),
                }
                Ok(Ok(false))
            }
            Taken::Commit(before, followed) => {
                let result = self.follow_commit(cx, &conversation, &before, &record.message, &followed);
                result.map_err(|failure| EngineError::Internal(failure.message))?;
                Ok(Ok(!followed.removed_us))
            }
            Taken::Known => Ok(Ok(false)),
        }
    }
}

/// A refusal that can be repeated. The key of a message that was opened is gone: what might have been taken at another
/// time has to be sealed again.
fn for_good(refusal: Failure) -> Failure {
    match refusal.status {
        Status::BadRequest | Status::Forbidden | Status::NotFound | Status::Conflict => refusal,
        _ => Failure::conflict("the message could not be taken when its epoch came: seal it again"),
    }
}

#[cfg(test)]
mod tests;
