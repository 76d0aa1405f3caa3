//! Two people: links, contacts, messages.

use qpq_proto::{Method, Status, v1};

use super::world::World;

const ALICE: usize = 0;
const BOB: usize = 1;

fn contact(world: &mut World, node: usize, name: &str) -> v1::Contact {
    let listed: v1::ListContactsResponse =
        world.owner(node, Method::ListContacts, &v1::ListContactsRequest {}).unwrap();
    listed.contacts.into_iter().find(|contact| contact.name == name).unwrap()
}

#[test]
fn a_one_time_link_makes_contacts_and_messages_go_both_ways() {
    let mut world = World::friends(&["alice", "bob"]);
    assert_eq!(contact(&mut world, ALICE, "bob").state, "accepted");
    assert_eq!(contact(&mut world, BOB, "alice").state, "accepted");
    let sent = world.send(ALICE, "@bob", "hello").unwrap();
    assert_eq!(sent.state, "queued");
    world.settle();
    world.send(BOB, "@alice", "hello yourself").unwrap();
    world.settle();
    assert_eq!(world.received(BOB), ["alice: hello"]);
    assert_eq!(world.received(ALICE), ["bob: hello yourself"]);
    assert_eq!(world.state_of(ALICE, &sent.id), "delivered");
}

#[test]
fn the_direct_group_is_hybrid() {
    let mut world = World::friends(&["alice", "bob"]);
    assert_eq!(contact(&mut world, ALICE, "bob").suite, 0x004F);
    assert_eq!(world.show(BOB, "@alice").unwrap().suite, 0x004F);
}

#[test]
fn what_is_written_before_the_answer_arrives_after_it() {
    let mut world = World::of(&["alice", "bob"]);
    world.cut(ALICE, BOB);
    let link = world.invite(ALICE, false);
    world.follow(BOB, &link).unwrap();
    let early = world.send(BOB, "@alice", "are you there?").unwrap();
    world.settle();
    assert_eq!(world.state_of(BOB, &early.id), "queued");
    world.join(ALICE, BOB);
    world.settle();
    assert_eq!(world.received(ALICE), ["bob: are you there?"]);
    assert_eq!(world.state_of(BOB, &early.id), "delivered");
}

#[test]
fn a_one_time_link_works_once() {
    let mut world = World::of(&["alice", "bob", "mallory"]);
    let link = world.invite(ALICE, false);
    world.follow(BOB, &link).unwrap();
    world.settle();
    world.follow(2, &link).unwrap();
    world.settle();
    assert_eq!(contact(&mut world, 2, "alice").state, "refused");
    let listed: v1::ListContactsResponse =
        world.owner(ALICE, Method::ListContacts, &v1::ListContactsRequest {}).unwrap();
    assert_eq!(listed.contacts.len(), 1);
    let failed = world.events(2).into_iter().any(|event| {
        matches!(event.kind, Some(v1::event::Kind::Alarm(alarm)) if alarm.code == "contact-request-failed")
    });
    assert!(failed, "the one who came second is told");
}

#[test]
fn a_reusable_link_waits_for_the_owner() {
    let mut world = World::of(&["alice", "bob", "carol"]);
    let link = world.invite(ALICE, true);
    for guest in [1, 2] {
        world.follow(guest, &link).unwrap();
    }
    world.settle();
    assert_eq!(contact(&mut world, ALICE, "bob").state, "pending");
    assert_eq!(world.send(ALICE, "@bob", "early").unwrap_err().status, Status::Conflict);
    let accept = v1::AcceptContactRequest { name: "@bob".into() };
    world.owner::<v1::AcceptContactResponse>(ALICE, Method::AcceptContact, &accept).unwrap();
    world.settle();
    world.send(BOB, "@alice", "thanks").unwrap();
    world.settle();
    assert_eq!(world.received(ALICE), ["bob: thanks"]);
    assert_eq!(contact(&mut world, ALICE, "carol").state, "pending");
}

#[test]
fn two_who_ask_each_other_at_once_end_in_one_conversation() {
    for seed in 0..8 {
        let mut world = World::seeded(seed, &["alice", "bob"]);
        world.is_shuffled = true;
        world.cut(ALICE, BOB);
        let (of_alice, of_bob) = (world.invite(ALICE, false), world.invite(BOB, false));
        world.follow(BOB, &of_alice).unwrap();
        world.follow(ALICE, &of_bob).unwrap();
        world.send(ALICE, "@bob", "from alice").unwrap();
        world.send(BOB, "@alice", "from bob").unwrap();
        world.join(ALICE, BOB);
        world.pass(60_000);
        world.send(ALICE, "@bob", "again").unwrap();
        world.send(BOB, "@alice", "again").unwrap();
        world.pass(60_000);
        assert_eq!(world.received(ALICE), ["bob: from bob", "bob: again"], "seed {seed}");
        assert_eq!(world.received(BOB), ["alice: from alice", "alice: again"], "seed {seed}");
        let epochs =
            [ALICE, BOB].map(|node| world.show(node, if node == ALICE { "@bob" } else { "@alice" }).unwrap());
        assert_eq!(epochs[0].epoch_id, epochs[1].epoch_id, "seed {seed}");
        assert_eq!(world.conversations(ALICE).len(), 1);
    }
}

#[test]
fn repeated_and_reordered_deliveries_show_each_message_once() {
    for seed in 0..4 {
        let mut world = World::seeded(seed, &["alice", "bob"]);
        world.befriend(ALICE, BOB);
        world.is_shuffled = true;
        world.is_repeating = true;
        for number in 0..40 {
            world.send(ALICE, "@bob", &format!("{number}")).unwrap();
        }
        world.pass(600_000);
        let mut received = world.received(BOB);
        received.sort();
        received.dedup();
        assert_eq!(received.len(), 40, "seed {seed}");
        assert_eq!(world.history(BOB).len(), 40, "seed {seed}");
        assert!(world.history(ALICE).iter().all(|message| message.state == "delivered"));
    }
}

#[test]
fn texts_and_names_have_limits() {
    let mut world = World::friends(&["alice", "bob"]);
    for (text, status) in [("", Status::BadRequest), (&*"x".repeat(16_385), Status::BadRequest)] {
        assert_eq!(world.send(ALICE, "@bob", text).unwrap_err().status, status);
    }
    world.send(ALICE, "@bob", &"x".repeat(16_384)).unwrap();
    for (to, status) in
        [("bob", Status::BadRequest), ("@nobody", Status::NotFound), ("#none", Status::NotFound)]
    {
        assert_eq!(world.send(ALICE, to, "x").unwrap_err().status, status, "{to}");
    }
}

#[test]
fn a_mismatched_safety_number_blocks_sending() {
    let mut world = World::friends(&["alice", "bob"]);
    let verify = |world: &mut World, node, name: &str, action: v1::VerifyAction, number: &str| {
        let request = v1::VerifyContactRequest {
            name: name.into(),
            action: action.into(),
            safety_number: number.into(),
        };
        world.owner::<v1::VerifyContactResponse>(node, Method::VerifyContact, &request).unwrap()
    };
    let shown = verify(&mut world, ALICE, "@bob", v1::VerifyAction::Show, "");
    assert_eq!(shown.safety_number.len(), 60);
    let compared = verify(&mut world, BOB, "@alice", v1::VerifyAction::Compare, &shown.safety_number);
    assert_eq!(compared.contact.unwrap().verification, "verified");
    verify(&mut world, ALICE, "@bob", v1::VerifyAction::Mismatch, "");
    let refused = world.send(ALICE, "@bob", "x").unwrap_err();
    assert_eq!((refused.status, refused.field.as_str()), (Status::Conflict, "verification"));
    verify(&mut world, ALICE, "@bob", v1::VerifyAction::Match, "");
    world.send(ALICE, "@bob", "x").unwrap();
}

#[test]
fn a_blocked_contact_is_not_heard() {
    let mut world = World::friends(&["alice", "bob"]);
    let block = v1::BlockContactRequest { name: "@bob".into(), unblock: false };
    world.owner::<v1::BlockContactResponse>(ALICE, Method::BlockContact, &block).unwrap();
    world.send(BOB, "@alice", "hello?").unwrap();
    world.settle();
    assert_eq!(world.received(ALICE), Vec::<String>::new());
    assert_eq!(world.send(ALICE, "@bob", "x").unwrap_err().status, Status::Forbidden);
    let unblock = v1::BlockContactRequest { name: "@bob".into(), unblock: true };
    world.owner::<v1::BlockContactResponse>(ALICE, Method::BlockContact, &unblock).unwrap();
    world.send(BOB, "@alice", "and now?").unwrap();
    world.settle();
    assert_eq!(world.received(ALICE), ["bob: and now?"]);
}

#[test]
fn a_removed_contact_can_come_back_by_a_new_link() {
    let mut world = World::friends(&["alice", "bob"]);
    world.send(BOB, "@alice", "before").unwrap();
    world.settle();
    let remove = v1::RemoveContactRequest { name: "@bob".into() };
    world.owner::<v1::RemoveContactResponse>(ALICE, Method::RemoveContact, &remove).unwrap();
    assert!(world.history(ALICE).is_empty());
    let link = world.invite(BOB, false);
    world.follow(ALICE, &link).unwrap();
    world.settle();
    world.send(BOB, "@alice", "after").unwrap();
    world.settle();
    assert_eq!(world.received(ALICE), ["bob: after"]);
}

#[test]
fn contacts_of_one_name_stay_apart() {
    let mut world = World::of(&["alice", "bob", "bob"]);
    world.befriend(ALICE, 1);
    world.befriend(ALICE, 2);
    world.send(2, "@alice", "the other bob").unwrap();
    world.settle();
    assert_eq!(world.received(ALICE), ["bob-2: the other bob"]);
    let rename = v1::RenameContactRequest { name: "@bob-2".into(), new_name: "robert".into() };
    world.owner::<v1::RenameContactResponse>(ALICE, Method::RenameContact, &rename).unwrap();
    assert_eq!(world.received(ALICE), ["robert: the other bob"]);
    let taken = v1::RenameContactRequest { name: "@robert".into(), new_name: "BOB".into() };
    let refused = world.owner::<v1::RenameContactResponse>(ALICE, Method::RenameContact, &taken);
    assert_eq!(refused.unwrap_err().status, Status::Conflict);
}

#[test]
fn clocks_wrong_by_decades_do_not_matter() {
    let mut world = World::of(&["alice", "bob"]);
    world.nodes[ALICE].clock_error_ms = -1_795_000_000_000;
    world.nodes[BOB].clock_error_ms = 14 * 365 * 86_400_000;
    world.befriend(ALICE, BOB);
    for node in [ALICE, BOB] {
        world.stop(node);
        world.nodes[node].clock_error_ms = -world.nodes[node].clock_error_ms / 2;
        world.start(node);
    }
    world.send(ALICE, "@bob", "what year is it?").unwrap();
    world.settle();
    assert_eq!(world.received(BOB), ["alice: what year is it?"]);
}

#[test]
fn nonsense_from_peers_is_refused_and_changes_nothing() {
    let mut world = World::friends(&["alice", "bob"]);
    let alice = world.nodes[ALICE].memory.clone();
    let mailbox = contact(&mut world, BOB, "alice").identity;
    let parcels: [&[u8]; 4] = [b"", b"\xff\xff\xff", &[0x0a, 0x08], &[0; 4_096]];
    for payload in parcels {
        let request = v1::EnqueueRequest {
            mailbox: mailbox.clone(),
            payload: payload.to_vec().into(),
            ..Default::default()
        };
        let payload = prost::Message::encode_to_vec(&request).into();
        assert!(world.bring(BOB, ALICE, Method::Enqueue, payload).is_err());
    }
    assert_eq!(world.nodes[ALICE].memory.count(crate::tables::SEEN), alice.count(crate::tables::SEEN));
}

#[test]
fn the_outbox_is_empty_when_all_is_delivered() {
    let mut world = World::friends(&["alice", "bob"]);
    for number in 0..30 {
        world.send(ALICE, "@bob", &format!("{number}")).unwrap();
    }
    world.settle();
    for table in [crate::tables::OUTGOING, crate::tables::PAYLOADS, crate::tables::CURSORS] {
        assert_eq!(world.nodes[ALICE].memory.count(table), 0, "{table:?}");
    }
}

#[test]
fn what_nobody_fetches_expires_after_weeks_and_says_so() {
    let mut world = World::friends(&["alice", "bob"]);
    world.stop(BOB);
    let lost = world.send(ALICE, "@bob", "hello?").unwrap();
    world.pass(34 * 86_400_000);
    assert_eq!(world.state_of(ALICE, &lost.id), "queued");
    world.pass(2 * 86_400_000);
    assert_eq!(world.state_of(ALICE, &lost.id), "expired");
}

#[test]
fn a_trace_tells_why_a_message_is_not_there() {
    let mut world = World::friends(&["alice", "bob"]);
    world.stop(BOB);
    let sent = world.send(ALICE, "@bob", "hello?").unwrap();
    let request = v1::TraceMessageRequest { id: sent.id.clone() };
    let traced: v1::TraceMessageResponse = world.owner(ALICE, Method::TraceMessage, &request).unwrap();
    assert_eq!(traced.recipients[0].reason, "the recipient's node is not connected");
    world.start(BOB);
    world.settle();
    let traced: v1::TraceMessageResponse = world.owner(ALICE, Method::TraceMessage, &request).unwrap();
    let steps: Vec<&str> = traced.steps.iter().map(|step| step.what.as_str()).collect();
    assert_eq!(steps, ["queued", "sent", "delivered"]);
}
