//! The baselines on small hand-made traces, with outcomes that can be seen by looking at them.

use super::baseline::{Baseline, Policy};
use super::direct::Direct;
use super::epidemic::Epidemic;
use super::prophet::{Constants, Prophet};
use super::spray::Spray;
use crate::testing::{contacts, message, scenario};
use crate::traffic::Message;
use crate::world::{Outcome, World};

/// What each router makes of a trace: how many are delivered, and by how many transmissions.
struct Case {
    name: &'static str,
    nodes: usize,
    contacts: &'static [(u32, u32, f64, f64)],
    /// Source, recipients, when written.
    messages: &'static [(u32, &'static [u32], f64)],
    direct: (u64, u64),
    epidemic: (u64, u64),
    spray: (u64, u64),
    prophet: (u64, u64),
}

const CASES: [Case; 8] = [
    Case {
        name: "the recipient is there",
        nodes: 3,
        contacts: &[(0, 1, 1.0, 90.0)],
        messages: &[(0, &[1], 5.0)],
        direct: (1, 1),
        epidemic: (1, 1),
        spray: (1, 1),
        prophet: (1, 1),
    },
    Case {
        name: "one carries, whom the recipient has not met before",
        nodes: 3,
        contacts: &[(0, 1, 10.0, 20.0), (1, 2, 30.0, 40.0)],
        messages: &[(0, &[2], 1.0)],
        direct: (0, 0),
        epidemic: (1, 2),
        spray: (1, 2),
        prophet: (0, 0),
    },
    Case {
        name: "one carries, whom the recipient has met before",
        nodes: 3,
        contacts: &[(1, 2, 2.0, 3.0), (0, 1, 10.0, 20.0), (1, 2, 30.0, 40.0)],
        messages: &[(0, &[2], 5.0)],
        direct: (0, 0),
        epidemic: (1, 2),
        spray: (1, 2),
        prophet: (1, 2),
    },
    Case {
        name: "contacts in the wrong order",
        nodes: 3,
        contacts: &[(1, 2, 10.0, 20.0), (0, 1, 30.0, 40.0)],
        messages: &[(0, &[2], 1.0)],
        direct: (0, 0),
        epidemic: (0, 1),
        spray: (0, 1),
        prophet: (0, 1),
    },
    Case {
        name: "a chain that is longer than the copies last: 4, 2, 1",
        nodes: 5,
        contacts: &[(0, 1, 10.0, 11.0), (1, 2, 20.0, 21.0), (2, 3, 30.0, 31.0), (3, 4, 40.0, 41.0)],
        messages: &[(0, &[4], 1.0)],
        direct: (0, 0),
        epidemic: (1, 4),
        spray: (0, 2),
        prophet: (0, 0),
    },
    Case {
        name: "a contact that is too short for the message after the summaries",
        nodes: 2,
        contacts: &[(0, 1, 10.0, 10.05), (0, 1, 20.0, 20.2)],
        messages: &[(0, &[1], 1.0)],
        direct: (1, 1),
        epidemic: (1, 1),
        spray: (1, 1),
        prophet: (1, 1),
    },
    Case {
        name: "a group",
        nodes: 4,
        contacts: &[(0, 1, 10.0, 20.0), (1, 2, 30.0, 40.0), (2, 3, 50.0, 60.0)],
        messages: &[(0, &[1, 2, 3], 1.0)],
        direct: (3, 3),
        epidemic: (3, 3),
        spray: (3, 3),
        prophet: (3, 3),
    },
    Case {
        name: "a buffer of three, and a fourth message",
        nodes: 3,
        contacts: &[(0, 1, 10.0, 20.0), (1, 2, 30.0, 40.0)],
        messages: &[(0, &[2], 1.0), (0, &[2], 2.0), (0, &[2], 3.0), (0, &[2], 4.0)],
        direct: (0, 0),
        epidemic: (3, 6),
        spray: (3, 6),
        prophet: (0, 0),
    },
];

fn run<P: Policy>(case: &Case, policy: P) -> Outcome {
    let scenario = scenario(case.nodes, 100.0);
    let nodes = scenario.nodes();
    let messages: Vec<Message> = case.messages.iter().map(|(from, to, at)| message(*from, to, *at)).collect();
    let contacts = contacts(case.contacts);
    let world =
        World { scenario: &scenario, nodes: &nodes, contacts: &contacts, messages: &messages, seed: 1 };
    world.run(&mut Baseline::new(policy, &nodes))
}

#[test]
fn each_router_does_what_it_is_known_for() {
    for case in &CASES {
        let check = |router: &str, expected, outcome: Outcome| {
            let found = (outcome.book.delivered, outcome.book.transmissions);
            assert_eq!(found, expected, "{}: {router}", case.name);
            assert_eq!(outcome.checkers.violations().first(), [""; 0], "{}: {router}", case.name);
        };
        check("direct", case.direct, run(case, Direct));
        check("epidemic", case.epidemic, run(case, Epidemic));
        check("spray", case.spray, run(case, Spray { copies: 4 }));
        check("prophet", case.prophet, run(case, Prophet::new(Constants::default(), case.nodes)));
    }
}

#[test]
fn acknowledgements_clear_the_buffers_of_those_who_hear_of_them() {
    let case = Case {
        name: "who has a copy meets who knows that it has arrived",
        nodes: 4,
        contacts: &[(1, 2, 1.0, 2.0), (0, 1, 10.0, 11.0), (1, 2, 20.0, 21.0), (0, 2, 30.0, 31.0)],
        messages: &[(0, &[2], 5.0)],
        ..CASES[0]
    };
    let held = |acknowledgements| {
        let constants = Constants { acknowledgements, ..Constants::default() };
        let outcome = run(&case, Prophet::new(constants, 4));
        assert_eq!((outcome.book.delivered, outcome.book.transmissions), (1, 2));
        outcome.book.samples.last().unwrap().held_bytes
    };
    assert_eq!((held(true), held(false)), (0, 5_000));
}

#[test]
fn bytes_are_everything_that_was_sent() {
    // Both summaries are empty when they are sent.
    assert_eq!(run(&CASES[0], Direct).book.bytes, 2 * 72 + 10_008);
    // One summary names the message. The first contact ends after 50 ms, the way is free after 0.8 ms, and 100,000
    // bytes a second leave by it.
    let summaries = 80 + 72;
    assert_eq!(run(&CASES[5], Direct).book.bytes, summaries + 4_920 + summaries + 10_008);
}
