//! Contacts by chance: whatever three people do with each other, in whatever order, they can be friends again.

use proptest::prelude::*;
use qpq_proto::{Failure, Method, Status, v1};

use super::world::World;

const PEOPLE: usize = 3;
const NAMES: [&str; PEOPLE] = ["alice", "bob", "carol"];

/// Something that one of them does, to another.
#[derive(Debug, Clone, Copy)]
enum Deed {
    /// The other makes a link, and the one follows it.
    Follow {
        reusable: bool,
    },
    Accept,
    Block {
        unblock: bool,
    },
    Remove,
    Send,
    Cut,
    Join,
    Restart,
    Pass(u64),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => any::<bool>().prop_map(|reusable| Deed::Follow { reusable }),
        2 => Just(Deed::Accept),
        1 => any::<bool>().prop_map(|unblock| Deed::Block { unblock }),
        1 => Just(Deed::Remove),
        3 => Just(Deed::Send),
        1 => Just(Deed::Cut),
        2 => Just(Deed::Join),
        1 => Just(Deed::Restart),
        2 => prop_oneof![Just(0), Just(60_000), Just(86_400_000u64)].prop_map(Deed::Pass),
    ]
}

/// Two of them who are not the same.
fn two() -> impl Strategy<Value = (usize, usize)> {
    (0..PEOPLE, 1..PEOPLE).prop_map(|(one, step)| (one, (one + step) % PEOPLE))
}

/// A refusal is an answer; a failure inside is none.
fn answered<R>(result: Result<R, Failure>, what: &str) {
    if let Err(refused) = result {
        assert_ne!(refused.status, Status::Internal, "{what}");
    }
}

/// What one of them calls another, if they know each other: names may have got a number behind them.
fn name(world: &mut World, one: usize, other: usize) -> Option<String> {
    let identity = world.act(other, |engine, _| engine.me().unwrap().id());
    contacts(world, one).into_iter().find(|contact| contact.identity == identity).map(|contact| contact.name)
}

fn contacts(world: &mut World, node: usize) -> Vec<v1::Contact> {
    let request = v1::ListContactsRequest {};
    world.owner::<v1::ListContactsResponse>(node, Method::ListContacts, &request).unwrap().contacts
}

fn act(world: &mut World, number: usize, one: usize, other: usize, deed: Deed) {
    let name = name(world, one, other).unwrap_or_else(|| NAMES[other].to_owned());
    match deed {
        Deed::Follow { reusable } => {
            let link = world.invite(other, reusable);
            answered(world.follow(one, &link), "following");
        }
        Deed::Accept => {
            let request = v1::AcceptContactRequest { name };
            answered(
                world.owner::<v1::AcceptContactResponse>(one, Method::AcceptContact, &request),
                "accepting",
            );
        }
        Deed::Block { unblock } => {
            let request = v1::BlockContactRequest { name, unblock };
            answered(
                world.owner::<v1::BlockContactResponse>(one, Method::BlockContact, &request),
                "blocking",
            );
        }
        Deed::Remove => {
            let request = v1::RemoveContactRequest { name };
            answered(
                world.owner::<v1::RemoveContactResponse>(one, Method::RemoveContact, &request),
                "removing",
            );
        }
        Deed::Send => answered(world.send(one, &format!("@{name}"), &format!("{number}")), "sending"),
        Deed::Cut => world.cut(one, other),
        Deed::Join => world.join(one, other),
        Deed::Restart => {
            world.stop(one);
            world.start(one);
        }
        Deed::Pass(ms) => world.pass(ms),
    }
}

/// What holds at every moment.
fn check(world: &mut World) {
    for (node, own) in NAMES.iter().enumerate() {
        let contacts = contacts(world, node);
        let conversations = world.conversations(node);
        assert_eq!(conversations.len(), contacts.len(), "each contact has one conversation");
        for contact in &contacts {
            let named: Vec<_> =
                conversations.iter().filter(|c| c.name == format!("@{}", contact.name)).collect();
            assert_eq!(named.len(), 1, "{} of {}", contact.name, own);
        }
        let texts: Vec<_> = world.history(node).into_iter().map(|m| (m.from_identity, m.text)).collect();
        let mut once = texts.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), texts.len(), "nothing is shown twice");
    }
}

/// They make up: blocks are lifted, requests accepted, and a fresh link followed.
fn make_up(world: &mut World, one: usize, other: usize) {
    world.join(one, other);
    for (one, other) in [(one, other), (other, one)] {
        act(world, 0, one, other, Deed::Block { unblock: true });
        world.pass(7_200_000);
        act(world, 0, one, other, Deed::Accept);
        world.pass(60_000);
    }
    let link = world.invite(one, false);
    answered(world.follow(other, &link), "following at last");
    world.pass(7_200_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_was_done_people_can_be_friends_again(
        seed in 0..u64::MAX,
        deeds in proptest::collection::vec((two(), deed()), 1..24),
    ) {
        let mut world = World::seeded(seed, &NAMES);
        for (number, ((one, other), deed)) in deeds.into_iter().enumerate() {
            act(&mut world, number, one, other, deed);
            check(&mut world);
        }
        for (one, other) in [(0, 1), (1, 2), (2, 0)] {
            make_up(&mut world, one, other);
            check(&mut world);
            for (from, to) in [(one, other), (other, one)] {
                let name = name(&mut world, from, to).expect("they know each other");
                let text = format!("from {from} to {to}");
                world.send(from, &format!("@{name}"), &text).unwrap();
                world.pass(7_200_000);
                let heard = world.received(to).iter().any(|shown| shown.ends_with(&text));
                prop_assert!(heard, "{}: {:?}", text, world.received(to));
            }
        }
    }
}
