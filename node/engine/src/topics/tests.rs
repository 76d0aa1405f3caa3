//! What is kept of posts, what is dropped, and what topics are called.

use qpq_crypto::{
    identity::{DeviceSecret, IdentityKey},
    link::Invitation,
    topic::Draft,
};
use qpq_mesh::{Bundle, Class, Label};
use qpq_proto::{Method, Status, ids::NodeKey, v1};

use super::*;
use crate::{
    Input, Next,
    tables::{OWN_POSTS, POST_AUTHORS, POST_IDS, POSTS},
    tests::bench::Bench,
};

mod bounds;
mod names;
mod own;
mod separation;

const DAY_MS: u64 = 86_400_000;

fn subscribe(bench: &mut Bench, topic: &str) -> Result<SubscribeTopicResponse, Failure> {
    bench.owner(Method::SubscribeTopic, &SubscribeTopicRequest { topic: topic.into() })
}

fn unsubscribe(bench: &mut Bench, topic: &str) -> Result<UnsubscribeTopicResponse, Failure> {
    bench.owner(Method::UnsubscribeTopic, &UnsubscribeTopicRequest { topic: topic.into() })
}

fn topics(bench: &mut Bench) -> Vec<Topic> {
    bench.owner::<ListTopicsResponse>(Method::ListTopics, &v1::ListTopicsRequest {}).unwrap().topics
}

fn broadcast(bench: &mut Bench, topic: &str, text: &str) -> Result<v1::Post, Failure> {
    let request = v1::BroadcastPostRequest { topic: topic.into(), text: text.into() };
    let response: v1::BroadcastPostResponse = bench.owner(Method::BroadcastPost, &request)?;
    Ok(response.post.unwrap())
}

fn read(bench: &mut Bench, since: u64, limit: u32) -> v1::ReadPostsResponse {
    let request = v1::ReadPostsRequest { topic: "news".into(), since, limit };
    bench.owner(Method::ReadPosts, &request).unwrap()
}

fn texts(bench: &mut Bench) -> Vec<String> {
    read(bench, 0, 1_024).posts.into_iter().map(|post| post.text).collect()
}

fn count(bench: &Bench) -> [usize; 4] {
    [POSTS, POST_IDS, POST_AUTHORS, OWN_POSTS].map(|table| bench.memory.count(table))
}

/// A node that follows the topic `news`, with the topic's key.
fn listener() -> (Bench, TopicKey) {
    let mut bench = Bench::of("alice");
    let link: Link = subscribe(&mut bench, "news").unwrap().topic.unwrap().link.parse().unwrap();
    (bench, link.into_topic().unwrap().0)
}

/// Somebody else who has the topic's key.
struct Author {
    identity: IdentityKey,
    device: DeviceSecret,
}

fn author(number: u8) -> Author {
    Author {
        identity: IdentityKey::from_seed(&[number; 32]),
        device: DeviceSecret::from_seed(&[number ^ 0x80; 32]),
    }
}

impl Author {
    /// The bundle of this author's post of a number: the same number, the same post and the same bundle.
    fn bundle(&self, key: &TopicKey, number: u64) -> Bundle {
        self.bundle_with(key, number, &format!("post {number}"))
    }

    fn bundle_with(&self, key: &TopicKey, number: u64, text: &str) -> Bundle {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        let draft = Draft { id, posted_at_ms: number, name: "mallory", text };
        let salt = salt_of(self.identity.public().as_bytes(), number);
        let body = key.seal_post(&salt, &self.identity, &self.device, &draft).unwrap();
        sealed(Class::Topic, key, salt, body)
    }
}

/// Another salt for each author and number.
fn salt_of(author: &[u8; 32], number: u64) -> [u8; 8] {
    let mut salt = number.to_be_bytes();
    salt[0] = author[0];
    salt[1] = author[1];
    salt
}

fn sealed(class: Class, key: &TopicKey, salt: [u8; 8], body: Vec<u8>) -> Bundle {
    let tag = key.route().tag(&salt);
    Bundle::new(Label { class, lifetime_max_s: 86_400, salt, tag, settle: None }, body.into()).unwrap()
}

/// The same for many, without the transaction around it.
fn take(bench: &mut Bench, bundle: &Bundle) {
    bench.with(|engine, cx| engine.take_topic_bundle(cx, bundle).unwrap());
}

/// A neighbour has brought a bundle, and it is opened.
fn open(bench: &mut Bench, bundle: Bundle) {
    bench.input(Input::Next(Next::Open(bundle)));
}
