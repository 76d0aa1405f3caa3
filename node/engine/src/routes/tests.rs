//! Which parcels are recognised, and for how long.

use qpq_proto::v1::{Content, Text, content};

use super::*;
use crate::{records::RouteRecord, tests::bench::Bench};

const DAY_MS: u64 = 86_400_000;

fn secret(number: u8) -> RoutingSecret {
    RoutingSecret::from_bytes(&[number; 32])
}

fn route(number: u8, until_node_ms: u64) -> RouteRecord {
    RouteRecord { secret: vec![number; 32], until_node_ms, group_id: vec![number; 32] }
}

/// A node with a conversation of these routes.
fn bench(routes: Vec<RouteRecord>) -> Bench {
    let mut bench = Bench::of("alice");
    let conversation = ConversationRecord { id: vec![1; 16], routes, ..ConversationRecord::default() };
    bench.with(|engine, cx| engine.save_conversation(cx, &conversation).unwrap());
    bench.engine.routes = None;
    bench
}

fn parcel(secret: &RoutingSecret, inner: &[u8]) -> Parcel {
    let salt = [5; 8];
    let content = ParcelContent { message: inner.to_vec(), ..Default::default() }.encode_to_vec();
    let padded = padding::pad(&content, qpq_crypto::route::BODY_OVERHEAD_BYTES);
    Parcel {
        salt: salt.to_vec(),
        tag: secret.tag(&salt).to_vec(),
        body: secret.seal_body(&salt, &padded).into(),
    }
}

fn recognised(bench: &mut Bench, parcel: &Parcel) -> Option<(Destination, Vec<u8>)> {
    let recognised = bench.with(|engine, cx| engine.recognise(cx, parcel).unwrap());
    recognised.map(|recognised| (recognised.destination, recognised.message.to_vec()))
}

#[test]
fn parcels_lead_to_the_group_whose_secret_they_bear() {
    let mut bench = bench(vec![route(1, 0), route(2, 0)]);
    let own = RoutingSecret::derive_stranger(&bench.engine.me().unwrap().identity.public());
    let long = vec![7; 70_000];
    for (secret, inner, destination) in [
        (secret(1), &b"hello"[..], Destination::Group(vec![1; 32])),
        (secret(2), b"", Destination::Group(vec![2; 32])),
        (secret(2), &long, Destination::Group(vec![2; 32])),
        (own, b"hello", Destination::Stranger),
    ] {
        assert_eq!(recognised(&mut bench, &parcel(&secret, inner)), Some((destination, inner.to_vec())));
    }
    assert_eq!(recognised(&mut bench, &parcel(&secret(3), b"hello")), None);
}

#[test]
fn broken_parcels_are_for_nobody() {
    let mut bench = bench(vec![route(1, 0)]);
    let good = parcel(&secret(1), b"hello");
    let changed = |change: &dyn Fn(&mut Parcel)| {
        let mut parcel = good.clone();
        change(&mut parcel);
        parcel
    };
    let body = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut body = good.body.to_vec();
        change(&mut body);
        Parcel { body: body.into(), ..good.clone() }
    };
    let unpadded = Parcel { body: secret(1).seal_body(&[5; 8], &[0; 64]).into(), ..good.clone() };
    for (parcel, what) in [
        (Parcel::default(), "nothing"),
        (changed(&|parcel| parcel.salt.truncate(7)), "a short salt"),
        (changed(&|parcel| parcel.salt.push(0)), "a long salt"),
        (changed(&|parcel| parcel.tag.truncate(15)), "a short tag"),
        (changed(&|parcel| parcel.tag[0] ^= 1), "another tag"),
        (changed(&|parcel| parcel.salt[0] ^= 1), "another salt"),
        (changed(&|parcel| parcel.body.clear()), "no body"),
        (body(&|body| body[9] ^= 1), "a changed body"),
        (body(&|body| body.truncate(9)), "a body cut short"),
        (unpadded, "padding that is none"),
    ] {
        assert_eq!(recognised(&mut bench, &parcel), None, "{what}");
    }
    assert!(recognised(&mut bench, &good).is_some());
}

#[test]
fn a_replaced_secret_is_recognised_until_its_time_is_over() {
    let mut bench = bench(vec![route(1, 30 * DAY_MS), route(2, 0)]);
    for (now_ms, old) in [(0, true), (29 * DAY_MS, true), (30 * DAY_MS - 1, true), (30 * DAY_MS, false)] {
        bench.now_ms = now_ms;
        bench.engine.routes = None;
        let is_old_recognised = recognised(&mut bench, &parcel(&secret(1), b"hello")).is_some();
        assert_eq!(is_old_recognised, old, "after {now_ms} ms");
        assert!(
            recognised(&mut bench, &parcel(&secret(2), b"hello")).is_some(),
            "the present one has no end"
        );
    }
}

#[test]
fn the_index_is_made_anew_as_time_passes() {
    let mut bench = bench(vec![route(1, 2 * DAY_MS), route(2, 0)]);
    assert!(recognised(&mut bench, &parcel(&secret(1), b"hello")).is_some());
    bench.now_ms = 3 * DAY_MS;
    bench.input(crate::Input::Tick);
    assert!(recognised(&mut bench, &parcel(&secret(1), b"hello")).is_none());
}

#[test]
fn a_secret_that_is_none_is_passed_over() {
    let mut broken = route(1, 0);
    broken.secret.truncate(31);
    let mut bench = bench(vec![broken, route(2, 0)]);
    assert!(recognised(&mut bench, &parcel(&secret(2), b"hello")).is_some());
}

#[test]
fn what_is_used_is_looked_for_first_next_time() {
    let routes = (1..=4).map(|n| (secret(n), Destination::Group(vec![n]))).collect();
    let mut index = RouteIndex { routes, topics: Vec::new(), is_looked: false };
    let order = |index: &RouteIndex| -> Vec<u8> {
        let number = |destination: &Destination| match destination {
            Destination::Group(id) => id[0],
            Destination::Stranger => 0,
        };
        index.routes.iter().map(|(_, destination)| number(destination)).collect()
    };
    let salt = [9; 8];
    for (number, expected) in [(3, [3, 1, 2, 4]), (4, [4, 3, 1, 2]), (4, [4, 3, 1, 2]), (2, [2, 4, 3, 1])] {
        let found = index.find(&salt, &secret(number).tag(&salt)).map(|(_, destination)| destination.clone());
        assert_eq!(found, Some(Destination::Group(vec![number])));
        assert_eq!(order(&index), expected);
    }
    assert!(index.find(&salt, &secret(9).tag(&salt)).is_none());
    assert_eq!(order(&index), [2, 4, 3, 1], "what is not found moves nothing");
}

#[test]
fn padding_hides_how_long_short_contents_are() {
    let sizes = ["", "yes", "a sentence that is somewhat longer than the others are"].map(|text| {
        let kind = Some(content::Kind::Text(Text { text: text.into() }));
        let content = Content { id: vec![1; 16], sequence: 1, sent_at_ms: 1, kind, ..Default::default() };
        parcel(&secret(1), &prost::Message::encode_to_vec(&content)).body.len()
    });
    assert!(sizes.iter().all(|size| *size == sizes[0]), "{sizes:?}");
}
