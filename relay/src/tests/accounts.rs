//! Accounts: registering, logging in, resuming, devices, deletion, and what nobody may learn.

use qpq_crypto::account::{prove_possession, session_token_hash, sign_deletion, sign_login, sign_session};
use qpq_crypto::certificate::DeviceCertificate;
use qpq_crypto::device_list::DeviceList;
use qpq_crypto::identity::{DeviceSecret, IdentityKey};
use qpq_crypto::opaque::{ClientLogin, ClientRegistration, LoggedIn, OpaqueError};
use qpq_crypto::passphrase::PassphraseCost;
use qpq_proto::ids::NodeKey;
use qpq_proto::v1::{
    DeleteAccountRequest, DeleteAccountResponse, FetchRequest, FetchResponse, OpaqueLoginFinishRequest,
    OpaqueLoginFinishResponse, OpaqueLoginStartRequest, OpaqueLoginStartResponse,
    OpaqueRegisterFinishRequest, OpaqueRegisterFinishResponse, OpaqueRegisterStartRequest,
    OpaqueRegisterStartResponse, ResumeSessionRequest, ResumeSessionResponse, RevokeDeviceRequest,
    RevokeDeviceResponse,
};
use qpq_proto::{Failure, Method, Status};

use super::world::World;
use crate::input::{Caller, ConnectionId, Peer};
use crate::tables::{ACCOUNTS, MAILBOXES, SESSIONS, USERNAMES};

/// Somebody with an identity and devices, who is a number.
pub(super) struct Person {
    number: u8,
    name: &'static str,
    password: &'static str,
    lists: Vec<DeviceList>,
}

const ALICE: &str = "Alice";

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
    fn sign_list(&mut self, devices: &[u8], revoked: &[u8]) {
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

    fn list(&self) -> Vec<u8> {
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
    let (state, request) = ClientRegistration::start(&mut world.rng, person.password.as_bytes()).unwrap();
    let start = OpaqueRegisterStartRequest { username: person.name.to_owned(), request };
    let answer: OpaqueRegisterStartResponse =
        world.call(on(connection), Method::OpaqueRegisterStart, &start)?;
    let identity = person.identity();
    let registered = state.finish(&mut world.rng, &identity.public(), &answer.response, cost()).unwrap();
    let finish = OpaqueRegisterFinishRequest {
        username: person.name.to_owned(),
        proof_of_possession: prove_possession(&identity, &person.name.to_lowercase(), &registered.record)
            .to_vec(),
        upload: registered.record,
        identity_key: identity.public().to_vec(),
        invitation: Vec::new(),
    };
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

fn log_in_as(
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
    answer.map(|response| response.session_token.try_into().unwrap())
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

pub(super) fn resume(
    world: &mut World,
    person: &Person,
    device: u8,
    token: [u8; 32],
    connection: u8,
) -> Result<(), Failure> {
    let signature = sign_session(&person.device(device), &session_token_hash(&token), &[connection; 32]);
    let request =
        ResumeSessionRequest { session_token: token.to_vec(), device_signature: signature.to_vec() };
    let answer: Result<ResumeSessionResponse, _> =
        world.call(on(connection), Method::ResumeSession, &request);
    answer.map(|response| assert_eq!(response.device_id, person.device(device).public().to_vec()))
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

pub(super) fn alice() -> (World, Person) {
    let (mut world, alice) = (World::new(), Person::new(1, ALICE));
    assert_eq!(register(&mut world, &alice, 1), Ok(true));
    (world, alice)
}

#[test]
fn a_registered_person_logs_in_and_comes_back_with_the_token() {
    let (mut world, alice) = alice();
    assert!(!is_in(&mut world, 1), "registering is not logging in");
    let token = log_in(&mut world, &alice, 1, 1).unwrap();
    assert!(is_in(&mut world, 1));
    assert!(!is_in(&mut world, 2));
    resume(&mut world, &alice, 1, token, 2).unwrap();
    assert!(is_in(&mut world, 2));
}

#[test]
fn a_name_and_an_identity_are_registered_once() {
    let (mut world, alice) = alice();
    for name in ["Alice", "alice", "ALICE"] {
        let other = Person { name, ..Person::new(2, ALICE) };
        assert_eq!(status(register(&mut world, &other, 2)), Status::Conflict, "{name}");
    }
    let same = Person { name: "alicia", ..Person::new(1, ALICE) };
    assert_eq!(status(register(&mut world, &same, 2)), Status::Conflict);
    for name in ["", "-rf", "a b", &"x".repeat(65)] {
        let start = OpaqueRegisterStartRequest { username: name.to_owned(), request: vec![0; 32] };
        let answer: Result<OpaqueRegisterStartResponse, _> =
            world.call(on(2), Method::OpaqueRegisterStart, &start);
        assert_eq!(answer.unwrap_err().field, "username", "{name:?}");
    }
    log_in(&mut world, &alice, 1, 1).unwrap();
}

#[test]
fn a_wrong_password_a_name_that_nobody_has_and_a_wrong_identity_look_alike() {
    let (mut world, alice) = alice();
    let wrong = Person { password: "battery staple", ..Person::new(1, ALICE) };
    let nobody = Person::new(3, "nobody");
    let impostor = Person::new(4, ALICE);
    for person in [&wrong, &nobody, &impostor] {
        assert_eq!(status(log_in(&mut world, person, 1, 2)), Status::Unauthorized, "{}", person.name);
    }
    assert!(!is_in(&mut world, 2));
    log_in(&mut world, &alice, 1, 2).unwrap();
}

#[test]
fn a_password_alone_makes_nobodys_device() {
    let (mut world, alice) = alice();
    let thief = Person::new(9, ALICE);
    // The thief knows the password, and has devices of another identity.
    let proven = prove(&mut world, &alice, 2).unwrap();
    let device = thief.device(1);
    let finish = OpaqueLoginFinishRequest {
        username: ALICE.to_owned(),
        finalization: proven.finalization,
        identity_key: alice.identity().public().to_vec(),
        device_id: device.public().to_vec(),
        device_signature: sign_login(&device, &proven.session_key, &[2; 32]).to_vec(),
        device_list: thief.list(),
    };
    let with_own_list: Result<OpaqueLoginFinishResponse, _> =
        world.call(on(2), Method::OpaqueLoginFinish, &finish);
    assert_eq!(status(with_own_list), Status::Forbidden);
    assert_eq!(status(log_in_as(&mut world, &alice, 2, 2, [2; 32], alice.list())), Status::Unauthorized);
    assert_eq!(status(log_in_as(&mut world, &alice, 1, 2, [2; 32], Vec::new())), Status::Unauthorized);
    log_in(&mut world, &alice, 1, 2).unwrap();
    log_in_as(&mut world, &alice, 1, 3, [3; 32], Vec::new()).expect("the relay knows the device now");
}

#[test]
fn a_login_is_good_for_its_own_connection_only_and_once() {
    let (mut world, alice) = alice();
    let relayed = log_in_as(&mut world, &alice, 1, 2, [7; 32], alice.list());
    assert_eq!(relayed.unwrap_err().field, "device_signature");
    let proven = prove(&mut world, &alice, 2).unwrap();
    let finish = |connection: u8| OpaqueLoginFinishRequest {
        username: ALICE.to_owned(),
        finalization: proven.finalization.clone(),
        identity_key: alice.identity().public().to_vec(),
        device_id: alice.device(1).public().to_vec(),
        device_signature: sign_login(&alice.device(1), &proven.session_key, &[connection; 32]).to_vec(),
        device_list: alice.list(),
    };
    let mut finish_on = |connection: u8| -> Result<OpaqueLoginFinishResponse, _> {
        world.call(on(connection), Method::OpaqueLoginFinish, &finish(connection))
    };
    assert_eq!(status(finish_on(3)), Status::Conflict, "begun on another connection");
    finish_on(2).unwrap();
    assert_eq!(status(finish_on(2)), Status::Conflict, "begun once");
}

#[test]
fn a_token_needs_the_device_that_it_was_given_to() {
    let (mut world, alice) = alice();
    let token = log_in(&mut world, &alice, 1, 1).unwrap();
    assert_eq!(resume(&mut world, &alice, 2, token, 2).unwrap_err().field, "device_signature");
    assert_eq!(status(resume(&mut world, &alice, 1, [0; 32], 2)), Status::Unauthorized);
    assert!(!is_in(&mut world, 2));
}

#[test]
fn a_session_ends() {
    let (mut world, alice) = alice();
    let token = log_in(&mut world, &alice, 1, 1).unwrap();
    world.pass(31 * 86_400_000);
    assert!(!is_in(&mut world, 1));
    assert_eq!(status(resume(&mut world, &alice, 1, token, 2)), Status::Unauthorized);
}

#[test]
fn an_account_has_so_many_sessions() {
    let (mut world, alice) = alice();
    let first = log_in(&mut world, &alice, 1, 1).unwrap();
    let max = qpq_proto::limits::RelayLimits::ROUTER.sessions_per_account_max;
    for _ in 0..max {
        log_in(&mut world, &alice, 1, 2).unwrap();
    }
    assert_eq!(world.memory.count(SESSIONS), max);
    assert_eq!(status(resume(&mut world, &alice, 1, first, 3)), Status::Unauthorized);
}

#[test]
fn a_revoked_device_makes_no_further_call() {
    let (mut world, mut alice) = alice();
    alice.sign_list(&[1, 2], &[]);
    let laptop = log_in(&mut world, &alice, 1, 1).unwrap();
    let phone = log_in(&mut world, &alice, 2, 2).unwrap();
    alice.sign_list(&[1], &[2]);
    let request = RevokeDeviceRequest { device_list: alice.list() };
    let _: RevokeDeviceResponse = world.call(on(1), Method::RevokeDevice, &request).unwrap();
    assert!(is_in(&mut world, 1));
    assert!(!is_in(&mut world, 2));
    assert_eq!(status(resume(&mut world, &alice, 2, phone, 3)), Status::Unauthorized);
    resume(&mut world, &alice, 1, laptop, 3).unwrap();
    let stale = RevokeDeviceRequest { device_list: alice.lists[0].encode() };
    let refused: Result<RevokeDeviceResponse, _> = world.call(on(1), Method::RevokeDevice, &stale);
    assert_eq!(status(refused), Status::Conflict);
}

#[test]
fn a_deleted_account_leaves_nothing_and_its_name_is_free() {
    let (mut world, alice) = alice();
    let token = log_in(&mut world, &alice, 1, 1).unwrap();
    let proven = prove(&mut world, &alice, 1).unwrap();
    let delete = |exporter: [u8; 32]| DeleteAccountRequest {
        finalization: proven.finalization.clone(),
        signature: sign_deletion(&alice.identity(), &proven.session_key, &exporter).to_vec(),
    };
    let relayed: Result<DeleteAccountResponse, _> =
        world.call(on(1), Method::DeleteAccount, &delete([7; 32]));
    assert_eq!(relayed.unwrap_err().field, "signature");
    let again: Result<DeleteAccountResponse, _> = world.call(on(1), Method::DeleteAccount, &delete([1; 32]));
    assert_eq!(status(again), Status::Conflict, "a login is good once");
    let proven = prove(&mut world, &alice, 1).unwrap();
    let delete = DeleteAccountRequest {
        finalization: proven.finalization,
        signature: sign_deletion(&alice.identity(), &proven.session_key, &[1; 32]).to_vec(),
    };
    let _: DeleteAccountResponse = world.call(on(1), Method::DeleteAccount, &delete).unwrap();
    assert!(!is_in(&mut world, 1));
    assert_eq!(status(resume(&mut world, &alice, 1, token, 2)), Status::Unauthorized);
    world.pass(60_000);
    for table in [ACCOUNTS, USERNAMES, SESSIONS, MAILBOXES] {
        assert_eq!(world.memory.count(table), 0, "{table:?}");
    }
    assert_eq!(register(&mut world, &Person::new(5, ALICE), 2), Ok(true));
}
