use super::*;
use crate::output::{PLAIN, to_json};

fn relay(stored: u32, state: &str, reason: &str) -> v1::RecoveryRelayState {
    v1::RecoveryRelayState {
        pin: vec![0xab; 2],
        place: "relay.example:5001".into(),
        stored,
        to_delete: 8 - stored,
        state: state.into(),
        reason: reason.into(),
    }
}

#[test]
fn relays_in_one_line_each() {
    for (relay, line) in [
        (relay(8, "stored", ""), "relay.example:5001 keeps what belongs to 8 codes"),
        (
            relay(7, "storing", ""),
            "relay.example:5001 keeps what belongs to 7 codes, and has 1 bundle to delete (storing)",
        ),
        (
            relay(0, "refused", "full\x07"),
            "relay.example:5001 keeps what belongs to 0 codes, and has 8 bundles to delete (refused: full\\u{7})",
        ),
    ] {
        assert_eq!(relay_line(&relay), line);
    }
}

#[test]
fn codes_for_people_and_for_programs() {
    let made = v1::SetUpRecoveryResponse {
        set: vec![1; 16],
        codes: vec!["ONE-CODE".into(), "ANOTHER".into()],
        contacts: 1,
        contacts_left_out: 2,
    };
    let view = CodesView::from(made);
    let shown = view.human(&PLAIN);
    assert!(shown.contains("\n  1  ONE-CODE\n  2  ANOTHER\n\nWith you come your name, 1 contact"), "{shown}");
    assert!(shown.contains("no room for 2 contacts"), "{shown}");
    let json = r#"{"schema":"qpq.recovery-codes/1","codes":["ONE-CODE","ANOTHER"],"contacts":1,"contacts_left_out":2}"#;
    assert_eq!(to_json(&view).unwrap(), json);
}

#[test]
fn a_list_names_each_code() {
    let shown = v1::ShowRecoveryResponse {
        created_at_ms: 1_795_257_065_120,
        codes: vec![
            v1::RecoveryCodeState { number: 1, relays: 0 },
            v1::RecoveryCodeState { number: 4, relays: 1 },
        ],
        relays: vec![relay(8, "stored", "")],
        contacts: 2,
        contacts_left_out: 0,
        settled: true,
    };
    let text = RecoveryView::from(shown).human(&PLAIN);
    let expected = "Recovery codes of 2026-11-21 10:31:05, with 2 contacts:\n  1  kept by no relay yet\n  \
                    4  kept by 1 relay\nrelay.example:5001 keeps what belongs to 8 codes";
    assert_eq!(text, expected);
    let none = RecoveryView::from(v1::ShowRecoveryResponse::default());
    assert!(none.human(&PLAIN).contains("qpq recovery setup"));
}

#[test]
fn whoever_came_back_is_told_where_to_log_in() {
    let relay = v1::RecoveredRelay { link: "qpq://relay/x".into(), username: "alice b".into() };
    let used = v1::WaitRecoveryUseResponse {
        restored: true,
        name: "alice".into(),
        made_at_ms: 1_795_257_065_120,
        contacts: 1,
        number: 3,
        relays: vec![relay],
        ..Default::default()
    };
    let advice = advice_after_use(&used);
    assert!(advice.ends_with("\n  qpq relay login qpq://relay/x --username 'alice b'"), "{advice}");
    let shown = RecoveredView::from(used).human(&PLAIN);
    assert!(shown.contains("alice again") && shown.contains("code 3 is used up"), "{shown}");
    assert!(advice_after_use(&v1::WaitRecoveryUseResponse::default()).starts_with("Contacts are asked"));
}
