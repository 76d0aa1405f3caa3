//! Accounts: registering, logging in, sessions, and the end of an account.
//!
//! ```text
//!  register   OpaqueRegisterStart ─► OpaqueRegisterFinish: name, record, identity key and proof that it is held
//!  log in     OpaqueLoginStart ─► OpaqueLoginFinish: password, then the signature of a device of the identity
//!  resume     ResumeSession: token, then the device's signature for this very connection
//! ```
//!
//! A password shows that somebody may use the account; only a device that the identity has signed for may speak for it.
//! What the relay keeps of a password cannot be guessed at without the relay's own secret (RFC 9807), and whoever asks
//! about a name that nobody has is answered as if somebody had it.

mod delete;
mod invitations;
mod login;
mod register;
mod secrets;
mod session_records;
mod users;
mod work;

use qpq_crypto::text::{check_name, fold_name};
use qpq_proto::Failure;

use crate::input::RelayError;
use crate::records::AccountRecord;
use crate::storage::Transaction;
use crate::tables::{self, ACCOUNTS, key};

pub(crate) use login::Logins;
pub(crate) use secrets::Secrets;
pub(crate) use session_records::end_sessions;
pub(crate) use work::WorkSecret;

/// Who may register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registration {
    /// Whoever has an invitation.
    Closed,
    /// Everybody.
    Open,
    /// Whoever has done some work for it, or has an invitation.
    Work {
        /// Leading zero bits that are to be found, at most 30.
        bits: u8,
    },
}

/// The account of an identity.
pub(crate) fn account(tx: &dyn Transaction, identity: &[u8]) -> Result<Option<AccountRecord>, RelayError> {
    tables::load(tx, ACCOUNTS, key(identity))
}

/// The devices of an account; none if there is no such account.
pub(crate) fn devices(tx: &dyn Transaction, identity: &[u8]) -> Result<Vec<Vec<u8>>, RelayError> {
    let account = account(tx, identity)?.unwrap_or_default();
    Ok(account.devices.into_iter().map(|device| device.device).collect())
}

/// A name in the one form in which names are compared and kept.
pub(crate) fn username_field(name: &str) -> Result<String, Failure> {
    let checked = check_name(name).map_err(|error| Failure::bad_request("username", error.to_string()))?;
    Ok(fold_name(&checked))
}
