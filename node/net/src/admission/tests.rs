use std::net::Ipv4Addr;
use std::time::Duration;

use super::book::Bucket;
use super::*;

mod chance;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn limits() -> Limits {
    Limits {
        connections_max: 16,
        connections_per_address_max: 4,
        connections_per_address_per_minute_max: 6,
        handshakes_max: 8,
        bans_max: 2,
        ban_ms: 1_000,
        ..Limits::ROUTER
    }
}

fn node(byte: u8) -> NodeKey {
    NodeKey::from_bytes([byte; 32])
}

fn address(last: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, last).into()
}

/// Goes through the whole admission; what stays is the place.
fn enter(admissions: &Admissions, from: IpAddr, is_validated: bool, now: Instant) -> Result<Slot, Verdict> {
    match admissions.incoming(from, is_validated, now) {
        Verdict::Accept(handshake) => Ok(admissions.authenticated(handshake, node(1), false, now).unwrap()),
        verdict => Err(verdict),
    }
}

fn refusal(verdict: Verdict) -> Refusal {
    match verdict {
        Verdict::Refuse(refusal) => refusal,
        verdict => panic!("{verdict:?}"),
    }
}

#[test]
fn open_connections_of_one_address_are_bounded() {
    let (admissions, now) = (Admissions::new(&limits()), Instant::now());
    let mut slots: Vec<_> = (0..4).map(|_| enter(&admissions, HERE, true, now).unwrap()).collect();
    assert_eq!(refusal(enter(&admissions, HERE, true, now).unwrap_err()), Refusal::Address);
    assert!(enter(&admissions, address(1), true, now).is_ok());
    slots.pop();
    assert!(enter(&admissions, HERE, true, now).is_ok());
}

#[test]
fn new_connections_of_one_address_are_bounded_by_the_minute() {
    let (admissions, begin) = (Admissions::new(&limits()), Instant::now());
    for _ in 0..6 {
        enter(&admissions, HERE, true, begin).unwrap();
    }
    assert_eq!(refusal(enter(&admissions, HERE, true, begin).unwrap_err()), Refusal::Address);
    let later = begin + Duration::from_secs(10);
    enter(&admissions, HERE, true, later).unwrap();
    assert!(enter(&admissions, HERE, true, later).is_err());
    let much_later = begin + Duration::from_secs(3_600);
    for _ in 0..6 {
        enter(&admissions, HERE, true, much_later).unwrap();
    }
    assert!(enter(&admissions, HERE, true, much_later).is_err());
}

#[test]
fn whoever_forges_an_address_does_not_lock_its_owner_out() {
    let (admissions, now) = (Admissions::new(&limits()), Instant::now());
    for _ in 0..6 {
        enter(&admissions, HERE, false, now).unwrap();
    }
    assert!(matches!(enter(&admissions, HERE, false, now), Err(Verdict::Retry)));
    enter(&admissions, HERE, true, now).unwrap();
}

#[test]
fn under_load_addresses_are_proven_first_and_beyond_it_nobody_enters() {
    let (admissions, now) = (Admissions::new(&limits()), Instant::now());
    let begin = |last, is_validated| admissions.incoming(address(last), is_validated, now);
    let accepted = |verdict| match verdict {
        Verdict::Accept(handshake) => handshake,
        verdict => panic!("{verdict:?}"),
    };
    let mut handshakes: Vec<_> = (0..4).map(|last| accepted(begin(last, false))).collect();
    assert!(matches!(begin(5, false), Verdict::Retry));
    handshakes.extend((6..10).map(|last| accepted(begin(last, true))));
    assert_eq!(refusal(begin(10, true)), Refusal::Handshakes);
    handshakes.truncate(1);
    accepted(begin(11, false));
}

#[test]
fn a_quarter_of_all_places_is_kept_for_wanted_peers() {
    let (admissions, now) = (Admissions::new(&limits()), Instant::now());
    let strangers: Vec<_> =
        (0..12).map(|last| enter(&admissions, address(last), true, now).unwrap()).collect();
    assert_eq!(refusal(enter(&admissions, address(99), true, now).unwrap_err()), Refusal::Connections);
    let wanted: Vec<_> = (0..4).map(|_| admissions.outgoing().unwrap()).collect();
    assert_eq!(admissions.outgoing().unwrap_err(), Refusal::Connections);
    drop(strangers);
    assert!(admissions.outgoing().is_ok(), "wanted peers may take strangers' places");
    drop(wanted);
}

#[test]
fn a_wanted_peer_that_dials_us_takes_no_strangers_place() {
    let (admissions, now) = (Admissions::new(&limits()), Instant::now());
    let mut slots = Vec::new();
    for last in 0..4 {
        let Verdict::Accept(handshake) = admissions.incoming(address(last), true, now) else { panic!() };
        slots.push(admissions.authenticated(handshake, node(last), true, now).unwrap());
    }
    slots.extend((4..16).map(|last| enter(&admissions, address(last), true, now).unwrap()));
    assert_eq!(slots.len(), 16);
}

#[test]
fn a_banned_node_is_refused_for_a_while() {
    let (admissions, now) = (Admissions::new(&limits()), Instant::now());
    let knock = |byte, now| {
        let Verdict::Accept(handshake) = admissions.incoming(address(byte), true, now) else { panic!() };
        admissions.authenticated(handshake, node(byte), false, now).map(drop)
    };
    admissions.ban(node(1), now);
    assert_eq!(knock(1, now), Err(Refusal::Banned));
    assert_eq!(knock(2, now), Ok(()));
    assert_eq!(knock(1, now + Duration::from_secs(2)), Ok(()));
}

#[test]
fn bans_are_bounded_and_the_oldest_makes_room() {
    let mut book = Book::new(&limits());
    let now = Instant::now();
    for byte in 1..=3 {
        book.ban(node(byte), now + Duration::from_millis(byte.into()));
    }
    assert_eq!(book.bans.len(), 2);
    assert!(!book.is_banned(node(1), now) && book.is_banned(node(2), now) && book.is_banned(node(3), now));
}

#[test]
fn remembered_addresses_are_bounded() {
    let mut book = Book::new(&limits());
    let now = Instant::now();
    for number in 0..10_000_u32 {
        let prefix = IpAddr::V4(Ipv4Addr::from_bits(number));
        assert!(matches!(book.enter(prefix, true, now), Entry::Entered));
        book.leave(prefix);
    }
    assert!(book.addresses.len() <= 32);
    // Those that have connections are not forgotten, and then there is no room for more.
    for number in 0..32 {
        book.enter(IpAddr::V4(Ipv4Addr::from_bits(number)), true, now);
    }
    assert!(matches!(book.enter(HERE, true, now), Entry::Refused));
}

#[test]
fn a_subscriber_of_ipv6_is_one_address() {
    let parse = |text: &str| text.parse::<IpAddr>().unwrap();
    assert_eq!(prefix(parse("2001:db8::1")), prefix(parse("2001:db8::ffff:0:0:2")));
    assert_ne!(prefix(parse("2001:db8::1")), prefix(parse("2001:db8:0:1::1")));
    assert_eq!(prefix(parse("::ffff:192.0.2.1")), parse("192.0.2.1"));
}
