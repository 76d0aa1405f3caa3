//! How far an attempt is, and what its failures are in words.

use qpq_crypto::{
    opaque::{ClientLogin, ClientRegistration, OpaqueError},
    relay_link::RelayLink,
    work::{Challenge, WORK_BITS_MAX},
};
use qpq_proto::{
    Failure, Status,
    ids::Identity,
    v1::{OpaqueLoginFinishResponse, WorkChallenge},
};
use zeroize::Zeroizing;

use crate::{
    context::Context,
    engine::Engine,
    input::{CallFailure, EngineError, RelayKey},
    relays::{not_reached, stretching::State},
};

/// How often work is done again that came too late.
const LATE_WORKS_MAX: u32 = 2;

/// An attempt to register, which ends with a login, or to log in.
#[derive(Debug)]
pub(in crate::relays) struct Attempt {
    pub number: u64,
    pub link: RelayLink,
    pub username: String,
    /// Empty once it is not needed any more.
    pub password: Zeroizing<Vec<u8>>,
    /// Empty for none.
    pub invitation: Vec<u8>,
    pub step: Step,
    /// How often the work was done for a challenge that had run out.
    pub late_works: u32,
    /// Why it has ended.
    pub failure: Option<Failure>,
}

/// How far an attempt is.
#[derive(Debug)]
pub(in crate::relays) enum Step {
    /// An account is to be made as soon as there is a connection.
    ToRegister,
    /// An account is there, as soon as there is a connection.
    ToLogIn,
    RegisterStart(Box<ClientRegistration>),
    RegisterFinish,
    LoginStart(Box<ClientLogin>),
    LoginFinish,
    /// A password is being stretched.
    Stretching,
}

impl Attempt {
    /// As the owner's programs see it.
    pub(in crate::relays) const fn state(&self) -> &'static str {
        match self.step {
            Step::ToRegister | Step::RegisterStart(_) | Step::RegisterFinish => "registering",
            Step::ToLogIn | Step::LoginStart(_) | Step::LoginFinish | Step::Stretching => "logging-in",
        }
    }
}

/// What the relay's answer to a step leads to.
pub(super) enum Answered {
    Stretch(State, Vec<u8>, Option<Challenge>),
    Registered,
    LoggedIn(OpaqueLoginFinishResponse),
    Nothing,
}

impl Engine {
    /// The work came too late: the challenge had run out. It is done once more, for another.
    pub(super) fn work_again(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        failure: Failure,
    ) -> Result<(), EngineError> {
        let Some(attempt) = self.relays.attempts.get_mut(&relay) else { return Ok(()) };
        attempt.late_works += 1;
        if attempt.late_works > LATE_WORKS_MAX {
            return self.attempt_failed(cx, relay, failure);
        }
        self.start_registration(cx, relay)
    }
}

/// The work that a relay asks for, unless it is more than anybody should do.
pub(super) fn challenge_of(
    asked: Option<WorkChallenge>,
    identity: Identity,
) -> Result<Option<Challenge>, CallFailure> {
    let Some(WorkChallenge { challenge, bits }) = asked else { return Ok(None) };
    let too_much = || CallFailure::Refused(not_reached("the relay asks for more work than this node does"));
    let bytes = challenge.try_into().map_err(|_| too_much())?;
    if bits > WORK_BITS_MAX {
        return Err(too_much());
    }
    Ok(Some(Challenge { bytes, key: *identity.as_bytes(), bits }))
}

/// The places of a link, as they are kept.
pub(crate) fn place_texts(link: &RelayLink) -> Vec<String> {
    link.places.iter().map(ToString::to_string).collect()
}

/// Why an attempt failed, in words for the owner.
pub(super) fn explained(failure: CallFailure) -> Failure {
    match failure {
        CallFailure::Unreachable => not_reached("the relay was not reached: try again"),
        CallFailure::Refused(failure) if failure.status == Status::Internal => {
            not_reached("the relay has a fault: try again later, or tell its administrator")
        }
        CallFailure::Refused(failure) => failure,
    }
}

pub(super) fn opaque_failure(error: OpaqueError) -> Failure {
    match error {
        OpaqueError::Refused => {
            Failure::forbidden("the name or the password is wrong, or there is no such account")
        }
        OpaqueError::PasswordLength(_) => Failure::bad_request("password", error.to_string()),
        _ => not_reached(format!("the relay speaks another OPAQUE: {error}")),
    }
}
