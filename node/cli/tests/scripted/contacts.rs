//! `qpq contact`.

use qpq_proto::v1::VerifyAction;
use qpq_proto::v1::event::Kind;
use qpq_proto::{Failure, Method, Status, v1};

use crate::node::{Ended, Scripted, both, json};
use crate::people::{AT_MS, bob, bob_is, hex};
use crate::script::Script;

const LINK: &str = "qpq:link";

fn listed(contacts: Vec<v1::Contact>) -> v1::ListContactsResponse {
    v1::ListContactsResponse { contacts }
}

fn added(contact: v1::Contact) -> Script {
    Script::default().answering(Method::AddContact, &v1::AddContactResponse { contact: Some(contact) })
}

fn add(script: Script, flags: &[&str]) -> (Scripted, Ended) {
    let node = Scripted::start(script);
    let ended = node.qpq(&[&["--json", "contact", "add", LINK], flags].concat(), "");
    (node, ended)
}

#[test]
fn contacts_in_a_table_and_in_json() {
    let mismatched = v1::Contact { name: "carol".into(), verification: "mismatched".into(), ..bob() };
    let contacts = vec![bob(), mismatched, bob_is("pending"), bob_is("refused"), bob_is("blocked")];
    let script = Script::default().answering(Method::ListContacts, &listed(contacts));
    let (for_people, for_programs) = both(&script, &["contact", "list"]);
    assert_eq!(
        for_people,
        "\
@bob    online                       unverified
@carol  online                       mismatched
@bob    wants to be a contact        unverified
@bob    refused: ask for a new link  unverified
@bob    blocked                      unverified"
    );
    let one = format!(r#"{{"name":"bob","identity":"{}","state":"accepted","#, hex("bb", 32))
        + &format!(r#""verification":"unverified","verified_at_ms":0,"nodes":["{}"],"#, hex("b0", 32))
        + r#""added_at_ms":1795257065120,"online":true,"suite":79,"met_at":""}"#;
    assert!(for_programs.starts_with(&format!(r#"{{"schema":"qpq.contacts/1","contacts":[{one},"#)));
    assert_eq!(json(&for_programs)["contacts"].as_array().map(Vec::len), Some(5));
}

#[test]
fn nobody_is_known_at_first() {
    let script = Script::default().answering(Method::ListContacts, &listed(Vec::new()));
    let (for_people, for_programs) = both(&script, &["contact", "list"]);
    assert!(for_people.starts_with("no contacts yet: `qpq invite`"), "{for_people}");
    assert_eq!(for_programs, r#"{"schema":"qpq.contacts/1","contacts":[]}"#);
}

#[test]
fn a_contact_that_changes_is_shown_as_it_is_then() {
    let contact = Some(bob());
    let script = Script::default()
        .answering(Method::AcceptContact, &v1::AcceptContactResponse { contact: contact.clone() })
        .answering(Method::RenameContact, &v1::RenameContactResponse { contact: contact.clone() })
        .answering(Method::BlockContact, &v1::BlockContactResponse { contact });
    let wanted = format!(
        "@bob          online\nidentity      {}\nverification  unverified\nencryption    X25519 + ML-KEM-768 \
         (post-quantum hybrid)",
        hex("bb", 32)
    );
    for words in [
        &["contact", "accept", "bob"][..],
        &["contact", "rename", "@bob", "robert"],
        &["contact", "block", "@bob"],
        &["contact", "block", "@bob", "--undo"],
    ] {
        let (for_people, for_programs) = both(&script, words);
        assert_eq!(for_people, wanted, "{words:?}");
        assert_eq!(json(&for_programs)["schema"], "qpq.contact/1");
    }
}

#[test]
fn names_are_passed_on_as_they_were_given() {
    let contact = Some(bob());
    let script = Script::default()
        .answering(Method::RenameContact, &v1::RenameContactResponse { contact: contact.clone() })
        .answering(Method::BlockContact, &v1::BlockContactResponse { contact });
    let node = Scripted::start(script);
    node.qpq(&["contact", "rename", "@bob", "Robert-2"], "");
    let asked: v1::RenameContactRequest = node.request(Method::RenameContact);
    assert_eq!((asked.name.as_str(), asked.new_name.as_str()), ("@bob", "Robert-2"));
    node.qpq(&["contact", "block", "bob"], "");
    node.qpq(&["contact", "block", "bob", "--undo"], "");
    let asked: Vec<v1::BlockContactRequest> = node.requests(Method::BlockContact);
    assert_eq!(asked.iter().map(|asked| asked.unblock).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn adding_without_waiting_ends_with_the_request() {
    let (node, ended) = add(added(bob_is("requested")), &["--name", "robert"]);
    assert_eq!((ended.code, json(&ended.stdout)["state"].as_str()), (0, Some("requested")));
    let asked: v1::AddContactRequest = node.request(Method::AddContact);
    assert_eq!((asked.link.as_str(), asked.name.as_str()), (LINK, "robert"));
}

#[test]
fn waiting_ends_when_the_other_side_has_answered() {
    let news = || Kind::Contact(bob());
    let script = added(bob_is("requested"))
        .answering(Method::ListContacts, &listed(vec![bob_is("requested")]))
        .answering(Method::ListContacts, &listed(vec![bob_is("requested")]))
        .answering(Method::ListContacts, &listed(vec![bob()]))
        .happening(Method::ListContacts, news())
        .happening(Method::ListContacts, news());
    let (node, ended) = add(script, &["--wait"]);
    assert_eq!((ended.code, json(&ended.stdout)["state"].as_str()), (0, Some("accepted")));
    assert_eq!(node.requests::<v1::ListContactsRequest>(Method::ListContacts).len(), 3);
}

#[test]
fn an_answer_that_is_there_already_is_not_waited_for() {
    let (node, ended) = add(added(bob()), &["--wait"]);
    assert_eq!((ended.code, json(&ended.stdout)["state"].as_str()), (0, Some("accepted")));
    assert!(node.requests::<v1::ListContactsRequest>(Method::ListContacts).is_empty());
}

#[test]
fn a_request_that_is_refused_says_why() {
    let alarm = v1::AlarmEvent { code: "contact-request-failed".into(), text: "the link was used".into() };
    let refused =
        || added(bob_is("requested")).answering(Method::ListContacts, &listed(vec![bob_is("refused")]));
    let told = refused().happening(Method::AddContact, Kind::Alarm(alarm));
    for (script, reason) in
        [(told, "the link was used"), (refused(), "the request was refused: ask for a new link")]
    {
        let (_, ended) = add(script, &["--wait"]);
        assert_eq!((ended.code, json(&ended.stdout)["state"].as_str()), (1, Some("refused")));
        assert_eq!(json(&ended.stderr)["message"], reason);
    }
}

#[test]
fn an_answer_that_does_not_come_in_time_is_told() {
    let script =
        added(bob_is("requested")).answering(Method::ListContacts, &listed(vec![bob_is("requested")]));
    let (_, ended) = add(script, &["--wait", "--timeout", "20ms"]);
    assert_eq!((ended.code, json(&ended.stdout)["state"].as_str()), (5, Some("requested")));
    assert!(ended.stderr.contains("no answer yet"), "{}", ended.stderr);
}

fn verified(verification: &str, verified_at_ms: u64) -> Script {
    let contact = v1::Contact { verification: verification.into(), verified_at_ms, ..bob() };
    let answer = v1::VerifyContactResponse { safety_number: "0123456789".repeat(6), contact: Some(contact) };
    Script::default().answering(Method::VerifyContact, &answer)
}

const DIGITS: &str = "    01234 56789 01234 56789\n    01234 56789 01234 56789\n    01234 56789 01234 56789";

#[test]
fn the_safety_number_comes_with_what_is_recorded_and_what_to_do() {
    let unverified = "Compare it with @bob by voice or side by side, then record the outcome:\n    qpq contact \
                      verify @bob --match    (or --mismatch)";
    let mismatched = "Nothing is sent to @bob until the numbers match: somebody may stand between you. Ask for a \
                      new invitation in person.";
    for (verification, at_ms, state, advice) in [
        ("unverified", 0, "unverified", format!("\n{unverified}")),
        ("verified", AT_MS, "verified 2026-11-21 10:31:05", String::new()),
        ("mismatched", AT_MS, "does NOT match", format!("\n{mismatched}")),
    ] {
        let (for_people, for_programs) = both(&verified(verification, at_ms), &["contact", "verify", "@bob"]);
        assert_eq!(for_people, format!("Safety number with @bob: {state}\n{DIGITS}{advice}"));
        let wanted = format!(
            r#"{{"schema":"qpq.verification/1","name":"bob","identity":"{}","safety_number":"{}","#,
            hex("bb", 32),
            "0123456789".repeat(6)
        ) + &format!(r#""verification":"{verification}","verified_at_ms":{at_ms}}}"#);
        assert_eq!(for_programs, wanted);
    }
}

#[test]
fn what_was_compared_decides_the_exit_code() {
    let number = "01234 56789 ".repeat(6);
    for (flags, verification, action, code) in [
        (&["--match"][..], "verified", VerifyAction::Match, 0),
        (&["--mismatch"], "mismatched", VerifyAction::Mismatch, 0),
        (&["--number", &number], "verified", VerifyAction::Compare, 0),
        (&["--number", &number], "mismatched", VerifyAction::Compare, 4),
    ] {
        let node = Scripted::start(verified(verification, AT_MS));
        let ended = node.qpq(&[&["--json", "contact", "verify", "@bob"], flags].concat(), "");
        assert_eq!(ended.code, code, "{flags:?} {verification}");
        let asked: v1::VerifyContactRequest = node.request(Method::VerifyContact);
        assert_eq!(asked.action(), action);
        assert_eq!(asked.safety_number.len(), if action == VerifyAction::Compare { 60 } else { 0 });
        if code == 4 {
            assert_eq!(json(&ended.stderr)["fix"], "qpq invite");
        }
    }
}

#[test]
fn a_contact_is_forgotten_only_when_that_is_meant() {
    let script = Script::default().answering(Method::RemoveContact, &v1::RemoveContactResponse {});
    let (for_people, for_programs) = both(&script, &["contact", "remove", "@bob", "--yes"]);
    assert_eq!(for_people, "@bob is forgotten");
    assert_eq!(for_programs, r#"{"schema":"qpq.removed/1","name":"@bob"}"#);
    let node = Scripted::start(script);
    let ended = node.qpq(&["contact", "remove", "@bob\u{1b}[2J"], "yes\n");
    assert_eq!(ended.code, 2);
    let asked = "qpq: Forget @bob\\u{1b}[2J, all messages with them, and what waits for them: this needs --yes \
                 where nobody can be asked\n";
    assert_eq!(ended.stderr, asked);
    assert!(node.requests::<v1::RemoveContactRequest>(Method::RemoveContact).is_empty());
}

#[test]
fn a_number_in_the_way_names_the_contact_to_verify() {
    let failure =
        Failure { field: "verification".into(), ..Failure::conflict("the keys of bob have changed") };
    assert_eq!(failure.status, Status::Conflict);
    for (to, fix) in [("@bob", "qpq contact verify @bob"), ("#picnic", "qpq contact verify NAME")] {
        let node = Scripted::start(Script::default().failing(Method::SendMessage, failure.clone()));
        let ended = node.qpq(&["send", to, "hello"], "");
        assert_eq!(ended.code, 4);
        assert_eq!(ended.stderr, format!("qpq: the keys of bob have changed\n     try: {fix}\n"));
    }
}
