//! Accounts of a relay: passwords by OPAQUE (RFC 9807), so that the relay never learns one and holds nothing
//! that could be guessed at without its own secret.
//!
//! OPAQUE-3DH with ristretto255-SHA512 for the oblivious function and the key exchange, HKDF-SHA512,
//! HMAC-SHA512, and Argon2id as the client's key stretching function (section 7, with its all-zero salt: what
//! is stretched is salted by the oblivious function already).
//!
//! ```text
//! client                                             relay
//! ClientRegistration::start  -- request (32) -->     OpaqueSetup::answer_registration
//! ClientRegistration::finish <-- response (64) --
//!                            -- record (192) -->     check_record, then stored
//!
//! ClientLogin::start         -- KE1 (96) -->         OpaqueSetup::answer_login
//! ClientLogin::finish        <-- KE2 (320) --
//!                            -- KE3 (64) -->         PendingLogin::finish
//! ```
//!
//! The credential identifier is the username, in the one normal form that client and relay both use; the
//! client's identity (section 4) is the account's identity key, the server's is its public key. The context
//! (section 6.4) is a constant: what binds a login to a connection is signed by a device (see
//! [`crate::account`]).
//!
//! A name that has no account is answered as one that has, by the same steps (section 10.9): the record is
//! one that nobody's password opens.
//!
//! OPAQUE is not post-quantum: who records the messages of a login and later breaks ristretto255 can guess
//! at the password then. Nothing that must stay secret for long hangs on the password alone.

mod client;
mod generator;
mod relay;
mod suite;

use std::fmt;

use zeroize::Zeroizing;

pub use client::{ClientLogin, ClientRegistration, LoggedIn, Registered};
pub use relay::{Account, OpaqueSetup, PendingLogin, check_record};

use crate::passphrase::{PassphraseCost, PassphraseError};

/// What stretching a password costs the client: 64 MiB, 3 passes, 4 lanes (RFC 9106, section 4, second
/// recommended option). An account is opened only with the cost with which it was registered, so that clients
/// use nothing else; tests do.
pub const OPAQUE_COST: PassphraseCost = PassphraseCost::STANDARD;

/// Bytes that a password may have at most.
pub const PASSWORD_BYTES_MAX: usize = 1024;
/// Bytes that a username may have at most: 64 characters of UTF-8.
pub const USERNAME_BYTES_MAX: usize = 256;

/// Bytes of a [`OpaqueMessage::RegistrationRequest`].
pub const REGISTRATION_REQUEST_BYTES: usize = 32;
/// Bytes of a [`OpaqueMessage::RegistrationResponse`].
pub const REGISTRATION_RESPONSE_BYTES: usize = 64;
/// Bytes of a [`OpaqueMessage::RegistrationRecord`].
pub const REGISTRATION_RECORD_BYTES: usize = 192;
/// Bytes of a [`OpaqueMessage::Ke1`].
pub const KE1_BYTES: usize = 96;
/// Bytes of a [`OpaqueMessage::Ke2`].
pub const KE2_BYTES: usize = 320;
/// Bytes of a [`OpaqueMessage::Ke3`].
pub const KE3_BYTES: usize = 64;
/// Bytes of a relay's [`OpaqueSetup`].
pub const OPAQUE_SETUP_BYTES: usize = 128;
/// Bytes of a [`PendingLogin`].
pub const PENDING_LOGIN_BYTES: usize = 128;

/// What client and relay exchange or keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpaqueMessage {
    /// RegistrationRequest, section 5.1.
    RegistrationRequest,
    /// RegistrationResponse, section 5.1.
    RegistrationResponse,
    /// RegistrationRecord, section 5.1; what a relay stores of an account.
    RegistrationRecord,
    /// KE1, section 6.1.
    Ke1,
    /// KE2, section 6.1.
    Ke2,
    /// KE3, section 6.1.
    Ke3,
    /// The relay's secret.
    Setup,
    /// The relay's state between KE2 and KE3.
    PendingLogin,
}

impl fmt::Display for OpaqueMessage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::RegistrationRequest => "registration request",
            Self::RegistrationResponse => "registration response",
            Self::RegistrationRecord => "registration record",
            Self::Ke1 => "first message of the login",
            Self::Ke2 => "second message of the login",
            Self::Ke3 => "third message of the login",
            Self::Setup => "relay's OPAQUE setup",
            Self::PendingLogin => "state of the login",
        })
    }
}

/// Why a registration or a login does not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpaqueError {
    /// Nothing, or more than [`PASSWORD_BYTES_MAX`].
    #[error("password has {0} bytes, not 1 to {PASSWORD_BYTES_MAX}")]
    PasswordLength(usize),
    /// Nothing, or more than [`USERNAME_BYTES_MAX`].
    #[error("username has {0} bytes, not 1 to {USERNAME_BYTES_MAX}")]
    UsernameLength(usize),
    /// Stretching beyond the bounds of [`crate::passphrase`].
    #[error(transparent)]
    Cost(#[from] PassphraseError),
    /// A message of another length than it always has.
    #[error("{message} has {actual} bytes, not {expected}")]
    Length {
        /// Which message.
        message: OpaqueMessage,
        /// Bytes it always has.
        expected: usize,
        /// Bytes it has.
        actual: usize,
    },
    /// A group element or scalar that is none, or the identity; or the relay sent back what it was sent.
    #[error("{0} is malformed")]
    Malformed(OpaqueMessage),
    /// To the client: the password is wrong, there is no such account, or this is not its relay. To the relay:
    /// whoever logs in does not know the password. Neither can know more.
    #[error("login is refused: wrong name or password")]
    Refused,
}

/// What both sides share after a login (64 bytes). Overwritten when dropped; never printed.
pub struct SessionKey(Zeroizing<[u8; 64]>);

/// What the client alone gets of its password, at registration and at every login the same (64 bytes).
/// Overwritten when dropped; never printed.
pub struct ExportKey(Zeroizing<[u8; 64]>);

macro_rules! shared_key {
    ($name:ident) => {
        impl $name {
            /// The bytes.
            pub fn as_bytes(&self) -> &[u8; 64] {
                &self.0
            }

            /// Takes the bytes over and overwrites where they were.
            fn take(bytes: &mut [u8]) -> Self {
                let mut key = Zeroizing::new([0; 64]);
                key.copy_from_slice(bytes);
                zeroize::Zeroize::zeroize(bytes);
                Self(key)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

shared_key!(SessionKey);
shared_key!(ExportKey);

#[cfg(test)]
impl SessionKey {
    pub(crate) fn from_bytes_for_tests(byte: u8) -> Self {
        Self::take(&mut [byte; 64])
    }
}

fn check_length(message: OpaqueMessage, expected: usize, bytes: &[u8]) -> Result<(), OpaqueError> {
    let actual = bytes.len();
    if actual == expected { Ok(()) } else { Err(OpaqueError::Length { message, expected, actual }) }
}

fn check_password(password: &[u8]) -> Result<(), OpaqueError> {
    let is_bounded = (1..=PASSWORD_BYTES_MAX).contains(&password.len());
    if is_bounded { Ok(()) } else { Err(OpaqueError::PasswordLength(password.len())) }
}

fn check_username(username: &str) -> Result<(), OpaqueError> {
    let is_bounded = (1..=USERNAME_BYTES_MAX).contains(&username.len());
    if is_bounded { Ok(()) } else { Err(OpaqueError::UsernameLength(username.len())) }
}

const CONTEXT: &[u8] = b"qpq/v1/opaque";

#[cfg(test)]
mod tests;
