//! The mesh on small hand-made traces.

use super::Ours;
use crate::movement::contact::intervals;
use crate::oracle::least_delays_s;
use crate::routers::RouterKind;
use crate::run::{Buffers, Setting, StoreKind};
use crate::scenario::{Role, Scenario};
use crate::testing;
use crate::traffic::Message;
use crate::world::{Outcome, World};

type Meetings = &'static [(u32, u32, f64, f64)];
type Letters = &'static [(u32, &'static [u32], f64)];

/// A small world: four mobile nodes, and if wanted two carriers, numbers 2 and 3.
fn run(carriers: bool, meetings: Meetings, letters: Letters) -> Outcome {
    let mut scenario = testing::scenario(4, 100.0);
    scenario.groups[0].buffer_bytes = 1 << 20;
    let mut nodes = scenario.nodes();
    if carriers {
        nodes[2..].iter_mut().for_each(|node| node.role = Role::Carrier);
    }
    let of = |(from, to, at): &(u32, &[u32], f64)| Message {
        body_bytes: 4096,
        ..testing::message(*from, to, *at)
    };
    let messages: Vec<Message> = letters.iter().map(of).collect();
    let contacts = testing::contacts(meetings);
    let world =
        World { scenario: &scenario, nodes: &nodes, contacts: &contacts, messages: &messages, seed: 1 };
    let outcome = world.run(&mut Ours::new(&scenario, &nodes, 1, &StoreKind::Memory).unwrap());
    assert_eq!(outcome.checkers.violations().first(), [""; 0]);
    outcome
}

#[test]
fn a_message_arrives_where_contacts_allow_it() {
    let cases: [(&str, bool, Meetings, Letters, u64); 7] = [
        ("the recipient is there", false, &[(0, 1, 1.0, 90.0)], &[(0, &[1], 5.0)], 1),
        ("one carries", false, &[(0, 1, 1.0, 9.0), (1, 2, 30.0, 40.0)], &[(0, &[2], 0.5)], 1),
        ("the wrong order", false, &[(1, 2, 1.0, 9.0), (0, 1, 30.0, 40.0)], &[(0, &[2], 0.5)], 0),
        ("carriers", true, &[(0, 2, 1.0, 9.0), (2, 3, 20.0, 29.0), (1, 3, 40.0, 49.0)], &[(0, &[1], 0.5)], 1),
        (
            "a group",
            false,
            &[(0, 1, 1.0, 9.0), (1, 2, 20.0, 29.0), (2, 3, 40.0, 49.0)],
            &[(0, &[1, 2, 3], 0.5)],
            3,
        ),
        ("too short a contact", false, &[(0, 1, 1.0, 1.03)], &[(0, &[1], 0.5)], 0),
        ("and again", false, &[(0, 1, 1.0, 1.03), (0, 1, 5.0, 9.0)], &[(0, &[1], 0.5)], 1),
    ];
    for (name, carriers, meetings, letters, delivered) in cases {
        assert_eq!(run(carriers, meetings, letters).book.delivered, delivered, "{name}");
    }
}

#[test]
fn what_has_arrived_disappears_on_the_way_back() {
    let meetings: Meetings = &[(0, 1, 1.0, 9.0), (1, 2, 20.0, 29.0), (0, 1, 40.0, 49.0)];
    let outcome = run(false, meetings, &[(0, &[2], 0.5)]);
    assert_eq!((outcome.book.delivered, outcome.book.transmissions), (1, 2));
    assert_eq!(outcome.book.samples.last().unwrap().held_bytes, 0);
    let outcome = run(false, &meetings[..2], &[(0, &[2], 0.5)]);
    assert_eq!(
        outcome.book.samples.last().unwrap().held_bytes,
        (4096 + 72) / 4,
        "the sender has not heard of it"
    );
}

#[test]
fn every_byte_of_a_call_is_counted() {
    let outcome = run(false, &[(0, 1, 1.0, 9.0)], &[(0, &[1], 0.5)]);
    // The body, its header, and introductions, an offer, a transfer and a settlement with their answers.
    let rest = outcome.book.bytes - 4096;
    assert!((300..1_000).contains(&rest), "{rest}");
}

fn small() -> Scenario {
    let text = include_str!("../../../scenarios/community.toml");
    let mut scenario = Scenario::parse(text, std::path::Path::new("community.toml")).unwrap().scaled_to(24);
    scenario.duration_s = 86_400.0;
    scenario
}

#[test]
fn the_mesh_stays_within_what_is_possible_and_breaks_no_rule() {
    for seed in 1..4 {
        let setting = Setting::new(small(), seed).unwrap();
        let figures = setting.run(RouterKind::Ours, Buffers::Scenario);
        assert_eq!(figures.first_violations, [""; 0]);
        let bound = least_delays_s(&small(), &intervals(setting.contacts(), &small()), setting.messages());
        assert!(figures.delivered <= bound.len() as u64);
        assert!(figures.delivered * 10 >= bound.len() as u64 * 7, "{} of {}", figures.delivered, bound.len());
    }
}

#[test]
fn the_same_seed_gives_the_same_run_of_the_mesh() {
    let hash =
        |seed| Setting::new(small(), seed).unwrap().run(RouterKind::Ours, Buffers::Scenario).trace_hash;
    assert_eq!(hash(1), hash(1));
    assert_ne!(hash(1), hash(2));
}

#[test]
fn nothing_is_lost_or_delivered_twice_however_nodes_crash() {
    let text =
        include_str!("../../../scenarios/faults.toml").replace("crash_chance = 0.005", "crash_chance = 0.05");
    let scenario = Scenario::parse(&text, std::path::Path::new("faults.toml")).unwrap();
    for seed in 1..9 {
        let figures = Setting::new(scenario.clone(), seed).unwrap().run(RouterKind::Ours, Buffers::Scenario);
        assert_eq!(figures.first_violations, [""; 0], "seed {seed}");
        assert!(figures.restarts > 20, "seed {seed}: {} restarts", figures.restarts);
        assert!(figures.ratio > 0.9, "seed {seed}: {} delivered", figures.ratio);
    }
}

/// Custody in the real database: power lost at any operation, failed syncs, full disks.
#[test]
fn nothing_is_lost_or_delivered_twice_when_disks_fail() {
    let text = include_str!("../../../scenarios/faults.toml")
        .replace("crash_chance = 0.005", "crash_chance = 0.02")
        .replace("duration_s = 43200.0", "duration_s = 10800.0")
        .replace("end_s = 28800.0", "end_s = 9000.0");
    let scenario = Scenario::parse(&text, std::path::Path::new("faults.toml")).unwrap();
    for seed in 1..3 {
        let setting = Setting::new(scenario.clone(), seed).unwrap().with_store(StoreKind::Redb);
        let figures = setting.run(RouterKind::Ours, Buffers::Scenario);
        assert_eq!(figures.first_violations, [""; 0], "seed {seed}");
        assert!(figures.restarts > 5, "seed {seed}: {} restarts", figures.restarts);
        if seed == 1 {
            let again = setting.run(RouterKind::Ours, Buffers::Scenario);
            assert_eq!(
                again.trace_hash, figures.trace_hash,
                "the same seed gives the same run, disks included"
            );
        }
    }
}

#[test]
fn a_scenario_says_in_which_share_of_its_runs_custody_lies_in_the_database() {
    let text = include_str!("../../../scenarios/faults.toml");
    let scenario = Scenario::parse(text, std::path::Path::new("faults.toml")).unwrap();
    let count = (1..101).filter(|seed| Setting::new(scenario.clone(), *seed).unwrap().is_redb()).count();
    assert!((10..45).contains(&count), "{count} of 100, of which a quarter is wanted");
}

/// A hostile neighbour takes its share and no more.
#[test]
fn a_flood_takes_no_more_than_its_share() {
    let text = include_str!("../../../scenarios/flood.toml")
        .replace("duration_s = 21600.0", "duration_s = 7200.0")
        .replace("rate = 100000.0", "rate = 20000.0");
    for standing in ["stranger", "contact"] {
        let text = text.replace("standing = \"stranger\"", &format!("standing = \"{standing}\""));
        let scenario = Scenario::parse(&text, std::path::Path::new("flood.toml")).unwrap().scaled_to(26);
        let figures = Setting::new(scenario, 1).unwrap().run(RouterKind::Ours, Buffers::Scenario);
        assert_eq!(figures.first_violations, [""; 0], "{standing}");
        let flood = figures.flood.unwrap();
        assert!(flood.figures.sent > 1_000 && flood.figures.stored > 0, "{standing}: {flood:?}");
        assert!(figures.ratio >= 0.95 * flood.calm_ratio, "{standing}: {flood:?}");
    }
}
