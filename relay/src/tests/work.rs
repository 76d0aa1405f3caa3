//! Registering by work.

use qpq_crypto::work::Challenge;
use qpq_proto::v1::{
    CreateRelayInvitationRequest, CreateRelayInvitationResponse, OpaqueRegisterFinishRequest, WorkChallenge,
};
use qpq_proto::{Failure, Method, Status};

use super::people::{ALICE, Person, register, register_with};
use super::world::World;
use crate::input::{Caller, Peer};
use crate::relay::Registration;
use crate::tables::ACCOUNTS;

const BITS: u8 = 10;
const TEN_MINUTES_MS: u64 = 600_000;

fn world() -> World {
    let mut world = World::new();
    world.relay.registration = Registration::Work { bits: BITS };
    world
}

/// What somebody with this key finds.
fn solve(work: &WorkChallenge, key: &[u8]) -> u64 {
    let (bytes, key) = (work.challenge.as_slice().try_into().unwrap(), key.try_into().unwrap());
    Challenge { bytes, key, bits: work.bits }.solve().unwrap()
}

/// Does what is asked for.
fn work(_: &mut World, finish: &mut OpaqueRegisterFinishRequest, asked: Option<WorkChallenge>) {
    let asked = asked.unwrap();
    finish.work_nonce = solve(&asked, &finish.identity_key);
    finish.work_challenge = asked.challenge;
}

/// A refusal names the work that is asked for, and makes no account.
fn refused(world: &World, answer: Result<bool, Failure>, accounts: usize) -> WorkChallenge {
    let failure = answer.unwrap_err();
    assert_eq!(failure.status, Status::Forbidden, "{failure}");
    assert_eq!(world.memory.count(ACCOUNTS), accounts);
    failure.work.unwrap()
}

#[test]
fn whoever_has_worked_registers() {
    let mut world = world();
    assert_eq!(register_with(&mut world, &Person::new(1, ALICE), 1, work), Ok(true));
    assert_eq!(register_with(&mut world, &Person::new(2, "bob"), 2, work), Ok(true));
}

#[test]
fn whoever_has_not_is_told_what_to_do() {
    let mut world = world();
    let answer = register(&mut world, &Person::new(1, ALICE), 1);
    let asked = refused(&world, answer, 0);
    assert_eq!((asked.challenge.len(), asked.bits), (16, u32::from(BITS)));
    let answer = register_with(&mut world, &Person::new(1, ALICE), 1, |_, finish, _| {
        finish.work_nonce = solve(&asked, &finish.identity_key);
        finish.work_challenge.clone_from(&asked.challenge);
    });
    assert_eq!(answer, Ok(true), "with what the refusal asked for");
}

#[test]
fn work_is_for_one_name_one_identity_one_relay_and_some_minutes() {
    let mut world = world();
    register_with(&mut world, &Person::new(1, ALICE), 1, work).unwrap();
    let mut of_bob = None;
    let keep = |world: &mut World, finish: &mut OpaqueRegisterFinishRequest, asked: Option<WorkChallenge>| {
        work(world, finish, asked);
        of_bob = Some((finish.work_challenge.clone(), finish.work_nonce));
        finish.work_nonce += 1;
    };
    let answer = register_with(&mut world, &Person::new(2, "bob"), 2, keep);
    refused(&world, answer, 1);
    let (challenge, nonce) = of_bob.unwrap();
    let use_it = |world: &mut World, person: &Person| {
        register_with(world, person, 3, |_, finish, _| {
            finish.work_challenge.clone_from(&challenge);
            finish.work_nonce = nonce;
        })
    };
    for (person, what) in
        [(Person::new(2, "carol"), "another name"), (Person::new(3, "bob"), "another identity")]
    {
        let answer = use_it(&mut world, &person);
        assert!(answer.is_err(), "{what}");
        refused(&world, answer, 1);
    }
    for (passed_ms, is_good) in [(TEN_MINUTES_MS, true), (2 * TEN_MINUTES_MS, false)] {
        let mut later = self::world();
        // The same relay: another run has another secret.
        std::mem::swap(&mut later.relay.work, &mut world.relay.work);
        later.now.wall_ms += passed_ms;
        later.now.monotonic_ms += passed_ms;
        assert_eq!(use_it(&mut later, &Person::new(2, "bob")).is_ok(), is_good, "{passed_ms}");
        std::mem::swap(&mut later.relay.work, &mut world.relay.work);
    }
    world.restart("").unwrap();
    world.relay.registration = Registration::Work { bits: BITS };
    let answer = use_it(&mut world, &Person::new(2, "bob"));
    refused(&world, answer, 1);
}

#[test]
fn no_bytes_are_a_surprise() {
    let mut world = world();
    for challenge in [vec![], vec![0; 15], vec![0; 16], vec![0xff; 17], vec![7; 1_000]] {
        let answer = register_with(&mut world, &Person::new(1, ALICE), 1, |_, finish, _| {
            finish.work_challenge = challenge;
            finish.work_nonce = u64::MAX;
        });
        refused(&world, answer, 0);
    }
}

#[test]
fn whoever_is_invited_need_not_work() {
    let mut world = world();
    let owner = Caller { peer: Peer::Owner, ..super::people::on(9) };
    let invite = CreateRelayInvitationRequest { uses: 1, lifetime_s: 0 };
    let made: CreateRelayInvitationResponse =
        world.call(owner, Method::CreateRelayInvitation, &invite).unwrap();
    for (token, is_good) in [(vec![1; 32], false), (made.token.clone(), true), (made.token, false)] {
        let person = Person::new(if is_good { 1 } else { 2 }, if is_good { ALICE } else { "bob" });
        let answer = register_with(&mut world, &person, 1, |_, finish, _| finish.invitation = token);
        assert_eq!(answer.is_ok(), is_good, "{answer:?}");
    }
}
