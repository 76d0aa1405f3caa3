//! Posts that others carry to whoever has the topic's key.

use qpq_proto::{Failure, Method, v1};

use super::{memory::Memory, world::World};

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;
const DAVE: usize = 3;

const MINUTE_MS: u64 = 60_000;

/// Four who know each other and never meet by themselves.
fn apart() -> World {
    let names = ["alice", "bob", "carol", "dave"];
    let mut world = World::of(&names);
    for one in 0..names.len() {
        for other in one + 1..names.len() {
            world.befriend(one, other);
        }
    }
    world.pass(MINUTE_MS);
    for one in 0..names.len() {
        for other in one + 1..names.len() {
            world.cut(one, other);
        }
    }
    world
}

fn meet(world: &mut World, one: usize, other: usize) {
    world.join(one, other);
    world.pass(MINUTE_MS);
    world.cut(one, other);
    world.pass(MINUTE_MS);
}

fn subscribe(world: &mut World, node: usize, topic: &str) -> Result<String, Failure> {
    let request = v1::SubscribeTopicRequest { topic: topic.into() };
    let response: v1::SubscribeTopicResponse = world.owner(node, Method::SubscribeTopic, &request)?;
    Ok(response.topic.unwrap().link)
}

fn unsubscribe(world: &mut World, node: usize) {
    let request = v1::UnsubscribeTopicRequest { topic: "news".into() };
    world.owner::<v1::UnsubscribeTopicResponse>(node, Method::UnsubscribeTopic, &request).unwrap();
}

fn broadcast(world: &mut World, node: usize, text: &str) {
    let request = v1::BroadcastPostRequest { topic: "news".into(), text: text.into() };
    world.owner::<v1::BroadcastPostResponse>(node, Method::BroadcastPost, &request).unwrap();
}

/// What a node has of the topic, as `name: text`.
fn posts(world: &mut World, node: usize) -> Vec<String> {
    let request = v1::ReadPostsRequest { topic: "news".into(), ..Default::default() };
    let response: v1::ReadPostsResponse = world.owner(node, Method::ReadPosts, &request).unwrap();
    response.posts.iter().map(|post| format!("{}: {}", post.author_name, post.text)).collect()
}

fn block(world: &mut World, node: usize, name: &str, unblock: bool) {
    let request = v1::BlockContactRequest { name: name.into(), unblock };
    world.owner::<v1::BlockContactResponse>(node, Method::BlockContact, &request).unwrap();
}

fn announced(world: &mut World, node: usize) -> usize {
    let is_post = |event: &&v1::Event| matches!(event.kind, Some(v1::event::Kind::Post(_)));
    world.events(node).iter().filter(is_post).count()
}

#[test]
fn a_post_comes_by_somebody_who_does_not_read_it() {
    let mut world = apart();
    let link = subscribe(&mut world, ALICE, "news").unwrap();
    subscribe(&mut world, CAROL, &link).unwrap();
    broadcast(&mut world, ALICE, "the well is repaired");
    meet(&mut world, ALICE, BOB);
    assert_eq!(world.received(BOB), [""; 0]);
    meet(&mut world, BOB, CAROL);
    assert_eq!(posts(&mut world, CAROL), ["alice: the well is repaired"]);
    assert_eq!(announced(&mut world, CAROL), 1);
    // Who reads goes on carrying: dave meets carol alone.
    subscribe(&mut world, DAVE, &link).unwrap();
    meet(&mut world, CAROL, DAVE);
    assert_eq!(posts(&mut world, DAVE), ["alice: the well is repaired"]);
    meet(&mut world, DAVE, ALICE);
    assert_eq!(
        posts(&mut world, ALICE),
        ["alice: the well is repaired"],
        "it is alice's own, and no news to her"
    );
    assert_eq!(announced(&mut world, ALICE), 1);
}

#[test]
fn who_subscribes_late_finds_what_it_carried() {
    let mut world = apart();
    let link = subscribe(&mut world, ALICE, "news").unwrap();
    broadcast(&mut world, ALICE, "one");
    meet(&mut world, ALICE, BOB);
    world.stop(BOB);
    world.start(BOB);
    subscribe(&mut world, BOB, &link).unwrap();
    world.pass(MINUTE_MS);
    assert_eq!(posts(&mut world, BOB), ["alice: one"]);
}

#[test]
fn who_subscribes_late_is_offered_what_it_did_not_take() {
    for is_connected in [true, false] {
        let mut world = apart();
        let link = subscribe(&mut world, ALICE, "news").unwrap();
        // Alice has copies to give, and dave carries one; one who reads it brings no more than what dave has left.
        subscribe(&mut world, BOB, &link).unwrap();
        broadcast(&mut world, ALICE, "one");
        meet(&mut world, ALICE, BOB);
        world.join(BOB, DAVE);
        world.pass(MINUTE_MS);
        if !is_connected {
            world.cut(BOB, DAVE);
        }
        subscribe(&mut world, DAVE, &link).unwrap();
        world.join(BOB, DAVE);
        world.pass(MINUTE_MS);
        assert_eq!(posts(&mut world, DAVE), ["alice: one"], "connected: {is_connected}");
    }
}

#[test]
fn what_blocked_contacts_post_is_not_shown() {
    let mut world = apart();
    let link = subscribe(&mut world, ALICE, "news").unwrap();
    for node in [BOB, CAROL] {
        subscribe(&mut world, node, &link).unwrap();
    }
    block(&mut world, CAROL, "alice", false);
    broadcast(&mut world, ALICE, "one");
    meet(&mut world, ALICE, BOB);
    broadcast(&mut world, BOB, "two");
    meet(&mut world, BOB, CAROL);
    assert_eq!(posts(&mut world, CAROL), ["bob: two"]);
    assert_eq!(announced(&mut world, CAROL), 1);
    block(&mut world, CAROL, "alice", true);
    let mut both = posts(&mut world, CAROL);
    both.sort();
    assert_eq!(both, ["alice: one", "bob: two"]);
}

#[test]
fn who_comes_back_to_a_topic_has_what_it_carries_still() {
    let mut world = apart();
    let link = subscribe(&mut world, ALICE, "news").unwrap();
    subscribe(&mut world, BOB, &link).unwrap();
    broadcast(&mut world, ALICE, "one");
    meet(&mut world, ALICE, BOB);
    assert_eq!(posts(&mut world, BOB), ["alice: one"]);
    unsubscribe(&mut world, BOB);
    assert_eq!(announced(&mut world, BOB), 0, "nothing is said of posts that are gone");
    subscribe(&mut world, BOB, &link).unwrap();
    world.pass(MINUTE_MS);
    assert_eq!(posts(&mut world, BOB), ["alice: one"]);
}

#[test]
fn nodes_that_restart_everywhere_lose_no_post() {
    let mut world = apart();
    let link = subscribe(&mut world, ALICE, "news").unwrap();
    subscribe(&mut world, CAROL, &link).unwrap();
    for number in 0..20 {
        broadcast(&mut world, ALICE, &number.to_string());
    }
    for (one, other) in [(ALICE, BOB), (BOB, CAROL)] {
        for node in [one, other] {
            world.stop(node);
            world.start(node);
        }
        meet(&mut world, one, other);
    }
    world.stop(CAROL);
    world.start(CAROL);
    world.pass(MINUTE_MS);
    let mut got = posts(&mut world, CAROL);
    got.sort_by_key(|text| text["alice: ".len()..].parse::<u32>().unwrap());
    assert_eq!(got, (0..20).map(|number| format!("alice: {number}")).collect::<Vec<_>>());
    assert_eq!(announced(&mut world, CAROL), 20);
}

#[test]
fn subscriptions_and_posts_come_back_from_a_backup() {
    let mut world = apart();
    let link = subscribe(&mut world, ALICE, "news").unwrap();
    broadcast(&mut world, ALICE, "before");
    let backup = world.nodes[ALICE].memory.backup();
    world.stop(ALICE);
    let again = world.add(77, Memory::default());
    world.nodes[again].memory = backup;
    let request = v1::RestoreBackupRequest::default();
    world.owner::<v1::RestoreBackupResponse>(again, Method::RestoreBackup, &request).unwrap();
    assert_eq!(posts(&mut world, again), ["alice: before"]);
    subscribe(&mut world, BOB, &link).unwrap();
    broadcast(&mut world, again, "after");
    meet(&mut world, again, BOB);
    assert_eq!(posts(&mut world, BOB), ["alice: after"]);
    broadcast(&mut world, BOB, "good");
    meet(&mut world, again, BOB);
    assert_eq!(posts(&mut world, again), ["alice: before", "alice: after", "bob: good"]);
}
