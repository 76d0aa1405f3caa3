//! Accounts: registering, logging in, resuming, devices, deletion, and what nobody may learn.

use qpq_crypto::account::{session_token_hash, sign_deletion, sign_login, sign_session};
use qpq_proto::v1::{
    CreateRelayInvitationRequest, CreateRelayInvitationResponse, DeleteAccountRequest, DeleteAccountResponse,
    OpaqueLoginFinishRequest, OpaqueLoginFinishResponse, OpaqueRegisterStartRequest,
    OpaqueRegisterStartResponse, ResumeSessionRequest, ResumeSessionResponse, RevokeDeviceRequest,
    RevokeDeviceResponse,
};
use qpq_proto::{Method, Status};

use super::people::{ALICE, Person, alice, is_in, log_in, log_in_as, on, prove, register, resume, status};
use super::world::World;
use crate::input::{Caller, Peer};
use crate::tables::{ACCOUNTS, MAILBOXES, SESSIONS, USERNAMES};

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
fn a_session_that_is_taken_up_now_and_then_does_not_end_and_seldom_costs_a_write() {
    let (mut world, alice) = alice();
    let day_ms = 86_400_000;
    let token = log_in(&mut world, &alice, 1, 1).unwrap();
    let first_end_ms = world.now.wall_ms + 30 * day_ms;
    for (days, is_prolonged) in [(7, false), (1, true), (7, false), (22, true), (29, true), (0, false)] {
        world.pass(days * day_ms);
        world.memory.writes = 0;
        let end_ms = resume(&mut world, &alice, 1, token, 2).unwrap();
        assert_eq!(end_ms == world.now.wall_ms + 30 * day_ms, is_prolonged || days == 0, "after {days} days");
        // That the device was seen is written in any case.
        assert_eq!(world.memory.writes > 1, is_prolonged, "after {days} days");
    }
    assert!(world.now.wall_ms > first_end_ms && is_in(&mut world, 2));
    world.pass(30 * day_ms);
    assert_eq!(status(resume(&mut world, &alice, 1, token, 2)), Status::Unauthorized);
    assert_eq!(world.memory.count(SESSIONS), 1);
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

/// Deletes the account that is logged in over a connection.
pub(super) fn delete(world: &mut World, person: &Person, connection: u8) {
    let proven = prove(world, person, connection).unwrap();
    let signature = sign_deletion(&person.identity(), &proven.session_key, &[connection; 32]).to_vec();
    let request = DeleteAccountRequest { finalization: proven.finalization, signature };
    let _: DeleteAccountResponse = world.call(on(connection), Method::DeleteAccount, &request).unwrap();
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
    super::accounts::delete(&mut world, &alice, 1);
    assert!(!is_in(&mut world, 1));
    assert_eq!(status(resume(&mut world, &alice, 1, token, 2)), Status::Unauthorized);
    world.pass(60_000);
    for table in [ACCOUNTS, USERNAMES, SESSIONS, MAILBOXES] {
        assert_eq!(world.memory.count(table), 0, "{table:?}");
    }
    assert_eq!(register(&mut world, &Person::new(5, ALICE), 2), Ok(true));
}

#[test]
fn an_invitation_is_made_by_the_owner_within_bounds() {
    let mut world = World::new();
    let owner = Caller { peer: Peer::Owner, ..on(9) };
    for (uses, lifetime_s, field) in [(1_001, 0, "uses"), (0, 400 * 86_400, "lifetime_s")] {
        let request = CreateRelayInvitationRequest { uses, lifetime_s };
        let refused: Result<CreateRelayInvitationResponse, _> =
            world.call(owner, Method::CreateRelayInvitation, &request);
        assert_eq!(refused.unwrap_err().field, field);
    }
    let request = CreateRelayInvitationRequest::default();
    let made: CreateRelayInvitationResponse =
        world.call(owner, Method::CreateRelayInvitation, &request).unwrap();
    assert_eq!(made.expires_at_ms, world.now.wall_ms + 7 * 86_400_000);
    let by_another: Result<CreateRelayInvitationResponse, _> =
        world.call(on(1), Method::CreateRelayInvitation, &request);
    assert_eq!(status(by_another), Status::Forbidden);
}

#[test]
fn nobody_logs_in_over_the_owners_socket() {
    let (mut world, alice) = alice();
    let token = log_in(&mut world, &alice, 1, 1).unwrap();
    let owner = Caller { peer: Peer::Owner, exporter: [0; 32], ..on(9) };
    let signature = sign_session(&alice.device(1), &session_token_hash(&token), &owner.exporter);
    let request =
        ResumeSessionRequest { session_token: token.to_vec(), device_signature: signature.to_vec() };
    let resumed: Result<ResumeSessionResponse, _> = world.call(owner, Method::ResumeSession, &request);
    assert_eq!(status(resumed), Status::Forbidden);
}
