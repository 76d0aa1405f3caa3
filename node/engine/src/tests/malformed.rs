//! What the owner may type wrong: each field, each kind of nonsense, and how it is refused.

use qpq_proto::{Failure, Method, Status, v1};

use super::bench::Bench;
use crate::tables;

/// What is a name of nobody, and why.
const NO_NAMES: [(&str, &str); 14] = [
    ("", "nothing"),
    ("two words", "a blank"),
    ("bob\n", "a line break"),
    ("bo\u{7}b", "a control character"),
    ("bo\u{1b}[2Jb", "a command to the terminal"),
    ("\u{202e}bob", "a bidirectional override"),
    ("bob\u{2066}", "a bidirectional isolate"),
    ("bo\u{200b}b", "a character without width"),
    ("bob/carol", "a slash"),
    ("#bob", "the sigil of groups"),
    ("@@bob", "two sigils"),
    ("-rf", "an option"),
    (".bob", "a hidden file"),
    ("\u{1f600}", "a picture"),
];

/// A node with a contact.
fn bench() -> Bench {
    let mut bench = Bench::of("alice");
    let request = v1::AddContactRequest { link: link(), name: String::new() };
    bench.owner::<v1::AddContactResponse>(Method::AddContact, &request).unwrap();
    bench
}

fn link() -> String {
    let mut bob = Bench::over(qpq_proto::ids::NodeKey::from_bytes([2; 32]), super::memory::Memory::default());
    bob.with(|_, cx| cx.random::<7>());
    let request = v1::CreateIdentityRequest { name: "bob".into() };
    bob.owner::<v1::CreateIdentityResponse>(Method::CreateIdentity, &request).unwrap();
    let request = v1::CreateInvitationRequest::default();
    bob.owner::<v1::CreateInvitationResponse>(Method::CreateInvitation, &request).unwrap().link
}

/// What a call is refused with: its status and the field; nothing may have changed.
fn refused(bench: &mut Bench, method: Method, request: &impl prost::Message) -> (Status, String) {
    let before = bench.memory.clone();
    let payload = request.encode_to_vec().into();
    let call = crate::Input::Call { caller: crate::Caller::Owner, method, payload };
    let outcome = bench.input(call);
    let Err(Failure { status, field, message, .. }) = outcome.answer.unwrap() else {
        panic!("{method:?} takes it")
    };
    assert!(!outcome.keep && outcome.effects.is_empty() && !message.is_empty());
    assert_eq!((bench.memory.bytes_since(&before), before.bytes_since(&bench.memory)), (0, 0));
    (status, field)
}

fn bad(field: &str) -> (Status, String) {
    (Status::BadRequest, field.to_owned())
}

#[test]
fn names_that_are_to_be_given_are_checked() {
    let (mut bench, link) = (bench(), link());
    let long = "x".repeat(65);
    let far_too_long = "x".repeat(2_000);
    let more = [(long.as_str(), "65 characters"), (far_too_long.as_str(), "2,000 characters")];
    for (name, what) in NO_NAMES.into_iter().chain(more) {
        let rename = v1::RenameContactRequest { name: "bob".into(), new_name: name.into() };
        assert_eq!(refused(&mut bench, Method::RenameContact, &rename), bad("new_name"), "{what}");
        let create = v1::CreateIdentityRequest { name: name.into() };
        assert_eq!(refused(&mut Bench::empty(), Method::CreateIdentity, &create), bad("name"), "{what}");
        if !name.is_empty() {
            let add = v1::AddContactRequest { link: link.clone(), name: name.into() };
            let mut without = Bench::of("alice");
            assert_eq!(refused(&mut without, Method::AddContact, &add), bad("name"), "{what}");
        }
    }
}

#[test]
fn names_that_are_looked_for_are_found_or_not() {
    let mut bench = bench();
    let long = "x".repeat(2_000);
    let more = [(long.as_str(), "2,000 characters"), ("nobody", "an unknown name"), ("@", "the sigil alone")];
    for (name, what) in NO_NAMES.into_iter().chain(more) {
        let name = || name.to_owned();
        let not_found = (Status::NotFound, String::new());
        let rename = v1::RenameContactRequest { name: name(), new_name: "robert".into() };
        assert_eq!(refused(&mut bench, Method::RenameContact, &rename), not_found, "{what}");
        let accept = v1::AcceptContactRequest { name: name() };
        assert_eq!(refused(&mut bench, Method::AcceptContact, &accept), not_found, "{what}");
        let verify = v1::VerifyContactRequest { name: name(), ..Default::default() };
        assert_eq!(refused(&mut bench, Method::VerifyContact, &verify), not_found, "{what}");
        let remove = v1::RemoveContactRequest { name: name() };
        assert_eq!(refused(&mut bench, Method::RemoveContact, &remove), not_found, "{what}");
        for unblock in [false, true] {
            let block = v1::BlockContactRequest { name: name(), unblock };
            assert_eq!(refused(&mut bench, Method::BlockContact, &block), not_found, "{what}");
        }
    }
}

#[test]
fn links_are_read_to_their_end() {
    let (mut bench, good) = (Bench::of("alice"), link());
    let group = v1::CreateGroupRequest { name: "village".into(), members: Vec::new() };
    bench.owner::<v1::CreateGroupResponse>(Method::CreateGroup, &group).unwrap();
    let request = v1::CreateGroupLinkRequest { group: "village".into(), ..Default::default() };
    let to_group: v1::CreateGroupLinkResponse = bench.owner(Method::CreateGroupLink, &request).unwrap();
    let own: v1::CreateInvitationResponse =
        bench.owner(Method::CreateInvitation, &v1::CreateInvitationRequest::default()).unwrap();
    let mistyped = good.replace(&good[10..11], if &good[10..11] == "A" { "B" } else { "A" });
    for (link, what) in [
        (String::new(), "nothing"),
        ("qpq:".into(), "no groups"),
        ("https://example.org".into(), "another link"),
        (good[..good.len() - 15].into(), "half of it"),
        (mistyped, "a slip"),
        (format!("{good}\u{202e}"), "a bidirectional override"),
        (format!("{good}{}", "A".repeat(5_000)), "too much"),
        (to_group.link, "a group's link"),
        (own.link, "one's own link"),
    ] {
        let add = v1::AddContactRequest { link, name: String::new() };
        assert_eq!(refused(&mut bench, Method::AddContact, &add), bad("link"), "{what}");
    }
    let spread = good.to_lowercase().replace('-', " \n");
    let add = v1::AddContactRequest { link: spread, name: String::new() };
    bench.owner::<v1::AddContactResponse>(Method::AddContact, &add).unwrap();
}

#[test]
fn ids_that_are_none_are_unknown() {
    let mut bench = bench();
    let open: v1::CreateInvitationResponse =
        bench.owner(Method::CreateInvitation, &v1::CreateInvitationRequest::default()).unwrap();
    for id in
        [&[][..], &[0; 1], &[7; 16], &open.invitation[..15], &[open.invitation.as_slice(), &[0]].concat()]
    {
        let revoke = v1::RevokeInvitationRequest { invitation: id.to_vec() };
        let expected = (Status::NotFound, String::new());
        assert_eq!(refused(&mut bench, Method::RevokeInvitation, &revoke), expected, "{id:?}");
    }
    assert_eq!(bench.memory.count(tables::INVITATIONS), 1);
}

#[test]
fn safety_numbers_have_sixty_digits() {
    let mut bench = bench();
    let compare = |number: &str| v1::VerifyContactRequest {
        name: "@bob".into(),
        action: v1::VerifyAction::Compare.into(),
        safety_number: number.into(),
    };
    for number in [
        "",
        "1",
        &"1".repeat(59),
        &"1".repeat(61),
        &"x".repeat(60),
        &"\u{661}".repeat(60),
        &"1".repeat(5_000),
    ] {
        assert_eq!(
            refused(&mut bench, Method::VerifyContact, &compare(number)),
            bad("safety_number"),
            "{number:?}"
        );
    }
    let unknown = v1::VerifyContactRequest { action: 77, ..compare("") };
    let shown: v1::VerifyContactResponse = bench.owner(Method::VerifyContact, &unknown).unwrap();
    assert_eq!(
        shown.contact.unwrap().verification,
        "unverified",
        "what a newer program asks for records nothing"
    );
}

#[test]
fn numbers_are_taken_as_far_as_they_make_sense() {
    let mut bench = bench();
    for (since, limit) in [(0, u32::MAX), (u64::MAX, 0), (u64::MAX, u32::MAX)] {
        let read = v1::ReadEventsRequest { since, limit, timeout_ms: u32::MAX };
        let page: v1::ReadEventsResponse = bench.owner(Method::ReadEvents, &read).unwrap();
        assert_eq!((page.events.is_empty(), page.lagged), (since > 0, 0));
    }
    let request = v1::CreateInvitationRequest { reusable: true, lifetime_s: u64::MAX };
    bench.owner::<v1::CreateInvitationResponse>(Method::CreateInvitation, &request).unwrap();
}

#[test]
fn requests_that_do_not_fit_the_state_are_conflicts() {
    let mut bench = bench();
    let accept = v1::AcceptContactRequest { name: "bob".into() };
    assert_eq!(
        refused(&mut bench, Method::AcceptContact, &accept).0,
        Status::Conflict,
        "bob was asked, he did not ask"
    );
    let create = v1::CreateIdentityRequest { name: "mallory".into() };
    assert_eq!(refused(&mut bench, Method::CreateIdentity, &create).0, Status::Conflict);
    assert_eq!(
        refused(&mut bench, Method::RestoreBackup, &v1::RestoreBackupRequest::default()).0,
        Status::Conflict
    );
    let block = v1::BlockContactRequest { name: "bob".into(), unblock: false };
    bench.owner::<v1::BlockContactResponse>(Method::BlockContact, &block).unwrap();
    let add = v1::AddContactRequest { link: link(), name: String::new() };
    assert_eq!(refused(&mut bench, Method::AddContact, &add).0, Status::Conflict, "bob is blocked");
}
