//! Nodes that come to recognise more, or less, than before; and topics, to which many listen.

use super::world::{Made, World, config};
use crate::wire::NodeKind::{self, Carrier, Leaf, Mobile};
use crate::{Bundle, Class, Config, Input};

/// To whom nobody listens but those who begin to.
const TOPIC: u8 = 77;

fn post(number: u64) -> Bundle {
    Made { settles: false, class: Class::Topic, ..Made::to(TOPIC) }.bundle(number)
}

/// A node that has one copy of each bundle and keeps it.
fn alone() -> Config {
    Config { copies: [1; 4], ..config(Mobile) }
}

/// Two nodes of which the first has one copy of each bundle and keeps it.
fn stingy(other: NodeKind) -> World {
    World::with(vec![alone(), config(other)])
}

/// A node listens to the topic from now on.
fn listen(world: &mut World, node: usize) {
    world.nodes[node].listens_to = TOPIC;
    world.handle(node, Input::InterestChanged);
    world.handle(node, Input::AskAgain);
    world.pass(5_000);
}

#[test]
fn what_is_recognised_later_is_found_in_what_is_held() {
    let mut world = World::new(&[Carrier, Carrier]);
    world.deposit(0, &post(1));
    world.link(0, 1);
    world.settle_down();
    assert!(world.holds(1, &post(1)));
    assert_eq!(world.opened(1, &post(1)), 0);
    listen(&mut world, 1);
    assert_eq!(world.opened(1, &post(1)), 1);
    world.restart(1);
    world.handle(1, Input::InterestChanged);
    assert_eq!(world.opened(1, &post(1)), 1, "once");
}

#[test]
fn who_listens_goes_on_offering_what_it_opened() {
    let mut world = World::with(vec![alone(); 8]);
    (1..8).for_each(|node| world.nodes[node].listens_to = TOPIC);
    world.deposit(0, &post(1));
    for node in 1..8 {
        // Each hears it from the one before alone; nobody has a copy to give to who does not listen.
        world.link(node - 1, node);
        world.pass(1_000);
        world.unlink(node - 1, node);
        assert_eq!(world.opened(node, &post(1)), 1, "node {node}");
        assert!(world.holds(node, &post(1)));
    }
}

#[test]
fn what_was_offered_in_vain_is_offered_again_to_who_asks() {
    for kind in [Mobile, Leaf] {
        for is_linked in [true, false] {
            let mut world = stingy(kind);
            // Nodes that hold something compare; nodes that hold nothing have nothing to compare.
            world.deposit(0, &post(1));
            if kind == Leaf {
                world.deposit(1, &Made::to(9).bundle(2));
            }
            world.link(0, 1);
            world.pass(5_000);
            assert!(!world.holds(1, &post(1)), "the last copy stays where it is");
            if !is_linked {
                world.unlink(0, 1);
            }
            listen(&mut world, 1);
            if !is_linked {
                world.link(0, 1);
                world.pass(5_000);
            }
            assert_eq!(world.opened(1, &post(1)), 1, "{kind:?}, linked: {is_linked}");
        }
    }
}

#[test]
fn without_asking_nothing_is_offered_twice() {
    let mut world = stingy(Mobile);
    world.deposit(0, &post(1));
    world.link(0, 1);
    world.pass(5_000);
    world.nodes[1].listens_to = TOPIC;
    world.unlink(0, 1);
    world.link(0, 1);
    world.pass(5_000);
    assert_eq!(world.opened(1, &post(1)), 0);
}

#[test]
fn who_no_longer_listens_carries_on_and_finds_it_again_later() {
    let mut world = World::new(&[Mobile, Mobile, Mobile]);
    world.nodes[1].listens_to = TOPIC;
    world.deposit(0, &post(1));
    world.link(0, 1);
    world.pass(1_000);
    world.unlink(0, 1);
    world.handle(1, Input::InterestEnded);
    world.nodes[1].listens_to = 1;
    world.restart(1);
    assert_eq!(world.opened(1, &post(1)), 1);
    assert!(world.holds(1, &post(1)));
    listen(&mut world, 1);
    assert_eq!(world.opened(1, &post(1)), 2, "it may have forgotten what it read");
    world.nodes[2].listens_to = TOPIC;
    world.link(1, 2);
    world.pass(1_000);
    assert_eq!(world.opened(2, &post(1)), 1);
}

#[test]
fn a_deposit_ends_when_it_says() {
    let mut world = World::new(&[Mobile]);
    let mut bundle = post(1);
    bundle.transit.remaining_s = 600;
    world.deposit(0, &bundle);
    world.pass(500_000);
    assert!(world.holds(0, &bundle));
    world.pass(200_000);
    assert!(!world.holds(0, &bundle));
}
