//! A message for several people whose mailboxes are at one relay goes there at once.

use proptest::prelude::*;
use qpq_proto::{Method, v1};

use super::ALICE;
use crate::tests::world::World;

const NAMES: [&str; 5] = ["alice", "bob", "carol", "dave", "erin"];

/// A group of all; everybody but alice, who made it, has a mailbox at the only relay and is away.
fn away() -> World {
    let mut world = World::of(&NAMES);
    let link = world.add_office();
    for other in 1..NAMES.len() {
        world.befriend(ALICE, other);
        world.register(other, &link).unwrap();
    }
    world.pass(3_000);
    let members = NAMES[1..].iter().map(|name| format!("@{name}")).collect();
    let request = v1::CreateGroupRequest { name: "village".into(), members };
    world.owner::<v1::CreateGroupResponse>(ALICE, Method::CreateGroup, &request).unwrap();
    world.pass(10_000);
    (1..NAMES.len()).for_each(|other| world.stop(other));
    world.pass(3_000);
    let office = &mut world.offices[0];
    (office.batched, office.calls) = (0, std::collections::BTreeMap::new());
    world
}

fn say(world: &mut World, text: &str) -> Vec<u8> {
    let id = world.send(ALICE, "#village", text).unwrap().id;
    world.pass(3_000);
    id
}

fn calls(world: &World, method: Method) -> usize {
    world.offices[0].calls.get(method.name()).copied().unwrap_or_default()
}

/// Takes all tokens of the mailboxes at these places away, as if others had used them.
fn spoil(world: &mut World, boxes: &[usize]) {
    for (place, mailbox) in world.offices[0].boxes.values_mut().enumerate() {
        if boxes.contains(&place) {
            mailbox.tokens.clear();
        }
    }
}

fn left(world: &World) -> Vec<usize> {
    world.offices[0].boxes.values().map(|mailbox| mailbox.deliveries.len()).collect()
}

/// Everybody comes back, one after the other; what each has got.
fn read(world: &mut World) -> Vec<Vec<String>> {
    world.stop(ALICE);
    let mut all = Vec::new();
    for other in 1..NAMES.len() {
        world.start(other);
        world.pass(5_000);
        all.push(world.received(other));
        world.stop(other);
    }
    all
}

#[test]
fn the_members_of_a_group_get_a_message_by_one_call() {
    let mut world = away();
    let id = say(&mut world, "to all");
    assert_eq!(world.state_of(ALICE, &id), "relayed");
    assert_eq!((calls(&world, Method::BatchEnqueue), calls(&world, Method::Enqueue)), (1, 0));
    assert_eq!(world.offices[0].batched, 4);
    assert_eq!(read(&mut world), vec![vec!["alice: to all".to_owned()]; 4]);
}

#[test]
fn several_messages_go_one_after_the_other_each_by_one_call() {
    let mut world = away();
    for text in ["one", "two", "three"] {
        world.send(ALICE, "#village", text).unwrap();
    }
    world.pass(5_000);
    assert_eq!((calls(&world, Method::BatchEnqueue), calls(&world, Method::Enqueue)), (3, 0));
    let all = ["alice: one", "alice: two", "alice: three"].map(str::to_owned).to_vec();
    assert_eq!(read(&mut world), vec![all; 4]);
}

#[test]
fn one_who_is_refused_does_not_hold_up_the_others() {
    let mut world = away();
    spoil(&mut world, &[2]);
    let before = left(&world);
    say(&mut world, "to all");
    assert_eq!(calls(&world, Method::BatchEnqueue), 1);
    let came: Vec<usize> = left(&world).iter().zip(before).map(|(after, before)| after - before).collect();
    assert_eq!(came.iter().sum::<usize>(), 3, "{came:?}");
    assert_eq!((came[2], world.offices[0].batched), (0, 0));
}

#[test]
fn a_node_that_is_no_relay_for_a_while_costs_no_token() {
    let mut world = away();
    let tokens =
        |world: &World| -> usize { world.offices[0].boxes.values().map(|held| held.tokens.len()).sum() };
    let before = tokens(&world);
    world.offices[0].is_no_relay = true;
    let id = say(&mut world, "to all");
    world.pass(600_000);
    assert_eq!(world.state_of(ALICE, &id), "queued");
    world.offices[0].is_no_relay = false;
    world.pass(1_200_000);
    assert_eq!(world.state_of(ALICE, &id), "relayed");
    assert_eq!(before - tokens(&world), 4, "those that were chosen first");
    assert_eq!(read(&mut world), vec![vec!["alice: to all".to_owned()]; 4]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn whatever_fails_everybody_gets_everything_once(
        steps in prop::collection::vec((0..6u8, 0..4usize), 1..8),
    ) {
        let mut world = away();
        let mut said = Vec::new();
        for (number, (what, place)) in steps.into_iter().enumerate() {
            match what {
                0 => world.offices[0].is_silent = true,
                1 => world.offices[0].is_no_relay = true,
                2 => {
                    world.stop(ALICE);
                    world.start(ALICE);
                }
                // One token of the mailbox is gone: the next one that alice has is good again.
                3 => drop(world.offices[0].boxes.values_mut().nth(place).unwrap().tokens.pop_first()),
                _ => {
                    let text = format!("number {number}");
                    world.send(ALICE, "#village", &text).unwrap();
                    said.push(format!("alice: {text}"));
                }
            }
            world.pass(2_000);
            (world.offices[0].is_silent, world.offices[0].is_no_relay) = (false, false);
        }
        world.pass(1_200_000);
        prop_assert_eq!(read(&mut world), vec![said; 4]);
    }
}
