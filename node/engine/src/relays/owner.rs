//! What the owner does with the relays that keep what comes.

use qpq_crypto::{
    opaque::PASSWORD_BYTES_MAX,
    relay_link::RelayLink,
    text::{check_name, fold_name},
};
use qpq_proto::{
    Failure, Method,
    v1::{
        HealthItem, LeaveRelayRequest, LeaveRelayResponse, ListMailboxRelaysResponse, LoginAtRelayRequest,
        LoginAtRelayResponse, MailboxRelay, Mailboxes, RegisterAtRelayRequest, RegisterAtRelayResponse,
        RevokeMailboxRequest, WaitMailboxRelayRequest, WaitMailboxRelayResponse,
    },
};
use zeroize::Zeroizing;

use super::{
    RELAYS_MAX, RelayStep, Stage,
    attempt::{Attempt, Step, place_texts},
    key_of, request,
};
use crate::{
    content::sender_key,
    context::Context,
    engine::Engine,
    input::{EngineError, RelayKey},
    records::{RelayLogRecord, RelayRecord},
    tables::{self, GRANTS, RELAY_LOGS, RELAYS},
};

/// The shortest password with which an account is made, bytes.
const PASSWORD_BYTES_MIN: usize = 8;

impl Engine {
    pub(crate) fn register_at_relay(
        &mut self,
        cx: &mut Context<'_>,
        request: &RegisterAtRelayRequest,
    ) -> Result<RegisterAtRelayResponse, Failure> {
        self.me()?;
        let link = link_field(&request.link)?;
        let password = password_field(&request.password, PASSWORD_BYTES_MIN)?;
        let invitation = match (request.invitation.len(), link.invitation) {
            (0, invitation) => invitation.map(|token| token.to_vec()).unwrap_or_default(),
            (32, _) => request.invitation.clone(),
            _ => return Err(Failure::bad_request("invitation", "an invitation is 32 bytes long")),
        };
        let relay = self.attempt(cx, link, &request.username, password, (Step::ToRegister, invitation))?;
        Ok(RegisterAtRelayResponse { relay: Some(relay) })
    }

    pub(crate) fn login_at_relay(
        &mut self,
        cx: &mut Context<'_>,
        request: &LoginAtRelayRequest,
    ) -> Result<LoginAtRelayResponse, Failure> {
        self.me()?;
        let link = link_field(&request.link)?;
        let password = password_field(&request.password, 1)?;
        let relay = self.attempt(cx, link, &request.username, password, (Step::ToLogIn, Vec::new()))?;
        Ok(LoginAtRelayResponse { relay: Some(relay) })
    }

    /// Begins an attempt, as soon as there is a connection.
    fn attempt(
        &mut self,
        cx: &mut Context<'_>,
        link: RelayLink,
        username: &str,
        password: Zeroizing<Vec<u8>>,
        (step, invitation): (Step, Vec<u8>),
    ) -> Result<MailboxRelay, Failure> {
        let username =
            check_name(username).map_err(|error| Failure::bad_request("username", error.to_string()))?;
        let relay = RelayKey(link.pin);
        if self.is_attempted(relay) {
            return Err(Failure::conflict(
                "an earlier attempt at this relay is still under way: wait for it",
            ));
        }
        let known = self.relay_records(cx)?;
        if known.len() >= RELAYS_MAX && known.iter().all(|record| record.pin != relay.0) {
            let message = format!("there are {RELAYS_MAX} relays already: `qpq relay leave` one first");
            return Err(Failure::quota(message));
        }
        self.relays.next_attempt += 1;
        let places = place_texts(&link);
        let attempt = Attempt {
            number: self.relays.next_attempt,
            link,
            username: fold_name(&username),
            password,
            invitation,
            step,
            late_works: 0,
            failure: None,
        };
        self.relays.attempts.insert(relay, attempt);
        self.forget_failed_attempts(relay);
        self.want_relay(cx, relay, places);
        if self.relays.line(relay).stage != Stage::Offline {
            // Whoever is logged in on the connection begins anew.
            let super::Relays { lines, next_round, .. } = &mut self.relays;
            lines.entry(relay).or_default().begin_round(next_round);
            self.begin_attempt(cx, relay)?;
        }
        Ok(self.relay_view(cx, relay)?.unwrap_or_default())
    }

    fn forget_failed_attempts(&mut self, except: RelayKey) {
        self.relays.attempts.retain(|relay, attempt| *relay == except || attempt.failure.is_none());
    }

    /// `WaitMailboxRelay` without the waiting, which is the driver's.
    pub(crate) fn wait_mailbox_relay(
        &self,
        cx: &Context<'_>,
        request: &WaitMailboxRelayRequest,
    ) -> Result<WaitMailboxRelayResponse, Failure> {
        let relay =
            key_of(&request.pin).ok_or_else(|| Failure::bad_request("pin", "a pin is 32 bytes long"))?;
        if let Some(failure) = self.relays.attempts.get(&relay).and_then(|attempt| attempt.failure.clone()) {
            return Err(failure);
        }
        let view = self.relay_view(cx, relay)?;
        let view = view.ok_or_else(|| Failure::not_found("there is no mailbox at this relay"))?;
        Ok(WaitMailboxRelayResponse { relay: Some(view) })
    }

    pub(crate) fn list_mailbox_relays(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Result<ListMailboxRelaysResponse, Failure> {
        let mut relays = Vec::new();
        for record in self.relay_records(cx)? {
            if let Some(relay) = key_of(&record.pin) {
                relays.extend(self.relay_view(cx, relay)?);
            }
        }
        let mut response = ListMailboxRelaysResponse { relays, ..ListMailboxRelaysResponse::default() };
        self.show_progress(cx, &mut response)?;
        Ok(response)
    }

    /// Gives a mailbox up: at the relay if it is reached, and to the contacts who know it.
    pub(crate) fn leave_relay(
        &mut self,
        cx: &mut Context<'_>,
        asked: &LeaveRelayRequest,
    ) -> Result<LeaveRelayResponse, Failure> {
        let record = self.find_relay(cx, &asked.relay)?;
        let Some(relay) = key_of(&record.pin) else { return Err(Failure::internal()) };
        let gone = Mailboxes { mailboxes: Vec::new(), gone: vec![record.mailbox.clone()] };
        for contact in self.contacts_of_relay(cx, &record.pin)? {
            cx.tx.delete(GRANTS, tables::key(&sender_key(&record.pin, &contact)))?;
            self.say_mailboxes(cx, &contact, gone.clone())?;
        }
        cx.tx.delete(RELAYS, tables::key(&record.pin))?;
        self.withdraw_bundles(cx, relay)?;
        cx.tx.delete(RELAY_LOGS, tables::key(&record.pin))?;
        let is_ready = self.relays.lines.get(&relay).is_some_and(|line| line.stage == Stage::Ready);
        if is_ready {
            let revoke = RevokeMailboxRequest { mailbox: record.mailbox.clone() };
            self.call_own_relay(cx, relay, request(Method::RevokeMailbox, &revoke), RelayStep::Revoke);
        } else {
            self.let_relay_go(cx, relay);
        }
        self.log_relay(cx, relay)?;
        Ok(LeaveRelayResponse { unreached: !is_ready })
    }

    /// A relay as the owner's programs see it, by its pin.
    pub(crate) fn relay_view_of(
        &self,
        cx: &Context<'_>,
        pin: &[u8],
    ) -> Result<Option<MailboxRelay>, EngineError> {
        key_of(pin).map_or(Ok(None), |relay| self.relay_view(cx, relay))
    }

    fn relay_view(&self, cx: &Context<'_>, relay: RelayKey) -> Result<Option<MailboxRelay>, EngineError> {
        let record = self.relay_record(cx, relay)?;
        let attempt = self.relays.attempts.get(&relay);
        if let Some(attempt) = attempt.filter(|attempt| attempt.failure.is_none() || record.is_none()) {
            let failure = attempt.failure.as_ref();
            return Ok(Some(MailboxRelay {
                pin: relay.0.to_vec(),
                places: place_texts(&attempt.link),
                username: attempt.username.clone(),
                state: failure.map_or(attempt.state(), |_| "offline").into(),
                reason: failure.map(|failure| failure.message.clone()).unwrap_or_default(),
                ..MailboxRelay::default()
            }));
        }
        let Some(record) = record else { return Ok(None) };
        let line = self.relays.lines.get(&relay);
        let (state, reason) = match line.map(|line| line.stage) {
            _ if record.session_token.is_empty() => ("logged-out", "the session has ended: log in again"),
            Some(Stage::Ready) => ("ready", ""),
            Some(Stage::Connected) => ("connecting", ""),
            Some(Stage::Offline) if line.is_some_and(|line| line.reason.is_empty()) => ("connecting", ""),
            Some(Stage::Offline) | None => ("offline", "the relay is not reached"),
        };
        let reason =
            line.map(|line| line.reason.as_str()).filter(|reason| !reason.is_empty()).unwrap_or(reason);
        Ok(Some(MailboxRelay {
            pin: record.pin.clone(),
            places: record.places.clone(),
            username: record.username.clone(),
            state: state.into(),
            reason: reason.into(),
            session_ends_at_ms: record.session_ends_at_ms,
            received: record.received,
            contacts: u32::try_from(self.contacts_of_relay(cx, &record.pin)?.len()).unwrap_or(u32::MAX),
            fetched: self.has_fetched(relay),
            log: self.relay_log(cx, relay)?.as_ref().map(RelayLogRecord::view),
        }))
    }

    /// Relays at which nobody is logged in any more, and those whose log is not to be believed.
    pub(crate) fn relay_health(&self, cx: &Context<'_>) -> Result<Vec<HealthItem>, EngineError> {
        let mut records = self.relay_records(cx)?;
        let faults = self.log_health(cx, &records)?;
        records.retain(|record| record.session_token.is_empty());
        let item = |record: &RelayRecord| {
            let place = record.places.first().cloned().unwrap_or_default();
            HealthItem {
                code: "relay-logged-out".into(),
                title: format!("the relay at {place} keeps nothing for you"),
                text: "the session there has ended: log in again, or leave it".into(),
                severity: "warning".into(),
                fix: format!("qpq relay login LINK --username {}", record.username),
            }
        };
        Ok(records.iter().map(item).chain(faults).collect())
    }
}

pub(crate) fn link_field(text: &str) -> Result<RelayLink, Failure> {
    text.parse().map_err(|error: qpq_crypto::relay_link::RelayLinkError| {
        Failure::bad_request("link", error.to_string())
    })
}

fn password_field(password: &[u8], bytes_min: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if !(bytes_min..=PASSWORD_BYTES_MAX).contains(&password.len()) {
        let message = format!("a password has {bytes_min} to {PASSWORD_BYTES_MAX} bytes");
        return Err(Failure::bad_request("password", message));
    }
    Ok(Zeroizing::new(password.to_vec()))
}
