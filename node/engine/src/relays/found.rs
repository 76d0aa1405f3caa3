//! What the owner asks of relays' logs: who is behind a name, and what a relay was caught at.

use qpq_crypto::{
    relay_link::{RelayLink, RelayPlace},
    safety::SafetyNumber,
    text::{check_name, fold_name},
    transparency::{Evidence, LogView},
};
use qpq_proto::{
    Failure,
    ids::Identity,
    v1::{
        FindUserRequest, FindUserResponse, FoundUser, ShowRelayProofRequest, ShowRelayProofResponse,
        WaitUserRequest, WaitUserResponse,
    },
};

use super::{
    hex, key_of,
    names::{Answer, Found},
};
use crate::{
    context::Context,
    engine::Engine,
    input::{EngineError, RelayKey},
    records::{PersonRecord, RelayRecord},
};

/// Somebody as he is called at a relay.
pub(crate) struct Called {
    pub relay: RelayKey,
    pub username: String,
}

impl Engine {
    pub(crate) fn find_user(
        &mut self,
        cx: &mut Context<'_>,
        request: &FindUserRequest,
    ) -> Result<FindUserResponse, Failure> {
        self.me()?;
        let called = match split_address(&request.user) {
            Some((username, relay)) => self.called(cx, username, relay, "user")?,
            None => self.called(cx, &request.user, &request.relay, "user")?,
        };
        let Called { relay, username } = called;
        if self.relay_log(cx, relay)?.is_none_or(|log| log.refusal.is_empty()) {
            self.ask_name(cx, relay, &username)?;
        }
        Ok(FindUserResponse { found: Some(self.found_view(cx, relay, &username)?) })
    }

    /// `WaitUser` without the waiting, which is the driver's.
    pub(crate) fn wait_user(
        &self,
        cx: &Context<'_>,
        request: &WaitUserRequest,
    ) -> Result<WaitUserResponse, Failure> {
        let relay =
            key_of(&request.pin).ok_or_else(|| Failure::bad_request("pin", "a pin is 32 bytes long"))?;
        Ok(WaitUserResponse { found: Some(self.found_view(cx, relay, &request.username)?) })
    }

    pub(crate) fn show_relay_proof(
        &self,
        cx: &Context<'_>,
        request: &ShowRelayProofRequest,
    ) -> Result<ShowRelayProofResponse, Failure> {
        let record = self.find_relay(cx, &request.relay)?;
        let log = key_of(&record.pin).map_or(Ok(None), |relay| self.relay_log(cx, relay))?;
        let log = log.filter(|log| !log.evidence.is_empty());
        let log =
            log.ok_or_else(|| Failure::not_found("there is nothing that this relay signed against it"))?;
        let evidence =
            Evidence::decode(&log.evidence).map_err(|error| EngineError::Internal(error.to_string()))?;
        Ok(ShowRelayProofResponse { proof: evidence.to_text(), reason: log.refusal, convicts: log.is_proven })
    }

    /// The identity behind `NAME@RELAY`, which the relay's log proved in this run.
    pub(crate) fn identity_called(
        &self,
        cx: &Context<'_>,
        (username, relay): (&str, &str),
    ) -> Result<(Called, Identity), Failure> {
        let called = self.called(cx, username, relay, "link")?;
        if let Some(log) = self.relay_log(cx, called.relay)?.filter(|log| !log.refusal.is_empty()) {
            return Err(log.refused());
        }
        match self.relays.answers.of(called.relay, &called.username) {
            Some(Answer::Found(found)) if found.ended.is_none() => Ok((called, found.identity)),
            Some(Answer::Found(_)) => Err(Failure::forbidden("this identity was revoked by its owner")),
            Some(Answer::Nobody) => Err(Failure::not_found("nobody has this name at the relay")),
            Some(Answer::Failed(failure)) => Err(failure.clone()),
            Some(Answer::Asking) | None => {
                Err(Failure::conflict("it is not known who this is: ask the relay first, with FindUser"))
            }
        }
    }

    fn called(&self, cx: &Context<'_>, username: &str, relay: &str, field: &str) -> Result<Called, Failure> {
        let username =
            check_name(username).map_err(|error| Failure::bad_request(field, error.to_string()))?;
        let record = match relay.trim() {
            "" => self.only_relay(cx)?,
            named => self.find_relay(cx, named)?,
        };
        let relay = key_of(&record.pin).ok_or_else(Failure::internal)?;
        Ok(Called { relay, username: fold_name(&username) })
    }

    pub(super) fn only_relay(&self, cx: &Context<'_>) -> Result<RelayRecord, Failure> {
        let mut records = self.relay_records(cx)?;
        match (records.pop(), records.pop()) {
            (Some(record), None) => Ok(record),
            (Some(_), Some(_)) => {
                Err(Failure::conflict("you have several relays: say which, as NAME@RELAY or with --relay"))
            }
            (None, _) => Err(Failure::not_found(
                "people are found at relays, and you have an account at none: `qpq relay register LINK`",
            )),
        }
    }

    /// The relay that the owner names: by a link, a host, the name under which it signs its log, or the start of a pin.
    pub(super) fn find_relay(&self, cx: &Context<'_>, named: &str) -> Result<RelayRecord, Failure> {
        let named = named.trim().to_ascii_lowercase();
        let pin = named.parse().ok().map(|link: RelayLink| link.pin.to_vec());
        let (mut found, mut by_pin) = (Vec::new(), Vec::new());
        for record in self.relay_records(cx)? {
            let is_it = match &pin {
                Some(pin) => record.pin == *pin,
                None => is_at(&record, &named) || self.is_origin(cx, &record, &named)?,
            };
            if is_it {
                found.push(record);
            } else if pin.is_none() && !named.is_empty() && hex(&record.pin).starts_with(&named) {
                by_pin.push(record);
            }
        }
        let mut found = if found.is_empty() { by_pin } else { found };
        match (found.pop(), found.pop()) {
            (Some(record), None) => Ok(record),
            (Some(_), Some(_)) => Err(Failure::conflict("several relays start so: write more of the pin")),
            (None, _) => Err(Failure::not_found(
                "there is no mailbox at this relay: `qpq relay list` shows the relays",
            )),
        }
    }

    fn is_origin(&self, cx: &Context<'_>, record: &RelayRecord, named: &str) -> Result<bool, EngineError> {
        let log = key_of(&record.pin).map_or(Ok(None), |relay| self.relay_log(cx, relay))?;
        let view = log.and_then(|log| LogView::decode(&log.view).ok());
        Ok(view.is_some_and(|view| view.keys().relay.eq_ignore_ascii_case(named)))
    }

    fn found_view(&self, cx: &Context<'_>, relay: RelayKey, username: &str) -> Result<FoundUser, Failure> {
        let log = self.relay_log(cx, relay)?;
        let mut view = FoundUser {
            pin: relay.0.to_vec(),
            place: self.place_of(cx, relay)?,
            username: username.to_owned(),
            state: "failed".into(),
            log: log.as_ref().map(crate::records::RelayLogRecord::view),
            ..FoundUser::default()
        };
        if let Some(log) = log.filter(|log| !log.refusal.is_empty()) {
            (view.state, view.reason) = ("refused".into(), log.refusal);
            return Ok(view);
        }
        match self.relays.answers.of(relay, username) {
            Some(Answer::Asking) if self.is_asked(relay, username) => view.state = "asking".into(),
            Some(Answer::Asking) => view.reason = "the connection to the relay broke: try again".into(),
            Some(Answer::Nobody) => view.state = "nobody".into(),
            Some(Answer::Failed(failure)) => view.reason.clone_from(&failure.message),
            Some(Answer::Found(found)) => self.show_found(cx, &mut view, found)?,
            None => return Err(Failure::not_found("nobody asked for this name")),
        }
        Ok(view)
    }

    fn is_asked(&self, relay: RelayKey, username: &str) -> bool {
        let line = self.relays.lines.get(&relay);
        let mut questions = line.into_iter().flat_map(|line| line.questions.iter().chain(&line.asked));
        questions.any(|question| question.is_the_owners() && question.username() == username)
    }

    fn show_found(&self, cx: &Context<'_>, view: &mut FoundUser, found: &Found) -> Result<(), Failure> {
        let me = self.me()?.identity.public();
        view.state = "found".into();
        view.identity = found.identity.to_vec();
        view.version = found.version;
        view.own = found.identity == me;
        if !view.own {
            view.safety_number = SafetyNumber::of(&me, &found.identity).digits();
        }
        let contact = self.person(cx, found.identity.as_bytes())?.filter(PersonRecord::is_contact);
        view.contact = contact.map(|contact| contact.name).unwrap_or_default();
        if let Some((reason, at_ms)) = &found.ended {
            view.revoked = true;
            view.revoked_reason.clone_from(reason);
            view.revoked_at_ms = *at_ms;
        }
        Ok(())
    }
}

/// Splits `NAME@RELAY`. A link holds no such thing: it begins with `qpq:`, which no name does.
pub(crate) fn split_address(text: &str) -> Option<(&str, &str)> {
    let (username, relay) = text.trim().split_once('@')?;
    let is_link = text.trim().get(..4).is_some_and(|start| start.eq_ignore_ascii_case("qpq:"));
    (!username.is_empty() && !is_link).then_some((username, relay))
}

/// Whether a relay listens at a host, or at a host and port.
fn is_at(record: &RelayRecord, named: &str) -> bool {
    let host = |place: &str| place.rsplit_once(':').map(|(host, _)| host.to_owned());
    let is_place = |place: &String| {
        place.parse::<RelayPlace>().is_ok() && (place == named || host(place).as_deref() == Some(named))
    };
    !named.is_empty() && record.places.iter().any(is_place)
}
