//! `qpq mesh subscribe`, `unsubscribe`, `topics`, `broadcast` and `posts`, and `/mesh` at the prompt.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use qpq_proto::v1::event::Kind;
use qpq_proto::{Failure, Method, v1};

use crate::node::{Scripted, both, json};
use crate::people::{AT_MS, hex};
use crate::script::Script;

fn topic() -> v1::Topic {
    v1::Topic { name: "news".into(), link: "qpq:TOPIC".into(), ..Default::default() }
}

fn post(cursor: u64, text: &str) -> v1::Post {
    v1::Post {
        topic: "news".into(),
        cursor,
        id: vec![1; 16],
        author: vec![0xab; 32],
        author_name: "bob".into(),
        claimed_name: "bob".into(),
        text: text.into(),
        posted_at_ms: AT_MS,
        received_at_ms: AT_MS + 5,
    }
}

fn subscribing(created: bool) -> Script {
    let answer = v1::SubscribeTopicResponse { topic: Some(topic()), created };
    Script::default().answering(Method::SubscribeTopic, &answer)
}

fn posting() -> Script {
    let answer = v1::BroadcastPostResponse { post: Some(post(3, "the well is repaired")) };
    Script::default().answering(Method::BroadcastPost, &answer)
}

/// A node with these pages of posts, and nothing behind them.
fn reading(pages: &[&[u64]]) -> Script {
    let page = |cursors: &&[u64], next| {
        let posts = cursors.iter().map(|cursor| post(*cursor, "again")).collect();
        v1::ReadPostsResponse { posts, next }
    };
    let mut script = Script::default();
    let mut next = 0;
    for cursors in pages {
        next = cursors.last().copied().unwrap_or(next);
        script = script.answering(Method::ReadPosts, &page(cursors, next));
    }
    script.answering(Method::ReadPosts, &v1::ReadPostsResponse { posts: Vec::new(), next })
}

#[test]
fn the_link_is_data_and_the_advice_is_not() {
    for (created, advice) in [
        (
            true,
            "whoever has this link reads news and posts to it: pass it on to those who should; `qpq mesh broadcast news \
             TEXT` posts\n",
        ),
        (false, "subscribed to news; `qpq mesh posts news` shows what is posted to it\n"),
    ] {
        let node = Scripted::start(subscribing(created));
        let ended = node.qpq(&["mesh", "subscribe", "news"], "");
        assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (0, "qpq:TOPIC\n", advice));
        let asked: v1::SubscribeTopicRequest = node.request(Method::SubscribeTopic);
        assert_eq!(asked.topic, "news");
        let ended = node.qpq(&["mesh", "subscribe", "qpq:TOPIC", "--json"], "");
        assert_eq!(ended.stderr, "");
        assert_eq!(
            (&json(&ended.stdout)["created"], &json(&ended.stdout)["name"]),
            (&created.into(), &"news".into())
        );
    }
}

#[test]
fn a_qr_code_is_drawn_for_people_and_left_out_for_programs() {
    let (for_people, for_programs) = both(&subscribing(true), &["mesh", "subscribe", "news", "--qr"]);
    assert!(for_people.contains('█') && for_people.ends_with("\nqpq:TOPIC"), "{for_people}");
    assert_eq!(json(&for_programs)["link"], "qpq:TOPIC");
}

#[test]
fn what_the_node_refuses_is_said_in_its_words() {
    let words = "this is a group link: `qpq group join LINK` uses it";
    let script = Script::default().failing(Method::SubscribeTopic, Failure::bad_request("topic", words));
    let node = Scripted::start(script);
    let ended = node.qpq(&["mesh", "subscribe", "qpq:GROUP"], "");
    assert_eq!((ended.code, ended.stdout.as_str()), (2, ""));
    assert!(ended.stderr.contains(words), "{}", ended.stderr);
}

#[test]
fn topics_are_listed() {
    let listed = v1::ListTopicsResponse {
        topics: vec![v1::Topic { posts: 2, newest_at_ms: AT_MS, dropped: 1, ..topic() }],
    };
    let (for_people, for_programs) =
        both(&Script::default().answering(Method::ListTopics, &listed), &["mesh", "topics"]);
    assert_eq!(for_people, "news  2 posts, the newest 2026-11-21 10:31:05  1 dropped  qpq:TOPIC");
    assert_eq!(
        for_programs,
        format!(
            r#"{{"schema":"qpq.topics/1","topics":[{{"name":"news","link":"qpq:TOPIC","posts":2,"newest_at_ms":{AT_MS},"#
        ) + r#""dropped":1}]}"#
    );
}

#[test]
fn forgetting_a_topic_is_asked_about() {
    let script = Script::default().answering(Method::UnsubscribeTopic, &v1::UnsubscribeTopicResponse {});
    let node = Scripted::start(script.clone());
    assert_eq!(
        node.qpq(&["mesh", "unsubscribe", "news"], "").code,
        2,
        "without a terminal nobody can say yes"
    );
    assert!(node.requests::<v1::UnsubscribeTopicRequest>(Method::UnsubscribeTopic).is_empty());
    let (for_people, for_programs) = both(&script, &["mesh", "unsubscribe", "news", "--yes"]);
    assert_eq!(for_people, "news and its posts are forgotten");
    assert_eq!(for_programs, r#"{"schema":"qpq.unsubscribed/1","topic":"news"}"#);
}

#[test]
fn a_post_is_words_or_standard_input_and_is_shown() {
    for (words, input, text) in [
        (&["the", "well", "is", "repaired"][..], "", "the well is repaired"),
        (&["-"], "two\nlines\n", "two\nlines"),
        (&[], "from a pipe", "from a pipe"),
    ] {
        let node = Scripted::start(posting());
        let ended = node.qpq(&[&["mesh", "broadcast", "news"], words].concat(), input);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        assert_eq!(ended.stdout, "2026-11-21 10:31:05  news  bob: the well is repaired\n");
        let asked: v1::BroadcastPostRequest = node.request(Method::BroadcastPost);
        assert_eq!((asked.topic.as_str(), asked.text.as_str()), ("news", text));
    }
    let node = Scripted::start(posting());
    assert_eq!(node.qpq(&["mesh", "broadcast", "news", "-"], "").code, 2);
    assert!(node.requests::<v1::BroadcastPostRequest>(Method::BroadcastPost).is_empty());
}

#[test]
fn posts_come_page_by_page_each_as_an_object() {
    let node = Scripted::start(reading(&[&[4, 5], &[9]]));
    let ended = node.qpq(&["mesh", "posts", "news", "--since", "3", "--json"], "");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let posts: Vec<_> = ended.stdout.lines().map(json).collect();
    assert_eq!(posts.iter().map(|post| post["cursor"].as_u64().unwrap()).collect::<Vec<_>>(), [4, 5, 9]);
    assert_eq!((&posts[0]["schema"], &posts[0]["author"]), (&"qpq.post/1".into(), &hex("ab", 32).into()));
    let asked: Vec<v1::ReadPostsRequest> = node.requests(Method::ReadPosts);
    assert_eq!(asked.iter().map(|request| request.since).collect::<Vec<_>>(), [3, 5, 9]);
    assert!(asked.iter().all(|request| request.topic == "news"));
}

#[test]
fn what_others_wrote_commands_no_terminal() {
    let hostile = v1::Post {
        author_name: String::new(),
        claimed_name: "\u{1b}[2Jbob".into(),
        text: "\u{202e}gnihton\u{1b}]0;x\u{7}".into(),
        topic: "new\u{9b}s".into(),
        ..post(1, "")
    };
    let page = v1::ReadPostsResponse { posts: vec![hostile], next: 1 };
    let end = v1::ReadPostsResponse { posts: Vec::new(), next: 1 };
    let script = Script::default().answering(Method::ReadPosts, &page).answering(Method::ReadPosts, &end);
    let (for_people, for_programs) = both(&script, &["mesh", "posts", "news"]);
    for shown in [&for_people, &for_programs] {
        assert!(!shown.contains(['\u{1b}', '\u{202e}', '\u{9b}', '\u{7}']), "{shown:?}");
    }
    assert!(for_people.contains("(abababab…)"), "{for_people}");
}

#[test]
fn following_prints_what_comes() {
    let node = Scripted::start(reading(&[&[1]]));
    let mut command = node.command(&["mesh", "posts", "news", "--follow", "--json"]);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(json(&lines.next().unwrap().unwrap())["cursor"], 1);
    let event = v1::Event { cursor: 1, at_ms: AT_MS, kind: Some(Kind::Post(post(2, "more"))) };
    node.happens(event, |script| *script = reading(&[&[2]]));
    assert_eq!(json(&lines.next().unwrap().unwrap())["cursor"], 2);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_post_is_an_event() {
    let events = vec![v1::Event { cursor: 1, at_ms: AT_MS, kind: Some(Kind::Post(post(7, "hello"))) }];
    let script = Script { events, ..Script::default() };
    let (for_people, for_programs) = both(&script, &["events", "--no-follow"]);
    assert_eq!(for_people, "     1  2026-11-21 10:31:05  post     news  bob: hello");
    assert_eq!(
        (&json(&for_programs)["kind"], &json(&for_programs)["post"]["cursor"]),
        (&"post".into(), &7.into())
    );
}

#[test]
fn the_prompt_knows_topics_too() {
    let listed = v1::ListTopicsResponse { topics: vec![topic()] };
    let script = subscribing(true)
        .answering(Method::BroadcastPost, &v1::BroadcastPostResponse { post: Some(post(3, "hello")) })
        .answering(Method::ReadPosts, &v1::ReadPostsResponse { posts: vec![post(1, "old")], next: 1 })
        .answering(Method::ReadPosts, &v1::ReadPostsResponse::default())
        .answering(Method::ListTopics, &listed);
    let node = Scripted::start(script);
    let lines = "/mesh subscribe news\n/mesh broadcast news two  words\n/mesh posts news\n/mesh topics\n/mesh\n/mesh fly\n";
    let ended = node.qpq(&["chat"], lines);
    for shown in ["qpq:TOPIC", "bob: old", "no posts"] {
        assert!(ended.stdout.contains(shown), "{shown}: {}", ended.stdout);
    }
    assert_eq!(ended.stderr.matches("/mesh subscribe LINK|NAME").count(), 2, "{}", ended.stderr);
    let asked: v1::BroadcastPostRequest = node.request(Method::BroadcastPost);
    assert_eq!((asked.topic.as_str(), asked.text.as_str()), ("news", "two  words"));
}
