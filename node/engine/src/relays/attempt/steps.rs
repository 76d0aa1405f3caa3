//! How far an attempt is, and what its failures are in words.

use qpq_crypto::{
    opaque::{ClientLogin, ClientRegistration, OpaqueError},
    relay_link::RelayLink,
};
use qpq_proto::{Failure, Status, v1::OpaqueLoginFinishResponse};
use zeroize::Zeroizing;

use crate::{
    input::CallFailure,
    relays::{not_reached, stretching::State},
};

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
    Stretch(State, Vec<u8>),
    Registered,
    LoggedIn(OpaqueLoginFinishResponse),
    Nothing,
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
