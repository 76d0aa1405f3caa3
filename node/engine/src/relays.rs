//! Relays: mailboxes that keep what comes for this person, and those in which it leaves what is for others.
//!
//! ```text
//!  alice's node                         relay of bob's                         bob's node
//!   entry ── Enqueue, with a token ───► mailbox 1 2 3 ◄──── FetchWait, Ack ──── session
//!     ▲        (nobody is logged in)                        (logged in)            │
//!     └───────────── receipt, by whatever way ◄────────────────────────────────────┘
//! ```
//!
//! What an entry of the outbox would bring to its recipient's node is what is left in a mailbox: the very parcel, under
//! the same delivery id, so that it is one delivery whatever way it takes. What a relay kept is taken as if the sender's
//! node had brought it. The relay sees ciphertext, a random mailbox id and tokens; a sender calls it over connections on
//! which nobody logs in, and uses each token for one delivery alone.
//!
//! Tokens are made here and told to the relay before a contact gets them, in the direct conversation. A contact that has
//! used half of them gets more. Whoever has none left takes the other ways, and asks nothing.
//!
//! An entry that a relay took stays in the outbox, marked so in the recipient's cursor, until the recipient says that it
//! came; should their nodes be connected before, it is offered directly once more. Carriers are not given it as well.
//!
//! What must never be:
//!
//! - an `Ack` of what is not committed;
//! - a token that leaves before it is written down for which delivery;
//! - a queue that stands still for what cannot be opened.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use qpq_proto::{Failure, Method};

use crate::{
    context::Context,
    engine::Engine,
    input::{CallFailure, Effect, EngineError, RelayKey, RelayLine},
    peers::Purpose,
    records::{EventRecord, RelayRecord},
    tables::{self, RELAYS},
};

mod arrive;
mod asking;
mod attempt;
mod connection;
mod errands;
mod fetching;
mod found;
mod grants;
mod invited;
mod known;
mod leave;
mod letters;
mod line;
mod meeting;
mod names;
mod owner;
mod pauses;
mod progress;
mod reports;
mod session;
mod step;
mod stretching;
mod watch;

use attempt::Attempt;
pub(crate) use attempt::place_texts;
use errands::Errands;
pub(crate) use found::split_address;
pub(crate) use leave::Mailed;
pub(crate) use letters::Letter;
use line::{Line, Stage};
use names::Answers;
pub(crate) use owner::link_field;
pub(crate) use pauses::Pauses;
pub(crate) use step::RelayStep;
pub use stretching::{Stretched, Stretching};

/// Relays at which one person has mailboxes.
const RELAYS_MAX: usize = 8;
/// Contacts are told of so many of them.
const MAILBOXES_TOLD_MAX: usize = 3;
/// How long the connection to a person's own node is waited for, after a start and when it breaks, before a relay is
/// called, ms.
const DIRECT_FIRST_MS: u64 = 2_000;

/// Connections, attempts and pauses of this run; all of it can be made anew.
#[derive(Debug, Default)]
pub(crate) struct Relays {
    lines: BTreeMap<RelayKey, Line>,
    /// Registrations and logins, the last one of each relay.
    attempts: BTreeMap<RelayKey, Attempt>,
    next_round: u64,
    next_attempt: u64,
    /// The present input has changed something here.
    is_touched: bool,
    /// The present input has changed whose mailboxes can be used.
    is_reachable_changed: bool,
    /// People in whose mailboxes something may be left; `None` until it is needed, and after a transaction that changed
    /// it was dropped.
    reachable: Option<BTreeSet<Vec<u8>>>,
    /// What the present input leaves in mailboxes.
    letters: Vec<Letter>,
    /// Of mailboxes, by id.
    pauses: BTreeMap<Vec<u8>, Pauses>,
    /// Until then nothing is left in mailboxes, monotonic ms.
    quiet_until_ms: u64,
    /// A look at who needs tokens is planned.
    is_grant_planned: bool,
    /// Whose content was opened last.
    opened: Option<Opened>,
    /// What relays said of the names that the owner asked for.
    answers: Answers,
    /// What the owner has relays do.
    errands: Errands,
}

/// Whose content was opened, and where that one is told.
#[derive(Debug, Clone)]
pub(crate) struct Opened {
    pub identity: Vec<u8>,
    /// Conversation, 16 bytes.
    pub conversation: Vec<u8>,
    /// The sender learns that it came only if it is told so by the delivery's id.
    pub is_untold: bool,
}

impl Relays {
    /// The present input's changes are kept.
    pub(crate) fn keep(&mut self) {
        (self.is_touched, self.is_reachable_changed) = (false, false);
    }

    /// Something failed inside, be it in what concerns a relay.
    pub(crate) fn fail(&mut self) {
        self.is_touched = true;
    }

    /// The present input's transaction is dropped. What was under way is given up; returns the relays with which one has
    /// to begin anew.
    pub(crate) fn discard(&mut self) -> Vec<RelayKey> {
        if std::mem::take(&mut self.is_reachable_changed) {
            self.reachable = None;
        }
        self.letters.clear();
        if !std::mem::take(&mut self.is_touched) {
            return Vec::new();
        }
        self.is_grant_planned = false;
        let next_round = &mut self.next_round;
        let connected = self.lines.iter_mut().filter(|(_, line)| line.stage != Stage::Offline);
        connected
            .map(|(relay, line)| {
                line.begin_round(next_round);
                *relay
            })
            .collect()
    }

    /// Whose content was opened by the present input, if this person has a relay, which wants to know.
    pub(crate) fn opened_sender(&self) -> Vec<u8> {
        let opened = self.opened.as_ref().filter(|_| !self.lines.is_empty());
        opened.map(|opened| opened.identity.clone()).unwrap_or_default()
    }

    /// Forgets whose content was opened by an earlier input.
    pub(crate) fn forget_opened(&mut self) {
        self.opened = None;
    }

    /// Notes whose content was opened.
    pub(crate) fn note_opened(&mut self, opened: Opened) {
        self.opened = Some(opened);
    }

    fn line(&mut self, relay: RelayKey) -> &mut Line {
        self.is_touched = true;
        self.lines.entry(relay).or_default()
    }

    /// The connection of a round; `None` if there has been another since.
    fn line_of(&mut self, relay: RelayKey, round: u64) -> Option<&mut Line> {
        self.is_touched = true;
        self.lines.get_mut(&relay).filter(|line| line.round == round)
    }
}

impl Engine {
    /// The relay of a key, if this person has a mailbox there.
    pub(crate) fn relay_record(
        &self,
        cx: &Context<'_>,
        relay: RelayKey,
    ) -> Result<Option<RelayRecord>, EngineError> {
        tables::load(cx.tx, RELAYS, tables::key(&relay.0))
    }

    pub(crate) fn save_relay(&self, cx: &mut Context<'_>, record: &RelayRecord) -> Result<(), EngineError> {
        tables::save(cx.tx, RELAYS, tables::key(&record.pin), record)
    }

    /// The relays at which this person has mailboxes, in order of preference.
    pub(crate) fn relay_records(&self, cx: &Context<'_>) -> Result<Vec<RelayRecord>, EngineError> {
        let mut records: Vec<RelayRecord> = tables::all(cx.tx, RELAYS)?;
        records.sort_by_key(|record| record.preference);
        Ok(records)
    }

    /// Wants, after a start, the relays at which this person is logged in.
    pub(crate) fn want_relays(&mut self, cx: &mut Context<'_>) -> Result<(), EngineError> {
        self.relays.quiet_until_ms = cx.now.monotonic_ms + self.direct_first_ms();
        for record in self.relay_records(cx)? {
            let Some(relay) = key_of(&record.pin).filter(|_| !record.session_token.is_empty()) else {
                continue;
            };
            self.want_relay(cx, relay, record.places.clone());
        }
        for person in self.reachable_by_mail(cx)?.clone() {
            self.mail_soon(cx, &person)?;
        }
        self.retry_kept_mail(cx, |_, _| true)
    }

    /// Wants a connection to a relay; another one, if it is sought elsewhere than before.
    fn want_relay(&mut self, cx: &mut Context<'_>, relay: RelayKey, places: Vec<String>) {
        let line = self.relays.line(relay);
        if line.places != places {
            line.break_off("");
            line.places.clone_from(&places);
        }
        cx.effects.push(Effect::WantRelay { relay, places });
    }

    /// Whether this person is logged in at a relay, and by which round.
    pub(crate) fn ready_round(&self, relay: RelayKey) -> Option<u64> {
        self.relays.lines.get(&relay).filter(|line| line.stage == Stage::Ready).map(|line| line.round)
    }

    /// How long a connection with a person's own node is waited for before a relay is called, ms.
    pub(crate) fn direct_first_ms(&self) -> u64 {
        if self.config.has_peers { DIRECT_FIRST_MS } else { 0 }
    }

    /// The effect of a call between this person and a relay.
    pub(crate) fn call_own_relay(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        (method, request): (Method, Vec<u8>),
        step: RelayStep,
    ) {
        let round = self.relays.line(relay).round;
        let purpose = Purpose::Relay { relay, round, step };
        let effect = self.peers.call_relay((relay, RelayLine::Session), method, request.into(), purpose);
        cx.effects.push(effect);
    }

    /// A relay is no longer needed.
    fn let_relay_go(&mut self, cx: &mut Context<'_>, relay: RelayKey) {
        self.relays.is_touched = true;
        self.relays.lines.remove(&relay);
        cx.effects.push(Effect::ReleaseRelay { relay });
    }

    /// Tells the owner that a relay is in another state.
    fn log_relay(&mut self, cx: &mut Context<'_>, relay: RelayKey) -> Result<(), EngineError> {
        let event = EventRecord { what: "relay".into(), person: relay.0.to_vec(), ..EventRecord::default() };
        self.log_event(cx, event).map(drop)
    }
}

/// A relay that cannot be used, as the owner is told. It is not this node that cannot serve.
pub(crate) fn not_reached(reason: impl Into<String>) -> Failure {
    Failure::not_found(reason)
}

pub(crate) fn key_of(pin: &[u8]) -> Option<RelayKey> {
    pin.try_into().ok().map(RelayKey)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A request in the form in which it is sent.
pub(crate) fn request(method: Method, request: &impl prost::Message) -> (Method, Vec<u8>) {
    (method, request.encode_to_vec())
}

/// What a relay answered, or a failure that says that it speaks otherwise.
pub(crate) fn decoded<R: prost::Message + Default>(payload: Bytes) -> Result<R, CallFailure> {
    R::decode(payload)
        .map_err(|_| CallFailure::Refused(Failure::unavailable("the relay's answer is malformed", 0)))
}
