//! Parcels that are longer than a body can be.

use bytes::Bytes;
use prost::Message as _;
use qpq_crypto::{padding, route::RoutingSecret};
use qpq_mesh::{Bundle, Class, Label, SizeClass, fragment};
use qpq_proto::v1::{self, content::Kind};

use super::{
    super::{bench::Bench, world::World},
    ALICE, BOB, CAROL, DAY_MS, MINUTE_MS, apart,
    look::{addresses, held, limit, waiting},
    meet,
};
use crate::{Effect, Input, Next, sealing::Audience};

/// Alice tells carol a profile that is so long that its parcel is cut into four pieces.
fn say_much(world: &mut World) {
    world.act(ALICE, |engine, cx| {
        let carol = engine.find_contact(cx, "carol").unwrap();
        let conversation = engine.conversation_of(cx, &carol.conversation).unwrap();
        let profile = v1::Profile {
            addresses: vec!["192.0.2.7:4433".into()],
            key_packages: vec![vec![7; 150_000]],
            ..v1::Profile::default()
        };
        let content = engine.unnumbered(cx, Kind::Profile(profile));
        engine.seal_content(cx, &conversation, &content, Audience::Everybody).unwrap();
    });
}

const MONTH_HOURS: u32 = 720;
const PIECE: super::look::Look = (Class::Control, SizeClass::Kib64, MONTH_HOURS);
const REST: super::look::Look = (Class::Control, SizeClass::Kib1, MONTH_HOURS);

/// Bob, as long as he runs, has room for two pieces of alice's.
fn take_two(world: &mut World) {
    limit(world, BOB, |limits| limits.custody_neighbour_bytes_max = 140_000);
}

fn knows(world: &mut World) -> bool {
    addresses(world, CAROL, "alice").contains(&"192.0.2.7:4433".to_owned())
}

#[test]
fn a_long_parcel_travels_in_pieces_and_is_settled_as_a_whole() {
    let mut world = apart();
    say_much(&mut world);
    assert_eq!(waiting(&world, ALICE), 1);
    meet(&mut world, ALICE, BOB);
    assert_eq!(held(&world, BOB), [REST, PIECE, PIECE, PIECE]);
    meet(&mut world, BOB, CAROL);
    assert!(knows(&mut world));
    assert_eq!((held(&world, CAROL), held(&world, BOB)), (Vec::new(), Vec::new()));
    meet(&mut world, ALICE, BOB);
    assert_eq!((waiting(&world, ALICE), held(&world, ALICE)), (0, Vec::new()));
}

#[test]
fn pieces_come_by_several_ways_and_outlast_a_restart() {
    let mut world = apart();
    let dave = world.add_person(3, "dave");
    world.befriend(ALICE, dave);
    world.befriend(CAROL, dave);
    world.pass(MINUTE_MS);
    world.cut(ALICE, dave);
    world.cut(CAROL, dave);
    say_much(&mut world);
    take_two(&mut world);
    meet(&mut world, ALICE, BOB);
    assert_eq!(held(&world, BOB), [REST, PIECE, PIECE]);
    meet(&mut world, BOB, CAROL);
    assert!(!knows(&mut world));
    assert_eq!(held(&world, CAROL), [REST, PIECE, PIECE], "they wait for the last one");
    world.stop(CAROL);
    world.start(CAROL);
    meet(&mut world, ALICE, dave);
    meet(&mut world, dave, CAROL);
    assert!(knows(&mut world));
    assert_eq!((held(&world, CAROL), held(&world, dave)), (Vec::new(), Vec::new()));
    meet(&mut world, BOB, CAROL);
    assert_eq!(held(&world, BOB), [], "the other carrier hears it when they meet");
}

#[test]
fn a_piece_that_is_missing_blocks_nothing_else() {
    let mut world = apart();
    say_much(&mut world);
    take_two(&mut world);
    meet(&mut world, ALICE, BOB);
    meet(&mut world, BOB, CAROL);
    world.send(ALICE, "@carol", "short").unwrap();
    meet(&mut world, ALICE, BOB);
    meet(&mut world, BOB, CAROL);
    assert_eq!(world.received(CAROL), ["alice: short"]);
    assert_eq!(held(&world, CAROL).len(), 3);
    world.pass(31 * DAY_MS);
    assert_eq!((held(&world, CAROL), knows(&mut world)), (Vec::new(), false), "their lifetime has ended");
}

#[test]
fn pieces_of_what_came_another_way_are_let_go() {
    let mut world = apart();
    say_much(&mut world);
    take_two(&mut world);
    meet(&mut world, ALICE, BOB);
    meet(&mut world, BOB, CAROL);
    meet(&mut world, ALICE, CAROL);
    assert!(knows(&mut world), "alice's node has brought it itself");
    assert_eq!(waiting(&world, ALICE), 0);
    meet(&mut world, ALICE, BOB);
    meet(&mut world, BOB, CAROL);
    assert_eq!((held(&world, BOB), held(&world, CAROL)), (Vec::new(), Vec::new()));
}

/// Bundles that hold the pieces of something, sealed as any stranger can seal them for alice.
fn forged(bench: &Bench, name: [u8; 16], object: Vec<u8>) -> Vec<Bundle> {
    let secret = RoutingSecret::derive_stranger(&bench.engine.me().unwrap().identity.public());
    let pieces = fragment::cut(name, &object.into(), 60_000).unwrap();
    let seal = |piece: fragment::Piece| {
        let content = v1::ParcelContent { piece: piece.encode(), ..Default::default() };
        let salt = [u8::try_from(piece.index()).unwrap(); 8];
        let body = secret.seal_body(&salt, &padding::pad(&content.encode_to_vec(), 16));
        let tag = secret.tag(&salt);
        let label = Label { class: Class::Control, lifetime_max_s: 60, salt, tag, settle: None };
        Bundle::new(label, body.into()).unwrap()
    };
    pieces.into_iter().map(seal).collect()
}

#[test]
fn pieces_that_make_no_parcel_are_refused_for_good() {
    let object = v1::Parcel { body: Bytes::from(vec![1; 100_000]), ..Default::default() }.encode_to_vec();
    let name = qpq_crypto::digest::delivery_id(&object);
    for (name, object, is_refused) in [([1; 16], object.clone(), true), (name, vec![0xff; 100_000], true)] {
        let mut bench = Bench::of("alice");
        let [first, last] = forged(&bench, name, object).try_into().unwrap();
        assert_eq!(bench.input(Input::Next(Next::Open(first))).effects, []);
        let id = *last.id();
        let effects = bench.input(Input::Next(Next::Open(last))).effects;
        assert_eq!(effects == [Effect::Next(Next::Unopened(id))], is_refused, "{effects:?}");
        bench.input(Input::Next(Next::Unopened(id)));
    }
}

#[test]
fn a_piece_is_not_taken_as_a_delivery() {
    let mut bench = Bench::of("alice");
    let bundle = forged(&bench, [1; 16], vec![1; 10]).remove(0);
    let (salt, tag) = (bundle.header().salt().to_vec(), bundle.header().tag().to_vec());
    let payload: Bytes = v1::Parcel { salt, tag, body: bundle.body().clone() }.encode_to_vec().into();
    let mailbox = bench.engine.me().unwrap().id();
    let request = v1::EnqueueRequest { mailbox, payload, ..Default::default() }.encode_to_vec();
    let caller = crate::Caller::Node(qpq_proto::ids::NodeKey::from_bytes([5; 32]));
    let method = qpq_proto::Method::Enqueue;
    let answer = bench.input(Input::Call { caller, method, payload: request.into() }).answer.unwrap();
    assert_eq!(answer.unwrap_err().status, qpq_proto::Status::BadRequest);
}
