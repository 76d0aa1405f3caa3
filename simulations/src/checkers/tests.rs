//! Each checker finds what is planted for it, and nothing in a run that is in order.

use super::*;
use crate::observation::Cause;
use crate::testing::{message, scenario};

/// What the checkers say of some observations, each a second after the one before, from second 1.
fn found(observations: &[Observation<'_>]) -> Vec<String> {
    let nodes = scenario(4, 1000.0).nodes();
    let messages = [message(0, &[2], 1.0), message(0, &[1, 2], 1.0)];
    let facts = Facts { nodes: &nodes, messages: &messages, hostile: &(3..4), hostile_share_bytes: 0 };
    let mut checkers = Checkers::default();
    for (second, observation) in observations.iter().enumerate() {
        checkers.observe(facts, Time::from_secs_f64(second as f64 + 1.0), observation);
    }
    assert_eq!(checkers.violations().count(), checkers.violations().first().len() as u64);
    checkers.violations().first().iter().map(|text| text.split_once(": ").unwrap().1.to_owned()).collect()
}

const fn stored(node: u32, message: u32, bytes: u64) -> Observation<'static> {
    Observation::Stored { node, message, bytes }
}

const fn removed(node: u32, cause: Cause) -> Observation<'static> {
    Observation::Removed { node, message: 0, bytes: 100, cause }
}

const DELIVERED: Observation<'static> = Observation::Delivered { node: 2, message: 0 };
const PROMISED: Observation<'static> = Observation::Promised { holder: 1, message: 0 };
const SETTLED: Observation<'static> = Observation::Settled { node: 1, message: 0 };
const RESTARTED: Observation<'static> = Observation::Restarted { node: 1, holds: &[], has_lost: false };
const NONE: [&str; 0] = [];

#[test]
fn a_run_in_order_has_no_violations() {
    let fields: [&[u8]; 2] = [b"id of 0", b"salt of 0"];
    let header = Observation::Header { message: 0, fields: &fields };
    let others: [&[u8]; 2] = [b"id of 1", b"salt of 1"];
    let other = Observation::Header { message: 1, fields: &others };
    let restarted = Observation::Restarted { node: 1, holds: &[0], has_lost: false };
    let run = [header, other, header, stored(1, 0, 100), PROMISED, restarted, DELIVERED, SETTLED];
    assert_eq!(found(&[&run[..], &[removed(1, Cause::Settled)]].concat()), NONE);
}

#[test]
fn deliveries_are_judged() {
    assert_eq!(found(&[DELIVERED, DELIVERED]), ["message 0 was delivered twice to node 2"]);
    assert_eq!(found(&[Observation::Delivered { node: 3, message: 0 }]), ["message 0 is not for node 3"]);
    let nobody = Observation::Delivered { node: 2, message: 7 };
    assert_eq!(found(&[nobody]), ["what nobody wrote (7) was delivered to node 2"]);
    let mut late = vec![Observation::Created { message: 0 }; 165];
    late.push(DELIVERED);
    assert_eq!(found(&late), ["message 0 was delivered outside its lifetime"]);
}

#[test]
fn stores_are_judged() {
    let twice = [stored(1, 0, 100), stored(1, 0, 100)];
    assert_eq!(found(&twice), ["node 1 stored message 0 twice"]);
    assert_eq!(found(&[removed(1, Cause::HandedOn)]), ["node 1 removed message 0, which it had not"]);
    let full = [stored(1, 0, 20_000), stored(1, 1, 20_000)];
    assert_eq!(found(&full), ["node 1 holds 40000 bytes and may hold 30000"]);
}

#[test]
fn promises_are_judged() {
    let lost = [stored(1, 0, 100), PROMISED, RESTARTED];
    assert_eq!(found(&lost), ["node 1 promised to keep 0 and lost it"]);
    let dropped = [stored(1, 0, 100), PROMISED, removed(1, Cause::Lost)];
    assert_eq!(found(&dropped), ["node 1 promised to keep 0 and lost it"]);
    assert_eq!(found(&[stored(1, 0, 100), removed(1, Cause::Lost)]), NONE);
    let early = [stored(1, 0, 100), removed(1, Cause::Expired)];
    assert_eq!(found(&early), ["message 0 expired at node 1 before its time"]);
}

#[test]
fn settlements_are_judged() {
    assert_eq!(found(&[SETTLED]), ["message 0 was settled after 0 of 1 deliveries"]);
    let gone = [stored(1, 0, 100), removed(1, Cause::Settled)];
    assert_eq!(found(&gone), ["message 0 was settled after 0 of 1 deliveries"]);
    let back = [DELIVERED, SETTLED, stored(1, 0, 100)];
    assert_eq!(found(&back), ["settled message 0 came back to node 1"]);
    let group =
        [Observation::Delivered { node: 2, message: 1 }, Observation::Settled { node: 1, message: 1 }];
    assert_eq!(found(&group), ["message 1 was settled after 1 of 2 deliveries"]);
}

#[test]
fn headers_are_judged() {
    let (one, other): ([&[u8]; 2], [&[u8]; 2]) = ([b"a", b"salt"], [b"b", b"salt"]);
    let headers = [
        Observation::Header { message: 0, fields: &one },
        Observation::Header { message: 1, fields: &other },
    ];
    assert_eq!(found(&headers), ["bundles 0 and 1 have a field in common"]);
}

#[test]
fn what_is_forgotten_must_still_be_held_and_known_settlements_may_be_forgotten_until_something_is_promised() {
    let forgotten = Observation::Forgotten { node: 2, message: 0 };
    let restarted = |holds| Observation::Restarted { node: 2, holds, has_lost: true };
    assert_eq!(found(&[DELIVERED, forgotten, restarted(&[0]), DELIVERED]), NONE);
    let gone = found(&[DELIVERED, forgotten, restarted(&[])]);
    assert_eq!(gone, ["node 2 forgot message 0 and does not hold it"]);
    assert_eq!(found(&[forgotten, restarted(&[0])]), ["node 2 forgot message 0, which it had not"]);
    let lost = Observation::Restarted { node: 1, holds: &[], has_lost: true };
    assert_eq!(found(&[DELIVERED, SETTLED, lost, stored(1, 0, 100)]), NONE);
    let promised = Observation::Promised { holder: 1, message: 1 };
    let kept = Observation::Restarted { node: 1, holds: &[1], has_lost: true };
    let back = found(&[DELIVERED, SETTLED, promised, kept, stored(1, 0, 100)]);
    assert_eq!(back, ["settled message 0 came back to node 1"]);
    let broken = Observation::Broken { node: 1, reason: "it is damaged" };
    assert_eq!(found(&[broken]), ["node 1 cannot come up again: it is damaged"]);
}

#[test]
fn floods_are_judged() {
    let crossed = |from, to, bytes| Observation::Transferred { from, to, message: 7, bytes };
    let ended = |from, to| Observation::LinkEnded { from, to, capacity_bytes: 1_000 };
    assert_eq!(found(&[crossed(0, 1, 500), ended(0, 1), ended(1, 0)]), NONE);
    assert_eq!(found(&[crossed(3, 1, 900), ended(3, 1)]), NONE, "nobody can help what a hostile node sends");
    assert_eq!(found(&[crossed(0, 1, 600), ended(0, 1)]), ["the flood took 60 % of the link 0 to 1"]);
    assert_eq!(found(&[stored(1, 7, 7_500)]), NONE);
    assert_eq!(found(&[stored(1, 7, 7_501)]), ["the flood took 25 % of the store of node 1"]);
}
