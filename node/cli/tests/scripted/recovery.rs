//! `qpq recovery setup`, `list`, `revoke` and `use`.

use qpq_proto::{Failure, Method, v1};

use crate::node::{Scripted, json, run};
use crate::script::Script;

const CODE: &str = "LJNFUWS2LJNFU5-WS2LJNFUWS2LIV";

fn relay(stored: u32, state: &str) -> v1::RecoveryRelayState {
    let (place, state) = ("relay.example:5001".into(), state.into());
    v1::RecoveryRelayState { pin: vec![0xab; 32], place, stored, state, ..Default::default() }
}

/// How it is with the codes, one relay being so far.
fn shown(codes: u32, stored: u32, state: &str) -> v1::ShowRecoveryResponse {
    v1::ShowRecoveryResponse {
        created_at_ms: 1,
        codes: (1..=codes).map(|number| v1::RecoveryCodeState { number, relays: 0 }).collect(),
        relays: vec![relay(stored, state)],
        settled: state != "storing",
        ..Default::default()
    }
}

/// A node that makes one code, and how it is with the codes each time it is asked.
fn making(shown: &[v1::ShowRecoveryResponse]) -> Script {
    let made = v1::SetUpRecoveryResponse { set: vec![7; 16], codes: vec![CODE.into()], ..Default::default() };
    let script = Script::default()
        .answering(Method::SetUpRecovery, &made)
        .answering(Method::ConfirmRecovery, &v1::ConfirmRecoveryResponse {});
    shown.iter().fold(script, |script, shown| script.answering(Method::ShowRecovery, shown))
}

#[test]
fn codes_are_printed_once_and_confirmed_when_they_were() {
    let none = v1::ShowRecoveryResponse { settled: true, ..Default::default() };
    let node = Scripted::start(making(&[none, shown(1, 0, "storing"), shown(1, 1, "stored")]));
    let ended = node.qpq(&["recovery", "setup"], "");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(ended.stdout.matches(CODE).count(), 1, "{}", ended.stdout);
    assert_eq!(ended.stderr, "1 relay can bring you back with them.\n");
    assert_eq!(node.request::<v1::ConfirmRecoveryRequest>(Method::ConfirmRecovery).set, [7; 16]);
}

#[test]
fn codes_on_paper_are_replaced_only_if_that_is_wanted() {
    let node = Scripted::start(making(&[shown(1, 1, "stored")]));
    assert_eq!(node.qpq(&["recovery", "setup"], "").code, 2);
    assert!(node.requests::<v1::SetUpRecoveryRequest>(Method::SetUpRecovery).is_empty());
    let ended = node.qpq(&["--json", "recovery", "setup", "--yes"], "");
    assert_eq!(json(&ended.stdout)["codes"][0], CODE);
}

#[test]
fn codes_that_no_relay_keeps_are_said_to_be_good_for_nothing() {
    let node = Scripted::start(making(&[shown(0, 0, "offline"), shown(1, 0, "refused")]));
    let ended = node.qpq(&["recovery", "setup"], "");
    assert_eq!(ended.code, 5);
    assert!(ended.stderr.contains("no relay keeps them yet"), "{}", ended.stderr);
    let refused = Failure::conflict("no relay is connected");
    let script = Script::default()
        .answering(Method::ShowRecovery, &shown(0, 0, "offline"))
        .failing(Method::SetUpRecovery, refused);
    let ended = Scripted::start(script).qpq(&["recovery", "setup"], "");
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""));
}

#[test]
fn a_code_is_taken_back_by_its_number() {
    let revoked = v1::RevokeRecoveryCodeResponse { left: 7 };
    let node = Scripted::start(Script::default().answering(Method::RevokeRecoveryCode, &revoked));
    let ended = node.qpq(&["recovery", "revoke", "3", "--yes"], "");
    assert_eq!(ended.stdout, "Code 3 is taken back; 7 codes can still be used.\n");
    for number in ["0", "9", "x"] {
        assert_eq!(node.qpq(&["recovery", "revoke", number, "--yes"], "").code, 2, "{number}");
    }
}

#[test]
fn a_code_is_never_an_argument() {
    let used = v1::WaitRecoveryUseResponse {
        restored: true,
        name: "alice".into(),
        contacts: 2,
        number: 3,
        relays: vec![v1::RecoveredRelay { link: "qpq://relay/x".into(), username: "alice".into() }],
        ..Default::default()
    };
    let script = Script::default()
        .answering(Method::UseRecoveryCode, &v1::UseRecoveryCodeResponse {})
        .answering(Method::WaitRecoveryUse, &v1::WaitRecoveryUseResponse::default())
        .answering(Method::WaitRecoveryUse, &used);
    let node = Scripted::start(script);
    let mut command = node.command(&["recovery", "use", "qpq://relay/x"]);
    command.env("QPQ_RECOVERY_CODE", CODE);
    let ended = run(command, "");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(
        ended.stdout.starts_with("You are alice again, on a new device, with 2 contacts"),
        "{}",
        ended.stdout
    );
    assert!(
        ended.stderr.ends_with("\n  qpq relay login qpq://relay/x --username alice\n"),
        "{}",
        ended.stderr
    );
    let asked: v1::UseRecoveryCodeRequest = node.request(Method::UseRecoveryCode);
    assert_eq!((asked.link.as_str(), asked.code.as_str()), ("qpq://relay/x", CODE));
    let ended = node.qpq(&["recovery", "use", "qpq://relay/x"], "");
    assert_eq!(ended.code, 2);
    assert!(
        ended.stderr.contains("--code-file") && ended.stderr.contains("QPQ_RECOVERY_CODE"),
        "{}",
        ended.stderr
    );
}

#[test]
fn why_a_code_is_good_for_nothing_is_passed_on() {
    let here = tempfile::tempdir().unwrap();
    let file = here.path().join("code");
    std::fs::write(&file, CODE).unwrap();
    let words = ["recovery", "use", "qpq://relay/x", "--code-file", file.to_str().unwrap()];
    for (begun, waited, code, message) in [
        (Some(Failure::bad_request("code", "group 1 is mistyped")), None, 2, "group 1 is mistyped"),
        (
            None,
            Some(Failure::not_found("the relay has no bundle for this code")),
            1,
            "no bundle for this code",
        ),
    ] {
        let script = match begun {
            Some(failure) => Script::default().failing(Method::UseRecoveryCode, failure),
            None => Script::default().answering(Method::UseRecoveryCode, &v1::UseRecoveryCodeResponse {}),
        };
        let script = match waited {
            Some(failure) => script.failing(Method::WaitRecoveryUse, failure),
            None => script,
        };
        let ended = Scripted::start(script).qpq(&words, "");
        assert_eq!((ended.code, ended.stdout.as_str()), (code, ""), "{}", ended.stderr);
        assert!(ended.stderr.contains(message), "{}", ended.stderr);
        assert!(!ended.stderr.contains(CODE), "{}", ended.stderr);
    }
}
