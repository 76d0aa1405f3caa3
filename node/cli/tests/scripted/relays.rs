//! `qpq relay register`, `login`, `leave` and `list`.

use qpq_proto::{Failure, Method, v1};

use crate::node::{Scripted, both};
use crate::people::hex;
use crate::script::Script;

const LINK: &str = "qpq://relay/x";

fn relay(state: &str) -> v1::MailboxRelay {
    v1::MailboxRelay {
        pin: vec![0xab; 32],
        places: vec!["relay.example:5001".into()],
        username: "alice".into(),
        state: state.into(),
        reason: String::new(),
        session_ends_at_ms: 7,
        received: 0,
        contacts: 1,
        fetched: false,
        log: None,
    }
}

/// A node at which a registration or a login goes through these states.
fn going(states: &[&str]) -> Script {
    let begun = v1::RegisterAtRelayResponse { relay: Some(relay("registering")) };
    let script = Script::default().answering(Method::RegisterAtRelay, &begun);
    let begun = v1::LoginAtRelayResponse { relay: Some(relay("logging-in")) };
    let script = script.answering(Method::LoginAtRelay, &begun);
    states.iter().fold(script, |script, state| {
        let answer = v1::WaitMailboxRelayResponse { relay: Some(relay(state)) };
        script.answering(Method::WaitMailboxRelay, &answer)
    })
}

fn password_file(directory: &tempfile::TempDir, password: &str) -> String {
    let path = directory.path().join("password");
    std::fs::write(&path, password).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn registering_waits_until_the_relay_is_ready() {
    let here = tempfile::tempdir().unwrap();
    let file = password_file(&here, "correct horse\n");
    let node = Scripted::start(going(&["registering", "connecting", "ready"]));
    let token = hex("0c", 32);
    let words =
        ["relay", "register", LINK, "--username", "alice", "--invitation", &token, "--password-file", &file];
    let ended = node.qpq(&words, "");
    let shown = "relay.example:5001 as alice is ready\n  0 deliveries came by it; 1 contact can leave messages there\n";
    assert_eq!(ended.stdout, format!("{shown}  pin {}\n", hex("ab", 32)), "{}", ended.stderr);
    let asked: v1::RegisterAtRelayRequest = node.request(Method::RegisterAtRelay);
    assert_eq!((asked.link.as_str(), asked.username.as_str()), (LINK, "alice"));
    assert_eq!((asked.password, asked.invitation), (b"correct horse".to_vec(), vec![0x0c; 32]));
}

#[test]
fn what_a_login_fails_with_is_said() {
    let here = tempfile::tempdir().unwrap();
    let file = password_file(&here, "wrong horse");
    let words = ["relay", "login", LINK, "--username", "alice", "--password-file", &file];
    let refused = Failure::forbidden("the name or the password is wrong, or there is no such account");
    for (script, code, message) in [
        (going(&[]).failing(Method::WaitMailboxRelay, refused), 6, "the password is wrong"),
        (going(&["offline"]), 5, "only offline; `qpq relay list` shows how it goes on"),
    ] {
        let ended = Scripted::start(script).qpq(&words, "");
        assert_eq!((ended.code, ended.stdout.as_str()), (code, ""), "{}", ended.stderr);
        assert!(ended.stderr.contains(message), "{}", ended.stderr);
    }
}

#[test]
fn a_password_is_never_an_argument_and_not_asked_for_without_a_terminal() {
    let node = Scripted::start(going(&["ready"]));
    let ended = node.qpq(&["relay", "login", LINK, "--username", "alice"], "");
    assert_eq!(ended.code, 2);
    assert!(
        ended.stderr.contains("--password-file") && ended.stderr.contains("QPQ_PASSWORD"),
        "{}",
        ended.stderr
    );
}

#[test]
fn relays_are_listed_and_left() {
    let listed = v1::ListMailboxRelaysResponse { relays: vec![relay("ready")], ..Default::default() };
    let (for_people, for_programs) =
        both(&Script::default().answering(Method::ListMailboxRelays, &listed), &["relay", "list"]);
    assert!(for_people.starts_with("relay.example:5001 as alice is ready\n"), "{for_people}");
    assert!(
        for_programs.starts_with(r#"{"schema":"qpq.mailbox-relays/1","relays":[{"pin":"abab"#),
        "{for_programs}"
    );
    let none =
        Script::default().answering(Method::ListMailboxRelays, &v1::ListMailboxRelaysResponse::default());
    assert!(both(&none, &["relay", "list"]).0.contains("qpq relay register LINK"));

    let left = v1::LeaveRelayResponse { unreached: true };
    let node = Scripted::start(Script::default().answering(Method::LeaveRelay, &left));
    let ended = node.qpq(&["relay", "leave", "abab", "--yes"], "");
    assert!(ended.stdout.contains("It was not reached"), "{}", ended.stdout);
    assert_eq!(node.request::<v1::LeaveRelayRequest>(Method::LeaveRelay).relay, "abab");
    assert_eq!(node.qpq(&["relay", "leave", "abab"], "").code, 2, "nobody can be asked");
}

fn found(state: &str) -> v1::FoundUser {
    v1::FoundUser {
        pin: vec![0xab; 32],
        place: "relay.example:5001".into(),
        username: "bob".into(),
        state: state.into(),
        reason: "so it is".into(),
        identity: vec![0xcd; 32],
        version: 1,
        ..v1::FoundUser::default()
    }
}

/// A node at which a question about a name goes through these states.
fn finding(states: &[&str]) -> Script {
    let begun = v1::FindUserResponse { found: Some(found("asking")) };
    let script = Script::default().answering(Method::FindUser, &begun);
    states.iter().fold(script, |script, state| {
        script.answering(Method::WaitUser, &v1::WaitUserResponse { found: Some(found(state)) })
    })
}

#[test]
fn a_name_is_asked_for_until_there_is_an_answer() {
    for (states, code, stdout, stderr) in [
        (&["asking", "found"][..], 0, "bob at relay.example:5001\n", ""),
        (&["nobody"], 1, "bob at relay.example:5001: nobody\n", "nobody has this name"),
        (&["failed"], 1, "", "so it is"),
        (&["refused"], 4, "", "contradicts itself: so it is"),
    ] {
        let node = Scripted::start(finding(states));
        let ended = node.qpq(&["relay", "find", "bob", "--relay", "relay.example"], "");
        assert_eq!(ended.code, code, "{states:?} {}", ended.stderr);
        assert!(
            ended.stdout.starts_with(stdout) && ended.stderr.contains(stderr),
            "{states:?} {}",
            ended.stderr
        );
        let asked: v1::FindUserRequest = node.request(Method::FindUser);
        assert_eq!((asked.user.as_str(), asked.relay.as_str()), ("bob", "relay.example"));
    }
}

#[test]
fn who_is_asked_by_name_is_found_first() {
    let contact = v1::Contact { state: "requested".into(), name: "bob".into(), ..Default::default() };
    let added = v1::AddContactResponse { contact: Some(contact) };
    let node = Scripted::start(finding(&["found"]).answering(Method::AddContact, &added));
    let ended = node.qpq(&["contact", "add", "bob@relay.example:5001"], "");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let asked: v1::AddContactRequest = node.request(Method::AddContact);
    assert_eq!(asked.link, "bob@relay.example:5001");
    let node = Scripted::start(finding(&["refused"]).answering(Method::AddContact, &added));
    assert_eq!(node.qpq(&["contact", "add", "bob@relay.example"], "").code, 4, "nobody is asked");
}

#[test]
fn what_is_no_proof_is_said_without_a_node() {
    let here = tempfile::tempdir().unwrap();
    let file = here.path().join("proof");
    std::fs::write(&file, "qpq relay proof 1\nAA").unwrap();
    let node = Scripted::start(Script::default());
    let ended = node.qpq(&["relay", "check-proof", file.to_str().unwrap()], "");
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("not a proof"), "{}", ended.stderr);
    assert_eq!(node.qpq(&["relay", "check-proof", "/nowhere/at/all"], "").code, 2);
}
