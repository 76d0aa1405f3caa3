//! People with accounts: what they do to register, log in and come back.

use qpq_crypto::account::{prove_possession, session_token_hash, sign_login, sign_session};
use qpq_crypto::certificate::DeviceCertificate;
use qpq_crypto::device_list::DeviceList;
use qpq_crypto::identity::{DeviceSecret, IdentityKey};
use qpq_crypto::opaque::{ClientLogin, ClientRegistration, LoggedIn, OpaqueError};
use qpq_crypto::passphrase::PassphraseCost;
use qpq_proto::ids::NodeKey;
use qpq_proto::v1::{
    FetchRequest, FetchResponse, OpaqueLoginFinishRequest, OpaqueLoginFinishResponse,
    OpaqueLoginStartRequest, OpaqueLoginStartResponse, OpaqueRegisterFinishRequest,
    OpaqueRegisterFinishResponse, OpaqueRegisterStartRequest, OpaqueRegisterStartResponse,
    ResumeSessionRequest, ResumeSessionResponse, WorkChallenge,
};
use qpq_proto::{Failure, Method, Status};

use super::world::World;
use crate::input::{Caller, ConnectionId, Peer};

pub(super) const ALICE: &str = "Alice";

/// Somebody with an identity and devices, who is a number.
pub(super) struct Person {
    pub number: u8,
    pub name: &'static str,
    pub password: &'static str,
    pub lists: Vec<DeviceList>,
}

impl Person {
    pub(super) fn new(number: u8, name: &'static str) -> Self {
        let mut person = Self { number, name, password: "correct horse", lists: Vec::new() };
        person.sign_list(&[1], &[]);
        person
    }

    pub(super) fn identity(&self) -> IdentityKey {
        IdentityKey::from_seed(&[self.number; 32])
    }

    pub(super) fn device(&self, number: u8) -> DeviceSecret {
        DeviceSecret::from_seed(&[self.number ^ (number << 4); 32])
    }

    /// Signs the next device list.
    pub(super) fn sign_list(&mut self, devices: &[u8], revoked: &[u8]) {
        let certificates = devices.iter().map(|number| {
            let node = NodeKey::from_bytes([*number; 32]);
            DeviceCertificate::issue(&self.identity(), self.device(*number).public(), node, &[0x4f], 1)
                .unwrap()
        });
        let certificates = certificates.collect();
        let revoked = revoked.iter().map(|number| self.device(*number).public()).collect();
        let list = match self.lists.last() {
            None => DeviceList::sign(&self.identity(), 1, [0; 32], certificates, revoked),
            Some(last) => last.next(&self.identity(), certificates, revoked),
        };
        self.lists.push(list.unwrap());
    }

    pub(super) fn list(&self) -> Vec<u8> {
        self.lists.last().unwrap().encode()
    }
}

/// A connection by number, with an exporter of its own.
pub(super) fn on(connection: u8) -> Caller {
    Caller {
        connection: ConnectionId(connection.into()),
        peer: Peer::Anyone,
        address: None,
        exporter: [connection; 32],
    }
}

fn cost() -> PassphraseCost {
    PassphraseCost { memory_kib: 8, passes: 1, lanes: 1 }
}

pub(super) fn register(world: &mut World, person: &Person, connection: u8) -> Result<bool, Failure> {
    register_with(world, person, connection, |_, _, _| ())
}

/// Registers with a request that was changed, after it is known which work the relay asks for; some time may pass as well.
pub(super) fn register_with(
    world: &mut World,
    person: &Person,
    connection: u8,
    change: impl FnOnce(&mut World, &mut OpaqueRegisterFinishRequest, Option<WorkChallenge>),
) -> Result<bool, Failure> {
    let (state, request) = ClientRegistration::start(&mut world.rng, person.password.as_bytes()).unwrap();
    let start = OpaqueRegisterStartRequest { username: person.name.to_owned(), request };
    let answer: OpaqueRegisterStartResponse =
        world.call(on(connection), Method::OpaqueRegisterStart, &start)?;
    let identity = person.identity();
    let registered = state.finish(&mut world.rng, &identity.public(), &answer.response, cost()).unwrap();
    let mut finish = OpaqueRegisterFinishRequest {
        username: person.name.to_owned(),
        proof_of_possession: prove_possession(&identity, &person.name.to_lowercase(), &registered.record)
            .to_vec(),
        upload: registered.record,
        identity_key: identity.public().to_vec(),
        ..OpaqueRegisterFinishRequest::default()
    };
    change(world, &mut finish, answer.work);
    let answer: Result<OpaqueRegisterFinishResponse, _> =
        world.call(on(connection), Method::OpaqueRegisterFinish, &finish);
    answer.map(|response| response.success)
}

/// What a login brings: a token, and a connection that is bound.
pub(super) fn log_in(
    world: &mut World,
    person: &Person,
    device: u8,
    connection: u8,
) -> Result<[u8; 32], Failure> {
    let (exporter, list) = ([connection; 32], person.list());
    log_in_as(world, person, device, connection, exporter, list)
}

pub(super) fn log_in_as(
    world: &mut World,
    person: &Person,
    device: u8,
    connection: u8,
    exporter: [u8; 32],
    device_list: Vec<u8>,
) -> Result<[u8; 32], Failure> {
    let proven = prove(world, person, connection)?;
    let device = person.device(device);
    let finish = OpaqueLoginFinishRequest {
        username: person.name.to_owned(),
        finalization: proven.finalization,
        identity_key: person.identity().public().to_vec(),
        device_id: device.public().to_vec(),
        device_signature: sign_login(&device, &proven.session_key, &exporter).to_vec(),
        device_list,
    };
    let answer: Result<OpaqueLoginFinishResponse, _> =
        world.call(on(connection), Method::OpaqueLoginFinish, &finish);
    answer.map(|response| {
        assert_eq!(response.transparency, Some(world.relay.transparency_keys()));
        response.session_token.try_into().unwrap()
    })
}

/// Goes through the password's half of a login. A refusal that the client itself finds is `Unauthorized`.
pub(super) fn prove(world: &mut World, person: &Person, connection: u8) -> Result<LoggedIn, Failure> {
    let (state, request) = ClientLogin::start(&mut world.rng, person.password.as_bytes()).unwrap();
    let start = OpaqueLoginStartRequest { username: person.name.to_owned(), request };
    let answer: OpaqueLoginStartResponse = world.call(on(connection), Method::OpaqueLoginStart, &start)?;
    let identity = person.identity().public();
    state.finish(&mut world.rng, &identity, &answer.response, cost()).map_err(|error| {
        assert_eq!(error, OpaqueError::Refused);
        Failure::unauthorized("found by the client")
    })
}

/// Takes a session up on a connection; gives the time at which it ends.
pub(super) fn resume(
    world: &mut World,
    person: &Person,
    device: u8,
    token: [u8; 32],
    connection: u8,
) -> Result<u64, Failure> {
    let signature = sign_session(&person.device(device), &session_token_hash(&token), &[connection; 32]);
    let request =
        ResumeSessionRequest { session_token: token.to_vec(), device_signature: signature.to_vec() };
    let answer: Result<ResumeSessionResponse, _> =
        world.call(on(connection), Method::ResumeSession, &request);
    answer.map(|response| {
        assert_eq!(response.transparency, Some(world.relay.transparency_keys()));
        assert_eq!(response.device_id, person.device(device).public().to_vec());
        response.expires_at_ms
    })
}

/// Whether whoever is at the other end of a connection can do what a session may.
pub(super) fn is_in(world: &mut World, connection: u8) -> bool {
    let answer: Result<FetchResponse, _> =
        world.call(on(connection), Method::Fetch, &FetchRequest::default());
    answer.is_ok()
}

pub(super) fn status<T: std::fmt::Debug>(result: Result<T, Failure>) -> Status {
    result.unwrap_err().status
}

/// A relay at which Alice has registered.
pub(super) fn alice() -> (World, Person) {
    let (mut world, alice) = (World::new(), Person::new(1, ALICE));
    assert_eq!(register(&mut world, &alice, 1), Ok(true));
    (world, alice)
}
