//! Who may ask for what was said, and whose receipts count: those to whom it was said, and nobody else.

use qpq_proto::{
    Method,
    v1::{self, content::Kind},
};

use super::{progress, say};
use crate::{
    tables::{self, MESSAGE_IDS, MESSAGES, OUTGOING},
    tests::{
        groups::{add, group, remove, village},
        memory::Memory,
        world::World,
    },
};

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

/// Alice and bob in a group; carol knows both.
fn without_carol() -> World {
    let mut world = village(&["alice", "bob", "carol"]);
    let request = v1::CreateGroupRequest { name: "village".into(), members: vec!["bob".into()] };
    world.owner::<v1::CreateGroupResponse>(ALICE, Method::CreateGroup, &request).unwrap();
    world.settle();
    world
}

fn ask(world: &mut World, node: usize, to: &str, sequences: Vec<u64>) {
    say(world, node, to, Kind::Resend(v1::ResendRequest { sequences }));
    world.pass(60_000);
}

fn acknowledge(world: &mut World, node: usize, to: &str, ids: Vec<Vec<u8>>) {
    say(world, node, to, Kind::Receipt(v1::Receipt { ids, deliveries: Vec::new() }));
    world.pass(60_000);
}

#[test]
fn a_newcomer_does_not_get_what_was_said_before() {
    let mut world = without_carol();
    for text in ["a secret", "another"] {
        world.send(ALICE, "#village", text).unwrap();
        world.settle();
    }
    add(&mut world, ALICE, "carol").unwrap();
    world.send(ALICE, "#village", "welcome").unwrap();
    world.settle();
    ask(&mut world, CAROL, "#village", (1..=64).collect());
    assert_eq!(world.received(CAROL), ["alice: welcome"]);
    world.stop(ALICE);
    world.start(ALICE);
    ask(&mut world, CAROL, "#village", vec![1, 2]);
    assert_eq!(world.received(CAROL), ["alice: welcome"], "after a restart neither");
}

#[test]
fn whoever_did_not_make_the_commit_keeps_the_past_from_a_newcomer_too() {
    let mut world = without_carol();
    world.send(BOB, "#village", "a secret").unwrap();
    world.settle();
    add(&mut world, ALICE, "carol").unwrap();
    world.settle();
    ask(&mut world, CAROL, "#village", vec![1]);
    assert_eq!(world.received(CAROL), Vec::<String>::new());
}

#[test]
fn whoever_comes_back_does_not_get_what_was_said_meanwhile() {
    let mut world = group(&["alice", "bob", "carol"]);
    world.send(ALICE, "#village", "before").unwrap();
    world.settle();
    remove(&mut world, ALICE, "carol").unwrap();
    world.send(ALICE, "#village", "behind her back").unwrap();
    world.settle();
    add(&mut world, ALICE, "carol").unwrap();
    world.send(ALICE, "#village", "after").unwrap();
    world.pass(3_600_000);
    assert_eq!(world.received(CAROL), ["alice: before", "alice: after"]);
    let gaps = world.events(CAROL).into_iter().filter(|e| matches!(e.kind, Some(v1::event::Kind::Gap(_))));
    assert_eq!(gaps.count(), 0, "nor does she miss it");
    ask(&mut world, CAROL, "#village", vec![2]);
    assert_eq!(world.received(CAROL), ["alice: before", "alice: after"]);
}

#[test]
fn what_was_said_to_somebody_can_be_asked_for_again_and_shows_once() {
    for (names, to, back) in
        [(&["alice", "bob"][..], "@bob", "@alice"), (&["alice", "bob", "carol"], "#village", "#village")]
    {
        let mut world = group(names);
        for text in ["one", "two"] {
            world.send(ALICE, to, text).unwrap();
            world.settle();
        }
        ask(&mut world, BOB, back, vec![1, 2]);
        assert_eq!(world.received(BOB), ["alice: one", "alice: two"], "{to}");
        assert_eq!(world.nodes[ALICE].memory.count(OUTGOING), 0, "{to}");
    }
}

#[test]
fn what_nobody_said_is_not_sent() {
    let mut world = group(&["alice", "bob"]);
    world.send(ALICE, "#village", "one").unwrap();
    world.settle();
    for sequences in [vec![0], vec![2, 3], vec![u64::MAX], (1_000..9_000).collect()] {
        say(&mut world, BOB, "#village", Kind::Resend(v1::ResendRequest { sequences: sequences.clone() }));
        while world.step() {
            assert_eq!(world.nodes[ALICE].memory.count(OUTGOING), 0, "{:?}", &sequences[..1]);
        }
    }
}

#[test]
fn only_so_many_are_sent_for_one_question() {
    let mut world = group(&["alice", "bob"]);
    for number in 0..70 {
        world.send(ALICE, "#village", &format!("{number}")).unwrap();
    }
    world.settle();
    say(&mut world, BOB, "#village", Kind::Resend(v1::ResendRequest { sequences: (1..=70).collect() }));
    let mut most = 0;
    while world.step() {
        most = most.max(world.nodes[ALICE].memory.count(OUTGOING));
    }
    assert_eq!(most, 64);
}

#[test]
fn receipts_of_those_who_were_not_there_do_not_count() {
    let mut world = without_carol();
    world.stop(BOB);
    let sent = world.send(ALICE, "#village", "to bob").unwrap();
    add(&mut world, ALICE, "carol").unwrap();
    world.settle();
    acknowledge(&mut world, CAROL, "#village", vec![sent.id.clone()]);
    assert_eq!(world.state_of(ALICE, &sent.id), "handed", "carol carries it to bob");
    let message = world.history(ALICE).into_iter().find(|message| message.id == sent.id).unwrap();
    assert_eq!((message.sent, message.delivered), (0, 0));
}

#[test]
fn receipts_count_for_own_messages_of_that_conversation_only() {
    let mut world = group(&["alice", "bob", "carol"]);
    world.stop(CAROL);
    let direct = world.send(ALICE, "@carol", "to carol alone").unwrap();
    let of_bob = world.send(BOB, "@alice", "from bob").unwrap();
    world.settle();
    let ids = vec![direct.id.clone(), of_bob.id.clone(), vec![1; 16], vec![2; 15], Vec::new(), vec![3; 99]];
    for to in ["#village", "@alice"] {
        acknowledge(&mut world, BOB, to, ids.clone());
        assert_eq!(world.state_of(ALICE, &direct.id), "handed", "{to}");
        assert_eq!(world.state_of(ALICE, &of_bob.id), "received", "{to}");
    }
    assert_eq!(progress(&mut world, ALICE, &direct.id), [("carol".into(), "queued".into())]);
}

#[test]
fn only_so_many_ids_of_a_receipt_are_looked_at() {
    let mut world = group(&["alice", "bob"]);
    world.cut(ALICE, BOB);
    let sent = world.send(ALICE, "#village", "hello").unwrap();
    // It reaches alice before her own message reaches bob.
    for (unknown, state) in [(256, "queued"), (255, "delivered")] {
        let mut ids = vec![vec![9; 16]; unknown];
        ids.push(sent.id.clone());
        let from = world.act(BOB, |engine, _| engine.me().unwrap().identity.public());
        let conversation = super::conversation(&mut world, ALICE, "#village");
        world.act(ALICE, |engine, cx| {
            engine
                .take_receipt(cx, &conversation, from, &v1::Receipt { ids, deliveries: Vec::new() })
                .unwrap();
        });
        assert_eq!(world.state_of(ALICE, &sent.id), state);
    }
}

#[test]
fn whoever_came_while_one_was_away_does_not_get_what_one_had_said() {
    let mut world = without_carol();
    world.send(BOB, "#village", "a secret").unwrap();
    world.settle();
    remove(&mut world, ALICE, "bob").unwrap();
    add(&mut world, ALICE, "carol").unwrap();
    add(&mut world, ALICE, "bob").unwrap();
    world.settle();
    world.send(BOB, "#village", "I am back").unwrap();
    world.settle();
    ask(&mut world, CAROL, "#village", vec![1, 2]);
    assert_eq!(world.received(CAROL), ["bob: I am back"]);
}

#[test]
fn whoever_asks_again_and_again_makes_nothing_grow() {
    let mut world = without_carol();
    for number in 0..5 {
        world.send(ALICE, "#village", &format!("{number}")).unwrap();
    }
    world.settle();
    world.stop(BOB);
    let asks = |world: &mut World| {
        world.act(ALICE, |engine, cx| {
            let id = engine.find_group(cx, "village").unwrap();
            let village = engine.conversation_of(cx, &id).unwrap();
            let bob = engine.find_contact(cx, "bob").unwrap().identity;
            let sender = engine.group_view(cx, &village.group_id).unwrap().member(&bob).unwrap().clone();
            let kind = Some(Kind::Resend(v1::ResendRequest { sequences: (1..=64).collect() }));
            let content = v1::Content { kind, ..v1::Content::default() };
            let plaintext = prost::Message::encode_to_vec(&content);
            engine.take_content(cx, &village, &village.group_id, &sender, &plaintext).unwrap();
        });
        world.nodes[ALICE].memory.count(OUTGOING)
    };
    world.limit(ALICE, |limits| limits.outbox_bytes_max = 0);
    assert_eq!(asks(&mut world), 0, "a full outbox gets no fuller");
    world.limit(ALICE, |limits| limits.outbox_bytes_max = 1_000_000);
    for _ in 0..3 {
        assert_eq!(asks(&mut world), 5);
    }
    world.start(BOB);
    world.pass(60_000);
    assert_eq!(world.nodes[ALICE].memory.count(OUTGOING), 0);
}

#[test]
fn whoever_came_while_the_group_was_lost_does_not_get_what_was_said_before() {
    for is_restored in [false, true] {
        let mut world = village(&["alice", "bob", "carol"]);
        let request = v1::CreateGroupRequest { name: "village".into(), members: vec!["alice".into()] };
        world.owner::<v1::CreateGroupResponse>(BOB, Method::CreateGroup, &request).unwrap();
        world.settle();
        world.send(ALICE, "#village", "a secret").unwrap();
        world.settle();
        let copy = world.nodes[ALICE].memory.clone();
        add(&mut world, BOB, "carol").unwrap();
        world.settle();
        world.stop(ALICE);
        let alice = if is_restored {
            let again = world.add(9, Memory::default());
            world.nodes[again].memory = copy.backup();
            let request = v1::RestoreBackupRequest::default();
            world.owner::<v1::RestoreBackupResponse>(again, Method::RestoreBackup, &request).unwrap();
            again
        } else {
            world.start_over(ALICE, copy);
            ALICE
        };
        world.send(alice, "#village", "I am back").unwrap();
        world.pass(60_000);
        ask(&mut world, CAROL, "#village", (1..=64).collect());
        assert_eq!(world.received(CAROL), ["alice: I am back"], "restored: {is_restored}");
        // Bob was there all along.
        world.act(BOB, |engine, cx| {
            let id = engine.find_group(cx, "village").unwrap();
            tables::clear(cx.tx, MESSAGES, &id).unwrap();
        });
        world.nodes[BOB].memory.forget(MESSAGE_IDS);
        ask(&mut world, BOB, "#village", vec![1]);
        let heard = world.received(BOB).iter().any(|text| text == "alice: a secret");
        assert_eq!(heard, !is_restored, "nobody knows after restoring who was there");
    }
}
