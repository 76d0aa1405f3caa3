//! The part of a registration or a login that takes long: a password is stretched, and where a relay asks for work before it
//! registers anybody, the work is done. All of it away from the writer.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use qpq_crypto::opaque::{ClientLogin, ClientRegistration, LoggedIn, OpaqueError, Registered};
use qpq_crypto::passphrase::PassphraseCost;
use qpq_crypto::work::Challenge;
use qpq_proto::ids::Identity;
use rand_core::CryptoRng;

/// A password that is to be stretched, in the middle of OPAQUE (RFC 9807). Takes as long as the cost says.
#[derive(Clone)]
pub struct Stretching {
    attempt: u64,
    work: Arc<Mutex<Option<Work>>>,
}

/// What stretching is for, with the relay's answer.
pub(super) struct Work {
    pub(super) state: State,
    pub(super) identity: Identity,
    pub(super) response: Vec<u8>,
    pub(super) cost: PassphraseCost,
    /// What the relay asks for before it registers anybody.
    pub(super) challenge: Option<Challenge>,
}

/// The client's half of OPAQUE.
pub(super) enum State {
    Registration(Box<ClientRegistration>),
    Login(Box<ClientLogin>),
}

/// What came of stretching a password.
pub struct Stretched(pub(super) Result<Proof, OpaqueError>);

/// What is sent to the relay next.
pub(super) enum Proof {
    Registered(Registered, Option<Solved>),
    LoggedIn(LoggedIn),
}

/// A challenge, and the nonce that solves it.
pub(super) struct Solved {
    pub(super) challenge: Challenge,
    pub(super) nonce: u64,
}

impl Stretching {
    pub(super) fn new(attempt: u64, work: Work) -> Self {
        Self { attempt, work: Arc::new(Mutex::new(Some(work))) }
    }

    /// The attempt that it is for.
    pub const fn attempt(&self) -> u64 {
        self.attempt
    }

    /// Does it; `None` if it was done before.
    pub fn run(&self, rng: &mut dyn CryptoRng) -> Option<Stretched> {
        let work = self.work.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let Work { state, identity, response, cost, challenge } = work;
        Some(Stretched(match state {
            State::Registration(state) => {
                let registered = state.finish(rng, &identity, &response, cost);
                registered.map(|registered| Proof::Registered(registered, challenge.and_then(solved)))
            }
            State::Login(state) => state.finish(rng, &identity, &response, cost).map(Proof::LoggedIn),
        }))
    }
}

fn solved(challenge: Challenge) -> Option<Solved> {
    challenge.solve().map(|nonce| Solved { challenge, nonce })
}

impl PartialEq for Stretching {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.work, &other.work)
    }
}

impl Eq for Stretching {}

impl fmt::Debug for Stretching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stretching").field("attempt", &self.attempt).finish_non_exhaustive()
    }
}

impl fmt::Debug for Stretched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stretched").field(&self.0.as_ref().map(|_| "..")).finish()
    }
}
