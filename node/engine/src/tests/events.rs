//! The log of events: its cursors, its pages, and what is no longer kept.

use qpq_proto::{Method, v1};

use super::world::World;

const ALICE: usize = 0;
const BOB: usize = 1;

fn read(world: &mut World, since: u64, limit: u32) -> v1::ReadEventsResponse {
    let request = v1::ReadEventsRequest { since, limit, timeout_ms: 0 };
    world.owner(ALICE, Method::ReadEvents, &request).unwrap()
}

fn cursors(response: &v1::ReadEventsResponse) -> Vec<u64> {
    response.events.iter().map(|event| event.cursor).collect()
}

fn words(events: &[v1::Event]) -> Vec<String> {
    let word = |event: &v1::Event| match event.kind.as_ref().unwrap() {
        v1::event::Kind::Message(message) => format!("message {}", message.text),
        v1::event::Kind::State(message) => format!("state {}", message.state),
        v1::event::Kind::Contact(contact) => format!("contact {} {}", contact.name, contact.state),
        v1::event::Kind::Group(group) => format!("group {} {}", group.what, group.members),
        v1::event::Kind::Gap(gap) => format!("gap {} {}", gap.from, gap.missing),
        v1::event::Kind::Alarm(alarm) => format!("alarm {}", alarm.code),
        v1::event::Kind::Post(post) => format!("post {}", post.text),
        v1::event::Kind::Relay(relay) => format!("relay {}", relay.state),
    };
    events.iter().map(word).collect()
}

#[test]
fn what_happens_is_told_in_order() {
    let mut world = World::friends(&["alice", "bob"]);
    let before = world.events(ALICE).len();
    world.send(ALICE, "@bob", "hello").unwrap();
    world.settle();
    world.send(BOB, "@alice", "hi").unwrap();
    world.settle();
    let request = v1::CreateGroupRequest { name: "village".into(), members: vec!["bob".into()] };
    world.owner::<v1::CreateGroupResponse>(ALICE, Method::CreateGroup, &request).unwrap();
    world.settle();
    let told = words(&world.events(ALICE)[before..]);
    assert_eq!(told, ["message hello", "state delivered", "message hi", "group created 1", "group added 2"]);
    assert!(words(&world.events(BOB)).contains(&"group joined 2".to_owned()));
}

#[test]
fn cursors_grow_by_one_and_survive_a_restart() {
    let mut world = World::friends(&["alice", "bob"]);
    for number in 0..5 {
        world.send(ALICE, "@bob", &format!("{number}")).unwrap();
        world.settle();
        world.stop(ALICE);
        world.start(ALICE);
    }
    let all = read(&mut world, 0, 0);
    assert_eq!(cursors(&all), (1..=all.next).collect::<Vec<_>>());
    assert_eq!(read(&mut world, 0, 0), all, "reading changes nothing");
}

#[test]
fn pages_go_on_where_the_last_one_ended() {
    let mut world = World::friends(&["alice", "bob"]);
    for number in 0..7 {
        world.send(BOB, "@alice", &format!("{number}")).unwrap();
    }
    world.settle();
    let all = read(&mut world, 0, 0);
    for limit in [1, 2, 5, 1_000] {
        let (mut since, mut events) = (0, Vec::new());
        loop {
            let page = read(&mut world, since, limit);
            assert!(page.events.len() <= limit as usize);
            assert_eq!(page.lagged, 0);
            if page.next == since {
                break;
            }
            since = page.next;
            events.extend(page.events);
        }
        assert_eq!(events, all.events, "pages of {limit}");
    }
    for beyond in [all.next, all.next + 1, u64::MAX] {
        let page = read(&mut world, beyond, 0);
        assert_eq!((page.events.len(), page.next, page.lagged), (0, beyond, 0));
    }
}

#[test]
fn old_events_make_room_and_readers_learn_how_many_they_missed() {
    let mut world = World::friends(&["alice", "bob"]);
    world.limit(ALICE, |limits| limits.events_kept_max = 10);
    let since = read(&mut world, 0, 0).next;
    for number in 0..30 {
        world.send(BOB, "@alice", &format!("{number}")).unwrap();
        world.settle();
    }
    let page = read(&mut world, since, 0);
    assert_eq!((page.events.len(), page.lagged), (10, 20));
    assert_eq!(words(&page.events)[0], "message 20");
    assert_eq!(world.history(ALICE).len(), 30, "the messages themselves stay");
}

#[test]
fn what_a_removed_contact_did_is_not_told_any_more() {
    let mut world = World::friends(&["alice", "bob"]);
    world.send(BOB, "@alice", "forget me").unwrap();
    world.settle();
    let remove = v1::RemoveContactRequest { name: "bob".into() };
    world.owner::<v1::RemoveContactResponse>(ALICE, Method::RemoveContact, &remove).unwrap();
    let page = read(&mut world, 0, 0);
    assert_eq!(words(&page.events), Vec::<String>::new());
    assert!(page.next > 0, "the cursor passes over what is gone");
}
