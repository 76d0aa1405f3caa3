//! `qpq invite`.

use qpq_proto::{Failure, Method, v1};

use crate::node::{Scripted, both, json};
use crate::people::{AT_MS, hex};
use crate::script::Script;

fn made(expires_at_ms: u64) -> Script {
    let made =
        v1::CreateInvitationResponse { link: "qpq:link".into(), invitation: vec![9; 16], expires_at_ms };
    Script::default().answering(Method::CreateInvitation, &made)
}

#[test]
fn the_link_is_data_and_the_advice_is_not() {
    let id = hex("09", 16);
    for (flags, expires_at_ms, advice) in [
        (
            &[][..],
            AT_MS,
            "for one person, who becomes a contact with it: pass it on privately; expires 2026-11-21 10:31:05",
        ),
        (&["--reusable"], 0, "for any number of people, whose requests you accept; does not expire"),
    ] {
        let node = Scripted::start(made(expires_at_ms));
        let ended = node.qpq(&[&["invite"], flags].concat(), "");
        assert_eq!((ended.code, ended.stdout.as_str()), (0, "qpq:link\n"));
        assert_eq!(ended.stderr, format!("{advice}; take it back with `qpq invite revoke {id}`\n"));
        let for_programs = node.qpq(&[&["invite", "--json"], flags].concat(), "");
        let wanted = format!(
            r#"{{"schema":"qpq.invitation/1","link":"qpq:link","id":"{id}","reusable":{},"expires_at_ms":{expires_at_ms}}}"#,
            !flags.is_empty()
        );
        assert_eq!((for_programs.stdout.trim_end(), for_programs.stderr.as_str()), (wanted.as_str(), ""));
    }
}

#[test]
fn lifetimes_are_asked_for_in_seconds() {
    for (flags, lifetime_s) in [
        (&[][..], 0),
        (&["--expires", "12h"], 43_200),
        (&["--expires", "1500ms"], 1),
        (&["--expires", "7d"], 604_800),
    ] {
        let node = Scripted::start(made(0));
        assert_eq!(node.qpq(&[&["invite"], flags].concat(), "").code, 0, "{flags:?}");
        let asked: v1::CreateInvitationRequest = node.request(Method::CreateInvitation);
        assert_eq!((asked.lifetime_s, asked.reusable), (lifetime_s, false), "{flags:?}");
    }
    let node = Scripted::start(made(0));
    let ended = node.qpq(&["invite", "--expires", "999ms"], "");
    assert_eq!((ended.code, ended.stderr.as_str()), (2, "qpq: --expires: at least one second\n"));
    assert!(node.requests::<v1::CreateInvitationRequest>(Method::CreateInvitation).is_empty());
}

#[test]
fn a_qr_code_is_drawn_for_people_and_given_to_programs() {
    let (for_people, for_programs) = both(&made(0), &["invite", "--qr"]);
    let rows: Vec<_> = for_people.lines().collect();
    assert_eq!(rows.last(), Some(&"qpq:link"));
    assert!(rows.len() > 10 && rows[1].contains('█'), "{for_people}");
    assert_eq!(json(&for_programs)["link"], "qpq:link");
    let drawn = json(&for_programs)["qr"].as_str().unwrap().to_owned();
    assert!(for_people.starts_with(drawn.trim_end()), "{drawn}");
    assert!(json(&both(&made(0), &["invite"]).1).get("qr").is_none());
}

#[test]
fn a_link_too_long_for_a_qr_code_is_still_made() {
    let long =
        v1::CreateInvitationResponse { link: format!("qpq:{}", "x".repeat(4_000)), ..Default::default() };
    let node = Scripted::start(Script::default().answering(Method::CreateInvitation, &long));
    let ended = node.qpq(&["invite", "--qr"], "");
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("does not fit into a QR code"), "{}", ended.stderr);
    assert_eq!(node.qpq(&["invite"], "").stdout.len(), 4_005);
}

#[test]
fn open_invitations_are_listed() {
    let one = v1::Invitation {
        invitation: vec![9; 16],
        reusable: false,
        created_at_ms: AT_MS,
        expires_at_ms: AT_MS,
        used: 0,
        group: String::new(),
        link: "qpq:one".into(),
    };
    let many = v1::Invitation {
        reusable: true,
        expires_at_ms: 0,
        used: 12,
        group: "#picnic".into(),
        link: "qpq:many".into(),
        ..one.clone()
    };
    let answer = v1::ListInvitationsResponse { invitations: vec![one, many] };
    let (for_people, for_programs) =
        both(&Script::default().answering(Method::ListInvitations, &answer), &["invite", "list"]);
    let id = hex("09", 16);
    assert_eq!(
        for_people,
        format!(
            "{id}  one-time  contact  used 0   expires 2026-11-21 10:31:05\n{id}  reusable  #picnic  used 12  does \
             not expire"
        )
    );
    let wanted = format!(
        r#"{{"schema":"qpq.invitations/1","invitations":[{{"id":"{id}","link":"qpq:one","reusable":false,"used":0,"#
    ) + r#""created_at_ms":1795257065120,"expires_at_ms":1795257065120},"#
        + &format!(r#"{{"id":"{id}","link":"qpq:many","reusable":true,"used":12,"#)
        + r##""created_at_ms":1795257065120,"expires_at_ms":0,"group":"#picnic"}]}"##;
    assert_eq!(for_programs, wanted);

    let none = Script::default().answering(Method::ListInvitations, &v1::ListInvitationsResponse::default());
    let (for_people, for_programs) = both(&none, &["invite", "list"]);
    assert_eq!(
        (for_people.as_str(), for_programs.as_str()),
        ("no open invitations", r#"{"schema":"qpq.invitations/1","invitations":[]}"#)
    );
}

#[test]
fn an_invitation_is_taken_back_by_its_id_however_it_is_written() {
    let script = Script::default().answering(Method::RevokeInvitation, &v1::RevokeInvitationResponse {});
    let plain = hex("0a", 16);
    let hyphens = "0A0A0A0A-0a0a-0a0a-0a0a-0a0a0a0a0a0a";
    for id in [plain.as_str(), hyphens] {
        let (for_people, for_programs) = both(&script, &["invite", "revoke", id]);
        assert_eq!(for_people, format!("{plain} can no longer be used"));
        assert_eq!(for_programs, format!(r#"{{"schema":"qpq.revoked/1","id":"{plain}"}}"#));
    }
    let node = Scripted::start(script);
    node.qpq(&["invite", "revoke", hyphens], "");
    let asked: v1::RevokeInvitationRequest = node.request(Method::RevokeInvitation);
    assert_eq!(asked.invitation, [10; 16]);

    let gone = Failure::not_found("there is no such invitation");
    let node = Scripted::start(Script::default().failing(Method::RevokeInvitation, gone));
    let ended = node.qpq(&["invite", "revoke", &plain], "");
    assert_eq!((ended.code, ended.stderr.as_str()), (1, "qpq: there is no such invitation\n"));
}
