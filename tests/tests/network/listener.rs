//! What somebody learns who hears every frame on the air and sends none.

use std::collections::BTreeSet;

use data_encoding::{BASE32_DNSSEC, BASE32_NOPAD, BASE64_NOPAD, HEXLOWER};
use qpq_tests::lab::Frame;
use qpq_tests::{Node, Person};

/// Words that must not be heard, however they are written.
pub(crate) struct Secret<'a> {
    /// What they are, for messages.
    pub(crate) what: &'a str,
    /// The words, or the bytes of a key.
    pub(crate) bytes: &'a [u8],
}

/// Everything that is not the node's own business: identities, names, texts.
pub(crate) fn assert_silent(frames: &[Frame], secrets: &[Secret<'_>]) {
    let heard: Vec<u8> = frames.iter().flat_map(|frame| frame.bytes.iter().copied()).collect();
    for Secret { what, bytes } in secrets {
        for written in writings(bytes) {
            let lower = written.to_ascii_lowercase();
            let found = heard.windows(lower.len()).any(|part| part.eq_ignore_ascii_case(&lower));
            assert!(!found, "{what} was heard, written as {:?}", String::from_utf8_lossy(&written));
        }
    }
}

/// Node keys are announced, and are heard in nothing but announcements.
pub(crate) fn assert_keys_only_announced(frames: &[Frame], nodes: &[&Node]) {
    for node in nodes {
        let key = HEXLOWER.decode(node.node_key().as_bytes()).unwrap();
        let says = |frame: &&Frame| {
            writings(&key).iter().any(|key| frame.bytes.windows(key.len()).any(|part| part == key))
        };
        let (announced, other): (Vec<&Frame>, Vec<&Frame>) =
            frames.iter().filter(says).partition(|frame| is_discovery(frame));
        assert!(!announced.is_empty(), "{} announces itself by its node key", node.name());
        assert!(other.is_empty(), "the key of {} is heard outside of discovery: {other:?}", node.name());
    }
}

/// Everything heard is discovery, QUIC between the daemons, or the resolution of addresses.
pub(crate) fn assert_nothing_else(frames: &[Frame]) {
    let kinds: BTreeSet<&str> = frames.iter().map(kind).collect();
    assert_eq!(kinds, BTreeSet::from(["address resolution", "discovery", "group membership", "QUIC"]));
}

/// The identity of a person, as bytes.
pub(crate) fn identity(person: &Person) -> Vec<u8> {
    let shown = person.ok(&["id"]);
    HEXLOWER.decode(shown["identity"].as_str().unwrap().as_bytes()).unwrap()
}

fn writings(bytes: &[u8]) -> Vec<Vec<u8>> {
    let encodings = [HEXLOWER, BASE32_NOPAD, BASE32_DNSSEC, BASE64_NOPAD];
    let encoded = encodings.iter().map(|encoding| encoding.encode(bytes).into_bytes());
    encoded.chain([bytes.to_vec()]).collect()
}

fn is_discovery(frame: &Frame) -> bool {
    let ports = frame.datagram().map(|datagram| [datagram.source.port(), datagram.destination.port()]);
    ports.or_else(|| quoted_ports(frame)).is_some_and(|ports| ports.contains(&5353))
}

/// The ports of the datagram that could not be delivered, which an ICMP error repeats (RFC 792; RFC 4443, 3.1).
fn quoted_ports(frame: &Frame) -> Option<[u16; 2]> {
    let byte = |at: usize| frame.bytes.get(at).copied();
    let ports = match (frame.bytes.get(12..14)?, byte(23), byte(34), byte(20), byte(54)) {
        ([0x08, 0x00], Some(1), Some(3), ..) => frame.bytes.get(62..66)?,
        ([0x86, 0xdd], _, _, Some(58), Some(1)) => frame.bytes.get(102..106)?,
        _ => return None,
    };
    Some([u16::from_be_bytes([ports[0], ports[1]]), u16::from_be_bytes([ports[2], ports[3]])])
}

fn kind(frame: &Frame) -> &'static str {
    const QUIC_PORT: u16 = 4433;
    // RFC 9000, section 17: the fixed bit. iroh clears it in some packets, as RFC 9287 allows.
    let is_quic = |ports: [u16; 2]| ports.contains(&QUIC_PORT);
    match (frame.datagram(), frame.bytes.get(12..14), frame.bytes.get(23)) {
        _ if is_discovery(frame) => "discovery",
        (Some(datagram), ..) if is_quic([datagram.source.port(), datagram.destination.port()]) => "QUIC",
        (_, Some([0x08, 0x06]), _) => "address resolution",
        (_, Some([0x08, 0x00]), Some(2)) => "group membership",
        // ICMPv6: neighbour discovery (RFC 4861), and behind a header for routers multicast listeners (RFC 3810).
        (_, Some([0x86, 0xdd]), _) if frame.bytes.get(20) == Some(&58) => "address resolution",
        (_, Some([0x86, 0xdd]), _) if frame.bytes.get(20) == Some(&0) && frame.bytes.get(54) == Some(&58) => {
            "group membership"
        }
        _ => "something else",
    }
}
