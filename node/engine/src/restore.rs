//! A backup comes back as a new device.
//!
//! A backup holds no live MLS state, since using a ratchet twice would break it. The driver writes the records back;
//! the engine then makes a new device of the same identity, revokes the old one in the next device list, and asks
//! every contact for a new direct group. Groups wait until a member adds the person again.

use qpq_crypto::{device_list::DeviceList, identity::IdentityKey};
use qpq_proto::{Failure, v1::RestoreBackupResponse};

use crate::{
    context::Context,
    engine::Engine,
    identity::new_device,
    input::EngineError,
    records::{ConversationRecord, IdentityRecord, Kind, PersonRecord, Stage, Standing},
    storage::Direction,
    tables::{self, CONVERSATIONS, EVENTS, IDENTITY, PEOPLE, SINGLE},
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
        self.routes = None;
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

    fn ask_contacts_again(&mut self, cx: &mut Context<'_>) -> Result<u64, EngineError> {
        let conversations: Vec<ConversationRecord> = tables::all(cx.tx, CONVERSATIONS)?;
        for mut conversation in conversations {
            conversation.group_id.clear();
            conversation.routes.clear();
            conversation.retired_groups.clear();
            conversation.epoch_ordinal = 0;
            conversation.stage = match conversation.kind() {
                Kind::Direct => Stage::Waiting.into(),
                Kind::Group => Stage::Ended.into(),
            };
            self.save_conversation(cx, &conversation)?;
        }
        let people: Vec<PersonRecord> = tables::all(cx.tx, PEOPLE)?;
        let mut contacts = 0;
        for mut person in people.into_iter().filter(PersonRecord::is_contact) {
            contacts += 1;
            if person.standing() == Standing::Accepted && !person.hybrid_key.is_empty() {
                // The token only pairs request and answer; what admits the request is the newer device list.
                person.token = cx.random::<16>().to_vec();
                self.seal_request(cx, person.clone())?;
                self.want(cx, &person);
            }
        }
        Ok(contacts)
    }
}
