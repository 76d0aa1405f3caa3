//! The relay's side.

use std::fmt;

use opaque_ke::{
    CredentialFinalization, CredentialRequest, RegistrationRequest, ServerLogin, ServerLoginParameters,
    ServerRegistration, ServerSetup,
};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::client::identifiers;
use super::generator::Generator;
use super::suite::Suite;
use super::{
    CONTEXT, KE1_BYTES, KE3_BYTES, OPAQUE_SETUP_BYTES, OpaqueError, OpaqueMessage, PENDING_LOGIN_BYTES,
    REGISTRATION_RECORD_BYTES, REGISTRATION_REQUEST_BYTES, SessionKey, check_length, check_username,
};
use crate::ids::Identity;

/// A relay's secret for all of its accounts: the seed of the oblivious function, the key of the exchange, and
/// the public key of accounts that do not exist. Whoever loses it loses every registration. Overwritten when
/// dropped; never printed.
pub struct OpaqueSetup {
    setup: ServerSetup<Suite>,
    bytes: Zeroizing<[u8; OPAQUE_SETUP_BYTES]>,
}

/// What a relay holds of an account.
#[derive(Clone, Copy)]
pub struct Account<'a> {
    /// Whose account it is.
    pub identity: &'a Identity,
    /// [`OpaqueMessage::RegistrationRecord`] as it was uploaded; secret.
    pub record: &'a [u8],
}

/// A login that waits for the client's last message.
pub struct PendingLogin(ServerLogin<Suite>);

impl OpaqueSetup {
    /// Makes a new secret.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self::keep(ServerSetup::new(&mut Generator(rng)))
    }

    /// The secret that was stored.
    ///
    /// # Errors
    /// [`OpaqueError::Length`], [`OpaqueError::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, OpaqueError> {
        check_length(OpaqueMessage::Setup, OPAQUE_SETUP_BYTES, bytes)?;
        let setup = ServerSetup::deserialize(bytes);
        setup.map(Self::keep).map_err(|_| OpaqueError::Malformed(OpaqueMessage::Setup))
    }

    /// The bytes, to be sealed and stored.
    pub fn as_bytes(&self) -> &[u8; OPAQUE_SETUP_BYTES] {
        &self.bytes
    }

    fn keep(setup: ServerSetup<Suite>) -> Self {
        let mut bytes = Zeroizing::new([0; OPAQUE_SETUP_BYTES]);
        let mut serialized = setup.serialize();
        bytes.copy_from_slice(&serialized);
        zeroize::Zeroize::zeroize(serialized.as_mut_slice());
        Self { setup, bytes }
    }

    /// Answers an [`OpaqueMessage::RegistrationRequest`]. Nothing is to be remembered of it.
    ///
    /// # Errors
    /// [`OpaqueError::UsernameLength`], [`OpaqueError::Length`], [`OpaqueError::Malformed`].
    pub fn answer_registration(&self, username: &str, request: &[u8]) -> Result<Vec<u8>, OpaqueError> {
        let message = OpaqueMessage::RegistrationRequest;
        check_username(username)?;
        check_length(message, REGISTRATION_REQUEST_BYTES, request)?;
        let malformed = |_| OpaqueError::Malformed(message);
        let request = RegistrationRequest::<Suite>::deserialize(request).map_err(malformed)?;
        let started = ServerRegistration::start(&self.setup, request, username.as_bytes());
        Ok(started.map_err(malformed)?.message.serialize().to_vec())
    }

    /// Answers an [`OpaqueMessage::Ke1`] with the [`OpaqueMessage::Ke2`], and gives what must be kept until the
    /// client's last message. Without an account the answer is one that no password opens; the steps are the
    /// same.
    ///
    /// # Errors
    /// [`OpaqueError::UsernameLength`], [`OpaqueError::Length`], [`OpaqueError::Malformed`].
    pub fn answer_login(
        &self,
        rng: &mut dyn CryptoRng,
        username: &str,
        account: Option<Account<'_>>,
        request: &[u8],
    ) -> Result<(PendingLogin, Vec<u8>), OpaqueError> {
        check_username(username)?;
        check_length(OpaqueMessage::Ke1, KE1_BYTES, request)?;
        let malformed = |_| OpaqueError::Malformed(OpaqueMessage::Ke1);
        let request = CredentialRequest::<Suite>::deserialize(request).map_err(malformed)?;
        let nobody = self.nobody(rng);
        let (identity, record) = match account {
            Some(account) => (account.identity.as_bytes(), account.record),
            None => (&[0; 32], nobody.as_slice()),
        };
        let record = decode_record(record)?;
        let parameters = ServerLoginParameters { context: Some(CONTEXT), identifiers: identifiers(identity) };
        let mut rng = Generator(rng);
        let started =
            ServerLogin::start(&mut rng, &self.setup, Some(record), request, username.as_bytes(), parameters);
        let started = started.map_err(malformed)?;
        Ok((PendingLogin(started.state), started.message.serialize().to_vec()))
    }

    /// The record of an account that does not exist (RFC 9807, section 6.3.2.2): the setup's public key for
    /// it, a random masking key, an envelope of zeros. Made for every login, so that all take the same time.
    fn nobody(&self, rng: &mut dyn CryptoRng) -> Zeroizing<[u8; REGISTRATION_RECORD_BYTES]> {
        let mut record = Zeroizing::new([0; REGISTRATION_RECORD_BYTES]);
        record[..32].copy_from_slice(&self.bytes[OPAQUE_SETUP_BYTES - 32..]);
        rng.fill_bytes(&mut record[32..96]);
        record
    }
}

impl fmt::Debug for OpaqueSetup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OpaqueSetup(..)")
    }
}

impl fmt::Debug for Account<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Account(of {:?})", self.identity)
    }
}

/// Whether an uploaded [`OpaqueMessage::RegistrationRecord`] can be stored: a later login will not fail by its
/// form.
///
/// # Errors
/// [`OpaqueError::Length`], [`OpaqueError::Malformed`].
pub fn check_record(record: &[u8]) -> Result<(), OpaqueError> {
    decode_record(record).map(|_| ())
}

fn decode_record(record: &[u8]) -> Result<ServerRegistration<Suite>, OpaqueError> {
    let message = OpaqueMessage::RegistrationRecord;
    check_length(message, REGISTRATION_RECORD_BYTES, record)?;
    ServerRegistration::deserialize(record).map_err(|_| OpaqueError::Malformed(message))
}

impl PendingLogin {
    /// Takes the client's [`OpaqueMessage::Ke3`]: whoever sent it knows the password.
    ///
    /// # Errors
    /// [`OpaqueError::Refused`], [`OpaqueError::Length`], [`OpaqueError::Malformed`].
    pub fn finish(self, finalization: &[u8]) -> Result<SessionKey, OpaqueError> {
        let message = OpaqueMessage::Ke3;
        check_length(message, KE3_BYTES, finalization)?;
        let finalization = CredentialFinalization::<Suite>::deserialize(finalization)
            .map_err(|_| OpaqueError::Malformed(message))?;
        // 3DH has put context and identifiers into the transcript before (section 6.4.3).
        let finished = self.0.finish(finalization, ServerLoginParameters::default());
        let mut finished = finished.map_err(|_| OpaqueError::Refused)?;
        Ok(SessionKey::take(&mut finished.session_key))
    }

    /// The bytes, where the login must outlive the memory; secret.
    pub fn to_bytes(&self) -> Zeroizing<[u8; PENDING_LOGIN_BYTES]> {
        let mut bytes = Zeroizing::new([0; PENDING_LOGIN_BYTES]);
        let mut serialized = self.0.serialize();
        bytes.copy_from_slice(&serialized);
        zeroize::Zeroize::zeroize(serialized.as_mut_slice());
        bytes
    }

    /// A login that was stored.
    ///
    /// # Errors
    /// [`OpaqueError::Length`], [`OpaqueError::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, OpaqueError> {
        let message = OpaqueMessage::PendingLogin;
        check_length(message, PENDING_LOGIN_BYTES, bytes)?;
        ServerLogin::deserialize(bytes).map(Self).map_err(|_| OpaqueError::Malformed(message))
    }
}

impl fmt::Debug for PendingLogin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PendingLogin(..)")
    }
}
