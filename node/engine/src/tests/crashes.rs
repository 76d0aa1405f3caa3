//! Nodes that stop at any moment: what was acknowledged is there, and nothing is there twice.

use proptest::prelude::*;
use qpq_proto::{Method, v1};

use super::world::World;

/// What may happen next.
#[derive(Debug, Clone)]
enum Act {
    Send(usize),
    SendToGroup(usize),
    Rotate(usize),
    Steps(u8),
    Crash(usize),
    Cut(usize, usize),
    Heal,
    Pass(u32),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..3usize).prop_map(Act::Send),
        4 => (0..3usize).prop_map(Act::SendToGroup),
        1 => (0..3usize).prop_map(Act::Rotate),
        6 => (1..12u8).prop_map(Act::Steps),
        3 => (0..3usize).prop_map(Act::Crash),
        2 => (0..3usize, 1..3usize).prop_map(|(one, step)| Act::Cut(one, (one + step) % 3)),
        1 => Just(Act::Heal),
        1 => (1..100_000u32).prop_map(Act::Pass),
    ]
}

const NAMES: [&str; 3] = ["alice", "bob", "carol"];

fn trio(seed: u64) -> World {
    let mut world = World::seeded(seed, &NAMES);
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        world.befriend(one, other);
    }
    let request = v1::CreateGroupRequest { name: "trio".into(), members: vec!["bob".into(), "carol".into()] };
    world.owner::<v1::CreateGroupResponse>(0, Method::CreateGroup, &request).unwrap();
    world.settle();
    world.is_shuffled = true;
    world.is_repeating = true;
    world
}

fn heal(world: &mut World) {
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        world.join(one, other);
    }
}

/// A few cases by default, since each is a small lifetime of three nodes; `PROPTEST_CASES` asks for more.
fn config() -> ProptestConfig {
    let asked = std::env::var_os("PROPTEST_CASES").map(|_| ProptestConfig::default().cases);
    ProptestConfig {
        cases: asked.unwrap_or(12),
        max_shrink_iters: 0,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_acknowledged_message_arrives_exactly_once(seed in 0u64..1_000, acts in prop::collection::vec(act(), 1..60)) {
        let mut world = trio(seed);
        let mut sent: Vec<(usize, String, String)> = Vec::new();
        for (number, act) in acts.into_iter().enumerate() {
            match act {
                Act::Send(node) => {
                    let to = format!("@{}", NAMES[(node + 1) % 3]);
                    let text = format!("{number} to {to}");
                    // A conversation whose leaf is being renewed waits; then nothing is acknowledged as sent.
                    world.send(node, &to, &text).unwrap();
                    sent.push((node, to, text));
                }
                Act::SendToGroup(node) => {
                    let text = format!("{number} to all");
                    world.send(node, "#trio", &text).unwrap();
                    sent.push((node, "#trio".into(), text));
                }
                Act::Rotate(node) => {
                    let request = v1::RotateGroupRequest { group: "#trio".into() };
                    // Refused while an earlier renewal of this leaf is under way.
                    let _: Result<v1::RotateGroupResponse, _> = world.owner(node, Method::RotateGroup, &request);
                }
                Act::Steps(count) => (0..count).for_each(|_| {
                    world.step();
                }),
                Act::Crash(node) => {
                    world.stop(node);
                    world.start(node);
                }
                Act::Cut(one, other) => world.cut(one, other),
                Act::Heal => heal(&mut world),
                Act::Pass(ms) => world.pass(ms.into()),
            }
        }
        heal(&mut world);
        world.pass(24 * 3_600_000);
        for (node, name) in NAMES.iter().enumerate() {
            let mut received = world.received(node);
            let mut expected: Vec<String> = sent
                .iter()
                .filter(|(from, to, _)| *from != node && (to == "#trio" || *to == format!("@{name}")))
                .map(|(from, _, text)| format!("{}: {text}", NAMES[*from]))
                .collect();
            received.sort();
            expected.sort();
            prop_assert_eq!(received, expected, "at {}", name);
            let unsettled: Vec<String> = world
                .history(node)
                .into_iter()
                .filter(|message| message.own && message.state != "delivered")
                .map(|m| format!("{} {}: {} of {}", m.state, m.text, m.delivered, m.recipients))
                .collect();
            prop_assert_eq!(unsettled, Vec::<String>::new(), "at {}", name);
        }
        let epochs: Vec<Vec<u8>> = (0..3).map(|node| world.show(node, "#trio").unwrap().epoch_id).collect();
        prop_assert!(epochs.iter().all(|epoch| *epoch == epochs[0]), "one group");
    }
}
