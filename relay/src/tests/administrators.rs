//! To whom reports are sealed: the owner, and the accounts that administer the relay and have published a key.

use qpq_crypto::hybrid::HybridSecret;
use qpq_crypto::signature::Domain;
use qpq_proto::limits::{RELAY_ADMINISTRATORS_MAX, RelayLimits};
use qpq_proto::v1::{
    AdministratorKey, BanUserRequest, BanUserResponse, FetchHybridKeyResponse, ListAdministratorsRequest,
    ListAdministratorsResponse, SetRelayAdministratorRequest, SetRelayAdministratorResponse,
    UploadHybridKeyRequest, UploadHybridKeyResponse,
};
use qpq_proto::{Failure, Method, Status};

use super::people::{ALICE, Person, log_in, on, register};
use super::world::World;
use crate::input::{Caller, Peer};
use crate::moderation::administrators;
use crate::storage::Transaction;
use crate::tables::{self, ADMINISTRATORS};

const BOB: usize = 1;
const CAROL: usize = 2;

fn owner() -> Caller {
    Caller { peer: Peer::Owner, ..on(99) }
}

/// Three people with accounts, each logged in over the connection of its number; none administers the relay.
fn world() -> (World, Vec<Person>) {
    let mut world = World::with(RelayLimits::ROUTER);
    let people: Vec<_> =
        (1..).zip([ALICE, "Bob", "Carol"]).map(|(number, name)| Person::new(number, name)).collect();
    for person in &people {
        register(&mut world, person, person.number).unwrap();
        log_in(&mut world, person, 1, person.number).unwrap();
    }
    (world, people)
}

fn key(person: &Person, sequence: u64) -> FetchHybridKeyResponse {
    let hybrid_public_key = HybridSecret::from_seed(&[person.number; 32]).public().to_bytes().to_vec();
    let signed: [&[u8]; 2] = [&hybrid_public_key, &sequence.to_be_bytes()];
    let signature = person.identity().sign(Domain::HybridKey, &signed).to_vec();
    FetchHybridKeyResponse { hybrid_public_key, signature, sequence }
}

impl World {
    fn publish_key_of(&mut self, person: &Person) {
        let FetchHybridKeyResponse { hybrid_public_key, signature, sequence } = key(person, 1);
        let request = UploadHybridKeyRequest { hybrid_public_key, signature, sequence };
        let _: UploadHybridKeyResponse =
            self.call(on(person.number), Method::UploadHybridKey, &request).unwrap();
    }

    fn appoint(&mut self, person: &Person, administrator: bool) -> Result<(), Failure> {
        let identity_key = person.identity().public().to_vec();
        let request = SetRelayAdministratorRequest { identity_key, administrator };
        self.call(owner(), Method::SetRelayAdministrator, &request).map(|_: SetRelayAdministratorResponse| ())
    }

    /// The numbers of those whom somebody who is logged in is told of.
    fn administrators(&mut self, people: &[Person]) -> Vec<u8> {
        let answer: ListAdministratorsResponse =
            self.call(on(1), Method::ListAdministrators, &ListAdministratorsRequest {}).unwrap();
        let number = |told: AdministratorKey| {
            let is_it = |person: &&Person| told.identity_key == person.identity().public().as_bytes();
            let person = people.iter().find(is_it).unwrap();
            assert_eq!(told.hybrid_key.unwrap().hybrid_public_key, key(person, 1).hybrid_public_key);
            person.number
        };
        answer.administrators.into_iter().map(number).collect()
    }
}

#[test]
fn who_reports_is_told_of_the_owner_and_of_administrators_with_a_key() {
    let (mut world, people) = world();
    assert!(world.administrators(&people).is_empty());
    world.appoint(&people[BOB], true).unwrap();
    world.appoint(&people[CAROL], true).unwrap();
    assert!(world.administrators(&people).is_empty(), "nobody has published a key");
    for person in [&people[CAROL], &people[BOB]] {
        // An appointment ends what a connection is bound to.
        log_in(&mut world, person, 1, person.number).unwrap();
        world.publish_key_of(person);
    }
    assert_eq!(world.administrators(&people), [2, 3]);
    let root = Person::new(9, "Root");
    let hybrid_key = Some(key(&root, 1));
    let told = AdministratorKey { identity_key: root.identity().public().to_vec(), hybrid_key };
    world.relay.set_owner(Some(told));
    let all: Vec<_> = people.into_iter().chain([root]).collect();
    assert_eq!(world.administrators(&all), [9, 2, 3]);
    world.appoint(&all[BOB], false).unwrap();
    assert_eq!(world.administrators(&all), [9, 3]);
}

#[test]
fn the_owner_who_is_an_administrator_too_is_told_once() {
    let (mut world, people) = world();
    world.publish_key_of(&people[BOB]);
    world.appoint(&people[BOB], true).unwrap();
    let identity_key = people[BOB].identity().public().to_vec();
    world.relay.set_owner(Some(AdministratorKey { identity_key, hybrid_key: Some(key(&people[BOB], 1)) }));
    assert_eq!(world.administrators(&people), [2]);
}

#[test]
fn who_is_banned_or_gone_is_no_longer_named() {
    let (mut world, people) = world();
    for person in [&people[BOB], &people[CAROL]] {
        world.publish_key_of(person);
        world.appoint(person, true).unwrap();
    }
    let identity_key = people[CAROL].identity().public().to_vec();
    let ban = BanUserRequest { identity_key, ..BanUserRequest::default() };
    let _: BanUserResponse = world.call(owner(), Method::BanRelayUser, &ban).unwrap();
    assert_eq!(world.administrators(&people), [2]);
    administrators::forget(&mut world.memory, people[BOB].identity().public()).unwrap();
    assert!(world.administrators(&people).is_empty());
}

#[test]
fn a_relay_of_an_earlier_version_finds_its_administrators() {
    let (mut world, people) = world();
    world.publish_key_of(&people[BOB]);
    world.appoint(&people[BOB], true).unwrap();
    world.memory.delete(ADMINISTRATORS, tables::key(b"")).unwrap();
    assert!(world.administrators(&people).is_empty());
    administrators::open(&mut world.memory).unwrap();
    assert_eq!(world.administrators(&people), [2]);
}

#[test]
fn there_are_only_so_many() {
    let (mut world, people) = world();
    for number in 0..RELAY_ADMINISTRATORS_MAX {
        let identity = Person::new(u8::try_from(100 + number).unwrap(), "Somebody").identity().public();
        administrators::note(&mut world.memory, identity, true).unwrap();
    }
    assert_eq!(world.appoint(&people[BOB], true).unwrap_err().status, Status::QuotaExceeded);
    world.publish_key_of(&people[BOB]);
    assert!(world.administrators(&people).is_empty(), "nothing of the refused call is kept");
}
