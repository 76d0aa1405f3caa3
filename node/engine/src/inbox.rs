//! What other nodes bring: recognised, deduplicated, opened, and stored before it is acknowledged.

use bytes::Bytes;
use prost::Message as _;
use qpq_crypto::{device_list::DeviceList, digest, mls};
use qpq_mesh::{BundleId, Secret};
use qpq_proto::{
    Failure,
    ids::NodeKey,
    v1::{
        Disposition, EnqueueRequest, EnqueueResponse, FetchHybridKeyRequest, FetchHybridKeyResponse, Parcel,
    },
};
use zeroize::Zeroizing;

use crate::{
    authority,
    changes::Followed,
    content::Heard,
    context::Context,
    conversations::GroupView,
    engine::Engine,
    group_cache::GroupFailure,
    input::{EngineError, RelayKey},
    records::{ConversationRecord, Kind, Stage, Standing},
    routes::{Destination, Recognised},
};

mod future;
mod seen;

/// When a sender may try again what this node cannot place yet, ms.
const PLACE_LATER_MS: u64 = 5_000;

/// Names, in a refusal, what is wrong with a sender whose device was revoked.
pub(crate) const REVOKED_FIELD: &str = "device";

/// Where a delivery came from.
#[derive(Clone, Copy, Default)]
pub(crate) struct Origin<'a> {
    /// The node that brought it directly.
    pub node: Option<NodeKey>,
    pub delivery: [u8; 16],
    /// The bundles in which others carried it: one, or one for each of its pieces.
    pub carried: &'a [Carried],
    /// A relay kept it.
    pub is_mailed: bool,
    /// In the mailbox of the identity at that relay.
    pub met_at: Option<RelayKey>,
}

/// A bundle, and what settles it if it is for this device alone.
#[derive(Clone, Copy)]
pub(crate) struct Carried {
    pub id: BundleId,
    pub secret: Option<Secret>,
}

/// What was in an MLS message.
enum Taken {
    Content {
        sender: mls::Member,
        epoch: mls::EpochId,
        plaintext: Zeroizing<Vec<u8>>,
    },
    /// The group as it was before, and what was done to it.
    Commit(Box<GroupView>, Followed),
    /// An own message, or one that was here before.
    Known,
}

impl Engine {
    /// `Enqueue` into this person's mailbox by a peer node.
    pub(crate) fn enqueue(
        &mut self,
        cx: &mut Context<'_>,
        request: &EnqueueRequest,
    ) -> Result<EnqueueResponse, Failure> {
        let node = cx.calling_node()?;
        let Some(me) = &self.me else { return Err(Failure::not_found("nobody has a mailbox on this node")) };
        if !me.is(&request.mailbox) {
            return Err(Failure::not_found("this node has no such mailbox"));
        }
        let delivery = digest::delivery_id(&request.payload);
        if !request.delivery_id.is_empty() && request.delivery_id != delivery {
            return Err(Failure::bad_request("delivery_id", "it is not the BLAKE3 of the payload"));
        }
        if let Some(seen) = self.seen(cx, &delivery)? {
            let disposition = seen?.into();
            return Ok(EnqueueResponse { disposition, duplicate: true, ..EnqueueResponse::default() });
        }
        let disposition = self.receive(cx, node, &request.payload)?;
        if disposition == Disposition::Delivered {
            self.remember(cx, &delivery, disposition)?;
        }
        Ok(EnqueueResponse { disposition: disposition.into(), ..EnqueueResponse::default() })
    }

    fn receive(
        &mut self,
        cx: &mut Context<'_>,
        node: NodeKey,
        payload: &Bytes,
    ) -> Result<Disposition, Failure> {
        let parcel = Parcel::decode(payload.clone())
            .map_err(|_| Failure::bad_request("payload", "the parcel is malformed"))?;
        // A routing secret changes with a commit that may still be on its way.
        let recognised = self.recognise(cx, &parcel)?.ok_or_else(|| {
            Failure::unavailable("the parcel's tag is not known here, or not yet", PLACE_LATER_MS)
        })?;
        let delivery = digest::delivery_id(payload);
        self.place(cx, Origin { node: Some(node), delivery, ..Origin::default() }, &recognised)
    }

    /// Takes a parcel that is for this person, whatever way it came.
    pub(crate) fn place(
        &mut self,
        cx: &mut Context<'_>,
        origin: Origin<'_>,
        recognised: &Recognised,
    ) -> Result<Disposition, Failure> {
        self.relays.forget_opened();
        if recognised.piece.is_some() {
            return Err(Failure::bad_request("payload", "a piece of a parcel travels as a bundle"));
        }
        match &recognised.destination {
            Destination::Stranger => self.introduced(cx, origin.met_at, &recognised.message),
            Destination::Group(group_id) => self.group_message(cx, origin, group_id, &recognised.message),
        }
    }

    fn group_message(
        &mut self,
        cx: &mut Context<'_>,
        origin: Origin<'_>,
        group_id: &[u8],
        message: &[u8],
    ) -> Result<Disposition, Failure> {
        let conversation = self.conversation_of_group(cx, group_id)?;
        let conversation = conversation.ok_or_else(|| Failure::not_found("the conversation was removed"))?;
        if conversation.stage() == Stage::Ended {
            return Err(Failure::not_found("this person is no longer a member"));
        }
        if self.is_blocked(cx, &conversation)? {
            // Not remembered: should the contact be unblocked, it is looked at when it is offered again.
            return Ok(Disposition::Stored);
        }
        match self.open_message(cx, group_id, message) {
            Ok(opened) => self.take_opened(cx, &conversation, origin, group_id, message, opened),
            Err(GroupFailure::Mls(error)) => self.unopened(cx, origin, group_id, message, &error),
            Err(GroupFailure::Absent) => Err(Failure::not_found("the group is not on this node")),
            Err(GroupFailure::Engine(error)) => Err(error.into()),
        }
    }

    fn is_blocked(&self, cx: &Context<'_>, conversation: &ConversationRecord) -> Result<bool, EngineError> {
        if conversation.kind() != Kind::Direct {
            return Ok(false);
        }
        let contact = self.person(cx, &conversation.contact)?;
        Ok(contact.is_some_and(|contact| contact.standing() == Standing::Blocked))
    }

    /// Opens an MLS message; a commit is checked against what its author may do.
    fn open_message(
        &mut self,
        cx: &mut Context<'_>,
        group_id: &[u8],
        message: &[u8],
    ) -> Result<Taken, GroupFailure> {
        // Only a commit needs to know the group as it was; copying the members for each text would cost more
        // than decrypting it.
        let is_commit = mls::peek(message)?.is_commit;
        let before = if is_commit { Some(self.group_view(cx, group_id)?) } else { None };
        let opened = self.with_group(cx, group_id, |group, mls| {
            group.open(mls, message, &mut |commit| match &before {
                Some(before) => authority::check_commit(before, commit),
                None => Err(mls::Refusal("a commit that does not call itself one")),
            })
        })?;
        Ok(match (opened, before) {
            (mls::Opened::Application { sender, epoch_id, plaintext }, _) => {
                Taken::Content { sender, epoch: epoch_id, plaintext }
            }
            (
                mls::Opened::Committed { committer, added, removed, annotation, removed_us, .. },
                Some(before),
            ) => Taken::Commit(
                Box::new(before),
                Followed { committer, added, removed, annotation, removed_us },
            ),
            _ => Taken::Known,
        })
    }

    fn take_opened(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        origin: Origin<'_>,
        group_id: &[u8],
        message: &[u8],
        opened: Taken,
    ) -> Result<Disposition, Failure> {
        match opened {
            Taken::Content { sender, epoch, plaintext } => {
                self.check_heard(cx, conversation, &sender)?;
                self.note_reached(cx, conversation, &sender, &epoch)?;
                let heard = self.take_content(cx, conversation, group_id, &sender, &plaintext)?;
                let from = sender.certificate.identity;
                self.note_heard(conversation, from, matches!(heard, Heard::Other));
                // Whoever sends to several learns from nothing else that one of them has a bundle, and of what went by
                // a relay from nothing at all.
                let is_untold =
                    origin.is_mailed || matches!(origin.carried, [Carried { secret: None, .. }, ..]);
                if let (Heard::Text(id), true) = (heard, is_untold) {
                    self.note_receipt(cx, conversation, from, id)?;
                }
            }
            Taken::Commit(before, followed) => {
                self.note_heard(conversation, followed.committer.certificate.identity, true);
                self.follow_commit(cx, conversation, &before, message, &followed)?;
                if !followed.removed_us {
                    self.open_future(cx, group_id)?;
                }
            }
            Taken::Known => {}
        }
        Ok(Disposition::Delivered)
    }

    /// Refuses what comes from somebody who is no longer a member, and from a device that its person has revoked, as
    /// after restoring a backup elsewhere.
    fn check_heard(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        sender: &mls::Member,
    ) -> Result<(), Failure> {
        let is_open = conversation.stage() == Stage::Open && conversation.kind() == Kind::Group;
        if is_open && !self.is_member(cx, conversation, sender.certificate.identity.as_bytes())? {
            return Err(Failure::forbidden("the sender is no longer a member"));
        }
        let person = self.person(cx, sender.certificate.identity.as_bytes())?.unwrap_or_default();
        let list = DeviceList::decode_and_verify(&person.device_list).ok();
        if list.is_some_and(|list| list.revoked.contains(&sender.certificate.device)) {
            let refused = Failure::forbidden("the sender's device was revoked by its person");
            return Err(Failure { field: REVOKED_FIELD.into(), ..refused });
        }
        Ok(())
    }

    /// What becomes of a message that cannot be opened now.
    fn unopened(
        &self,
        cx: &mut Context<'_>,
        origin: Origin<'_>,
        group_id: &[u8],
        message: &[u8],
        error: &mls::MlsError,
    ) -> Result<Disposition, Failure> {
        match error {
            mls::MlsError::FutureEpoch { .. } => {
                self.keep_for_later(cx, origin, group_id, message)?;
                self.remember(cx, &origin.delivery, Disposition::Stored)?;
                Ok(Disposition::Stored)
            }
            mls::MlsError::PastEpoch { .. }
            | mls::MlsError::GenerationTooOld
            | mls::MlsError::GenerationTooFar => {
                Err(Failure::conflict("the message's epoch or key is gone here: seal it again"))
            }
            mls::MlsError::Refused(_) | mls::MlsError::ChangeRefused(_) | mls::MlsError::Credential(_) => {
                tracing::warn!(%error, "a group message was refused");
                Err(Failure::forbidden("the group's rules do not allow this"))
            }
            mls::MlsError::Storage(_) | mls::MlsError::State(_) | mls::MlsError::Library(_) => {
                Err(EngineError::Internal(error.to_string()).into())
            }
            _ => Err(Failure::bad_request("payload", "the message cannot be opened")),
        }
    }

    /// `FetchHybridKey`: the key to which a stranger seals an introduction.
    pub(crate) fn fetch_hybrid_key(
        &self,
        request: &FetchHybridKeyRequest,
    ) -> Result<FetchHybridKeyResponse, Failure> {
        let me = self.me.as_ref().filter(|me| me.is(&request.identity_key));
        let me = me.ok_or_else(|| Failure::not_found("this node does not serve that person"))?;
        Ok(FetchHybridKeyResponse {
            hybrid_public_key: me.hybrid.public().to_bytes().to_vec(),
            signature: me.hybrid_signature.clone(),
            sequence: me.device_list_sequence,
        })
    }
}

#[cfg(test)]
mod tests;
