use proptest::prelude::*;
use qpq_proto::limits::TEXT_BYTES_MAX;

use super::*;
use crate::route::TAG_BYTES;
use crate::signature::{Domain, SIGNATURE_BYTES};
use crate::text::NameError;

const SALT: [u8; 8] = [9; 8];
const ID: [u8; 16] = [5; 16];

fn topic(byte: u8) -> TopicKey {
    TopicKey::from_bytes(&[byte; 32])
}

fn identity() -> IdentityKey {
    IdentityKey::from_seed(&[1; 32])
}

fn device() -> DeviceSecret {
    DeviceSecret::from_seed(&[2; 32])
}

fn draft(text: &str) -> Draft<'_> {
    Draft { id: ID, posted_at_ms: 1_700_000_000_000, name: "alice", text }
}

fn seal(text: &str) -> Vec<u8> {
    topic(7).seal_post(&SALT, &identity(), &device(), &draft(text)).unwrap()
}

/// A post that somebody with the topic's key made of another one.
fn forge(change: impl FnOnce(&mut Vec<u8>)) -> Result<Post, PostError> {
    let mut signed =
        draft("the well is repaired").sign(&topic(7).id(), &SALT, &identity(), &device()).unwrap();
    change(&mut signed);
    reopen(&SALT, &signed)
}

/// The same, signed by the device again after the change.
fn forge_signed(change: impl FnOnce(&mut Vec<u8>)) -> Result<Post, PostError> {
    forge(|signed| {
        signed.truncate(signed.len() - SIGNATURE_BYTES);
        change(signed);
        let signature = device().sign(Domain::TopicPost, &[&topic(7).id(), &SALT, signed]);
        signed.extend_from_slice(&signature);
    })
}

fn reopen(salt: &[u8; 8], signed: &[u8]) -> Result<Post, PostError> {
    let body = topic(7).body().seal_body(salt, &padding::pad(signed, BODY_OVERHEAD_BYTES));
    topic(7).open_post(salt, &body)
}

const AUTHOR_AT: usize = 1;
const DEVICE_AT: usize = AUTHOR_AT + 32;
const PROOF_AT: usize = DEVICE_AT + 32;
const NAME_AT: usize = PROOF_AT + SIGNATURE_BYTES + 16 + 8;
const TEXT_AT: usize = NAME_AT + 1 + "alice".len();

#[test]
fn posts_come_back_with_who_signed_them() {
    let post = topic(7).open_post(&SALT, &seal("the well is repaired")).unwrap();
    assert_eq!((post.author, post.device), (identity().public(), device().public()));
    assert_eq!((post.id, post.posted_at_ms), (ID, 1_700_000_000_000));
    assert_eq!((post.name.as_str(), post.text.as_str()), ("alice", "the well is repaired"));
}

#[test]
fn bodies_have_the_size_of_a_class_and_the_longest_has_one() {
    for (text_bytes, body_bytes) in
        [(1, 1 << 10), (800, 4 << 10), (10_000, 16 << 10), (TEXT_BYTES_MAX, 64 << 10)]
    {
        assert_eq!(seal(&"x".repeat(text_bytes)).len(), body_bytes, "{text_bytes} bytes of text");
    }
}

#[test]
fn a_post_belongs_to_its_topic_and_its_salt() {
    let body = seal("hello");
    assert_eq!(topic(8).open_post(&SALT, &body), Err(PostError::Body));
    assert_eq!(topic(7).open_post(&[0; 8], &body), Err(PostError::Body));
    // Somebody who has the key opens the post and seals it again, under another salt or in another topic.
    let signed = draft("hello").sign(&topic(7).id(), &SALT, &identity(), &device()).unwrap();
    assert!(reopen(&SALT, &signed).is_ok());
    assert_eq!(reopen(&[0; 8], &signed), Err(PostError::Signature));
    let elsewhere = draft("hello").sign(&topic(8).id(), &SALT, &identity(), &device()).unwrap();
    assert_eq!(reopen(&SALT, &elsewhere), Err(PostError::Signature));
}

#[test]
fn nobody_posts_for_somebody_else() {
    let other = IdentityKey::from_seed(&[3; 32]);
    let as_other =
        forge_signed(|signed| signed[AUTHOR_AT..DEVICE_AT].copy_from_slice(other.public().as_bytes()));
    assert_eq!(as_other, Err(PostError::Device));
    let own = DeviceSecret::from_seed(&[4; 32]).public();
    let by_other = forge_signed(|signed| signed[DEVICE_AT..PROOF_AT].copy_from_slice(own.as_bytes()));
    assert_eq!(by_other, Err(PostError::Device));
    // A word for another purpose is none for this one.
    let certified = identity().sign(Domain::DeviceCertificate, &[device().public().as_bytes()]);
    let misused =
        forge_signed(|signed| signed[PROOF_AT..PROOF_AT + SIGNATURE_BYTES].copy_from_slice(&certified));
    assert_eq!(misused, Err(PostError::Device));
}

#[test]
fn each_violation_has_its_error() {
    let cases: [(Result<Post, PostError>, PostError); 9] = [
        (forge_signed(|signed| signed[0] = 2), PostError::UnknownVersion(2)),
        (forge(|signed| signed.truncate(SIGNATURE_BYTES - 1)), PostError::Truncated),
        (forge(|signed| signed.truncate(SIGNATURE_BYTES + 40)), PostError::Truncated),
        (forge_signed(|signed| signed.push(0)), PostError::TrailingBytes),
        (forge_signed(|signed| signed[NAME_AT + 1] = 0xff), PostError::Encoding),
        (forge_signed(|signed| signed[NAME_AT + 1] = b' '), PostError::Name(NameError::Character(' '))),
        (forge_signed(|signed| signed[TEXT_AT + 2] = 0xff), PostError::Encoding),
        (forge_signed(|signed| signed[TEXT_AT..TEXT_AT + 2].fill(0)), PostError::TextLength(0)),
        (forge_signed(|signed| signed[TEXT_AT] = 0xff), PostError::TextLength(0xff14)),
    ];
    for (position, (result, expected)) in cases.into_iter().enumerate() {
        assert_eq!(result, Err(expected), "case {position}");
    }
    let decomposed = forge_signed(|signed| {
        signed.splice(NAME_AT + 1..NAME_AT + 6, "abe\u{301}".bytes());
    });
    assert_eq!(decomposed, Err(PostError::Encoding));
    let unpadded = topic(7).body().seal_body(&SALT, &[0; 100]);
    assert_eq!(topic(7).open_post(&SALT, &unpadded), Err(PostError::Padding));
}

#[test]
fn what_makes_no_post_is_refused() {
    let seal = |draft| topic(7).seal_post(&SALT, &identity(), &device(), &draft);
    assert_eq!(seal(draft("")), Err(PostError::TextLength(0)));
    let long = "x".repeat(TEXT_BYTES_MAX + 1);
    assert_eq!(seal(draft(&long)), Err(PostError::TextLength(TEXT_BYTES_MAX + 1)));
    let named = Draft { name: "al ice", ..draft("hello") };
    assert_eq!(seal(named), Err(PostError::Name(NameError::Character(' '))));
}

#[test]
fn what_recognises_a_topic_does_not_open_it_and_is_no_groups_secret() {
    let key = topic(7);
    assert_eq!(key.route().tag(&SALT).len(), TAG_BYTES);
    assert!(key.route().matches(&SALT, &topic(7).route().tag(&SALT)));
    assert!(!key.route().matches(&SALT, &topic(8).route().tag(&SALT)));
    assert!(key.route().open_body(&SALT, &seal("hello")).is_err());
    assert!(RoutingSecret::from_bytes(key.as_bytes()).open_body(&SALT, &seal("hello")).is_err());
    assert_ne!(key.route().as_bytes(), key.body().as_bytes());
    assert_ne!(&key.id(), key.route().as_bytes());
    assert_eq!(format!("{key:?}"), "TopicKey(..)");
}

proptest! {
    #[test]
    fn round_trip(
        key: [u8; 32],
        salt: [u8; 8],
        id: [u8; 16],
        posted_at_ms: u64,
        name in "[a-zA-Z0-9\u{e6}\u{5c71}][a-z0-9._-]{0,20}",
        text in "\\PC{1,300}",
    ) {
        let key = TopicKey::from_bytes(&key);
        let draft = Draft { id, posted_at_ms, name: &name, text: &text };
        let body = key.seal_post(&salt, &identity(), &device(), &draft).unwrap();
        let post = key.open_post(&salt, &body).unwrap();
        prop_assert_eq!((post.id, post.posted_at_ms, post.name, post.text), (id, posted_at_ms, name, text));
    }

    #[test]
    fn any_flipped_bit_is_refused(bit: prop::sample::Index) {
        let changed = forge(|signed| {
            let bit = bit.index(signed.len() * 8);
            signed[bit / 8] ^= 1 << (bit % 8);
        });
        prop_assert!(changed.is_err());
    }

    #[test]
    fn garbage_never_panics(signed in proptest::collection::vec(any::<u8>(), 0..500), starts_well: bool) {
        let mut signed = signed;
        if let Some(version) = signed.first_mut().filter(|_| starts_well) {
            *version = 1;
        }
        prop_assert!(reopen(&SALT, &signed).is_err());
    }
}
