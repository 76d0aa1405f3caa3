//! Channels: the same for both, lists that grow and shrink, queues that nobody thinks up.

mod calls;
mod model;

use std::collections::BTreeSet;

use qpq_proto::limits::{RateLimit, RelayLimits};
use qpq_proto::v1::{CreateChannelRequest, MembershipChange, RemoveMemberRequest, RemoveMemberResponse};
use qpq_proto::{Failure, Method, Status};

use super::world::{Device, World};
use crate::tables::{
    ACCOUNT_CHANNELS, CHANNEL_ACCOUNTS, CHANNEL_METADATA, CHANNEL_PAIRS, CHANNELS, DELIVERIES, GRAVES,
};

const ALICE: Device = Device { person: 1, number: 1 };
const BOB: Device = Device { person: 2, number: 1 };
const CAROL: Device = Device { person: 3, number: 1 };
const DAVE: Device = Device { person: 4, number: 1 };

fn all() -> World {
    let mut world = World::with(RelayLimits {
        removals_per_step_max: 2,
        channels_per_mailbox_max: 1,
        channels_per_account_max: 2,
        members_per_channel_max: 3,
        rotations_per_channel: RateLimit { burst: 1, interval_us: 60_000_000 },
        ..RelayLimits::ROUTER
    });
    for device in [ALICE, BOB, CAROL, DAVE] {
        world.enrol(device);
    }
    world
}

fn status<T>(answer: Result<T, Failure>) -> Result<T, Status> {
    answer.map_err(|failure| failure.status)
}

fn people(devices: &[Device]) -> BTreeSet<Vec<u8>> {
    devices.iter().map(|device| device.identity().to_vec()).collect()
}

#[test]
fn two_people_have_one_channel_whoever_asks_first() {
    let mut world = all();
    let (channel, created) = world.channel(ALICE, BOB).unwrap();
    assert_eq!((channel.len(), created), (16, true));
    let bob = BOB.identity().to_vec();
    let alice = ALICE.identity().to_vec();
    let added = MembershipChange::Added;
    assert_eq!(world.told(), [(1, added, alice), (1, added, bob.clone()), (2, added, bob)]);
    assert_eq!(world.channel(BOB, ALICE).unwrap(), (channel.clone(), false));
    assert_eq!(world.told(), []);
    let (other, _) = world.channel(CAROL, ALICE).unwrap();
    assert_ne!(other, channel);
    assert_eq!(world.members(BOB, &channel), people(&[ALICE, BOB]));
    assert_eq!(status(world.add(ALICE, &channel, CAROL)), Err(Status::Forbidden), "it is for two");
    assert_eq!(status(world.remove(ALICE, &channel, BOB)), Err(Status::Forbidden), "each leaves it alone");
    world.remove(BOB, &channel, BOB).unwrap();
    assert_eq!(world.members(ALICE, &channel), people(&[ALICE]));
    assert_eq!(world.channel(ALICE, BOB).unwrap(), (channel.clone(), false), "asking again puts both on it");
    assert_eq!(world.members(BOB, &channel), people(&[ALICE, BOB]));
    world.remove(BOB, &channel, BOB).unwrap();
    world.remove(ALICE, &channel, ALICE).unwrap();
    assert_eq!((world.memory.count(CHANNEL_PAIRS), world.memory.count(CHANNELS)), (1, 1));
    assert_ne!(world.channel(BOB, ALICE).unwrap(), (channel, true));
}

#[test]
fn a_channel_for_more_grows_and_shrinks_and_its_members_are_told() {
    let mut world = all();
    let channel = world.group(ALICE, BOB).unwrap();
    assert_ne!(world.group(ALICE, BOB).unwrap(), channel, "each is a new one");
    world.told();
    assert!(world.add(BOB, &channel, CAROL).unwrap(), "any member may");
    let carol = CAROL.identity().to_vec();
    let to_all = |change| (1..=3).map(|to| (to, change, carol.clone())).collect::<Vec<_>>();
    assert_eq!(world.told(), to_all(MembershipChange::Added));
    assert!(!world.add(ALICE, &channel, CAROL).unwrap());
    assert_eq!(status(world.add(ALICE, &channel, DAVE)), Err(Status::QuotaExceeded), "three are the most");
    for (who, whom, expected) in [
        (CAROL, ALICE, Err(Status::Forbidden)),
        (CAROL, BOB, Err(Status::Forbidden)),
        (DAVE, CAROL, Err(Status::Forbidden)),
        (DAVE, DAVE, Err(Status::Forbidden)),
        (BOB, DAVE, Err(Status::NotFound)),
        (BOB, CAROL, Ok(())),
    ] {
        assert_eq!(status(world.remove(who, &channel, whom)), expected, "{who:?} {whom:?}");
    }
    assert_eq!(world.told(), to_all(MembershipChange::Removed), "the removed one too");
    assert!(world.add(BOB, &channel, CAROL).unwrap());
    world.remove(ALICE, &channel, ALICE).unwrap();
    assert_eq!(world.members(BOB, &channel), people(&[BOB, CAROL]));
    world.add(CAROL, &channel, DAVE).unwrap();
    world.remove(BOB, &channel, DAVE).unwrap();
    let listed = world.list(CAROL, &channel).unwrap().members;
    let added_by = listed.iter().find(|member| member.identity_key == carol).unwrap().added_by.clone();
    assert_eq!(added_by, BOB.identity().to_vec());
}

#[test]
fn metadata_is_replaced_by_who_knows_it_and_leaves_are_asked_for_seldom() {
    let mut world = all();
    let channel = world.group(ALICE, BOB).unwrap();
    assert_eq!(world.update(BOB, &channel, 0, b"one").unwrap(), 1);
    assert_eq!(status(world.update(ALICE, &channel, 0, b"two")), Err(Status::Conflict));
    assert_eq!(status(world.update(ALICE, &channel, 2, b"two")), Err(Status::Conflict));
    assert_eq!(world.update(ALICE, &channel, 1, b"two").unwrap(), 2);
    assert_eq!(status(world.update(CAROL, &channel, 2, b"three")), Err(Status::Forbidden));
    let too_long = world.update(BOB, &channel, 2, &[0; 65_537]).unwrap_err();
    assert_eq!((too_long.status, too_long.field.as_str()), (Status::BadRequest, "metadata"));
    world.told();
    assert_eq!(world.rotate(ALICE, &channel).unwrap(), 2);
    let alice = ALICE.identity().to_vec();
    let asked = MembershipChange::Rotate;
    assert_eq!(world.told(), [(1, asked, alice.clone()), (2, asked, alice)]);
    assert_eq!(status(world.rotate(BOB, &channel)), Err(Status::RateLimited));
    assert_eq!(status(world.rotate(CAROL, &channel)), Err(Status::Forbidden));
    let asked_at_ms = world.now.wall_ms;
    world.pass(60_000);
    let listed = world.list(BOB, &channel).unwrap();
    assert_eq!((listed.version, listed.rotation_asked_at_ms), (2, asked_at_ms));
    assert_eq!(listed.metadata, b"two");
    world.relay.sessions.unbind(BOB.connection());
    assert_eq!(world.rotate(ALICE, &channel).unwrap(), 1);
}

#[test]
fn a_queue_of_a_channels_name_is_made_among_its_members_only() {
    let mut world = all();
    let (channel, _) = world.channel(ALICE, BOB).unwrap();
    for (who, to, channel) in [(CAROL, BOB, &channel[..]), (ALICE, CAROL, &channel), (ALICE, BOB, &[9; 16])] {
        assert_eq!(world.put(who, to, channel, "x"), Err(Status::Forbidden), "{who:?} {to:?}");
    }
    assert_eq!(world.put(ALICE, BOB, &channel[1..], "x"), Err(Status::BadRequest));
    assert_eq!(world.put(ALICE, BOB, &channel, "one"), Ok(1));
    assert_eq!(world.put(BOB, BOB, &channel, "two"), Ok(2), "to one's own devices");
    let (second, _) = world.channel(CAROL, BOB).unwrap();
    assert_eq!(world.put(CAROL, BOB, &second, "x"), Err(Status::QuotaExceeded), "one queue is the most");
    world.remove(BOB, &channel, BOB).unwrap();
    assert_eq!(world.put(CAROL, BOB, &second, "x"), Ok(1), "leaving gives the place back");
    assert_eq!(world.put(ALICE, BOB, &channel, "three"), Err(Status::Forbidden));
    world.remove(BOB, &second, BOB).unwrap();
    world.channel(BOB, ALICE).unwrap();
    assert_eq!(world.put(ALICE, BOB, &channel, "one"), Ok(1), "what was left is not found again");
    world.pass(60_000);
    assert_eq!(world.memory.count(DELIVERIES), 1, "and what was left is removed");
}

#[test]
fn whoever_is_removed_keeps_the_queue_until_leaving() {
    let mut world = all();
    let channel = world.group(ALICE, BOB).unwrap();
    world.put(ALICE, BOB, &channel, "you are removed").unwrap();
    world.remove(ALICE, &channel, BOB).unwrap();
    world.pass(60_000);
    assert_eq!(world.memory.count(DELIVERIES), 1);
    assert_eq!(status(world.list(BOB, &channel)), Err(Status::Forbidden));
    world.remove(BOB, &channel, BOB).unwrap();
    world.pass(60_000);
    assert_eq!(world.memory.count(DELIVERIES), 0);
    assert_eq!(status(world.remove(BOB, &channel, BOB)), Err(Status::Forbidden));
}

#[test]
fn what_is_malformed_or_too_much_is_refused() {
    let mut world = all();
    let nobody = Device { person: 99, number: 1 };
    assert_eq!(status(world.channel(ALICE, nobody)), Err(Status::NotFound));
    let channel = world.group(ALICE, BOB).unwrap();
    let of = |identity_key: Vec<u8>| CreateChannelRequest { identity_key, ..Default::default() };
    let bob = BOB.identity().to_vec();
    for (request, field) in [
        (of(vec![1; 31]), "identity_key"),
        (of(ALICE.identity().to_vec()), "identity_key"),
        (CreateChannelRequest { channel_id: vec![1; 15], ..of(bob.clone()) }, "channel_id"),
        (CreateChannelRequest { channel_id: channel.clone(), group: true, ..of(bob) }, "group"),
    ] {
        let refused = world.create(ALICE, &request).unwrap_err();
        assert_eq!((refused.status, refused.field.as_str()), (Status::BadRequest, field));
    }
    for refused in [
        world.list(ALICE, &[1; 17]).map(drop).unwrap_err(),
        world.rotate(ALICE, &[]).map(drop).unwrap_err(),
        world.update(ALICE, &[1; 15], 0, &[]).map(drop).unwrap_err(),
        world.remove(ALICE, &[1; 15], ALICE).unwrap_err(),
    ] {
        assert_eq!((refused.status, refused.field.as_str()), (Status::BadRequest, "channel_id"));
    }
    let request = RemoveMemberRequest { channel_id: channel.clone(), identity_key: vec![1; 31] };
    let refused: Result<RemoveMemberResponse, _> = world.call(ALICE.caller(), Method::RemoveMember, &request);
    assert_eq!(refused.unwrap_err().field, "identity_key");
    world.channel(ALICE, CAROL).unwrap();
    assert_eq!(status(world.channel(ALICE, DAVE)), Err(Status::QuotaExceeded), "two are the most");
    world.remove(ALICE, &channel, ALICE).unwrap();
    assert_eq!(status(world.channel(ALICE, DAVE)), Err(Status::QuotaExceeded), "it is still there");
    world.remove(BOB, &channel, BOB).unwrap();
    world.channel(ALICE, DAVE).unwrap();
}

#[test]
fn nothing_stays_of_an_account_that_goes() {
    let mut world = all();
    let (with_bob, _) = world.channel(ALICE, BOB).unwrap();
    let group = world.group(CAROL, ALICE).unwrap();
    world.update(ALICE, &with_bob, 0, b"x").unwrap();
    world.remove(BOB, &with_bob, BOB).unwrap();
    crate::channels::forget_account(&mut world.memory, ALICE.identity()).unwrap();
    // The same person, in a new life, and put on a list again on which it still is.
    let (anew, _) = world.channel(ALICE, DAVE).unwrap();
    let again = world.group(BOB, ALICE).unwrap();
    crate::channels::forget_account(&mut world.memory, ALICE.identity()).unwrap();
    assert!(world.add(BOB, &again, ALICE).unwrap());
    assert_eq!(world.channel(DAVE, ALICE).unwrap(), (anew.clone(), false));
    world.pass(60_000);
    assert_eq!(world.members(CAROL, &group), people(&[CAROL]));
    assert_eq!(world.members(ALICE, &anew), people(&[ALICE, DAVE]));
    assert_eq!(world.members(ALICE, &again), people(&[ALICE, BOB]));
    for (table, left) in [
        (CHANNELS, 3),
        (CHANNEL_PAIRS, 1),
        (CHANNEL_METADATA, 0),
        (CHANNEL_ACCOUNTS, 4),
        (ACCOUNT_CHANNELS, 5),
        (GRAVES, 0),
    ] {
        assert_eq!(world.memory.count(table), left, "{table:?}");
    }
}
