use super::*;
use crate::output::{PLAIN, to_json};

fn found() -> v1::FoundUser {
    v1::FoundUser {
        pin: vec![0xab; 32],
        place: "relay.example:5001".into(),
        username: "bob\u{202e}".into(),
        state: "found".into(),
        identity: vec![0xcd; 32],
        version: 1,
        safety_number: "12345".repeat(12),
        log: Some(v1::RelayLog { name: "relay.example".into(), entries: 7, ..v1::RelayLog::default() }),
        ..v1::FoundUser::default()
    }
}

#[test]
fn somebody_for_people() {
    let shown = FoundView::from(found()).human(&PLAIN);
    for words in ["bob\\u{202e} at relay.example:5001\n", "12345 12345", "never somebody else's", "7 entries"]
    {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let changed = v1::FoundUser { version: 3, contact: "robert".into(), ..found() };
    let shown = FoundView::from(changed).human(&PLAIN);
    assert!(shown.contains("set 3 times") && shown.contains("@robert"), "{shown}");
    let revoked = v1::FoundUser { revoked: true, revoked_reason: "lost\x07".into(), ..found() };
    assert!(FoundView::from(revoked).human(&PLAIN).contains("lost\\u{7}"));
    let own = v1::FoundUser { own: true, safety_number: String::new(), ..found() };
    assert!(FoundView::from(own).human(&PLAIN).contains("this is you"));
    let nobody = v1::FoundUser { state: "nobody".into(), ..found() };
    assert!(FoundView::from(nobody).human(&PLAIN).contains(": nobody\n"));
}

#[test]
fn somebody_for_programs() {
    let shown = to_json(&FoundView::from(v1::FoundUser { username: "bob".into(), ..found() })).unwrap();
    let start = r#"{"schema":"qpq.found-user/1","name":"bob","relay":"relay.example:5001","pin":"abab"#;
    assert!(shown.starts_with(start), "{shown}");
    let end = r#""log":{"name":"relay.example","entries":7,"signed_at_ms":0,"refusal":"","proven":false,"own_name":""}}"#;
    assert!(shown.ends_with(end), "{shown}");
}

#[test]
fn a_proof_on_standard_output_is_nothing_but_the_proof() {
    let view = |file: Option<&str>, convicts| WrittenView {
        file: file.map(ToOwned::to_owned),
        proof: "qpq relay proof 1\nAAAA\n".into(),
        reason: "it forked".into(),
        convicts,
    };
    assert_eq!(view(None, true).human(&PLAIN), "qpq relay proof 1\nAAAA");
    assert!(view(Some("p"), true).human(&PLAIN).starts_with("p: it forked\nIt convinces"));
    assert!(view(Some("p"), false).human(&PLAIN).contains("does not convict"));
}
