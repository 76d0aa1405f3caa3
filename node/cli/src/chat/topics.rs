//! `/mesh` at the prompt: broadcast topics.

use qpq_proto::v1;

use super::Session;
use super::line::split_word;
use crate::commands::topic::{post, subscription};
use crate::exit::Error;
use crate::views::post::PostView;
use crate::views::topic::TopicsView;

impl Session {
    /// Carries out what follows `/mesh`.
    pub(super) async fn mesh(&self, rest: &str) -> Result<(), Error> {
        let (command, rest) = split_word(rest);
        match (command, split_word(rest)) {
            // A link may have been broken into several words.
            ("subscribe", (_, _)) if !rest.is_empty() => {
                let view = subscription(&self.daemon, rest.to_owned()).await?;
                self.screen.show(&view)?;
                self.screen.say(&view.advice())
            }
            ("broadcast", (topic, text)) if !text.is_empty() => {
                let posted = post(&self.daemon, topic.to_owned(), text.to_owned()).await?;
                self.screen.show(&posted)
            }
            ("posts", (topic, "")) if !topic.is_empty() => self.posts(topic).await,
            ("topics", ("", _)) => {
                let listed = self.daemon.list_topics(&v1::ListTopicsRequest {}).await?;
                self.screen.show(&TopicsView::from(listed.topics))
            }
            _ => Err(Error::Usage(
                "/mesh topics, /mesh subscribe LINK|NAME, /mesh broadcast TOPIC TEXT, or /mesh posts TOPIC"
                    .to_owned(),
            )),
        }
    }

    async fn posts(&self, topic: &str) -> Result<(), Error> {
        let mut since = 0;
        loop {
            let request = v1::ReadPostsRequest { topic: topic.to_owned(), since, limit: 0 };
            let answer = self.daemon.read_posts(&request).await?;
            if answer.posts.is_empty() {
                return Ok(());
            }
            for post in answer.posts {
                self.screen.show(&PostView::from(post))?;
            }
            since = answer.next;
        }
    }
}
