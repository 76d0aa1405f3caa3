//! `qpq group`.

use qpq_proto::v1::event::Kind;
use qpq_proto::{Failure, Method, v1};

use crate::node::{Scripted, both, json};
use crate::people::{AT_MS, asked_of, committed, hex, picnic, picnic_is, picnic_shown, refused, with_bob};
use crate::script::Script;

fn listed(conversations: Vec<v1::Conversation>) -> v1::ListConversationsResponse {
    v1::ListConversationsResponse { conversations }
}

#[test]
fn a_group_is_made_with_its_first_members() {
    let made = v1::CreateGroupResponse { conversation: Some(picnic()) };
    let script = Script::default().answering(Method::CreateGroup, &made);
    let (for_people, for_programs) = both(&script, &["group", "create", "picnic", "@bob"]);
    assert_eq!(for_people, "#picnic  3 members");
    let wanted = format!(
        r##"{{"schema":"qpq.conversation/1","conversation":"#picnic","id":"{}","kind":"group","##,
        hex("07", 16)
    ) + r#""state":"open","members":3,"unread":2,"last_at_ms":1795257065120}"#;
    assert_eq!(for_programs, wanted);
    let node = Scripted::start(script);
    node.qpq(&["group", "create", "picnic", "@bob", "carol"], "");
    let asked: v1::CreateGroupRequest = node.request(Method::CreateGroup);
    assert_eq!((asked.name.as_str(), asked.members), ("picnic", vec!["@bob".into(), "carol".into()]));
}

#[test]
fn groups_are_listed_without_the_conversations_of_two() {
    let conversations = vec![
        picnic(),
        with_bob(),
        v1::Conversation { unread: 0, members: 1, name: "#solo".into(), ..picnic() },
        v1::Conversation { last_at_ms: 0, ..picnic_is("waiting") },
        picnic_is("ended"),
    ];
    let script = Script::default().answering(Method::ListConversations, &listed(conversations));
    let (for_people, for_programs) = both(&script, &["group", "list"]);
    assert_eq!(
        for_people,
        "\
#picnic  3 members           2026-11-21 10:31:05  2 unread
#solo    1 member            2026-11-21 10:31:05
#picnic  waits to be let in  never
#picnic  ended               2026-11-21 10:31:05"
    );
    assert_eq!(json(&for_programs)["conversations"].as_array().map(Vec::len), Some(4));
}

#[test]
fn a_group_shows_its_members_its_encryption_and_what_waits() {
    let script = Script::default().answering(Method::ShowGroup, &picnic_shown());
    let (for_people, for_programs) = both(&script, &["group", "members", "#picnic"]);
    assert_eq!(
        for_people,
        format!(
            "\
#picnic
  @alice  you, administrator
  @bob                        verified
  @carol                      unverified
epoch 4, X25519 + ML-KEM-768 (post-quantum hybrid); changes are committed by @alice
waits for @carol to carry it out  {}",
            hex("05", 16)
        )
    );
    let group = json(&for_programs);
    assert_eq!(group["schema"], "qpq.group/1");
    assert_eq!((&group["epoch"], &group["committer"]), (&4.into(), &"alice".into()));
    assert_eq!(group["epoch_id"], hex("ee", 32));
    assert_eq!(group["members"][2]["name"], "carol");
    assert_eq!(group["changes"][0]["waiting_for"], "carol");
    assert!(group["changes"][0].get("group").is_none(), "the change stands under its group");
}

#[test]
fn a_group_that_is_over_says_so() {
    let ended = v1::ShowGroupResponse {
        conversation: Some(picnic_is("ended")),
        members: Vec::new(),
        changes: Vec::new(),
        ..picnic_shown()
    };
    let script = Script::default().answering(Method::ShowGroup, &ended);
    let (for_people, _) = both(&script, &["group", "members", "picnic"]);
    assert!(for_people.starts_with("#picnic  ended\n"), "{for_people}");
}

/// Every command that changes a group, and the method it calls.
fn changing() -> Vec<(&'static [&'static str], Method)> {
    vec![
        (&["group", "invite", "#picnic", "@bob"], Method::AddGroupMembers),
        (&["group", "leave", "#picnic", "--yes"], Method::LeaveGroup),
        (&["group", "remove", "#picnic", "@bob"], Method::RemoveGroupMember),
        (&["group", "rotate", "#picnic"], Method::RotateGroup),
    ]
}

/// All answers to changes look alike on the wire.
fn changed(method: Method, change: v1::GroupChange) -> Script {
    Script::default().answering(method, &v1::RotateGroupResponse { change: Some(change) })
}

#[test]
fn a_change_is_carried_out_asked_or_refused() {
    let id = hex("05", 16);
    for (words, method) in changing() {
        for (change, code, text, said) in [
            (committed(), 0, format!("ok  {id}\n"), ""),
            (
                asked_of("carol"),
                5,
                format!("waits for @carol to carry it out  {id}\n"),
                "qpq: only asked: @carol's node carries it out when it can (--wait waits for that)\n",
            ),
            (refused("not an administrator"), 1, format!("fail: not an administrator  {id}\n"), ""),
        ] {
            let node = Scripted::start(changed(method, change.clone()));
            let ended = node.qpq(words, "");
            assert_eq!((ended.code, ended.stdout, ended.stderr.as_str()), (code, text, said), "{words:?}");
            let for_programs = node.qpq(&[&["--json"], words].concat(), "").stdout;
            let wanted = format!(r##"{{"schema":"qpq.change/1","group":"#picnic","change":"{id}","##)
                + &format!(r#""committed":{},"waiting_for":"{}","#, change.committed, change.waiting_for)
                + &format!(r#""failed":"{}"}}"#, change.failed);
            assert_eq!(for_programs.trim_end(), wanted, "{words:?}");
        }
    }
}

#[test]
fn waiting_for_a_change_ends_with_it() {
    let answer = |change| v1::WaitChangeResponse { change: Some(change) };
    for (last, code) in [(committed(), 0), (refused("overtaken"), 1)] {
        for (words, method) in changing() {
            let script = changed(method, asked_of("carol"))
                .answering(Method::WaitChange, &answer(asked_of("carol")))
                .answering(Method::WaitChange, &answer(last.clone()));
            let node = Scripted::start(script);
            let ended = node.qpq(&[words, &["--wait", "--timeout", "2m", "--json"]].concat(), "");
            assert_eq!(ended.code, code, "{words:?}: {}", ended.stderr);
            assert_eq!(json(&ended.stdout)["failed"].as_str(), Some(last.failed.as_str()));
            let asked: Vec<v1::WaitChangeRequest> = node.requests(Method::WaitChange);
            assert_eq!(asked.len(), 2);
            assert!(asked.iter().all(|asked| asked.change == [5; 16] && asked.timeout_ms == 60_000));
        }
    }
}

#[test]
fn a_group_link_is_made_for_as_long_and_as_many_as_wanted() {
    let made = v1::CreateGroupLinkResponse {
        link: "qpq:group".into(),
        invitation: vec![9; 16],
        expires_at_ms: AT_MS,
    };
    let script = Script::default().answering(Method::CreateGroupLink, &made);
    let node = Scripted::start(script.clone());
    let ended = node.qpq(&["group", "invite", "#picnic", "--link", "--expires", "2d"], "");
    assert_eq!(ended.stdout, "qpq:group\n");
    let id = hex("09", 16);
    let advice =
        "for one person, who joins the group with it; expires 2026-11-21 10:31:05; take it back with";
    assert_eq!(ended.stderr, format!("{advice} `qpq invite revoke {id}`\n"));
    let asked: v1::CreateGroupLinkRequest = node.request(Method::CreateGroupLink);
    assert_eq!((asked.group.as_str(), asked.lifetime_s, asked.reusable), ("#picnic", 172_800, false));
    let (for_people, for_programs) =
        both(&script, &["group", "invite", "#picnic", "--link", "--reusable", "--qr"]);
    assert!(for_people.contains('█') && for_people.ends_with("\nqpq:group"), "{for_people}");
    let wanted = r#"{"schema":"qpq.invitation/1","link":"qpq:group","id":""#.to_owned()
        + &id
        + r##"","reusable":true,"expires_at_ms":1795257065120,"group":"#picnic","qr":""##;
    assert!(for_programs.starts_with(&wanted), "{for_programs}");
}

fn joined(conversation: v1::Conversation) -> Script {
    let answer = v1::JoinGroupResponse { conversation: Some(conversation) };
    Script::default().answering(Method::JoinGroup, &answer)
}

#[test]
fn joining_ends_at_once_or_when_one_is_let_in() {
    let (for_people, _) = both(&joined(picnic_is("waiting")), &["group", "join", "qpq:link"]);
    assert_eq!(for_people, "#picnic  waits to be let in");
    let (for_people, _) = both(&joined(picnic()), &["group", "join", "qpq:link", "--wait"]);
    assert_eq!(for_people, "#picnic  3 members");

    let news = v1::GroupEvent { group: "#picnic".into(), what: "joined".into(), ..Default::default() };
    let script = joined(picnic_is("waiting"))
        .answering(Method::ListConversations, &listed(vec![with_bob(), picnic_is("waiting")]))
        .answering(Method::ListConversations, &listed(vec![with_bob(), picnic()]))
        .happening(Method::ListConversations, Kind::Group(news));
    let (for_people, _) = both(&script, &["group", "join", "qpq:link", "--wait"]);
    assert_eq!(for_people, "#picnic  3 members");
}

#[test]
fn who_is_not_let_in_learns_why_or_that_it_takes_longer() {
    let waiting = |state| {
        joined(picnic_is("waiting")).answering(Method::ListConversations, &listed(vec![picnic_is(state)]))
    };
    let alarm = v1::AlarmEvent { code: "contact-request-failed".into(), text: "the link has expired".into() };
    let node = Scripted::start(waiting("ended").happening(Method::JoinGroup, Kind::Alarm(alarm)));
    let ended = node.qpq(&["group", "join", "qpq:link", "--wait"], "");
    assert_eq!((ended.code, ended.stdout.as_str()), (1, "#picnic  ended\n"));
    assert_eq!(ended.stderr, "qpq: the link has expired\n");

    let node = Scripted::start(waiting("waiting"));
    let ended = node.qpq(&["group", "join", "qpq:link", "--wait", "--timeout", "10ms"], "");
    assert_eq!((ended.code, ended.stdout.as_str()), (5, "#picnic  waits to be let in\n"));
    assert!(ended.stderr.contains("not let in yet"), "{}", ended.stderr);
}

#[test]
fn what_is_forbidden_is_denied() {
    let failure = Failure::forbidden("only an administrator may remove members");
    for (words, method) in changing() {
        let node = Scripted::start(Script::default().failing(method, failure.clone()));
        let ended = node.qpq(words, "");
        assert_eq!((ended.code, ended.stdout.as_str()), (6, ""), "{words:?}");
        assert_eq!(ended.stderr, "qpq: only an administrator may remove members\n");
    }
}

#[test]
fn a_group_is_deleted_or_the_refusal_says_what_to_do_first() {
    let script = Script::default().answering(Method::DeleteGroup, &v1::DeleteGroupResponse {});
    let (for_people, for_programs) = both(&script, &["group", "delete", "#picnic", "--yes"]);
    assert_eq!(for_people, "#picnic is forgotten");
    assert_eq!(for_programs, r##"{"schema":"qpq.removed/1","name":"#picnic"}"##);
    let node = Scripted::start(script);
    let ended = node.qpq(&["group", "delete", "picnic"], "yes\n");
    assert_eq!(ended.code, 2);
    let asked = "qpq: Delete picnic and all its messages from this node: this needs --yes where nobody can be asked\n";
    assert_eq!(ended.stderr, asked);
    assert!(node.requests::<v1::DeleteGroupRequest>(Method::DeleteGroup).is_empty());
    let member = Failure::conflict("you are still a member of #picnic: `qpq group leave #picnic` first");
    let node = Scripted::start(Script::default().failing(Method::DeleteGroup, member));
    let ended = node.qpq(&["group", "delete", "picnic", "--yes"], "");
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""));
    assert_eq!(ended.stderr, "qpq: you are still a member of #picnic: `qpq group leave #picnic` first\n");
    let request: v1::DeleteGroupRequest = node.request(Method::DeleteGroup);
    assert_eq!(request.group, "picnic");
}
