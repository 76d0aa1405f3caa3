//! `qpq chat` as a script uses it: what each line asks of the daemon, and what is said to it.

use qpq_proto::{Failure, Method, v1};

use crate::node::{Ended, Scripted};
use crate::people::{asked_of, bob, committed, hex, picnic, picnic_is, picnic_shown, with_bob};
use crate::script::{Script, message};

/// A node that knows Bob and the group, and does whatever it is asked.
fn willing() -> Script {
    let contact = Some(bob());
    let change = |change| v1::RotateGroupResponse { change: Some(change) };
    let listed = v1::ListConversationsResponse { conversations: vec![with_bob(), picnic()] };
    let link = v1::CreateInvitationResponse { link: "qpq:made".into(), ..Default::default() };
    let verified = v1::VerifyContactResponse { safety_number: "01234".repeat(12), contact: contact.clone() };
    Script::default()
        .answering(Method::ListContacts, &v1::ListContactsResponse { contacts: vec![bob()] })
        .answering(Method::ListConversations, &listed)
        .answering(Method::AddContact, &v1::AddContactResponse { contact: contact.clone() })
        .answering(Method::AcceptContact, &v1::AcceptContactResponse { contact: contact.clone() })
        .answering(Method::RenameContact, &v1::RenameContactResponse { contact: contact.clone() })
        .answering(Method::BlockContact, &v1::BlockContactResponse { contact })
        .answering(Method::VerifyContact, &verified)
        .answering(Method::CreateInvitation, &link)
        .answering(Method::CreateGroup, &v1::CreateGroupResponse { conversation: Some(picnic()) })
        .answering(Method::JoinGroup, &v1::JoinGroupResponse { conversation: Some(picnic_is("waiting")) })
        .answering(Method::ShowGroup, &picnic_shown())
        .answering(Method::AddGroupMembers, &change(asked_of("carol")))
        .answering(Method::RemoveGroupMember, &change(committed()))
        .answering(Method::LeaveGroup, &change(committed()))
        .answering(Method::RotateGroup, &change(committed()))
}

/// Has these lines typed; what was asked and what was said after the greeting.
fn chat(script: Script, lines: &str) -> (Scripted, Ended) {
    let node = Scripted::start(script);
    let mut ended = node.qpq(&["chat"], lines);
    let greeting = "You are alice. /help lists the commands.\n";
    ended.stdout = ended.stdout.strip_prefix(greeting).unwrap_or_else(|| panic!("{ended:?}")).to_owned();
    (node, ended)
}

#[test]
fn every_command_asks_what_it_should_and_shows_the_answer() {
    let bob_shown = format!(
        "@bob          online\nidentity      {}\nverification  unverified\nencryption    X25519 + ML-KEM-768 \
         (post-quantum hybrid)\n",
        hex("bb", 32)
    );
    let id = hex("05", 16);
    let (ok, asked) = (format!("ok  {id}\n"), format!("waits for @carol to carry it out  {id}\n"));
    for (lines, method, shown) in [
        ("/add qpq:link", Method::AddContact, &*bob_shown),
        ("/accept bob", Method::AcceptContact, &bob_shown),
        ("/rename bob robert", Method::RenameContact, &bob_shown),
        ("/block @bob", Method::BlockContact, &bob_shown),
        ("/unblock @bob", Method::BlockContact, &bob_shown),
        ("/contacts", Method::ListContacts, "@bob  online  unverified\n"),
        ("/invite", Method::CreateInvitation, "qpq:made\n"),
        ("/create-group picnic @bob", Method::CreateGroup, "#picnic  3 members\n"),
        ("/join qpq:link", Method::JoinGroup, "#picnic  waits to be let in\n"),
        ("/leave picnic", Method::LeaveGroup, &ok),
        ("/leave #picnic", Method::LeaveGroup, &ok),
        ("/switch picnic\n/invite @bob @carol", Method::AddGroupMembers, &asked),
        ("#picnic\n/remove @bob", Method::RemoveGroupMember, &ok),
        ("#picnic\n/update-key", Method::RotateGroup, &ok),
        ("@bob\n/update-key", Method::RotateGroup, &ok),
        (
            "#PICNIC\n/members",
            Method::ShowGroup,
            "  @alice  you, administrator\n  @bob                        verified\n  @carol                      \
             unverified\n",
        ),
    ] {
        let (node, ended) = chat(willing(), lines);
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{lines}");
        assert_eq!(ended.stdout, shown, "{lines}");
        let requests = node.requests::<v1::ListContactsRequest>(method).len();
        assert!(requests >= 1, "{lines}: {method:?}");
    }
}

#[test]
fn what_is_asked_is_what_was_typed() {
    let lines = "/rename @bob Robert\n/verify bob\n/verify @bob match\n/verify @bob mismatch\n/verify @bob 01234 \
                 56789\n/create-group picnic @bob carol\n/invite @dave\n/remove dave\n/leave picnic";
    let (node, ended) = chat(willing(), lines);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let renamed: v1::RenameContactRequest = node.request(Method::RenameContact);
    assert_eq!((renamed.name.as_str(), renamed.new_name.as_str()), ("@bob", "Robert"));
    let verified: Vec<v1::VerifyContactRequest> = node.requests(Method::VerifyContact);
    let actions: Vec<_> = verified.iter().map(|asked| (asked.action, asked.safety_number.as_str())).collect();
    assert_eq!(actions, [(0, ""), (1, ""), (2, ""), (3, "0123456789")]);
    let made: v1::CreateGroupRequest = node.request(Method::CreateGroup);
    assert_eq!((made.name.as_str(), made.members), ("picnic", vec!["@bob".into(), "carol".into()]));
    let added: v1::AddGroupMembersRequest = node.request(Method::AddGroupMembers);
    assert_eq!((added.group.as_str(), added.members), ("#picnic", vec!["@dave".to_owned()]));
    let removed: v1::RemoveGroupMemberRequest = node.request(Method::RemoveGroupMember);
    assert_eq!((removed.group.as_str(), removed.member.as_str()), ("#picnic", "dave"));
    assert_eq!(node.request::<v1::LeaveGroupRequest>(Method::LeaveGroup).group, "#picnic");
}

#[test]
fn plain_text_goes_to_the_conversation_last_named() {
    let lines =
        "@bob one\ntwo\n#picnic three\n//four\n/dm bob five\n/switch #picnic\nsix\n@bob\n  seven  \n\n@\n";
    let (node, ended) = chat(willing(), lines);
    assert_eq!((ended.code, ended.stdout.as_str()), (0, ""), "{}", ended.stderr);
    let wanted = [
        "SendMessage @bob one",
        "SendMessage @bob two",
        "SendMessage #picnic three",
        "SendMessage #picnic /four",
        "SendMessage @bob five",
        "SendMessage #picnic six",
        "SendMessage @bob seven",
        "SendMessage @bob @",
    ];
    assert_eq!(node.asked(), wanted);
}

#[test]
fn what_cannot_be_done_is_said_and_the_chat_goes_on() {
    for (line, said) in [
        ("hello", "to whom? write @name text or #group text, or /switch first"),
        ("/switch dave", "there is no dave; /list and /contacts show what there is"),
        ("@dave", "there is no @dave; /list and /contacts show what there is"),
        ("/switch", "a name is wanted"),
        ("/switch a b", "one name is wanted"),
        ("/dm", "a name is wanted"),
        ("/accept", "a name is wanted"),
        ("/rename bob", "/rename NAME NEW"),
        ("/rename bob a b", "/rename NAME NEW"),
        ("/leave", "/leave #GROUP: name the group, so that nobody leaves by a slip"),
        ("/history", "which conversation? /switch NAME first"),
        ("@bob\n/history many", "/history COUNT: a number is wanted"),
        ("/members", "which conversation? /switch NAME first"),
        ("/update-key", "which conversation? /switch NAME first"),
        ("@bob\n/remove carol", "which group? /switch #GROUP first"),
        ("@bob\n/invite @carol", "which group? /switch #GROUP first"),
        ("/create-group", "a name is wanted"),
        ("/help nonsense", "there is no command /nonsense; /help lists them"),
        ("/", "there is no command /; /help lists them"),
        ("/\u{1b}[2J", "there is no command /\\u{1b}[2J; /help lists them"),
        ("/send-file x", "/send-file is not there yet"),
    ] {
        let (node, ended) = chat(willing(), &format!("{line}\n@bob still here\n"));
        assert_eq!(ended.stderr, format!("qpq: {said}\n"), "{line}");
        assert_ne!(ended.code, 0, "a script learns of it: {line}");
        assert_eq!(node.asked(), ["SendMessage @bob still here"], "{line}");
    }
}

#[test]
fn a_refusal_decides_how_a_script_ends() {
    let verification = Failure { field: "verification".into(), ..Failure::conflict("the keys have changed") };
    for (failure, code, fix) in [
        (Failure::not_found("no such contact"), 1, ""),
        (Failure::forbidden("blocked"), 6, ""),
        (verification, 4, "     try: qpq contact verify @bob\n"),
    ] {
        let script = willing().failing(Method::SendMessage, failure.clone());
        let (_, ended) = chat(script, "@bob hello\n/contacts\n");
        assert_eq!(ended.code, code);
        assert_eq!(ended.stderr, format!("qpq: {}\n{fix}", failure.message));
        assert_eq!(ended.stdout, "@bob  online  unverified\n");
    }
}

#[test]
fn the_last_messages_of_a_conversation_are_shown() {
    let script = Script { messages: vec![message(1, "one"), message(2, "two\nlines")], ..willing() };
    let (node, ended) = chat(script, "@bob\n/history\n/history 5\n");
    let shown = "2026-11-21 10:31:05  @bob  bob: one\n2026-11-21 10:31:05  @bob  bob: two\n    lines\n";
    assert_eq!((ended.code, ended.stdout), (0, shown.repeat(2)));
    let asked: Vec<v1::ReadMessagesRequest> = node.requests(Method::ReadMessages);
    let limits: Vec<_> = asked.iter().map(|asked| (asked.conversation.as_str(), asked.limit)).collect();
    assert_eq!(limits, [("@bob", 20), ("@bob", 5)]);
    assert!(asked.iter().all(|asked| asked.newest));
}

#[test]
fn what_is_quit_is_not_read_further_and_of_long_lines_the_beginning() {
    let (node, ended) = chat(willing(), "@bob one\n/quit\n@bob two\n");
    assert_eq!((ended.code, node.asked()), (0, vec!["SendMessage @bob one".to_owned()]));

    let text = "x".repeat(70_000);
    let (node, ended) = chat(willing(), &format!("@bob\n{text}\nnext\n"));
    assert!(ended.stderr.contains("longer than the method allows"), "{}", ended.stderr);
    assert_eq!((ended.code, node.asked()), (2, vec!["SendMessage @bob next".to_owned()]));
}

#[test]
fn help_lists_what_there_is_and_explains_one() {
    let (_, ended) = chat(willing(), "/help\n");
    for line in [
        "  @name TEXT                             send to a contact, and talk to it from then on",
        "  /leave #GROUP                          leave a group; name it, so that nobody leaves by a slip",
        "  /quit                                  end the chat",
    ] {
        assert!(ended.stdout.lines().any(|shown| shown == line), "{line}: {}", ended.stdout);
    }
    assert!(ended.stdout.contains('✓') && !ended.stdout.contains("send-file"), "{}", ended.stdout);
    let (_, ended) = chat(willing(), "/help /verify\n/help search\n");
    let wanted = "  /verify NAME [match|mismatch|DIGITS]   show the safety number, or record that it was compared\n\
                  /search is not there yet\n";
    assert_eq!((ended.code, ended.stdout.as_str()), (0, wanted));
}
