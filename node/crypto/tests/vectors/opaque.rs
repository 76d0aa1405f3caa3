//! The vectors of RFC 9807's draft for OPAQUE-3DH on ristretto255, replayed through the implementation that
//! `qpq_crypto::opaque` uses, with its suite but for the key stretching, which is the identity there.
//!
//! The implementation takes its random values from a generator, one after the other: a script gives it those
//! of the vectors. A blinding scalar is reduced from 64 bytes, of which the upper 32 are zero here.

#![allow(clippy::unwrap_used, reason = "vectors that cannot be read have failed")]

use opaque_ke::ksf::Identity;
use opaque_ke::rand::{CryptoRng, Error, RngCore};
use opaque_ke::{
    CipherSuite, ClientLogin, ClientLoginFinishParameters, ClientRegistration,
    ClientRegistrationFinishParameters, CredentialFinalization, CredentialRequest, CredentialResponse,
    Identifiers, RegistrationRequest, RegistrationResponse, RegistrationUpload, Ristretto255, ServerLogin,
    ServerLoginParameters, ServerRegistration, ServerSetup, TripleDh,
};
use serde::Deserialize;
use sha2_010::Sha512;

use crate::support::{Hex, load};

struct Suite;

impl CipherSuite for Suite {
    type OprfCs = Ristretto255;
    type KeyExchange = TripleDh<Ristretto255, Sha512>;
    type Ksf = Identity;
}

#[derive(Deserialize)]
struct Vector {
    config: Config,
    inputs: Inputs,
    outputs: Outputs,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    context: Hex,
    fake: String,
    group: String,
}

#[derive(Deserialize)]
struct Inputs {
    blind_login: Option<Hex>,
    blind_registration: Option<Hex>,
    client_identity: Option<Hex>,
    client_keyshare_seed: Hex,
    client_nonce: Option<Hex>,
    client_public_key: Option<Hex>,
    credential_identifier: Hex,
    envelope_nonce: Option<Hex>,
    masking_key: Option<Hex>,
    masking_nonce: Hex,
    oprf_seed: Hex,
    password: Option<Hex>,
    server_identity: Option<Hex>,
    server_keyshare_seed: Hex,
    server_nonce: Hex,
    server_private_key: Hex,
    #[serde(rename = "KE1")]
    ke1: Option<Hex>,
}

#[derive(Deserialize)]
struct Outputs {
    #[serde(rename = "KE1")]
    ke1: Option<Hex>,
    #[serde(rename = "KE2")]
    ke2: Hex,
    #[serde(rename = "KE3")]
    ke3: Option<Hex>,
    export_key: Option<Hex>,
    registration_request: Option<Hex>,
    registration_response: Option<Hex>,
    registration_upload: Option<Hex>,
    session_key: Option<Hex>,
}

/// Gives the bytes it was made with, in order, and no more.
struct Script(Vec<u8>);

impl Script {
    fn of(parts: &[&[u8]]) -> Self {
        Self(parts.concat())
    }
}

impl RngCore for Script {
    fn next_u32(&mut self) -> u32 {
        unreachable!("only bytes are asked for")
    }

    fn next_u64(&mut self) -> u64 {
        unreachable!("only bytes are asked for")
    }

    fn fill_bytes(&mut self, output: &mut [u8]) {
        let rest = self.0.split_off(output.len());
        output.copy_from_slice(&std::mem::replace(&mut self.0, rest));
    }

    fn try_fill_bytes(&mut self, output: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(output);
        Ok(())
    }
}

impl CryptoRng for Script {}

impl Vector {
    fn identifiers(&self) -> Identifiers<'_> {
        Identifiers {
            client: self.inputs.client_identity.as_deref(),
            server: self.inputs.server_identity.as_deref(),
        }
    }

    fn parameters(&self) -> ServerLoginParameters<'_, '_> {
        ServerLoginParameters { context: Some(&self.config.context), identifiers: self.identifiers() }
    }

    /// The relay's secret: seed, private key, and the public key of accounts that do not exist.
    fn setup(&self) -> ServerSetup<Suite> {
        let nobody = self.inputs.client_public_key.as_deref().unwrap_or(&RISTRETTO_BASE_POINT);
        let bytes = [&*self.inputs.oprf_seed, &self.inputs.server_private_key, nobody].concat();
        ServerSetup::deserialize(&bytes).unwrap()
    }

    fn check_registration(&self) -> ServerRegistration<Suite> {
        let (inputs, outputs) = (&self.inputs, &self.outputs);
        let mut rng = Script::of(&[&inputs.blind_registration.clone().unwrap(), &[0; 32]]);
        let password = inputs.password.clone().unwrap();
        let client = ClientRegistration::<Suite>::start(&mut rng, &password).unwrap();
        let request = client.message.serialize();
        assert_eq!(*request, **outputs.registration_request.as_ref().unwrap());
        let request = RegistrationRequest::deserialize(&request).unwrap();
        let server =
            ServerRegistration::start(&self.setup(), request, &inputs.credential_identifier).unwrap();
        let response = server.message.serialize();
        assert_eq!(*response, **outputs.registration_response.as_ref().unwrap());
        let response = RegistrationResponse::deserialize(&response).unwrap();
        let mut rng = Script::of(&[&inputs.envelope_nonce.clone().unwrap()]);
        let parameters = ClientRegistrationFinishParameters::new(self.identifiers(), None);
        let finished = client.state.finish(&mut rng, &password, response, parameters).unwrap();
        let upload = finished.message.serialize();
        assert_eq!(*upload, **outputs.registration_upload.as_ref().unwrap());
        assert_eq!(*finished.export_key, **outputs.export_key.as_ref().unwrap());
        ServerRegistration::finish(RegistrationUpload::deserialize(&upload).unwrap())
    }

    fn check_login(&self, record: ServerRegistration<Suite>) {
        let (inputs, outputs) = (&self.inputs, &self.outputs);
        let mut rng = Script::of(&[
            &inputs.blind_login.clone().unwrap(),
            &[0; 32],
            &inputs.client_keyshare_seed,
            &inputs.client_nonce.clone().unwrap(),
        ]);
        let password = inputs.password.clone().unwrap();
        let client = ClientLogin::<Suite>::start(&mut rng, &password).unwrap();
        let ke1 = client.message.serialize();
        assert_eq!(*ke1, **outputs.ke1.as_ref().unwrap());
        // A masking key is drawn, and dropped, where there is a record as well.
        let server = self.answer(Some(record), &[0; 64], &ke1);
        let ke2 = CredentialResponse::deserialize(&server.message.serialize()).unwrap();
        let parameters =
            ClientLoginFinishParameters::new(Some(&self.config.context), self.identifiers(), None);
        let finished = client.state.finish(&mut Script::of(&[]), &password, ke2, parameters).unwrap();
        let ke3 = finished.message.serialize();
        assert_eq!(*ke3, **outputs.ke3.as_ref().unwrap());
        assert_eq!(*finished.session_key, **outputs.session_key.as_ref().unwrap());
        assert_eq!(*finished.export_key, **outputs.export_key.as_ref().unwrap());
        let ke3 = CredentialFinalization::deserialize(&ke3).unwrap();
        let served = server.state.finish(ke3, self.parameters()).unwrap();
        assert_eq!(served.session_key, finished.session_key);
    }

    fn answer(
        &self,
        record: Option<ServerRegistration<Suite>>,
        masking_key: &[u8],
        ke1: &[u8],
    ) -> opaque_ke::ServerLoginStartResult<Suite> {
        let inputs = &self.inputs;
        let mut rng = Script::of(&[
            masking_key,
            &inputs.masking_nonce,
            &inputs.server_keyshare_seed,
            &inputs.server_nonce,
        ]);
        let ke1 = CredentialRequest::deserialize(ke1).unwrap();
        let identifier = &inputs.credential_identifier;
        let server =
            ServerLogin::start(&mut rng, &self.setup(), record, ke1, identifier, self.parameters()).unwrap();
        assert_eq!(*server.message.serialize(), *self.outputs.ke2);
        server
    }
}

#[test]
fn opaque_3dh_ristretto255() {
    let Some(vectors) = load::<Vec<Vector>>("opaque/vectors.json") else { return };
    assert_eq!(vectors.len(), 9);
    let (mut real, mut fake) = (0, 0);
    for vector in vectors.iter().filter(|vector| vector.config.group == "ristretto255") {
        if vector.config.fake == "True" {
            let masking_key = vector.inputs.masking_key.clone().unwrap();
            vector.answer(None, &masking_key, &vector.inputs.ke1.clone().unwrap());
            fake += 1;
        } else {
            vector.check_login(vector.check_registration());
            real += 1;
        }
    }
    assert_eq!((real, fake), (2, 1));
}

const RISTRETTO_BASE_POINT: [u8; 32] = [
    0xe2, 0xf2, 0xae, 0x0a, 0x6a, 0xbc, 0x4e, 0x71, 0xa8, 0x84, 0xa9, 0x61, 0xc5, 0x00, 0x51, 0x5f, 0x58,
    0xe3, 0x0b, 0x6a, 0xa5, 0x82, 0xdd, 0x8d, 0xb6, 0xa6, 0x59, 0x45, 0xe0, 0x8d, 0x2d, 0x76,
];
