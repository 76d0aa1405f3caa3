//! What the owner sees of the mesh and asks of it.

use qpq_proto::{Method, Status, v1};

use super::{
    carrying::{ALICE, BOB, CAROL, DAY_MS, MINUTE_MS, apart_but},
    world::World,
};

/// Alice, bob and carol know each other; alice and carol never meet.
fn apart() -> World {
    apart_but(&[(ALICE, BOB), (BOB, CAROL)])
}

fn mesh(world: &mut World, node: usize) -> v1::ShowMeshResponse {
    world.owner(node, Method::ShowMesh, &v1::ShowMeshRequest {}).unwrap()
}

fn set_carrier(world: &mut World, node: usize, on: bool) -> Vec<String> {
    let request = v1::SetRoleRequest { role: "carrier".into(), on };
    world.owner::<v1::SetRoleResponse>(node, Method::SetRole, &request).unwrap().roles
}

fn route(world: &mut World, to: &str) -> v1::ShowRouteResponse {
    world.owner(ALICE, Method::ShowRoute, &v1::ShowRouteRequest { to: to.into() }).unwrap()
}

#[test]
fn a_role_stays_switched_on() {
    let mut world = apart();
    assert_eq!(mesh(&mut world, BOB).kind, "mobile");
    assert_eq!(set_carrier(&mut world, BOB, true), ["carrier"]);
    world.stop(BOB);
    world.start(BOB);
    assert_eq!(mesh(&mut world, BOB).kind, "carrier");
    let status: v1::NodeStatusResponse =
        world.owner(BOB, Method::NodeStatus, &v1::NodeStatusRequest {}).unwrap();
    assert_eq!(status.roles, ["carrier"]);
    assert_eq!(set_carrier(&mut world, BOB, false), [""; 0]);
    assert_eq!(mesh(&mut world, BOB).kind, "mobile");
}

#[test]
fn neighbours_learn_of_the_role() {
    let mut world = apart();
    for node in [ALICE, BOB] {
        set_carrier(&mut world, node, true);
        world.settle();
        for (one, other) in [(ALICE, BOB), (BOB, ALICE)] {
            let expected = if one == node || node == BOB { "carrier" } else { "mobile" };
            let seen = mesh(&mut world, other).neighbours;
            let seen = seen.iter().find(|neighbour| neighbour.node[0] == u8::try_from(one).unwrap() + 1);
            assert_eq!(seen.unwrap().kind, expected, "{one} as {other} sees it");
        }
    }
}

#[test]
fn only_roles_that_there_are_can_be_switched() {
    let mut world = apart();
    for (role, status) in
        [("federation", Status::Forbidden), ("king", Status::BadRequest), ("", Status::BadRequest)]
    {
        let request = v1::SetRoleRequest { role: role.into(), on: true };
        let failure = world.owner::<v1::SetRoleResponse>(BOB, Method::SetRole, &request).unwrap_err();
        assert_eq!(failure.status, status, "{role}");
    }
}

#[test]
fn a_relay_is_a_carrier_to_its_neighbours() {
    let mut world = apart();
    for (on, kind) in [(true, "carrier"), (false, "mobile")] {
        let request = v1::SetRoleRequest { role: "relay".into(), on };
        let answer: v1::SetRoleResponse = world.owner(BOB, Method::SetRole, &request).unwrap();
        assert_eq!((answer.roles.len(), mesh(&mut world, BOB).kind.as_str()), (usize::from(on), kind));
    }
}

#[test]
fn what_waits_is_shown_with_its_message() {
    let mut world = apart();
    world.cut(BOB, CAROL);
    let texts = ["one", "two", "three"];
    let mut sent = texts.map(|text| world.send(ALICE, "@carol", text).unwrap().id);
    sent.sort();
    world.pass(MINUTE_MS);
    let mut seen = Vec::new();
    let mut after = Vec::new();
    loop {
        let request = v1::ListBundlesRequest { after, limit: 1 };
        let page: v1::ListBundlesResponse = world.owner(ALICE, Method::ListBundles, &request).unwrap();
        seen.extend(page.bundles);
        if page.next.is_empty() {
            break;
        }
        after = page.next;
    }
    let mut found: Vec<_> = seen.iter().map(|bundle| bundle.message.clone()).collect();
    found.retain(|id| !id.is_empty());
    found.sort();
    assert_eq!(found, sent);
    assert!(seen.iter().all(|bundle| bundle.standing == "own" && bundle.bringer.is_empty()));
    assert!(seen.iter().filter(|bundle| !bundle.message.is_empty()).all(|bundle| bundle.holders == 1));
    let carried = mesh(&mut world, BOB);
    let custody = carried.custody.unwrap();
    let of_contacts = custody.shares.iter().find(|share| share.standing == "contact").unwrap();
    assert!(of_contacts.bundles >= 3 && of_contacts.bytes <= of_contacts.bytes_max, "{of_contacts:?}");
    assert_eq!(custody.bundles, custody.shares.iter().map(|share| share.bundles).sum::<u64>());
    let alice = carried.neighbours.iter().find(|neighbour| neighbour.contact == "alice").unwrap();
    assert_eq!((alice.standing.as_str(), alice.brought_bytes), ("contact", of_contacts.bytes));
}

#[test]
fn a_route_is_direct_carried_or_waits() {
    let mut world = apart();
    let ways = |found: &v1::ShowRouteResponse| {
        found.routes.iter().map(|route| (route.contact.clone(), route.way.clone())).collect::<Vec<_>>()
    };
    assert_eq!(ways(&route(&mut world, "@bob")), [("bob".into(), "direct".into())]);
    let carried = route(&mut world, "@carol");
    assert_eq!((carried.carriers, carried.mobiles), (0, 1));
    assert_eq!(ways(&carried), [("carol".into(), "carried".into())]);
    world.cut(ALICE, BOB);
    world.send(ALICE, "@carol", "later").unwrap();
    let waiting = route(&mut world, "@carol");
    assert_eq!(ways(&waiting), [("carol".into(), "waiting".into())]);
    assert_eq!(waiting.routes[0].waiting, 1);
    let request = v1::ShowRouteRequest { to: "@nobody".into() };
    let failure = world.owner::<v1::ShowRouteResponse>(ALICE, Method::ShowRoute, &request).unwrap_err();
    assert_eq!(failure.status, Status::NotFound);
}

#[test]
fn a_message_can_be_carried_beside_being_delivered() {
    let mut world = apart();
    let request = v1::SendMessageRequest {
        to: "@bob".into(),
        text: "both ways".into(),
        carried: true,
        ..v1::SendMessageRequest::default()
    };
    let sent: v1::SendMessageResponse = world.owner(ALICE, Method::SendMessage, &request).unwrap();
    let id = sent.message.unwrap().id;
    let listed: v1::ListBundlesResponse =
        world.owner(ALICE, Method::ListBundles, &v1::ListBundlesRequest::default()).unwrap();
    assert!(listed.bundles.iter().any(|bundle| bundle.message == id));
    world.pass(MINUTE_MS);
    assert_eq!(world.received(BOB), ["alice: both ways"]);
    assert_eq!(world.state_of(ALICE, &id), "delivered");
}

/// Everything that a node carries, as a program that carries it by other means gets it.
fn copies(world: &mut World, node: usize) -> Vec<v1::MeshBundle> {
    let (mut all, mut after) = (Vec::new(), Vec::new());
    loop {
        let request = v1::CopyBundlesRequest { after, bytes_max: 1 };
        let page: v1::CopyBundlesResponse = world.owner(node, Method::CopyBundles, &request).unwrap();
        assert!(page.bundles.len() <= 1);
        all.extend(page.bundles);
        if page.next.is_empty() {
            return all;
        }
        after = page.next;
    }
}

fn take(world: &mut World, node: usize, bundles: Vec<v1::MeshBundle>, copied_at_ms: u64) -> (u64, u64, u64) {
    let request = v1::TakeBundlesRequest { bundles, copied_at_ms };
    let taken: v1::TakeBundlesResponse = world.owner(node, Method::TakeBundles, &request).unwrap();
    (taken.taken, taken.known, taken.refused)
}

/// The wall clock when the world has begun.
const WALL_MS: u64 = 1_795_219_200_000;

#[test]
fn messages_are_carried_by_hand() {
    let mut world = apart();
    world.cut(ALICE, BOB);
    world.cut(BOB, CAROL);
    world.send(ALICE, "@carol", "on a stick").unwrap();
    world.join(ALICE, BOB);
    world.pass(MINUTE_MS);
    world.cut(ALICE, BOB);
    let carried = copies(&mut world, BOB);
    assert!(!carried.is_empty());
    let count = carried.len() as u64;
    assert_eq!(take(&mut world, CAROL, carried.clone(), WALL_MS), (count, 0, 0));
    world.settle();
    assert_eq!(world.received(CAROL), ["alice: on a stick"]);
    assert_eq!(take(&mut world, CAROL, carried, WALL_MS), (0, count, 0));
    assert_eq!(world.received(CAROL), ["alice: on a stick"]);
}

#[test]
fn time_in_a_drawer_counts() {
    let mut world = apart();
    world.cut(BOB, CAROL);
    world.send(ALICE, "@carol", "too late").unwrap();
    world.pass(MINUTE_MS);
    let carried = copies(&mut world, BOB);
    let count = carried.len() as u64;
    let long_ago = WALL_MS - 40 * DAY_MS;
    assert_eq!(take(&mut world, CAROL, carried.clone(), long_ago), (0, 0, count));
    let mut forged = carried.clone();
    forged.iter_mut().for_each(|bundle| bundle.body = bundle.body.slice(1..));
    assert_eq!(take(&mut world, CAROL, forged, WALL_MS), (0, 0, count));
    assert_eq!(take(&mut world, CAROL, carried, WALL_MS), (count, 0, 0));
}

#[test]
fn pages_have_bounds() {
    let mut world = apart();
    let request = v1::TakeBundlesRequest { bundles: vec![v1::MeshBundle::default(); 257], copied_at_ms: 0 };
    let failure = world.owner::<v1::TakeBundlesResponse>(BOB, Method::TakeBundles, &request).unwrap_err();
    assert_eq!(failure.status, Status::BadRequest);
    let request = v1::CopyBundlesRequest { after: vec![1], bytes_max: 0 };
    let failure = world.owner::<v1::CopyBundlesResponse>(BOB, Method::CopyBundles, &request).unwrap_err();
    assert_eq!((failure.status, failure.field.as_str()), (Status::BadRequest, "after"));
}
