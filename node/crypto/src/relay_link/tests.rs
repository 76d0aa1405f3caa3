use proptest::prelude::*;

use super::*;

const PIN: &str = "abababababababababababababababababababababababababababababababab";
const LOG: &str = "0101010101010101010101010101010101010101010101010101010101010101";

fn link(places: &[&str], invitation: Option<[u8; 32]>) -> RelayLink {
    let places = places.iter().map(|place| place.parse().unwrap()).collect();
    RelayLink { pin: [0xab; 32], log_key: [1; 32], places, invitation }
}

fn refused(text: &str) -> RelayLinkError {
    text.parse::<RelayLink>().unwrap_err()
}

#[test]
fn a_link_is_read_as_it_is_written() {
    for (places, invitation) in [
        (&["relay.example:5001"][..], None),
        (&["192.0.2.1:5001", "[2001:db8::1]:443", "a.b-c:1", "localhost:65535"], Some([7; 32])),
    ] {
        let link = link(places, invitation);
        assert_eq!(link.to_string().parse(), Ok(link));
    }
    assert_eq!(
        link(&["relay.example:5001"], None).to_string(),
        format!("qpq://relay/{PIN}/{LOG}/relay.example:5001")
    );
}

#[test]
fn reading_forgives_case_blanks_and_a_final_slash() {
    let text = format!("  QPQ://relay/{}/{LOG}/Relay.Example:5001/\n", PIN.to_uppercase());
    assert_eq!(text.parse(), Ok(link(&["relay.example:5001"], None)));
}

#[test]
fn what_is_no_link_says_what_is_wrong() {
    use RelayLinkError as Error;
    let long_place = format!("{}.example:1", "a".repeat(300));
    for (text, error) in [
        (String::new(), Error::NotARelayLink),
        ("qpq:ABCDEF".to_owned(), Error::NotARelayLink),
        ("https://relay.example".to_owned(), Error::NotARelayLink),
        ("qpq://relay/".to_owned(), Error::Missing("the pin")),
        (format!("qpq://relay/{PIN}"), Error::Missing("the key of its log")),
        (format!("qpq://relay/{PIN}/{LOG}"), Error::Missing("where the relay listens")),
        (format!("qpq://relay/{}/{LOG}/a:1", &PIN[1..]), Error::Digits("the pin")),
        (format!("qpq://relay/{}g/{LOG}/a:1", &PIN[1..]), Error::Digits("the pin")),
        (format!("qpq://relay/{PIN}/{LOG}00/a:1"), Error::Digits("the key of its log")),
        (format!("qpq://relay/{PIN}/{LOG}/a:1,b"), Error::Place(2)),
        (format!("qpq://relay/{PIN}/{LOG}/a:1,b:0"), Error::Place(2)),
        (format!("qpq://relay/{PIN}/{LOG}/a:65536"), Error::Place(1)),
        (format!("qpq://relay/{PIN}/{LOG}/a:+1"), Error::Place(1)),
        (format!("qpq://relay/{PIN}/{LOG}/1.2.3:4"), Error::Place(1)),
        (format!("qpq://relay/{PIN}/{LOG}/1.2.3.4:0"), Error::Place(1)),
        (format!("qpq://relay/{PIN}/{LOG}/-a:4"), Error::Place(1)),
        (format!("qpq://relay/{PIN}/{LOG}/a b:4"), Error::Place(1)),
        (format!("qpq://relay/{PIN}/{LOG}/{long_place}"), Error::Place(1)),
        (format!("qpq://relay/{PIN}/{LOG}/a:1,a:2,a:3,a:4,a:5"), Error::Places(5)),
        (format!("qpq://relay/{PIN}/{LOG}/a:1/00"), Error::Digits("the invitation")),
        (format!("qpq://relay/{PIN}/{LOG}/a:1/{PIN}/x"), Error::TooLong),
    ] {
        assert_eq!(refused(&text), error, "{text}");
    }
}

#[test]
fn an_invitation_is_not_shown() {
    let shown = format!("{:?}", link(&["a:1"], Some([0xcd; 32])));
    assert!(!shown.contains("205") && !shown.contains("cd"), "{shown}");
}

proptest! {
    #[test]
    fn any_text_is_a_link_or_an_error(text in ".{0,300}") {
        let _ = text.parse::<RelayLink>();
        let _ = format!("qpq://relay/{text}").parse::<RelayLink>();
        let _ = format!("qpq://relay/{PIN}/{LOG}/{text}").parse::<RelayLink>();
    }
}
