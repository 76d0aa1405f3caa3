//! Broadcast topics.

use qpq_proto::v1;
use serde::Serialize;

use super::invitation::draw_qr;
use crate::exit::Error;
use crate::output::{Show, Style, columns};
use crate::printable::printable;

/// A topic followed.
#[derive(Debug, Serialize)]
struct TopicView {
    name: String,
    /// Starts with `qpq:`; whoever has it reads the topic and posts to it.
    link: String,
    posts: u64,
    newest_at_ms: u64,
    dropped: u64,
}

impl From<v1::Topic> for TopicView {
    fn from(topic: v1::Topic) -> Self {
        Self {
            name: topic.name,
            link: topic.link,
            posts: topic.posts,
            newest_at_ms: topic.newest_at_ms,
            dropped: topic.dropped,
        }
    }
}

/// A topic that is followed from now on, or was already.
#[derive(Debug, Serialize)]
pub(crate) struct SubscriptionView {
    #[serde(flatten)]
    topic: TopicView,
    /// It is new.
    created: bool,
    #[serde(skip)]
    qr: Option<String>,
}

impl SubscriptionView {
    /// Of a new topic, or of one that others made.
    pub(crate) fn new(topic: v1::Topic, created: bool) -> Self {
        Self { topic: topic.into(), created, qr: None }
    }

    /// The same with a QR code above the link, for people.
    pub(crate) fn with_qr(mut self) -> Result<Self, Error> {
        self.qr = Some(draw_qr(&self.topic.link)?);
        Ok(self)
    }

    /// What may be done with it, for standard error.
    pub(crate) fn advice(&self) -> String {
        let name = printable(&self.topic.name);
        if self.created {
            return format!(
                "whoever has this link reads {name} and posts to it: pass it on to those who should; `qpq mesh broadcast \
                 {name} TEXT` posts"
            );
        }
        format!("subscribed to {name}; `qpq mesh posts {name}` shows what is posted to it")
    }
}

impl Show for SubscriptionView {
    const SCHEMA: &'static str = "qpq.topic/1";

    fn human(&self, _style: &Style) -> String {
        let link = printable(&self.topic.link);
        match &self.qr {
            Some(qr) => format!("{qr}\n{link}"),
            None => link.into_owned(),
        }
    }
}

/// The topics followed.
#[derive(Debug, Serialize)]
pub(crate) struct TopicsView {
    topics: Vec<TopicView>,
}

impl From<Vec<v1::Topic>> for TopicsView {
    fn from(topics: Vec<v1::Topic>) -> Self {
        Self { topics: topics.into_iter().map(TopicView::from).collect() }
    }
}

impl Show for TopicsView {
    const SCHEMA: &'static str = "qpq.topics/1";

    fn human(&self, style: &Style) -> String {
        if self.topics.is_empty() {
            return style.faint("no topics: `qpq mesh subscribe` follows one");
        }
        let row = |topic: &TopicView| {
            let posts = match (topic.posts, topic.newest_at_ms) {
                (0, _) => "no posts".to_owned(),
                (1, at_ms) => format!("1 post, {}", style.zone.date_time(at_ms)),
                (posts, at_ms) => format!("{posts} posts, the newest {}", style.zone.date_time(at_ms)),
            };
            let dropped = match topic.dropped {
                0 => String::new(),
                dropped => format!("{dropped} dropped"),
            };
            let name = style.bold(&printable(&topic.name));
            [name, posts, dropped, printable(&topic.link).into_owned()]
        };
        columns(&self.topics.iter().map(row).collect::<Vec<_>>())
    }
}

/// A topic that is not followed any more.
#[derive(Debug, Serialize)]
pub(crate) struct UnsubscribedView {
    /// Its name.
    pub(crate) topic: String,
}

impl Show for UnsubscribedView {
    const SCHEMA: &'static str = "qpq.unsubscribed/1";

    fn human(&self, _style: &Style) -> String {
        format!("{} and its posts are forgotten", printable(&self.topic))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{PLAIN, to_json};

    fn topic(name: &str) -> v1::Topic {
        v1::Topic { name: name.into(), link: "qpq:EXAMPLE".into(), ..v1::Topic::default() }
    }

    #[test]
    fn the_link_alone_is_data() {
        let made = SubscriptionView::new(topic("news"), true);
        assert_eq!(made.human(&PLAIN), "qpq:EXAMPLE");
        assert!(made.advice().contains("`qpq mesh broadcast news TEXT`"), "{}", made.advice());
        assert_eq!(
            to_json(&made).unwrap(),
            r#"{"schema":"qpq.topic/1","name":"news","link":"qpq:EXAMPLE","posts":0,"newest_at_ms":0,"dropped":0,"#
                .to_owned()
                + r#""created":true}"#
        );
        let followed = SubscriptionView::new(topic("news"), false);
        assert!(followed.advice().starts_with("subscribed to news; `qpq mesh posts news`"));
        let drawn = followed.with_qr().unwrap().human(&PLAIN);
        assert!(drawn.contains('█') && drawn.ends_with("\nqpq:EXAMPLE"), "{drawn}");
    }

    #[test]
    fn topics_are_listed_with_what_is_in_them() {
        let newest_at_ms = 1_795_257_065_120;
        let listed = vec![
            topic("empty"),
            v1::Topic { posts: 1, newest_at_ms, ..topic("one") },
            v1::Topic { posts: 12, newest_at_ms, dropped: 3, ..topic("two\u{202e}") },
        ];
        let shown = TopicsView::from(listed).human(&PLAIN);
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines[0].starts_with("empty") && lines[0].contains("no posts"), "{shown}");
        assert!(lines[1].contains("1 post, 2026-11-21 10:31:05"), "{shown}");
        assert!(lines[2].contains("12 posts, the newest 2026-11-21 10:31:05  3 dropped"), "{shown}");
        assert!(lines.iter().all(|line| line.ends_with("qpq:EXAMPLE")), "{shown}");
        assert!(!shown.contains('\u{202e}'), "{shown}");
        assert!(TopicsView::from(Vec::new()).human(&PLAIN).contains("qpq mesh subscribe"));
    }
}
