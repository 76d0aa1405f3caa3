//! What this node has seen of a relay's log of names, and what becomes of a relay that is caught.
//!
//! A node asks for its own name after each login and once a day: a relay that shows somebody else behind it can be noticed by
//! nobody sooner. A relay whose answers contradict what it showed before is not asked for names any more, until its user leaves
//! it and makes its acquaintance anew. What it signed is kept, to be shown to others.

use qpq_crypto::transparency::{Evidence, LogKeys, LogView, NamedIdentity, Verdict, Violation};
use qpq_proto::{
    Failure,
    v1::{Check, HealthItem, RelayLog, TransparencyKeys},
};

use super::{Stage, key_of, names::Question};
use crate::{
    context::Context,
    engine::Engine,
    input::{EngineError, RelayKey},
    outbox::Task,
    records::{RelayLogRecord, RelayRecord},
    tables::{self, RELAY_LOGS},
};

/// How often a node asks for its own name, ms.
const OWN_NAME_EVERY_MS: u64 = 86_400_000;

/// What a relay did, and what shows it.
pub(super) struct Caught {
    pub violation: Violation,
    pub evidence: Option<Evidence>,
}

impl RelayLogRecord {
    /// A relay that was caught is asked for the own name alone, as long as there is no proof.
    pub(super) fn is_asked(&self, question: &Question) -> bool {
        let may_convict = matches!(question, Question::Own { .. }) && !self.is_proven;
        self.refusal.is_empty() || may_convict
    }

    /// Why the relay is not asked.
    pub(super) fn refused(&self) -> Failure {
        let refused =
            Failure::forbidden(format!("nothing of this relay's log is believed: {}", self.refusal));
        Failure { field: REFUSED_FIELD.into(), ..refused }
    }

    /// As the owner's programs see it.
    pub(super) fn view(&self) -> RelayLog {
        let view = LogView::decode(&self.view).ok();
        let newest = view.as_ref().and_then(LogView::newest);
        RelayLog {
            name: view.as_ref().map(|view| view.keys().relay.clone()).unwrap_or_default(),
            entries: newest.map_or(0, |head| head.size),
            signed_at_ms: newest.map_or(0, |head| head.signed_at_ms),
            refusal: self.refusal.clone(),
            proven: self.is_proven,
            own_name: self.own_fault.clone(),
        }
    }
}

impl Engine {
    pub(super) fn relay_log(
        &self,
        cx: &Context<'_>,
        relay: RelayKey,
    ) -> Result<Option<RelayLogRecord>, EngineError> {
        tables::load(cx.tx, RELAY_LOGS, tables::key(&relay.0))
    }

    pub(super) fn save_relay_log(
        &self,
        cx: &mut Context<'_>,
        log: &RelayLogRecord,
    ) -> Result<(), EngineError> {
        tables::save(cx.tx, RELAY_LOGS, tables::key(&log.pin), log)
    }

    /// A login or a resumed session names the keys of the log, of which the first is known to be the right one. The others
    /// are believed once, and must stay the same.
    pub(super) fn note_log_keys(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        keys: Option<&TransparencyKeys>,
    ) -> Result<(), EngineError> {
        let keys = keys.and_then(|keys| LogKeys::try_from(keys).ok());
        let Some(log) = self.relay_log(cx, relay)? else {
            let Some(keys) = keys else { return Ok(()) };
            let (pin, view) = (relay.0.to_vec(), LogView::new(keys).encode());
            return self.save_relay_log(cx, &RelayLogRecord { pin, view, ..RelayLogRecord::default() });
        };
        let known = LogView::decode(&log.view).ok();
        let are_same = known.is_some_and(|known| Some(known.keys()) == keys.as_ref());
        if are_same || !log.refusal.is_empty() {
            return Ok(());
        }
        self.refuse(cx, relay, log, "its log goes by another name or another key than before")
    }

    /// This person has registered anew: versions of the name before that were not this account's.
    pub(super) fn own_name_is_new(&self, cx: &mut Context<'_>, relay: RelayKey) -> Result<(), EngineError> {
        match self.relay_log(cx, relay)? {
            Some(mut log) => {
                log.own_version = 0;
                self.save_relay_log(cx, &log)
            }
            None => Ok(()),
        }
    }

    pub(super) fn own_name_later(&mut self, cx: &Context<'_>, relay: RelayKey) {
        let at_ms = cx.now.monotonic_ms + OWN_NAME_EVERY_MS;
        self.relays.line(relay).own_name_ms = at_ms;
        self.outbox.plan(at_ms, Task::OwnName(relay));
    }

    /// It is time to ask for the own name again; while the relay is not reached, that waits for the next login.
    pub(crate) fn own_name_due(&mut self, cx: &mut Context<'_>, relay: RelayKey) -> Result<(), EngineError> {
        let line = self.relays.lines.get(&relay).filter(|line| line.stage == Stage::Ready);
        // After a login in between it has been asked for since.
        match line.filter(|line| line.own_name_ms <= cx.now.monotonic_ms) {
            Some(_) => self.ask_own_name(cx, relay),
            None => Ok(()),
        }
    }

    /// The log proves who is behind this person's own name.
    pub(super) fn own_name_seen(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        mut log: RelayLogRecord,
        username: &str,
        named: Option<NamedIdentity>,
    ) -> Result<(), EngineError> {
        self.own_name_later(cx, relay);
        let Some(me) = &self.me else { return Ok(()) };
        let is_set_again = named.is_some_and(|named| named.version > log.own_version);
        log.was_others |= log.own_version > 0 && is_set_again;
        let fault = match named {
            Some(named) if named.identity != me.identity.public() => {
                format!("it says that {username} is somebody else, with the identity key {}", named.identity)
            }
            None => format!("it says that nobody is called {username} any more"),
            Some(_) if log.was_others => format!("{username} was somebody else there for a while"),
            Some(_) => String::new(),
        };
        log.own_version = named.map_or(log.own_version, |named| log.own_version.max(named.version));
        let was = std::mem::replace(&mut log.own_fault, fault);
        self.save_relay_log(cx, &log)?;
        if was == log.own_fault {
            return Ok(());
        }
        if !log.own_fault.is_empty() {
            let place = self.place_of(cx, relay)?;
            let text = format!("the relay at {place} is not to be trusted: {}", log.own_fault);
            self.log_alarm(cx, "relay-own-name", text)?;
        }
        self.log_relay(cx, relay)
    }

    /// A relay was caught: nothing of its log is believed any more, and what shows it is kept.
    pub(super) fn caught(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        mut log: RelayLogRecord,
        Caught { violation, evidence }: Caught,
    ) -> Result<(), EngineError> {
        let convicts =
            |evidence: &Evidence| !matches!(evidence.verdict(), Ok(Verdict::Inconclusive) | Err(_));
        if let Some(evidence) = evidence.filter(|evidence| log.evidence.is_empty() || convicts(evidence)) {
            log.is_proven = convicts(&evidence);
            log.evidence = evidence.encode();
        }
        if !log.refusal.is_empty() && !log.is_proven {
            return self.save_relay_log(cx, &log);
        }
        self.refuse(cx, relay, log, &violation.to_string())
    }

    fn refuse(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        mut log: RelayLogRecord,
        reason: &str,
    ) -> Result<(), EngineError> {
        log.refusal = reason.to_owned();
        self.save_relay_log(cx, &log)?;
        self.relays.answers.forget(relay);
        self.relays.line(relay).questions.clear();
        let place = self.place_of(cx, relay)?;
        let text =
            format!("the relay at {place} contradicts itself, and its names are not believed: {reason}");
        self.log_alarm(cx, "relay-log", text)?;
        self.log_relay(cx, relay)
    }

    /// Where a relay is, for a person.
    pub(crate) fn place_of(&self, cx: &Context<'_>, relay: RelayKey) -> Result<String, EngineError> {
        let record = self.relay_record(cx, relay)?;
        Ok(record.and_then(|record| record.places.first().cloned()).unwrap_or_default())
    }

    /// Relays that were caught, or show another behind this person's own name.
    pub(super) fn log_health(
        &self,
        cx: &Context<'_>,
        records: &[RelayRecord],
    ) -> Result<Vec<HealthItem>, EngineError> {
        let mut items = Vec::new();
        for record in records {
            let Some(relay) = key_of(&record.pin) else { continue };
            let Some(log) = self.relay_log(cx, relay)? else { continue };
            let place = record.places.first().cloned().unwrap_or_default();
            for (code, title, text, fix) in log.faults(&record.pin) {
                let title = format!("the relay at {place} {title}");
                items.push(HealthItem { code: code.into(), title, text, severity: "error".into(), fix });
            }
        }
        Ok(items)
    }

    /// One check of each relay's log.
    pub(crate) fn relay_checks(&self, cx: &Context<'_>) -> Result<Vec<Check>, EngineError> {
        let records = self.relay_records(cx)?;
        let mut checks = Vec::new();
        for item in self.log_health(cx, &records)? {
            let text = format!("{}: {}", item.title, item.text);
            checks.push(Check { name: "relays".into(), outcome: "fail".into(), text, fix: item.fix });
        }
        if checks.is_empty() && !records.is_empty() {
            let text = "no relay was caught at telling different things".to_owned();
            checks.push(Check { name: "relays".into(), outcome: "ok".into(), text, fix: String::new() });
        }
        Ok(checks)
    }
}

impl RelayLogRecord {
    /// What is wrong: code, the rest of a title, text and a command.
    fn faults(&self, pin: &[u8]) -> Vec<(&'static str, &'static str, String, String)> {
        let pin: String = pin.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let mut faults = Vec::new();
        if !self.refusal.is_empty() {
            let fix = match self.is_proven {
                true => format!("qpq relay proof {pin}"),
                false => format!("qpq relay leave {pin}"),
            };
            faults.push(("relay-log", "contradicts itself", self.refusal.clone(), fix));
        }
        if !self.own_fault.is_empty() {
            let fix = format!("qpq relay leave {pin}");
            faults.push(("relay-own-name", "passes somebody else off as you", self.own_fault.clone(), fix));
        }
        faults
    }
}

/// Names, in a failure, that a relay was caught.
pub(crate) const REFUSED_FIELD: &str = "relay";
