//! Links that name a mailbox.

use super::*;

/// A contact link that names a mailbox.
pub(super) fn mailed() -> Link {
    let places = vec!["relay.example:5001".parse().unwrap(), "[2001:db8::9]:5001".parse().unwrap()];
    let mailbox = LinkMailbox { pin: [4; 32], mailbox: [5; 32], secret: [6; 32], places };
    Link::contact(Invitation { mailbox: Some(mailbox), ..invitation() }).unwrap()
}

#[test]
fn a_mailbox_is_somewhere_and_says_so_in_one_way() {
    let bytes = mailed().encode();
    let end = bytes.len() - 4;
    let place = |text: &str| {
        let mut bytes = bytes[..end].to_vec();
        let first = end - (1 + 18 + 1 + 18 + 1);
        bytes.truncate(first);
        bytes.push(1);
        bytes.push(u8::try_from(text.len()).unwrap());
        bytes.extend_from_slice(text.as_bytes());
        Link::read(&bytes)
    };
    let link = place("relay.example:1").unwrap();
    assert!(!format!("{link:?} {:?}", mailed()).contains("6, 6"), "secrets are not shown");
    for wrong in ["relay.example", "Relay.example:1", "", ":1", "relay.example:0"] {
        assert_eq!(place(wrong), Err(LinkError::Places), "{wrong}");
    }
    for cut in 0..end {
        assert!(Link::read(&bytes[..cut]).is_err(), "{cut} bytes");
    }
}
