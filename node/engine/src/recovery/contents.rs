//! What a bundle holds.

use std::{cmp::Reverse, collections::BTreeSet};

use prost::Message as _;
use qpq_crypto::{digest::sha256, recovery::RECOVERY_CONTENTS_BYTES_MAX};
use qpq_proto::Failure;

use crate::{
    context::Context,
    engine::Engine,
    input::EngineError,
    records::{
        MailboxRecord, PersonRecord, RecoveryContactRecord, RecoveryContents, RecoveryRecord,
        RecoveryRelayRecord, Standing,
    },
    tables::{self, PEOPLE},
};

/// Tokens of a contact's mailbox that go along: of those it gave the last ones, which are used last.
const TOKENS_MAX: usize = 4;
/// Bundles that are to be deleted and go along.
const WITHDRAWN_MAX: usize = 64;
/// Bytes by which a field's tag and length lengthen a contact at most.
const FIELD_BYTES: usize = 8;

impl Engine {
    /// What is sealed for each code now.
    pub(super) fn recovery_contents(
        &self,
        cx: &Context<'_>,
        record: &RecoveryRecord,
    ) -> Result<RecoveryContents, Failure> {
        let me = self.me()?;
        let mut contents = RecoveryContents::default();
        contents.identity_seed.extend_from_slice(me.identity.seed().as_slice());
        contents.name.clone_from(&me.name);
        contents.device_list.clone_from(&me.device_list);
        contents.made_at_ms = cx.now.wall_ms;
        contents.codes_made_at_ms = record.created_at_ms;
        contents.codes.clone_from(&record.codes);
        let withdrawn = record.places.iter().flat_map(|place| &place.to_delete);
        contents.withdrawn =
            withdrawn.collect::<BTreeSet<_>>().into_iter().take(WITHDRAWN_MAX).cloned().collect();
        for relay in self.relay_records(cx)? {
            contents.relays.push(RecoveryRelayRecord {
                pin: relay.pin.clone(),
                places: relay.places.clone(),
                log_key: relay.log_key.clone(),
                username: relay.username.clone(),
                mailbox: relay.mailbox.clone(),
                preference: relay.preference,
            });
        }
        let mut room = RECOVERY_CONTENTS_BYTES_MAX.saturating_sub(contents.encoded_len() + 2 * FIELD_BYTES);
        for contact in self.contacts_by_recency(cx)? {
            match room.checked_sub(contact.encoded_len() + FIELD_BYTES) {
                Some(rest) => {
                    room = rest;
                    contents.contacts.push(contact);
                }
                None => contents.left_out += 1,
            }
        }
        Ok(contents)
    }

    /// Contacts, and those who are blocked; first those with whom something was said last.
    fn contacts_by_recency(&self, cx: &Context<'_>) -> Result<Vec<RecoveryContactRecord>, EngineError> {
        let people: Vec<PersonRecord> = tables::all(cx.tx, PEOPLE)?;
        let mut contacts = Vec::new();
        for person in people {
            if !matches!(person.standing(), Standing::Accepted | Standing::Blocked) {
                continue;
            }
            let conversation = self.conversation(cx, &person.conversation)?;
            let last_ms = conversation.map_or(0, |conversation| conversation.last_at_ms);
            let mailboxes = self.mailboxes(cx, &person.identity)?.mailboxes;
            contacts.push((Reverse(last_ms.max(person.added_at_ms)), lasting(person, mailboxes)));
        }
        contacts.sort_by_key(|(recency, _)| *recency);
        Ok(contacts.into_iter().map(|(_, contact)| contact).collect())
    }
}

impl RecoveryContents {
    /// A digest of what makes it worth while to seal anew.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut lasting = self.clone();
        lasting.made_at_ms = 0;
        lasting.withdrawn.clear();
        for contact in &mut lasting.contacts {
            contact.person.iter_mut().for_each(|person| person.addresses.clear());
            contact.mailboxes.iter_mut().for_each(|mailbox| mailbox.tokens.clear());
        }
        lasting.contacts.sort_by(|one, other| identity_of(one).cmp(identity_of(other)));
        sha256(&[&zeroize::Zeroizing::new(lasting.encode_to_vec())])
    }
}

fn identity_of(contact: &RecoveryContactRecord) -> &[u8] {
    contact.person.as_ref().map_or(&[], |person| person.identity.as_slice())
}

/// What of a contact is of use on another device.
fn lasting(mut person: PersonRecord, mut mailboxes: Vec<MailboxRecord>) -> RecoveryContactRecord {
    person.conversation.clear();
    person.token.clear();
    person.joining.clear();
    person.request_sealed = false;
    person.is_refused = false;
    person.is_renewing = false;
    person.crossing_token.clear();
    person.welcome_key.clear();
    person.welcome_sequence = 0;
    for mailbox in &mut mailboxes {
        let surplus = mailbox.tokens.len().saturating_sub(TOKENS_MAX);
        mailbox.tokens.drain(..surplus);
        mailbox.spending.clear();
        mailbox.refusals = 0;
    }
    RecoveryContactRecord { person: Some(person), mailboxes }
}
