//! A person comes back as a new device: from a backup, or after storage was replaced by an older copy of itself.
//!
//! A backup holds no live MLS state, and an older copy holds ratchets that have been used since: using one twice would
//! break it. So the engine makes a new device of the same identity, revokes the old one in the next device list, and
//! asks every contact for a new direct group. A contact who notices has the new device put in the place of the old
//! one in every group that both are in. Until then conversations wait; what is written meanwhile is kept.
//!
//! After a rollback the old device's groups can still be read: that brings back messages which the copy lacks.

use qpq_crypto::{device_list::DeviceList, identity::IdentityKey, mls};
use qpq_proto::{Failure, v1::RestoreBackupResponse};

use crate::{
    context::Context,
    engine::Engine,
    group_cache::GroupFailure,
    identity::new_device,
    input::EngineError,
    records::{
        ConversationRecord, IdentityRecord, InterruptionRecord, InvitationRecord, Kind, PersonRecord, Stage,
        Standing,
    },
    storage::Direction,
    tables::{self, CONVERSATIONS, EVENTS, IDENTITY, INVITATIONS, PEOPLE, SINGLE},
};

impl Engine {
    /// The records of a backup are in place: make a new device of them.
    pub(crate) fn restored(&mut self, cx: &mut Context<'_>) -> Result<RestoreBackupResponse, Failure> {
        if self.me.is_some() {
            return Err(Failure::conflict(
                "this node has an identity already: restore into a fresh data directory",
            ));
        }
        let record: Option<IdentityRecord> = tables::load(cx.tx, IDENTITY, tables::key(SINGLE))?;
        let record = record.ok_or_else(|| Failure::bad_request("path", "the backup holds no identity"))?;
        let seed: [u8; 32] = record
            .identity_seed
            .as_slice()
            .try_into()
            .map_err(|_| Failure::bad_request("path", "the backup's identity is malformed"))?;
        let list = DeviceList::decode_and_verify(&record.device_list)
            .map_err(|error| Failure::bad_request("path", format!("the backup's device list: {error}")))?;
        let identity = IdentityKey::from_seed(&seed);
        let me = new_device(cx, self.config.node, &identity, Some(&list), record.name.clone())?;
        self.me = Some(me);
        self.forget_groups(cx)?;
        forget_invitations(cx)?;
        self.bundles_are_old(cx)?;
        let last = cx.tx.scan(EVENTS, SINGLE, 0..u64::MAX, Direction::Backward, 1)?;
        self.next_event = last.first().map_or(1, |(cursor, _)| cursor + 1);
        let contacts = self.ask_contacts_again(cx)?;
        Ok(RestoreBackupResponse {
            identity: identity.public().as_bytes().to_vec(),
            name: record.name.clone(),
            contacts,
            messages: 0,
        })
    }

    /// A backup brings conversations without their MLS groups.
    fn forget_groups(&mut self, cx: &mut Context<'_>) -> Result<(), EngineError> {
        let conversations: Vec<ConversationRecord> = tables::all(cx.tx, CONVERSATIONS)?;
        for mut conversation in conversations {
            if conversation.kind() == Kind::Direct {
                conversation.group_id.clear();
            }
            conversation.routes.clear();
            conversation.retired_groups.clear();
            conversation.epoch_ordinal = 0;
            self.save_conversation(cx, &conversation)?;
        }
        self.routes = None;
        Ok(())
    }

    /// Storage is an older copy of itself: its ratchets may have been used since and must not be used again.
    pub(crate) fn rolled_back(&mut self, cx: &mut Context<'_>) -> Result<(), EngineError> {
        let Some(me) = &self.me else {
            self.config.is_rolled_back = false;
            return Ok(());
        };
        mls::note_rollback(&mut me.mls(cx)).map_err(GroupFailure::from)?;
        let list = DeviceList::decode_and_verify(&me.device_list)
            .map_err(|error| EngineError::Internal(error.to_string()))?;
        let (seed, name) = (me.identity.seed(), me.name.clone());
        let me = new_device(cx, self.config.node, &IdentityKey::from_seed(&seed), Some(&list), name);
        self.me = Some(me.map_err(|failure| EngineError::Internal(failure.message))?);
        let contacts = self.ask_contacts_again(cx)?;
        tracing::warn!(contacts, "the database is an older copy: this node goes on as a new device");
        let text = "the database is an older copy of itself: this node goes on as a new device, and messages since then \
                    may be missing";
        self.log_alarm(cx, "database-rolled-back", text.into())?;
        self.config.is_rolled_back = false;
        Ok(())
    }

    /// Asks every contact for a new direct group, and waits for the groups.
    pub(crate) fn ask_contacts_again(&mut self, cx: &mut Context<'_>) -> Result<u64, EngineError> {
        let conversations: Vec<ConversationRecord> = tables::all(cx.tx, CONVERSATIONS)?;
        for mut conversation in conversations {
            if conversation.stage() == Stage::Open {
                // A backup holds no group, so that nobody knows who was in it.
                let members = self.other_members(cx, &conversation.group_id).unwrap_or_default();
                let own_sequence = conversation.own_sequence;
                conversation.interruption = Some(InterruptionRecord { own_sequence, members });
                conversation.stage = Stage::Waiting.into();
                self.save_conversation(cx, &conversation)?;
            }
        }
        let people: Vec<PersonRecord> = tables::all(cx.tx, PEOPLE)?;
        let mut contacts = 0;
        for mut person in people.into_iter().filter(PersonRecord::is_contact) {
            contacts += 1;
            if person.standing() == Standing::Accepted && !person.hybrid_key.is_empty() {
                // The token only pairs request and answer; what admits the request is the newer device list.
                person.token = cx.random::<16>().to_vec();
                self.seal_request(cx, person.clone(), Vec::new())?;
                self.want(cx, &person);
            }
        }
        Ok(contacts)
    }
}

/// Links lead to the node that made them, and end in its time: on another node they lead nowhere and never end.
fn forget_invitations(cx: &mut Context<'_>) -> Result<(), EngineError> {
    for invitation in tables::all::<InvitationRecord>(cx.tx, INVITATIONS)? {
        cx.tx.delete(INVITATIONS, tables::key(&invitation.token))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
