//! Whatever other people, and other nodes, put into their names and texts: nothing of it reaches a terminal to be obeyed,
//! and JSON gives it back as it was.

use proptest::prelude::*;
use qpq_proto::v1;
use qpq_proto::v1::event::Kind;

use super::change::ChangeView;
use super::contact::{ContactView, ContactsView, VerificationView, sample_contact};
use super::conversation::{ConversationView, ConversationsView, GroupView};
use super::event::EventView;
use super::invitation::{InvitationsView, LinkView};
use super::message::{MessageView, SendView, sample_message};
use super::post::PostView;
use super::topic::{SubscriptionView, TopicsView, UnsubscribedView};
use crate::output::{PLAIN, Show, Style, to_json};
use crate::printable::is_obeyed;

/// Text with much in it that terminals obey.
fn nasty() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        2 => proptest::sample::select(vec![
            "\u{1b}[2J", "\u{1b}]0;x\u{7}", "\u{9b}1A", "\r", "\n", "\t", "\u{202e}", "\u{2066}", "\u{200b}", "\u{e0041}",
            "\u{0}", "\u{7f}", "\u{85}", "\u{2028}", "\u{feff}",
        ])
        .prop_map(str::to_owned),
        2 => any::<String>(),
        1 => "[a-z]{1,5}",
    ];
    proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

/// What is shown has lines of its own and nothing to obey.
fn check<T: Show>(view: &T) {
    let bold = Style { colour: true, signs: true, ..PLAIN };
    // Our own sequences.
    let own = ["0", "1", "2", "31", "32", "33"].map(|code| format!("\u{1b}[{code}m"));
    let undressed = own.iter().fold(view.human(&bold), |text, sequence| text.replace(sequence, ""));
    for shown in [view.human(&PLAIN), undressed, to_json(view).unwrap()] {
        let obeyed = shown.chars().find(|character| *character != '\n' && is_obeyed(*character));
        assert_eq!(obeyed, None, "{}: {shown:?}", T::SCHEMA);
    }
    assert!(!to_json(view).unwrap().contains('\n'), "{}", T::SCHEMA);
}

fn contact(text: &str) -> v1::Contact {
    v1::Contact { name: text.into(), state: text.into(), verification: text.into(), ..sample_contact() }
}

fn message(text: &str) -> v1::Message {
    v1::Message {
        conversation: text.into(),
        from: text.into(),
        text: text.into(),
        state: text.into(),
        own: true,
        ..sample_message()
    }
}

fn conversation(text: &str) -> v1::Conversation {
    v1::Conversation { name: text.into(), kind: text.into(), state: text.into(), ..Default::default() }
}

fn change(text: &str, failed: &str) -> v1::GroupChange {
    v1::GroupChange { waiting_for: text.into(), failed: failed.into(), ..Default::default() }
}

fn group(text: &str) -> v1::ShowGroupResponse {
    let member = v1::GroupMember { name: text.into(), verification: text.into(), ..Default::default() };
    v1::ShowGroupResponse {
        conversation: Some(conversation(text)),
        members: vec![member],
        changes: vec![change(text, text), change(text, "")],
        committer: text.into(),
        ..Default::default()
    }
}

fn post(text: &str, known: &str) -> v1::Post {
    v1::Post {
        topic: text.into(),
        author_name: known.into(),
        claimed_name: text.into(),
        text: text.into(),
        ..Default::default()
    }
}

fn events(text: &str) -> Vec<Kind> {
    vec![
        Kind::Message(message(text)),
        Kind::State(message(text)),
        Kind::Contact(contact(text)),
        Kind::Group(v1::GroupEvent { group: text.into(), text: text.into(), what: text.into(), members: 1 }),
        Kind::Gap(v1::GapEvent { conversation: text.into(), from: text.into(), missing: 2 }),
        Kind::Alarm(v1::AlarmEvent { code: text.into(), text: text.into() }),
        Kind::Post(post(text, text)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn nothing_foreign_is_obeyed(text in nasty()) {
        check(&ContactView::from(contact(&text)));
        check(&ContactsView::from(vec![contact(&text), contact("bob")]));
        check(&VerificationView::new(text.clone(), contact(&text)));
        check(&ConversationView::from(conversation(&text)));
        check(&ConversationsView::new(vec![conversation(&text)], None));
        check(&GroupView::from(group(&text)));
        check(&ChangeView::of(&text, change(&text, "")));
        check(&ChangeView::of(&text, change(&text, &text)));
        check(&MessageView::from(message(&text)));
        let mut sent = SendView::queued(message(&text));
        sent.waiting_for = vec![text.clone(), "bob".to_owned()];
        check(&sent);
        let link = v1::CreateInvitationResponse { link: text.clone(), ..Default::default() };
        check(&LinkView::contact(link, true));
        let invitation = v1::Invitation { link: text.clone(), group: text.clone(), ..Default::default() };
        check(&InvitationsView::from(vec![invitation]));
        check(&PostView::from(post(&text, "")));
        check(&PostView::from(post(&text, &text)));
        let topic = v1::Topic { name: text.clone(), link: text.clone(), posts: 1, ..Default::default() };
        check(&SubscriptionView::new(topic.clone(), true));
        check(&TopicsView::from(vec![topic]));
        check(&UnsubscribedView { topic: text.clone() });
        for kind in events(&text) {
            check(&EventView::from(v1::Event { cursor: 1, at_ms: 1, kind: Some(kind) }));
        }
    }

    /// A message of several lines cannot pass for several messages: each further line is indented.
    #[test]
    fn every_line_but_the_first_is_indented(text in nasty()) {
        for shown in [
            MessageView::from(message(&text)).human(&PLAIN),
            PostView::from(post(&text, "")).human(&PLAIN),
        ] {
            prop_assert!(shown.lines().skip(1).all(|line| line.starts_with("    ")), "{shown:?}");
        }
    }

    #[test]
    fn json_gives_names_and_texts_back(text in nasty()) {
        let json: serde_json::Value =
            serde_json::from_str(&to_json(&MessageView::from(message(&text))).unwrap()).unwrap();
        prop_assert_eq!(json["text"].as_str(), Some(text.as_str()));
        prop_assert_eq!(json["from"].as_str(), Some(text.as_str()));
    }
}
