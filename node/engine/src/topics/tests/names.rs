//! Names and links.

use super::*;

fn name_of(response: SubscribeTopicResponse) -> (String, bool) {
    (response.topic.unwrap().name, response.created)
}

#[test]
fn a_name_makes_a_topic_and_its_link_leads_to_it() {
    let (mut bench, key) = listener();
    let made = topics(&mut bench).remove(0);
    assert_eq!((made.name.as_str(), made.posts, made.newest_at_ms, made.dropped), ("news", 0, 0, 0));
    let mut other = Bench::of("bob");
    let followed = subscribe(&mut other, &made.link).unwrap();
    assert!(!followed.created);
    assert_eq!(followed.topic.unwrap(), made);
    let again = subscribe(&mut other, &format!("  {} ", made.link.to_lowercase())).unwrap();
    assert_eq!(name_of(again), ("news".into(), false));
    assert_eq!(topics(&mut other).len(), 1, "the same key is the same topic");
    assert_eq!(made.link, Link::topic(key, "news").unwrap().to_string());
}

#[test]
fn names_are_unique_and_look_different() {
    let (mut bench, _) = listener();
    for taken in ["news", "NEWS", "\u{ff4e}ews"] {
        let refused = subscribe(&mut bench, taken).unwrap_err();
        assert_eq!(refused.status, Status::Conflict, "{taken}");
    }
    let link = |byte, name| Link::topic(TopicKey::from_bytes(&[byte; 32]), name).unwrap().to_string();
    for (byte, name, shown) in [(1, "news", "news-2"), (2, "nеws", "nеws-3"), (3, "well", "well")] {
        let followed = subscribe(&mut bench, &link(byte, name)).unwrap();
        assert_eq!(name_of(followed), (shown.into(), false), "{name}");
    }
    let names: Vec<String> = topics(&mut bench).into_iter().map(|topic| topic.name).collect();
    assert_eq!(names, ["news", "news-2", "nеws-3", "well"], "by name");
    unsubscribe(&mut bench, "News").unwrap();
    assert_eq!(name_of(subscribe(&mut bench, "news").unwrap()), ("news".into(), true));
    // Groups and contacts have names of their own.
    let group = v1::CreateGroupRequest { name: "news".into(), members: Vec::new() };
    bench.owner::<v1::CreateGroupResponse>(Method::CreateGroup, &group).unwrap();
}

#[test]
fn what_is_neither_a_name_nor_a_topic_link_is_refused_in_words() {
    let mut bench = Bench::of("alice");
    let invitation = v1::CreateInvitationRequest { reusable: false, lifetime_s: 0 };
    let contact: v1::CreateInvitationResponse = bench.owner(Method::CreateInvitation, &invitation).unwrap();
    let mut mistyped = Link::topic(TopicKey::from_bytes(&[1; 32]), "news").unwrap().to_string();
    let other = if mistyped.as_bytes()[20] == b'A' { "B" } else { "A" };
    mistyped.replace_range(20..21, other);
    for (topic, words) in [
        ("", "empty"),
        ("the news", "holds"),
        ("http://example.org", "not a qpq link"),
        (&contact.link, "`qpq contact add LINK` uses it"),
        (&mistyped, "is mistyped"),
    ] {
        let refused = subscribe(&mut bench, topic).unwrap_err();
        assert_eq!((refused.status, refused.field.as_str()), (Status::BadRequest, "topic"), "{topic}");
        assert!(refused.message.contains(words), "{topic}: {}", refused.message);
    }
    assert_eq!(topics(&mut bench), []);
    for refused in [unsubscribe(&mut bench, "news").err(), broadcast(&mut bench, "news", "x").err()] {
        assert_eq!(refused.unwrap().status, Status::NotFound);
    }
}

#[test]
fn commands_for_other_links_say_what_follows_a_topic_link() {
    let (mut bench, _) = listener();
    let link = topics(&mut bench).remove(0).link;
    let add = v1::AddContactRequest { link: link.clone(), name: String::new() };
    let join = v1::JoinGroupRequest { link };
    let refusals = [
        bench.owner::<v1::AddContactResponse>(Method::AddContact, &add).unwrap_err(),
        bench.owner::<v1::JoinGroupResponse>(Method::JoinGroup, &join).unwrap_err(),
    ];
    for refused in refusals {
        assert_eq!(refused.status, Status::BadRequest);
        assert!(refused.message.contains("`qpq mesh subscribe LINK` uses it"), "{}", refused.message);
    }
}

#[test]
fn group_links_are_for_groups() {
    let mut bench = Bench::of("alice");
    let invitation = Invitation {
        identity: author(1).identity.public(),
        node: NodeKey::from_bytes([2; 32]),
        token: [3; 16],
        reusable: false,
        name: "bob".into(),
        addresses: Vec::new(),
        mailbox: None,
    };
    let link = Link::group(invitation, "village").unwrap().to_string();
    let refused = subscribe(&mut bench, &link).unwrap_err();
    assert!(refused.message.contains("`qpq group join LINK` uses it"), "{}", refused.message);
}

#[test]
fn there_are_only_so_many() {
    let mut bench = Bench::of("alice");
    bench.engine.limits.topics_max = 2;
    subscribe(&mut bench, "one").unwrap();
    subscribe(&mut bench, "two").unwrap();
    let link = Link::topic(TopicKey::from_bytes(&[1; 32]), "three").unwrap().to_string();
    for topic in ["three", &link] {
        assert_eq!(subscribe(&mut bench, topic).unwrap_err().status, Status::QuotaExceeded);
    }
    let known = topics(&mut bench).remove(0).link;
    subscribe(&mut bench, &known).unwrap();
    unsubscribe(&mut bench, "one").unwrap();
    subscribe(&mut bench, &link).unwrap();
}

#[test]
fn a_node_without_a_person_reads_and_does_not_post() {
    let mut bench = Bench::empty();
    let key = TopicKey::from_bytes(&[1; 32]);
    subscribe(&mut bench, &Link::topic(key.clone(), "news").unwrap().to_string()).unwrap();
    open(&mut bench, author(1).bundle(&key, 1));
    assert_eq!(texts(&mut bench), ["post 1"]);
    let refused = broadcast(&mut bench, "news", "hello").unwrap_err();
    assert!(refused.message.contains("qpq init"), "{}", refused.message);
}
