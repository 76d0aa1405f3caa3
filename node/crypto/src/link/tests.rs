use std::net::{SocketAddr, SocketAddrV6};

use proptest::prelude::*;
use qpq_proto::limits::PROFILE_ADDRESSES_MAX;

use super::*;
use crate::ids::{Identity, NodeKey};
use crate::text::NameError;

mod mailbox;
use mailbox::mailed;

fn invitation() -> Invitation {
    Invitation {
        identity: Identity::from_bytes([1; 32]),
        node: NodeKey::from_bytes([2; 32]),
        token: [3; 16],
        reusable: false,
        name: "alice".to_owned(),
        addresses: vec!["192.0.2.7:5001".parse().unwrap(), "[2001:db8::7]:5001".parse().unwrap()],
        mailbox: None,
    }
}

fn contact() -> Link {
    Link::contact(invitation()).unwrap()
}

fn group() -> Link {
    Link::group(Invitation { reusable: true, ..invitation() }, "garden").unwrap()
}

fn topic() -> Link {
    Link::topic(TopicKey::from_bytes(&[7; 32]), "news").unwrap()
}

/// A link around bytes that `encode` would not make.
fn forge(change: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut bytes = group().encode();
    bytes.truncate(bytes.len() - 4);
    change(&mut bytes);
    let sum = checksum(&bytes);
    bytes.extend_from_slice(&sum);
    format!("qpq:{}", groups::write(&bytes))
}

const NAME_AT: usize = 1 + 1 + 32 + 32 + 16;

#[test]
fn links_are_read_back() {
    for link in [contact(), group(), topic(), mailed()] {
        assert_eq!(link.to_string().parse(), Ok(link));
    }
}

#[test]
fn the_canonical_form() {
    let text = contact().to_string();
    assert_eq!(text, CANONICAL);
    let is_alphanumeric_in_qr = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-';
    assert!(text["qpq:".len()..].chars().all(is_alphanumeric_in_qr), "{text}");
}

#[test]
fn links_survive_how_people_copy_them() {
    let link = contact();
    let canonical = link.to_string();
    let groups = &canonical["qpq:".len()..];
    let copies = [
        canonical.to_lowercase(),
        canonical.to_uppercase(),
        format!("  QPQ://{groups}/ \n"),
        format!("Qpq:{}", groups.replace('-', "")),
        format!("qpq:{}", groups.replace('-', " ")),
        format!("qpq:{}", groups.replace('-', "\u{2013}\r\n")),
        format!("qpq: {}", groups.replace("", "-")),
        canonical.replace('O', "0").replace('I', "1").replace('B', "8"),
    ];
    for copy in copies {
        assert_eq!(copy.parse().as_ref(), Ok(&link), "{copy}");
    }
}

#[test]
fn the_wrong_kind_is_named_with_what_follows_it() {
    let words = |error: LinkError| error.to_string();
    for (link, found, command) in
        [(group(), "group", "qpq group join"), (topic(), "topic", "qpq mesh subscribe")]
    {
        let expected = format!("this is a {found} link: `{command} LINK` uses it");
        assert_eq!(link.into_contact().map_err(words), Err(expected));
    }
    let wrong = |expected, found| LinkError::WrongKind { expected, found };
    assert_eq!(contact().into_group(), Err(wrong(LinkKind::Group, LinkKind::Contact)));
    assert_eq!(topic().into_group(), Err(wrong(LinkKind::Group, LinkKind::Topic)));
    assert_eq!(contact().into_topic(), Err(wrong(LinkKind::Topic, LinkKind::Contact)));
    assert_eq!(group().into_topic(), Err(wrong(LinkKind::Topic, LinkKind::Group)));
    assert_eq!(contact().into_contact(), Ok(invitation()));
    let (invited, named) = group().into_group().unwrap();
    assert_eq!((invited.reusable, named.as_str()), (true, "garden"));
    assert_eq!(topic().into_topic(), Ok((TopicKey::from_bytes(&[7; 32]), "news".to_owned())));
}

#[test]
fn text_that_is_no_link_is_refused() {
    for text in ["", "qpq", "http://example.org", "qpqx:AAAA", "\u{1f600}\u{1f600}", "qp\u{e9}:"] {
        assert_eq!(text.parse::<Link>(), Err(LinkError::NotALink), "{text}");
    }
    for text in ["qpq:", "qpq://", "qpq: - \n", "qpq:///"] {
        assert_eq!(text.parse::<Link>(), Err(LinkError::TooShort), "{text}");
    }
    let endless = format!("qpq:{}", "A".repeat(LINK_CHARS_MAX));
    assert_eq!(endless.parse::<Link>(), Err(LinkError::TooLong));
}

#[test]
fn missing_added_and_exchanged_groups_are_told_apart() {
    let text = contact().to_string();
    let groups = text["qpq:".len()..].split('-').collect::<Vec<_>>();
    let read = |groups: &[&str]| format!("qpq:{}", groups.join("-")).parse::<Link>();
    for kept in 1..groups.len() {
        assert_eq!(read(&groups[..kept]), Err(LinkError::TooShort), "{kept} groups");
    }
    let mut exchanged = groups.clone();
    exchanged.swap(1, 2);
    assert_eq!(read(&exchanged), Err(LinkError::Checksum));
    assert_eq!(forge(|bytes| bytes.push(0)).parse::<Link>(), Err(LinkError::TooLong));
}

#[test]
fn every_mistyped_character_is_located() {
    let text = group().to_string();
    let body = text["qpq:".len()..].char_indices().filter(|(_, character)| *character != '-');
    for (count, (position, character)) in body.enumerate() {
        let other = if character == 'A' { "Z" } else { "A" };
        let mut mistyped = text.clone();
        let position = "qpq:".len() + position;
        mistyped.replace_range(position..=position, other);
        assert_eq!(mistyped.parse::<Link>(), Err(LinkError::Group { index: count / 14 + 1 }), "{mistyped}");
    }
}

#[test]
fn each_violation_has_its_error() {
    let cases = [
        (forge(|bytes| bytes[0] = 2), LinkError::UnknownVersion(2)),
        (forge(|bytes| bytes[1] = 0x83), LinkError::UnknownFlags(0x83)),
        (forge(|bytes| bytes[NAME_AT + 1] = 0xff), LinkError::NameEncoding),
        (forge(|bytes| bytes[NAME_AT + 1] = b' '), LinkError::Name(NameError::Character(' '))),
        (forge(|bytes| bytes[NAME_AT] = 200), LinkError::TooShort),
        (forge(|bytes| *bytes.iter_mut().rev().nth(26).unwrap() = 9), LinkError::AddressCount(9)),
        (forge(|bytes| *bytes.iter_mut().rev().nth(18).unwrap() = 5), LinkError::AddressFamily(5)),
        (forge(|bytes| bytes.truncate(bytes.len() - 1)), LinkError::TooShort),
    ];
    for (position, (text, expected)) in cases.into_iter().enumerate() {
        assert_eq!(text.parse::<Link>(), Err(expected), "case {position}");
    }
}

#[test]
fn a_topic_link_holds_a_key_and_a_name_alone() {
    let forge = |change: fn(&mut Vec<u8>)| {
        let mut bytes = topic().encode();
        bytes.truncate(bytes.len() - 4);
        change(&mut bytes);
        bytes.extend_from_slice(&checksum(&bytes));
        Link::decode(&bytes)
    };
    assert_eq!(forge(|_| {}), Ok(topic()));
    for flag in [FLAG_REUSABLE, FLAG_GROUP] {
        let mut bytes = topic().encode();
        bytes[1] |= flag;
        let end = bytes.len() - 4;
        let sum = checksum(&bytes[..end]);
        bytes[end..].copy_from_slice(&sum);
        assert_eq!(Link::decode(&bytes), Err(LinkError::UnknownFlags(FLAG_TOPIC | flag)));
    }
    assert_eq!(forge(|bytes| bytes.push(0)), Err(LinkError::TooLong));
    assert_eq!(forge(|bytes| bytes.truncate(34)), Err(LinkError::TooShort));
    assert_eq!(forge(|bytes| bytes[35] = b' '), Err(LinkError::Name(NameError::Character(' '))));
    assert!(topic().to_string().len() < 100, "it fits a small QR code: {}", topic());
    assert!(Link::topic(TopicKey::from_bytes(&[7; 32]), "the news").is_err());
}

#[test]
fn a_name_has_one_encoding() {
    let decomposed = forge(|bytes| {
        bytes.splice(NAME_AT + 1..NAME_AT + 6, "abe\u{301}".bytes());
    });
    assert_eq!(decomposed.parse::<Link>(), Err(LinkError::NameEncoding));
}

#[test]
fn what_makes_no_link_is_refused() {
    let spaced = Invitation { name: "al ice".to_owned(), ..invitation() };
    assert_eq!(Link::contact(spaced), Err(LinkError::Name(NameError::Character(' '))));
    assert_eq!(Link::group(invitation(), ""), Err(LinkError::Name(NameError::Empty)));
    let address = invitation().addresses[0];
    let crowded = Invitation { addresses: vec![address; 9], ..invitation() };
    assert_eq!(Link::contact(crowded), Err(LinkError::AddressCount(9)));
}

#[test]
fn scopes_are_left_out_and_long_names_fit() {
    let scoped = SocketAddrV6::new("fe80::1".parse().unwrap(), 5001, 7, 3);
    let name = "\u{20000}".repeat(64);
    let link = Link::contact(Invitation { name, addresses: vec![scoped.into()], ..invitation() }).unwrap();
    assert_eq!(link.to_string().parse().as_ref(), Ok(&link));
    assert_eq!(link.into_contact().unwrap().addresses, ["[fe80::1]:5001".parse().unwrap()]);
}

#[test]
fn the_longest_link_is_within_the_bound() {
    let name = "\u{20000}".repeat(64);
    let addresses = vec!["[2001:db8::7]:5001".parse().unwrap(); 8];
    let link = Link::group(Invitation { name: name.clone(), addresses, ..invitation() }, &name).unwrap();
    assert!(link.to_string().len() < LINK_CHARS_MAX / 2);
    assert_eq!(link.to_string().parse(), Ok(link));
}

#[test]
fn tokens_are_not_printed() {
    let printed = format!("{:?}", contact());
    assert!(printed.contains("alice") && !printed.contains("3, 3"), "{printed}");
    assert_eq!(format!("{:?}", topic()), "Link(topic link to news)");
}

fn any_link() -> impl Strategy<Value = Link> {
    let keys = any::<([u8; 32], [u8; 32], [u8; 16], bool)>();
    let addresses = proptest::collection::vec(any::<SocketAddr>(), 0..=PROFILE_ADDRESSES_MAX);
    let name = "[a-zA-Z0-9\u{e6}\u{5c71}][a-z0-9._-]{0,20}";
    let kind = proptest::option::of(proptest::option::of(name));
    let places = proptest::collection::vec("[a-z]{1,9}\\.example:[1-9][0-9]{0,3}", 1..=4);
    let mailbox = proptest::option::of((any::<([u8; 32], [u8; 32], [u8; 32])>(), places));
    (keys, name, addresses, kind, mailbox).prop_map(|(keys, name, addresses, kind, mailbox)| {
        let Some(group) = kind else { return Link::topic(TopicKey::from_bytes(&keys.0), &name).unwrap() };
        let (identity, node, token, reusable) = keys;
        let identity = Identity::from_bytes(identity);
        let node = NodeKey::from_bytes(node);
        let mailbox = mailbox.map(|((pin, mailbox, secret), places)| LinkMailbox {
            pin,
            mailbox,
            secret,
            places: places.iter().map(|place| place.parse().unwrap()).collect(),
        });
        let invitation = Invitation { identity, node, token, reusable, name, addresses, mailbox };
        match group {
            None => Link::contact(invitation).unwrap(),
            Some(group) => Link::group(invitation, &group).unwrap(),
        }
    })
}

proptest! {
    #[test]
    fn round_trip(link in any_link()) {
        let text = link.to_string();
        prop_assert!(text.len() <= LINK_CHARS_MAX);
        prop_assert_eq!(text.to_lowercase().replace('-', "\n").parse(), Ok(link));
    }

    #[test]
    fn no_lost_or_doubled_character_goes_unnoticed(
        link in any_link(),
        position: prop::sample::Index,
        lost: bool,
    ) {
        let mut characters = link.to_string().chars().filter(|c| *c != '-').collect::<Vec<_>>();
        let position = 4 + position.index(characters.len() - 4);
        if lost {
            characters.remove(position);
        } else {
            characters.insert(position, characters[position]);
        }
        prop_assert!(characters.into_iter().collect::<String>().parse::<Link>().is_err());
    }

    #[test]
    fn garbage_never_panics(text in "(?i:qpq:)?(//)?.{0,200}") {
        let _ = text.parse::<Link>();
    }

    #[test]
    fn bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Link::decode(&bytes);
        let _ = Link::read(&bytes);
    }
}

const CANONICAL: &str = "qpq:\
    AEAACAIBAEAQCP-AIBAEAQCAIBAEZ-AQCAIBAEAQCAIT-BAEAQCAIBAEAQA-CAICAIBAEAQCAV-IBAEAQCAIBAEAC-\
    QCAIBAEAQCAIB6-AEAQCAIBAEAQC7-AIBQGAYDAMBQG4-AYDAMBQGAYDAMM-BQIYLMNFRWKAQX-EYAAAEBYTREDC3-\
    AAINXAAAAAAAAU-AAAAAAAAAAAOEK-4JP22DLPYY";

#[test]
fn a_link_to_a_relay_says_what_it_is() {
    for text in ["qpq://relay/", " QPQ://Relay/ab/cd/example.org:5001"] {
        assert_eq!(text.parse::<Link>(), Err(LinkError::Relay), "{text}");
    }
}
