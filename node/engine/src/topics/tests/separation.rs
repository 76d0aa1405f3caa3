//! Posts are not taken for messages, nor messages for posts, whatever secrets a group was given.

use prost::Message as _;
use qpq_crypto::padding;
use qpq_proto::v1::{Parcel, ParcelContent};

use super::*;
use crate::{
    records::{ConversationRecord, RouteRecord},
    routes::Destination,
};

/// A listener one of whose groups got the topic's own routing secret from somebody who knows the topic.
fn trapped() -> (Bench, TopicKey) {
    let (mut bench, key) = listener();
    let route =
        RouteRecord { secret: key.route().as_bytes().to_vec(), until_node_ms: 0, group_id: vec![1; 32] };
    let conversation =
        ConversationRecord { id: vec![1; 16], routes: vec![route], ..ConversationRecord::default() };
    bench.with(|engine, cx| engine.save_conversation(cx, &conversation).unwrap());
    bench.engine.routes = None;
    (bench, key)
}

/// A message in a parcel under the topic's routing secret.
fn parcel(key: &TopicKey, salt: [u8; 8]) -> Parcel {
    let content = ParcelContent { message: b"hello".to_vec(), ..Default::default() }.encode_to_vec();
    let padded = padding::pad(&content, qpq_crypto::route::BODY_OVERHEAD_BYTES);
    Parcel {
        salt: salt.to_vec(),
        tag: key.route().tag(&salt).to_vec(),
        body: key.route().seal_body(&salt, &padded).into(),
    }
}

#[test]
fn a_post_is_a_post_though_a_group_has_the_topics_secret() {
    let (mut bench, key) = trapped();
    open(&mut bench, author(1).bundle(&key, 1));
    assert_eq!(texts(&mut bench), ["post 1"]);
    let parcel = parcel(&key, [5; 8]);
    let recognised = bench.with(|engine, cx| engine.recognise(cx, &parcel).unwrap()).unwrap();
    assert_eq!(recognised.destination, Destination::Group(vec![1; 32]));
}

#[test]
fn a_parcel_under_a_topics_secret_is_no_message_and_no_post() {
    let (mut bench, key) = listener();
    let parcel = parcel(&key, [5; 8]);
    assert!(bench.with(|engine, cx| engine.recognise(cx, &parcel).unwrap()).is_none());
    open(&mut bench, sealed(Class::Topic, &key, [5; 8], parcel.body.to_vec()));
    assert_eq!((texts(&mut bench).len(), topics(&mut bench)[0].dropped), (0, 1));
}

#[test]
fn a_post_in_a_bundle_of_another_class_is_for_nobody() {
    let (mut bench, key) = listener();
    let bundle = author(1).bundle(&key, 1);
    let (salt, tag) = (*bundle.header().salt(), *bundle.header().tag());
    for class in [Class::Control, Class::Message, Class::Bulk] {
        open(&mut bench, sealed(class, &key, salt, bundle.body().to_vec()));
        assert_eq!(texts(&mut bench).len(), 0, "{class:?}");
        let routes = bench.engine.routes.as_ref().unwrap();
        assert!(!routes.recognises(class, &salt, &tag), "{class:?}");
    }
    let routes = bench.engine.routes.as_ref().unwrap();
    assert!(routes.recognises(Class::Topic, &salt, &tag[..8]));
}

#[test]
fn the_record_of_a_topic_prints_no_key() {
    let record = TopicRecord { key: vec![7; 32], name: "news".into(), ..TopicRecord::default() };
    let printed = format!("{record:?}");
    assert!(printed.contains("news") && !printed.contains("7, 7"), "{printed}");
}
