//! How two people who share nothing yet come to share a direct conversation, and how a group reaches a newcomer.
//!
//! ```text
//!  bob (holds alice's link)                         alice
//!      FetchHybridKey  ──────────────────────────►
//!      ContactRequest {token, profile}  ─────────►  uses up the token, makes the direct group
//!                   ◄─────────  ContactAcceptance {token, profile, welcome}
//!      joins, sends what waited
//! ```
//!
//! Where alice's link names a mailbox, and her node is not connected, both ways lead through relays (`relays/asking`).
//!
//! Introductions are sealed to the receiver's hybrid key and signed by the sender's device, whose list the
//! identity signed. The link carries the identity key, so that nobody in between can put himself in its place.
//! If both ask each other at once, either may be first: an acceptance says that a request of its sender is under way
//! too, and that one is then not answered. If both have answered, there are two groups; the one with the smaller
//! id is kept for sending, the other for what is still under way in it.

use prost::Message as _;
use qpq_crypto::{
    device_list::{DeviceList, Succession},
    signature::{Domain, Verify as _},
};
use qpq_proto::{
    Failure,
    ids::{DeviceKey, Identity},
    v1::{ContactAcceptance, ContactRequest, Disposition, Introduction, Profile, introduction},
};

use crate::{
    context::Context,
    engine::Engine,
    identity::checked_name,
    input::RelayKey,
    records::{Kind, PersonRecord, Standing},
};

mod requests;
pub(crate) use requests::is_hybrid_key_of;

/// Who introduced itself, with what it proved.
pub(crate) struct Introduced {
    pub identity: Identity,
    pub list: DeviceList,
    /// At which relay it was left for this person's identity, where it was.
    pub met_at: Option<RelayKey>,
}

impl Engine {
    /// Takes a sealed introduction that a peer brought.
    pub(crate) fn introduced(
        &mut self,
        cx: &mut Context<'_>,
        met_at: Option<RelayKey>,
        inner: &[u8],
    ) -> Result<Disposition, Failure> {
        let signed = self.open_introduction(inner)?;
        let me = self.me()?.identity.public();
        let list = DeviceList::decode_and_verify(&signed.device_list).map_err(|error| {
            Failure::bad_request("payload", format!("the device list is not valid: {error}"))
        })?;
        let device = DeviceKey::try_from(signed.device.as_slice())
            .map_err(|_| Failure::bad_request("payload", "a device key is 32 bytes long"))?;
        let is_signed = list.contains(&device).is_some()
            && device
                .verify(Domain::Introduction, &[me.as_bytes(), &signed.introduction], &signed.signature)
                .is_ok();
        if !is_signed {
            return Err(Failure::forbidden("the introduction is not signed by one of its person's devices"));
        }
        let introduction = Introduction::decode(signed.introduction.as_slice())
            .map_err(|_| Failure::bad_request("payload", "the introduction is malformed"))?;
        let from = Introduced { identity: list.identity, list, met_at };
        if from.identity == me {
            return Err(Failure::bad_request("payload", "one cannot be one's own contact"));
        }
        let known = self.person(cx, from.identity.as_bytes())?;
        if known.as_ref().is_some_and(|person| person.standing() == Standing::Blocked) {
            return Ok(Disposition::Stored);
        }
        self.check_succession(cx, &from, known.as_ref())?;
        match introduction.kind {
            Some(introduction::Kind::Request(request)) => self.requested(cx, &from, known, request)?,
            Some(introduction::Kind::Acceptance(acceptance)) => {
                self.accepted(cx, &from, known, acceptance)?
            }
            Some(introduction::Kind::Welcome(welcome)) => self.welcomed(cx, &from, known, welcome)?,
            None => {
                let message = "the introduction says nothing this version knows";
                return Err(Failure::bad_request("payload", message));
            }
        }
        self.note_introduced(cx, from.identity.as_bytes())?;
        Ok(Disposition::Delivered)
    }

    /// Refuses a device list that is older than the one known, or forks from it.
    fn check_succession(
        &self,
        cx: &Context<'_>,
        from: &Introduced,
        known: Option<&PersonRecord>,
    ) -> Result<(), Failure> {
        let Some(person) = known.filter(|person| !person.device_list.is_empty()) else { return Ok(()) };
        let Ok(newest) = DeviceList::decode_and_verify(&person.device_list) else { return Ok(()) };
        match from.list.succeeds(&newest) {
            Ok(Succession::Same | Succession::Newer) => Ok(()),
            Ok(Succession::Fork) => {
                tracing::error!(node = %self.config.node, at_ms = cx.now.wall_ms, "a device list forked");
                Err(Failure::forbidden("the device list forks from the one known here"))
            }
            _ => Err(Failure::conflict("the device list is older than the one known here")),
        }
    }

    /// Somebody asks, with the token of one of our links, or by name.
    fn requested(
        &mut self,
        cx: &mut Context<'_>,
        from: &Introduced,
        known: Option<PersonRecord>,
        request: ContactRequest,
    ) -> Result<(), Failure> {
        let profile = request.profile.clone().unwrap_or_default();
        check_profile(from.identity, &profile)?;
        if let Some(contact) = known.as_ref().filter(|person| is_new_device(person, from)) {
            let renewed = self.learn_contact(cx, from, Some(contact.clone()), &profile)?;
            self.establish(cx, renewed.clone(), &request.token, true)?;
            return self.renew_in_groups(cx, &renewed);
        }
        let invitation = match request.by_name {
            true => self.stranger_may_ask(cx, from.met_at, known.as_ref(), &request)?,
            false => self.use_invitation(cx, &request.token)?,
        };
        if let Some(mut contact) = known.clone().filter(|person| person.crossing_token == request.token) {
            contact.crossing_token.clear();
            return Ok(self.save_person(cx, &contact)?);
        }
        if !invitation.conversation.is_empty() {
            return self.asked_into_group(cx, from, known, &invitation, profile);
        }
        let was_contact = known.as_ref().map_or(Standing::Member, PersonRecord::standing);
        let mut person = self.learn_contact(cx, from, known, &profile)?;
        match from.met_at.filter(|_| request.by_name) {
            Some(relay) => {
                person.met_at = relay.0.to_vec();
                self.meet(cx, &person.identity, relay)?;
            }
            // A stranger's word for where it may be written to is not taken: it has no invitation.
            None if request.by_name => {}
            None => self.learn_mailboxes(cx, from.identity.as_bytes(), &request.mailboxes)?,
        }
        let is_wanted =
            !invitation.reusable || matches!(was_contact, Standing::Requested | Standing::Accepted);
        if !is_wanted {
            let pending: Vec<PersonRecord> = crate::tables::all(cx.tx, crate::tables::PEOPLE)?;
            let others = pending.iter().filter(|other| other.identity != person.identity);
            let pending = others.filter(|other| other.standing() == Standing::Pending).count();
            if pending >= self.limits.pending_requests_max {
                return Err(Failure::quota("too many contact requests wait for an answer here"));
            }
            person.standing = Standing::Pending.into();
            person.token = request.token;
            self.save_person(cx, &person)?;
            return Ok(self.log_contact(cx, &person.identity)?);
        }
        if was_contact != Standing::Requested {
            person.token.clear();
        }
        // From here on `token` is that of our own request, if one is under way.
        person.standing = Standing::Accepted.into();
        self.establish(cx, person, &request.token, was_contact == Standing::Accepted)
    }

    /// Takes in what a contact says about itself.
    pub(crate) fn learn_contact(
        &mut self,
        cx: &mut Context<'_>,
        from: &Introduced,
        known: Option<PersonRecord>,
        profile: &Profile,
    ) -> Result<PersonRecord, Failure> {
        let identity = from.identity.as_bytes();
        let mut person = known.unwrap_or_else(|| PersonRecord {
            identity: identity.to_vec(),
            added_at_ms: cx.now.wall_ms,
            ..PersonRecord::default()
        });
        if !person.is_contact() {
            self.check_contacts_room(cx)?;
            person.name = self.claim_name(cx, '@', &profile.name, identity)?;
        }
        person.device_list = from.list.encode();
        person.nodes = from.list.certificates.iter().map(|device| device.node.as_bytes().to_vec()).collect();
        person.learn_hybrid_key(profile);
        person.learn_addresses(&profile.addresses);
        if person.conversation.is_empty() {
            person.conversation = self.new_conversation(cx, Kind::Direct, identity)?.id;
        }
        self.keep_key_packages(cx, &person, &profile.key_packages)?;
        self.save_person(cx, &person)?;
        // A stranger's nodes are not called before it is accepted: that would tell it where this one is.
        if from.met_at.is_none() || person.is_contact() {
            self.want(cx, &person);
        }
        Ok(person)
    }

    /// Somebody whom we asked says yes.
    fn accepted(
        &mut self,
        cx: &mut Context<'_>,
        from: &Introduced,
        known: Option<PersonRecord>,
        acceptance: ContactAcceptance,
    ) -> Result<(), Failure> {
        let asked = known.filter(|person| {
            matches!(person.standing(), Standing::Requested | Standing::Accepted)
                && person.token == acceptance.token
        });
        let Some(person) = asked.filter(|_| !acceptance.token.is_empty()) else {
            return Err(Failure::forbidden("this person was not asked"));
        };
        let profile = acceptance.profile.unwrap_or_default();
        check_profile(from.identity, &profile)?;
        let mut person = self.learn_contact(cx, from, Some(person), &profile)?;
        person.standing = Standing::Accepted.into();
        person.token.clear();
        person.is_refused = false;
        let is_renewing = std::mem::take(&mut person.is_renewing);
        person.crossing_token = acceptance.crossing_token;
        self.save_person(cx, &person)?;
        self.join_direct(cx, &person, &acceptance.welcome, is_renewing)?;
        Ok(self.log_contact(cx, &person.identity)?)
    }

    pub(crate) fn check_contacts_room(&self, cx: &Context<'_>) -> Result<(), Failure> {
        let people: Vec<PersonRecord> = crate::tables::all(cx.tx, crate::tables::PEOPLE)?;
        if people.iter().filter(|person| person.is_contact()).count() >= self.limits.contacts_max {
            return Err(Failure::quota("this node has as many contacts as it can have"));
        }
        Ok(())
    }
}

/// Whether a contact comes back with a newer device list, as after restoring a backup: no invitation is needed.
fn is_new_device(person: &PersonRecord, from: &Introduced) -> bool {
    let known = DeviceList::decode_and_verify(&person.device_list).ok();
    person.standing() == Standing::Accepted
        && known.is_some_and(|known| matches!(from.list.succeeds(&known), Ok(Succession::Newer)))
}

/// An introduction made now.
pub(crate) fn introduction(cx: &Context<'_>, kind: introduction::Kind) -> Introduction {
    Introduction { sent_at_ms: cx.now.wall_ms, kind: Some(kind) }
}

impl PersonRecord {
    /// Takes in the hybrid key of a profile whose signature was verified.
    pub(crate) fn learn_hybrid_key(&mut self, profile: &Profile) {
        self.hybrid_key.clone_from(&profile.hybrid_key);
        self.hybrid_signature.clone_from(&profile.hybrid_signature);
        self.hybrid_sequence = profile.hybrid_sequence;
    }
}

/// Whether a hybrid key is a person's own: of the right form, and signed by the identity.
pub(crate) fn verify_hybrid_key(identity: Identity, key: &[u8], sequence: u64, signature: &[u8]) -> bool {
    qpq_crypto::hybrid::HybridPublic::from_bytes(key).is_ok()
        && identity.verify(Domain::HybridKey, &[key, &sequence.to_be_bytes()], signature).is_ok()
}

pub(crate) fn check_profile(identity: Identity, profile: &Profile) -> Result<(), Failure> {
    if !verify_hybrid_key(identity, &profile.hybrid_key, profile.hybrid_sequence, &profile.hybrid_signature) {
        return Err(Failure::bad_request("payload", "the hybrid key is not signed by its person"));
    }
    checked_name("payload", &profile.name).map(drop)
}
