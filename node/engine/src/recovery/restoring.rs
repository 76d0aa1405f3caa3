//! Using a code on a node without a person.
//!
//! The bundle is fetched over a connection on which nobody logs in. Nothing is written until it was opened and checked;
//! then everything is, in one transaction. Whoever is killed in between uses the code again.

use bytes::Bytes;
use prost::Message as _;
use qpq_crypto::{
    device_list::DeviceList,
    identity::IdentityKey,
    recovery::{RecoveryBundleError, RecoveryCode},
    relay_link::RelayLink,
};
use qpq_proto::{
    Failure, Method, Status,
    ids::Identity,
    v1::{
        FetchRecoveryBundleRequest, FetchRecoveryBundleResponse, RecoveredRelay, UseRecoveryCodeRequest,
        UseRecoveryCodeResponse, WaitRecoveryUseResponse,
    },
};

use super::Use;
use crate::{
    context::Context,
    engine::Engine,
    identity::{checked_name, new_device},
    input::{CallFailure, EngineError, RelayKey, RelayLine},
    peers::Purpose,
    records::{
        Kind, MailboxesRecord, RecoveryContactRecord, RecoveryContents, RecoveryRecord, RecoveryRelayRecord,
        RelayRecord, Standing,
    },
    relays::{decoded, key_of, link_field, not_reached, place_texts},
};

impl Engine {
    /// Begins to fetch the bundle of a code.
    pub(crate) fn use_recovery_code(
        &mut self,
        cx: &mut Context<'_>,
        request: &UseRecoveryCodeRequest,
    ) -> Result<UseRecoveryCodeResponse, Failure> {
        self.no_me()?;
        let link = link_field(&request.link)?;
        let code = RecoveryCode::from_text(&request.code)
            .map_err(|error| Failure::bad_request("code", error.to_string()))?;
        if self.recovery.used.as_ref().is_some_and(|used| used.outcome.is_none()) {
            return Err(Failure::conflict("a recovery code is being used already: wait for it"));
        }
        self.recovery.next_attempt += 1;
        let attempt = self.recovery.next_attempt;
        let fetch = FetchRecoveryBundleRequest { token: code.token().as_bytes().to_vec() };
        let line = RelayLine::Anonymous { places: place_texts(&link) };
        let effect = self.peers.call_relay(
            (RelayKey(link.pin), line),
            Method::FetchRecoveryBundle,
            fetch.encode_to_vec().into(),
            Purpose::Recovery { attempt },
        );
        cx.effects.push(effect);
        self.recovery.used = Some(Use { attempt, link, code: Some(code), outcome: None });
        Ok(UseRecoveryCodeResponse {})
    }

    /// `WaitRecoveryUse` without the waiting, which is the driver's.
    pub(crate) fn wait_recovery_use(&self) -> Result<WaitRecoveryUseResponse, Failure> {
        let used = self.recovery.used.as_ref();
        let used = used.ok_or_else(|| Failure::not_found("no recovery code is being used"))?;
        used.outcome.clone().unwrap_or_else(|| Ok(WaitRecoveryUseResponse::default()))
    }

    fn no_me(&self) -> Result<(), Failure> {
        match &self.me {
            None => Ok(()),
            Some(me) => Err(Failure::conflict(format!(
                "this node already has an identity, named {}: use the code on a node without one",
                me.name
            ))),
        }
    }

    /// The relay has answered with the bundle, or not.
    pub(crate) fn bundle_fetched(
        &mut self,
        cx: &mut Context<'_>,
        attempt: u64,
        result: Result<Bytes, CallFailure>,
    ) -> Result<(), EngineError> {
        let Some(used) = self.recovery.used.as_mut().filter(|used| used.attempt == attempt) else {
            return Ok(());
        };
        self.recovery.is_use_touched = true;
        let (code, places) = (used.code.take(), place_texts(&used.link));
        let Some(code) = code else { return Ok(()) };
        let fetched = result.and_then(decoded::<FetchRecoveryBundleResponse>);
        let opened = fetched.map_err(|failure| explained(failure, &places)).and_then(|answer| {
            let contents = code.open(answer.version, &answer.bundle).map_err(unopened)?;
            let contents = RecoveryContents::decode(contents.as_slice());
            Ok((answer.version, contents.map_err(|_| unopened(RecoveryBundleError::Damaged))?))
        });
        let outcome = opened.and_then(|(version, contents)| {
            self.no_me()?;
            self.come_back(cx, &code, version, &contents)
        });
        if let Err(failure) = &outcome
            && failure.status == Status::Internal
        {
            // What was written of it is dropped.
            return Err(EngineError::Internal("a recovery bundle could not be restored".into()));
        }
        if let Some(used) = &mut self.recovery.used {
            used.outcome = Some(outcome);
        }
        self.log_recovery(cx)
    }

    /// Makes a new device of what is in a bundle. Checks everything before anything is written.
    fn come_back(
        &mut self,
        cx: &mut Context<'_>,
        code: &RecoveryCode,
        version: u64,
        contents: &RecoveryContents,
    ) -> Result<WaitRecoveryUseResponse, Failure> {
        let damaged = || unopened(RecoveryBundleError::Damaged);
        let seed = zeroize::Zeroizing::new(
            <[u8; 32]>::try_from(contents.identity_seed.as_slice()).map_err(|_| damaged())?,
        );
        let identity = IdentityKey::from_seed(&seed);
        let list = DeviceList::decode_and_verify(&contents.device_list).map_err(|_| damaged())?;
        if list.identity != identity.public() {
            return Err(damaged());
        }
        let name = checked_name("code", &contents.name)?;
        self.me = Some(new_device(cx, self.config.node, &identity, Some(&list), name.clone())?);
        for relay in &contents.relays {
            self.take_back_relay(cx, relay)?;
        }
        let mut contacts = 0;
        for contact in &contents.contacts {
            contacts += u64::from(self.take_back_contact(cx, contact)?);
        }
        self.routes = None;
        let number = self.take_back_codes(cx, code, version, contents)?;
        self.ask_contacts_again(cx)?;
        Ok(WaitRecoveryUseResponse {
            restored: true,
            identity: identity.public().as_bytes().to_vec(),
            name,
            made_at_ms: contents.made_at_ms,
            contacts,
            contacts_left_out: contents.left_out,
            number,
            relays: contents.relays.iter().filter_map(recovered).collect(),
        })
    }

    /// An account at a relay, at which the owner is to log in.
    fn take_back_relay(&self, cx: &mut Context<'_>, relay: &RecoveryRelayRecord) -> Result<(), EngineError> {
        if key_of(&relay.pin).is_none() || relay.mailbox.len() != 32 {
            return Ok(());
        }
        let mut record = RelayRecord::default();
        record.pin.clone_from(&relay.pin);
        record.places.clone_from(&relay.places);
        record.log_key.clone_from(&relay.log_key);
        record.username.clone_from(&relay.username);
        // Contacts know it, and have tokens of it. Which were given to whom since is not known: further ones are others.
        record.mailbox.clone_from(&relay.mailbox);
        record.token_secret = cx.random::<32>().to_vec();
        record.preference = relay.preference;
        self.save_relay(cx, &record)
    }

    /// A contact, with an empty conversation. False if it is none.
    fn take_back_contact(
        &mut self,
        cx: &mut Context<'_>,
        contact: &RecoveryContactRecord,
    ) -> Result<bool, Failure> {
        let Some(mut person) = contact.person.clone() else { return Ok(false) };
        let Ok(identity) = Identity::try_from(person.identity.as_slice()) else { return Ok(false) };
        let list = DeviceList::decode_and_verify(&person.device_list).ok();
        let is_its = list.is_some_and(|list| list.identity == identity);
        let is_contact = matches!(person.standing(), Standing::Accepted | Standing::Blocked);
        if !is_its || !is_contact || self.me()?.is(&person.identity) {
            return Ok(false);
        }
        if self.name_is_free(cx, '@', &person.name)? && checked_name("code", &person.name).is_ok() {
            self.take_name(cx, '@', &person.name, identity.as_bytes())?;
        } else {
            person.name = self.claim_name(cx, '@', &person.name, identity.as_bytes())?;
        }
        person.conversation = self.new_conversation(cx, Kind::Direct, identity.as_bytes())?.id;
        self.save_person(cx, &person)?;
        let (identity, mailboxes) = (person.identity.clone(), contact.mailboxes.clone());
        if !mailboxes.is_empty() {
            self.save_mailboxes(cx, &MailboxesRecord { identity, mailboxes, ..MailboxesRecord::default() })?;
        }
        Ok(true)
    }

    /// The code is used up; the others are renewed as soon as somebody is logged in. Returns the code's number.
    fn take_back_codes(
        &mut self,
        cx: &mut Context<'_>,
        code: &RecoveryCode,
        version: u64,
        contents: &RecoveryContents,
    ) -> Result<u32, Failure> {
        let used = code.token().hash();
        let mut record = RecoveryRecord {
            codes: contents.codes.clone(),
            created_at_ms: contents.codes_made_at_ms,
            version,
            ..RecoveryRecord::default()
        };
        for relay in contents.relays.iter().filter_map(|relay| key_of(&relay.pin)) {
            record.place(relay);
        }
        let number = record.codes.iter().find(|code| code.token_hash() == used).map_or(0, |code| code.number);
        record.codes.retain(|code| code.token_hash() != used);
        record.withdraw(&contents.withdrawn);
        record.withdraw(&[used.to_vec()]);
        self.save_recovery(cx, &record)?;
        self.recovery.is_set_up = true;
        self.renew_bundles(cx)?;
        Ok(number)
    }
}

/// A relay as the owner is told to log in there; `None` if no link leads to it.
fn recovered(relay: &RecoveryRelayRecord) -> Option<RecoveredRelay> {
    let places: Option<Vec<_>> = relay.places.iter().map(|place| place.parse().ok()).collect();
    let link = RelayLink {
        pin: relay.pin.as_slice().try_into().ok()?,
        log_key: relay.log_key.as_slice().try_into().ok()?,
        places: places.filter(|places| !places.is_empty())?,
        invitation: None,
    };
    Some(RecoveredRelay { link: link.to_string(), username: relay.username.clone() })
}

/// Why there is no bundle, in words for the owner.
fn explained(failure: CallFailure, places: &[String]) -> Failure {
    match failure {
        CallFailure::Unreachable => not_reached(format!(
            "the relay was not reached at {}, or what listens there is another: try again",
            places.join(" or ")
        )),
        CallFailure::Refused(failure) => match failure.status {
            Status::NotFound => Failure::not_found(
                "the relay has no bundle for this code: it was used, taken back or replaced, or its bundles lie at \
                 another relay",
            ),
            Status::RateLimited => Failure {
                message: format!(
                    "the relay lets recovery codes be tried seldom: try again in {} s",
                    failure.retry_after_ms.div_ceil(1_000)
                ),
                ..failure
            },
            Status::Internal => {
                not_reached("the relay has a fault: try again later, or tell its administrator")
            }
            _ => failure,
        },
    }
}

fn unopened(error: RecoveryBundleError) -> Failure {
    Failure::conflict(format!("what the relay gave cannot be used: {error}"))
}
