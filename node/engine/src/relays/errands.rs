//! What the owner has relays do that takes several calls, and waits for: in this run only, the newest few.

use std::collections::BTreeMap;

use bytes::Bytes;
use qpq_proto::{
    Failure, Method, Status,
    v1::{WaitRelayErrandRequest, WaitRelayErrandResponse},
};

use super::{RelayStep, not_reached, reports::Draft};
use crate::{
    context::Context,
    engine::Engine,
    input::{CallFailure, EngineError, RelayKey},
};

/// Errands that are remembered; the oldest go.
const ERRANDS_MAX: usize = 4;

/// Errands of this run, by number.
#[derive(Debug, Default)]
pub(super) struct Errands {
    by_number: BTreeMap<u64, Errand>,
    next: u64,
}

/// Something that a relay is asked for.
#[derive(Debug)]
struct Errand {
    relay: RelayKey,
    /// Of the connection over which it is asked: with another one nobody answers any more.
    round: u64,
    state: State,
}

/// How far it is.
#[derive(Debug, Clone)]
pub(super) enum State {
    /// Asks to whom the report is to be sealed.
    Administrators(Draft),
    /// Hands a report in that so many administrators can open.
    Reporting(u32),
    /// Asks for reports.
    Fetching,
    /// The answer for the owner.
    Ended(Result<WaitRelayErrandResponse, Failure>),
}

impl Errands {
    fn begin(&mut self, errand: Errand) -> u64 {
        self.next += 1;
        self.by_number.insert(self.next, errand);
        while self.by_number.len() > ERRANDS_MAX {
            self.by_number.pop_first();
        }
        self.next
    }
}

impl Engine {
    /// Begins an errand at a relay at which this person is logged in.
    pub(super) fn begin_errand(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        state: State,
        call: (Method, Vec<u8>),
    ) -> Result<u64, Failure> {
        let round = self.ready_round(relay);
        let round =
            round.ok_or_else(|| not_reached("the relay is not reached: `qpq relay list` says why"))?;
        let number = self.relays.errands.begin(Errand { relay, round, state });
        self.call_own_relay(cx, relay, call, RelayStep::Errand { number });
        Ok(number)
    }

    /// `WaitRelayErrand` without the waiting, which is the driver's.
    pub(crate) fn wait_relay_errand(
        &self,
        _: &Context<'_>,
        request: &WaitRelayErrandRequest,
    ) -> Result<WaitRelayErrandResponse, Failure> {
        let errand = self.relays.errands.by_number.get(&request.errand);
        let errand = errand.ok_or_else(|| Failure::not_found("nothing of this number is under way"))?;
        match &errand.state {
            State::Ended(result) => result.clone(),
            _ if self.ready_round(errand.relay) != Some(errand.round) => {
                Err(not_reached("the connection to the relay broke: try again"))
            }
            _ => Ok(WaitRelayErrandResponse::default()),
        }
    }

    /// The relay has answered a call of an errand.
    pub(super) fn errand_answered(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        number: u64,
        result: Result<Bytes, CallFailure>,
    ) -> Result<(), EngineError> {
        let Some(errand) = self.relays.errands.by_number.get(&number) else { return Ok(()) };
        let next = match (errand.state.clone(), result) {
            (_, Err(failure)) => State::Ended(Err(in_words(failure))),
            (State::Administrators(draft), Ok(payload)) => self.hand_in(cx, (relay, number), &draft, payload),
            (State::Reporting(administrators), Ok(payload)) => {
                State::Ended(Self::handed_in(administrators, payload))
            }
            (State::Fetching, Ok(payload)) => State::Ended(self.fetched_reports(payload)),
            (ended @ State::Ended(_), Ok(_)) => ended,
        };
        let is_over = matches!(next, State::Ended(_));
        if let Some(errand) = self.relays.errands.by_number.get_mut(&number) {
            errand.state = next;
        }
        // The owner's programs wait for events.
        if is_over { self.log_relay(cx, relay) } else { Ok(()) }
    }
}

/// Why a relay did not do it, as the owner is told.
pub(super) fn in_words(failure: CallFailure) -> Failure {
    match failure {
        CallFailure::Unreachable => not_reached("the relay was not reached: try again"),
        CallFailure::Refused(failure) if failure.status == Status::Unauthorized => {
            not_reached(format!("the session with the relay has ended: {}", failure.message))
        }
        CallFailure::Refused(failure) => {
            Failure { message: format!("the relay refuses it: {}", failure.message), ..failure }
        }
    }
}
