//! Welcomes into groups: from whom they are taken, and which ones are refused whoever brings them.

use bytes::Bytes;
use prost::Message as _;
use qpq_crypto::mls;
use qpq_proto::{
    Failure, Method, Status,
    v1::{self, Disposition, GroupKind, GroupRecord, GroupWelcome, introduction},
};

use crate::{
    introductions::introduction,
    outbox::Stream,
    records::PersonRecord,
    storage::{Direction, Transaction as _},
    tables::PAYLOADS,
    tests::{
        groups::{group, rotate, village},
        world::World,
    },
};

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;
const MALLORY: usize = 3;

/// Alice, bob and carol know each other; mallory knows nobody, and reaches everybody.
fn world() -> World {
    let mut world = village(&["alice", "bob", "carol"]);
    world.add_person(MALLORY, "mallory");
    world
}

fn record() -> GroupRecord {
    GroupRecord {
        version: 1,
        kind: GroupKind::Group.into(),
        name: "trap".into(),
        routing_secret: vec![7; 32],
        administrators: Vec::new(),
        ..GroupRecord::default()
    }
}

fn key_package(world: &mut World, of: usize) -> Vec<u8> {
    world.act(of, |engine, cx| {
        let me = engine.me.as_ref().unwrap();
        mls::KeyPackage::create(&mut me.mls(cx), mls::Suite::Hybrid, false).unwrap().0
    })
}

/// Makes a group with any record, and the welcome of others into it.
fn make(world: &mut World, maker: usize, record: &[u8], of: &[usize]) -> GroupWelcome {
    let packages: Vec<Vec<u8>> = of.iter().map(|of| key_package(world, *of)).collect();
    let welcome = world.act(maker, |engine, cx| {
        let me = engine.me.as_ref().unwrap();
        let mut mls = me.mls(cx);
        let add: Vec<_> =
            packages.iter().map(|package| mls::KeyPackage::validate(package).unwrap()).collect();
        let mut group = mls::Group::create(&mut mls, mls::Suite::Hybrid, record).unwrap();
        let changes =
            mls::Changes { add: &add, remove: &[], record: None, annotation: &[], force_path: true };
        group.commit(&mut mls, changes).unwrap().welcome.unwrap()
    });
    GroupWelcome { welcome, ..GroupWelcome::default() }
}

/// A welcome as an introduction to carol, signed by whoever brings it.
fn seal(world: &mut World, from: usize, welcome: GroupWelcome) -> Bytes {
    let (identity, hybrid_key) = world.act(CAROL, |engine, _| {
        let me = engine.me().unwrap();
        (me.id(), me.hybrid.public().to_bytes().to_vec())
    });
    let carol = PersonRecord { identity: identity.clone(), hybrid_key, ..PersonRecord::default() };
    world.cut(from, CAROL);
    world.act(from, |engine, cx| {
        let introduction = introduction(cx, introduction::Kind::Welcome(welcome));
        engine.ship_introduction(cx, &carol, &introduction, &[]).unwrap();
    });
    let stream = Stream::introductions(&identity);
    let memory = &world.nodes[from].memory;
    let newest = memory.scan(PAYLOADS, stream.key(), 0..u64::MAX, Direction::Backward, 1).unwrap();
    newest.into_iter().next().unwrap().1
}

fn bring(world: &mut World, from: usize, payload: &Bytes) -> Result<Disposition, Failure> {
    let mailbox = world.act(CAROL, |engine, _| engine.me().unwrap().id());
    let request = v1::EnqueueRequest { mailbox, payload: payload.clone(), ..Default::default() };
    let answer = world.bring(from, CAROL, Method::Enqueue, request.encode_to_vec().into())?;
    Ok(v1::EnqueueResponse::decode(answer).unwrap().disposition())
}

fn offer(world: &mut World, from: usize, welcome: GroupWelcome) -> Result<Disposition, Status> {
    let payload = seal(world, from, welcome);
    let before = world.conversations(CAROL).len();
    let answer = bring(world, from, &payload).map_err(|refusal| refusal.status);
    let joined = world.conversations(CAROL).len() - before;
    assert_eq!(joined, usize::from(answer.is_ok()), "nothing is left of what is refused");
    answer
}

#[test]
fn only_groups_with_somebody_who_may_invite_are_joined() {
    for (maker, others, answer) in [
        (BOB, &[CAROL][..], Ok(Disposition::Delivered)),
        (MALLORY, &[CAROL], Err(Status::Forbidden)),
        (MALLORY, &[CAROL, BOB], Ok(Disposition::Delivered)),
    ] {
        let mut world = world();
        let welcome = make(&mut world, maker, &record().encode_to_vec(), others);
        assert_eq!(offer(&mut world, maker, welcome), answer, "by {maker} with {others:?}");
    }
}

#[test]
fn a_group_needs_a_record_that_can_be_read() {
    let short = GroupRecord { routing_secret: vec![7; 31], ..record() };
    let long = GroupRecord { routing_secret: vec![7; 33], ..record() };
    let direct = GroupRecord { kind: GroupKind::Direct.into(), ..record() };
    let unsaid = GroupRecord { kind: 0, ..record() };
    let unknown = GroupRecord { kind: 99, ..record() };
    let mut records: Vec<Vec<u8>> =
        [short, long, direct, unsaid, unknown].iter().map(prost::Message::encode_to_vec).collect();
    records.extend([Vec::new(), vec![0xff; 20]]);
    for record in records {
        let mut world = world();
        let welcome = make(&mut world, BOB, &record, &[CAROL]);
        assert_eq!(offer(&mut world, BOB, welcome), Err(Status::Forbidden), "{record:?}");
        let welcome = make(&mut world, BOB, &self::record().encode_to_vec(), &[CAROL]);
        assert_eq!(offer(&mut world, BOB, welcome), Ok(Disposition::Delivered), "a good one after it");
    }
}

#[test]
fn a_welcome_is_brought_by_its_author() {
    let mut world = world();
    let welcome = make(&mut world, BOB, &record().encode_to_vec(), &[CAROL]);
    for other in [ALICE, MALLORY] {
        assert_eq!(offer(&mut world, other, welcome.clone()), Err(Status::Forbidden));
    }
    assert_eq!(offer(&mut world, BOB, welcome), Ok(Disposition::Delivered), "what others tried does no harm");
}

#[test]
fn what_is_no_welcome_is_refused() {
    let mut world = world();
    let good = make(&mut world, BOB, &record().encode_to_vec(), &[CAROL]).welcome;
    let of_another = make(&mut world, BOB, &record().encode_to_vec(), &[ALICE]).welcome;
    let mut changed = good.clone();
    *changed.last_mut().unwrap() ^= 1;
    for (welcome, status, what) in [
        (Vec::new(), Status::Forbidden, "nothing"),
        (vec![0; 500], Status::Forbidden, "zeros"),
        (good[..good.len() - 1].to_vec(), Status::Forbidden, "cut short"),
        ([&good[..], &[0]].concat(), Status::Forbidden, "a byte more"),
        (changed, Status::Forbidden, "a byte changed"),
        (of_another, Status::Conflict, "for another's key package"),
    ] {
        let welcome = GroupWelcome { welcome, ..GroupWelcome::default() };
        assert_eq!(offer(&mut world, BOB, welcome), Err(status), "{what}");
    }
}

#[test]
fn a_welcome_serves_once() {
    let mut world = world();
    let welcome = make(&mut world, BOB, &record().encode_to_vec(), &[CAROL]);
    let payload = seal(&mut world, BOB, welcome.clone());
    for _ in 0..2 {
        assert_eq!(bring(&mut world, BOB, &payload), Ok(Disposition::Delivered), "the same delivery");
    }
    assert_eq!(
        offer(&mut world, BOB, welcome),
        Err(Status::Conflict),
        "sealed anew: its key package is gone"
    );
}

#[test]
fn profiles_of_nobody_in_the_group_are_passed_over() {
    let mut world = world();
    let mut welcome = make(&mut world, BOB, &record().encode_to_vec(), &[CAROL]);
    let alice = world.act(ALICE, |engine, _| engine.me().unwrap().id());
    let profile = |identity: Vec<u8>, name: &str| v1::MemberProfile {
        identity,
        name: name.into(),
        addresses: vec!["6.6.6.6:6".into()],
        ..v1::MemberProfile::default()
    };
    welcome.members = vec![profile(alice, "eve"), profile(vec![1; 31], "x"), profile(Vec::new(), "y")];
    let known = world.act(CAROL, |engine, cx| engine.find_contact(cx, "alice").unwrap());
    offer(&mut world, BOB, welcome).unwrap();
    assert!(world.act(CAROL, |engine, cx| engine.find_contact(cx, "alice").unwrap()) == known);
}

#[test]
fn a_full_node_joins_no_further_group_but_keeps_those_it_has() {
    let mut world = group(&["alice", "bob", "carol"]);
    world.limit(CAROL, |limits| limits.conversations_max = 3);
    let welcome = make(&mut world, BOB, &record().encode_to_vec(), &[CAROL]);
    assert_eq!(offer(&mut world, BOB, welcome), Err(Status::QuotaExceeded));
    let before = world.show(CAROL, "#village").unwrap().epoch_id;
    rotate(&mut world, CAROL, "#village");
    world.pass(60_000);
    assert_ne!(world.show(CAROL, "#village").unwrap().epoch_id, before, "her renewed leaf is welcomed");
    world.send(ALICE, "#village", "hello").unwrap();
    world.settle();
    assert_eq!(world.received(CAROL), ["alice: hello"]);
}
