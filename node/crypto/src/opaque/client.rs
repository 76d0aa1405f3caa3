//! The client's side.

use std::fmt;

use opaque_ke::errors::ProtocolError;
use opaque_ke::{
    ClientLogin as LoginState, ClientLoginFinishParameters, ClientRegistration as RegistrationState,
    ClientRegistrationFinishParameters, CredentialResponse, Identifiers, RegistrationResponse,
};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::generator::Generator;
use super::suite::{Stretching, Suite};
use super::{
    CONTEXT, ExportKey, KE2_BYTES, OpaqueError, OpaqueMessage, REGISTRATION_RESPONSE_BYTES, SessionKey,
    check_length, check_password,
};
use crate::ids::Identity;
use crate::passphrase::PassphraseCost;

/// A registration that waits for the relay's response.
pub struct ClientRegistration {
    state: RegistrationState<Suite>,
    password: Zeroizing<Vec<u8>>,
}

/// What a registration gives.
#[derive(Debug)]
pub struct Registered {
    /// [`OpaqueMessage::RegistrationRecord`], to be uploaded. Whoever has it and the relay's setup can guess at
    /// the password.
    pub record: Vec<u8>,
    /// The key that every login will give again.
    pub export_key: ExportKey,
}

impl ClientRegistration {
    /// Begins, with the [`OpaqueMessage::RegistrationRequest`] to be sent.
    ///
    /// # Errors
    /// [`OpaqueError::PasswordLength`].
    pub fn start(rng: &mut dyn CryptoRng, password: &[u8]) -> Result<(Self, Vec<u8>), OpaqueError> {
        check_password(password)?;
        let started = RegistrationState::<Suite>::start(&mut Generator(rng), password)
            .map_err(|_| OpaqueError::Malformed(OpaqueMessage::RegistrationRequest))?;
        let password = Zeroizing::new(password.to_vec());
        Ok((Self { state: started.state, password }, started.message.serialize().to_vec()))
    }

    /// Goes on with the relay's response, for the identity that the account will belong to. Takes as long as
    /// the cost says, which is [`super::OPAQUE_COST`].
    ///
    /// # Errors
    /// [`OpaqueError::Cost`], [`OpaqueError::Length`], [`OpaqueError::Malformed`].
    pub fn finish(
        self,
        rng: &mut dyn CryptoRng,
        identity: &Identity,
        response: &[u8],
        cost: PassphraseCost,
    ) -> Result<Registered, OpaqueError> {
        let message = OpaqueMessage::RegistrationResponse;
        let stretching = Stretching::new(cost)?;
        check_length(message, REGISTRATION_RESPONSE_BYTES, response)?;
        let malformed = |_: ProtocolError| OpaqueError::Malformed(message);
        let response = RegistrationResponse::<Suite>::deserialize(response).map_err(malformed)?;
        let parameters =
            ClientRegistrationFinishParameters::new(identifiers(identity.as_bytes()), Some(&stretching));
        let mut finished = self
            .state
            .finish(&mut Generator(rng), &self.password, response, parameters)
            .map_err(malformed)?;
        let export_key = ExportKey::take(&mut finished.export_key);
        Ok(Registered { record: finished.message.serialize().to_vec(), export_key })
    }
}

impl fmt::Debug for ClientRegistration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClientRegistration(..)")
    }
}

/// A login that waits for the relay's response.
pub struct ClientLogin {
    state: LoginState<Suite>,
    password: Zeroizing<Vec<u8>>,
}

/// What a login gives.
#[derive(Debug)]
pub struct LoggedIn {
    /// [`OpaqueMessage::Ke3`], to be sent.
    pub finalization: Vec<u8>,
    /// What the relay will have as well, once it has seen the finalization.
    pub session_key: SessionKey,
    /// The key that the registration gave.
    pub export_key: ExportKey,
}

impl ClientLogin {
    /// Begins, with the [`OpaqueMessage::Ke1`] to be sent.
    ///
    /// # Errors
    /// [`OpaqueError::PasswordLength`].
    pub fn start(rng: &mut dyn CryptoRng, password: &[u8]) -> Result<(Self, Vec<u8>), OpaqueError> {
        check_password(password)?;
        let started = LoginState::<Suite>::start(&mut Generator(rng), password)
            .map_err(|_| OpaqueError::Malformed(OpaqueMessage::Ke1))?;
        let password = Zeroizing::new(password.to_vec());
        Ok((Self { state: started.state, password }, started.message.serialize().to_vec()))
    }

    /// Goes on with the relay's [`OpaqueMessage::Ke2`]. Identity and cost are those of the registration.
    ///
    /// # Errors
    /// [`OpaqueError::Refused`] where the password, the account or the relay is another;
    /// [`OpaqueError::Cost`], [`OpaqueError::Length`], [`OpaqueError::Malformed`].
    pub fn finish(
        self,
        rng: &mut dyn CryptoRng,
        identity: &Identity,
        response: &[u8],
        cost: PassphraseCost,
    ) -> Result<LoggedIn, OpaqueError> {
        let message = OpaqueMessage::Ke2;
        let stretching = Stretching::new(cost)?;
        check_length(message, KE2_BYTES, response)?;
        let response = CredentialResponse::<Suite>::deserialize(response)
            .map_err(|_| OpaqueError::Malformed(message))?;
        let parameters = ClientLoginFinishParameters::new(
            Some(CONTEXT),
            identifiers(identity.as_bytes()),
            Some(&stretching),
        );
        let mut finished = self
            .state
            .finish(&mut Generator(rng), &self.password, response, parameters)
            .map_err(refused_or_malformed)?;
        Ok(LoggedIn {
            finalization: finished.message.serialize().to_vec(),
            session_key: SessionKey::take(&mut finished.session_key),
            export_key: ExportKey::take(&mut finished.export_key),
        })
    }
}

impl fmt::Debug for ClientLogin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClientLogin(..)")
    }
}

/// The server's identity is its public key, which is what OPAQUE takes where none is given.
pub(super) fn identifiers(client: &[u8; 32]) -> Identifiers<'_> {
    Identifiers { client: Some(client), server: None }
}

/// Everything that a wrong password can lead to is one refusal; a reflected request is no response at all.
fn refused_or_malformed(error: ProtocolError) -> OpaqueError {
    match error {
        ProtocolError::ReflectedValueError => OpaqueError::Malformed(OpaqueMessage::Ke2),
        _ => OpaqueError::Refused,
    }
}
