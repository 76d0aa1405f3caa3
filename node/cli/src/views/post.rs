//! Posts to topics.

use std::borrow::Cow;

use qpq_proto::v1;
use serde::Serialize;

use super::{hex, uuid};
use crate::output::{Show, Style};
use crate::printable::{printable, printable_block};

/// One post, as `mesh posts` prints it.
#[derive(Debug, Serialize)]
pub(crate) struct PostView {
    /// Position in the topic; `mesh posts --since` goes on after it.
    pub(crate) cursor: u64,
    id: String,
    topic: String,
    author: String,
    author_name: String,
    claimed_name: String,
    text: String,
    posted_at_ms: u64,
    received_at_ms: u64,
}

impl From<v1::Post> for PostView {
    fn from(post: v1::Post) -> Self {
        Self {
            cursor: post.cursor,
            id: uuid(&post.id),
            topic: post.topic,
            author: hex(&post.author),
            author_name: post.author_name,
            claimed_name: post.claimed_name,
            text: post.text,
            posted_at_ms: post.posted_at_ms,
            received_at_ms: post.received_at_ms,
        }
    }
}

impl PostView {
    /// Topic, author and text, for where the time stands already.
    pub(crate) fn without_time(&self, style: &Style) -> String {
        let author = author(&self.author_name, &self.claimed_name, &self.author);
        format!("{}  {}: {}", printable(&self.topic), style.bold(&author), printable_block(&self.text, 4))
    }
}

impl Show for PostView {
    const SCHEMA: &'static str = "qpq.post/1";

    fn human(&self, style: &Style) -> String {
        format!("{}  {}", style.faint(&style.zone.date_time(self.posted_at_ms)), self.without_time(style))
    }
}

/// A post in one line of a conversation.
#[cfg(feature = "terminal")]
pub(crate) fn describe(post: &v1::Post, style: &Style) -> String {
    let author = author(&post.author_name, &post.claimed_name, &hex(&post.author));
    format!("{} {}: {}", printable(&post.topic), style.bold(&author), printable_block(&post.text, 4))
}

/// A name that is known here stands for itself; one that is only claimed is quoted, beside the key that signed.
fn author<'a>(known: &'a str, claimed: &str, identity: &str) -> Cow<'a, str> {
    if known.is_empty() {
        let beginning: String = identity.chars().take(8).collect();
        return format!("\"{}\" ({beginning}…)", printable(claimed)).into();
    }
    printable(known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::PLAIN;

    fn post(known: &str) -> v1::Post {
        v1::Post {
            topic: "news".into(),
            cursor: 3,
            id: vec![1; 16],
            author: vec![0xab; 32],
            author_name: known.into(),
            claimed_name: "bob\u{202e}".into(),
            text: "the well is\nrepaired".into(),
            ..v1::Post::default()
        }
    }

    #[test]
    fn an_unknown_author_is_quoted_beside_the_key() {
        let view = PostView::from(post(""));
        let text = view.without_time(&PLAIN);
        assert!(text.starts_with("news  \"bob"), "{text}");
        assert!(text.contains("(abababab…): the well is"), "{text}");
        assert!(!text.contains('\u{202e}'), "{text}");
        assert!(describe(&post("@bob"), &PLAIN).starts_with("news @bob: "));
    }
}
