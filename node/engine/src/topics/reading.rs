//! Reading posts, page by page. What blocked contacts post is passed over; it is there again once they are not blocked.

use std::collections::BTreeMap;

use qpq_proto::{
    Failure,
    limits::{PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX},
    v1::{Post, ReadPostsRequest, ReadPostsResponse},
};

use crate::{
    context::Context,
    engine::Engine,
    input::EngineError,
    records::{PostRecord, Standing, TopicRecord},
    storage::Direction,
    tables::{self, POSTS},
};

impl Engine {
    pub(crate) fn read_posts(
        &self,
        cx: &Context<'_>,
        request: &ReadPostsRequest,
    ) -> Result<ReadPostsResponse, Failure> {
        let (key, topic) = self.topic_named(cx, &request.topic)?;
        let limit = match request.limit as usize {
            0 => PAGE_ITEMS_DEFAULT,
            limit => limit.min(PAGE_ITEMS_MAX),
        };
        let mut blocked = BTreeMap::new();
        let mut answer = ReadPostsResponse { posts: Vec::new(), next: request.since };
        loop {
            let from = answer.next.saturating_add(1).max(topic.kept_from);
            let wanted = limit - answer.posts.len();
            let page: Vec<(u64, PostRecord)> =
                tables::scan(cx.tx, POSTS, &key.id(), from..u64::MAX, Direction::Forward, wanted)?;
            for (cursor, record) in &page {
                answer.next = *cursor;
                let is_blocked = match blocked.get(&record.author) {
                    Some(is_blocked) => *is_blocked,
                    None => self.is_author_blocked(cx, &record.author)?,
                };
                blocked.insert(record.author.clone(), is_blocked);
                if !is_blocked {
                    answer.posts.push(self.post_view(cx, &topic, *cursor, record)?);
                }
            }
            if page.len() < wanted || answer.posts.len() == limit {
                return Ok(answer);
            }
        }
    }

    /// A post that an event names; `None` if it is gone or its author is blocked.
    pub(crate) fn describe_post(
        &self,
        cx: &Context<'_>,
        topic: &[u8],
        cursor: u64,
    ) -> Result<Option<Post>, EngineError> {
        let Some(record) = self.topic(cx, topic)?.filter(|record| record.kept_from <= cursor) else {
            return Ok(None);
        };
        let post: Option<PostRecord> = tables::load(cx.tx, POSTS, tables::at(topic, cursor))?;
        match post {
            Some(post) if !self.is_author_blocked(cx, &post.author)? => {
                self.post_view(cx, &record, cursor, &post).map(Some)
            }
            _ => Ok(None),
        }
    }

    pub(super) fn is_author_blocked(&self, cx: &Context<'_>, author: &[u8]) -> Result<bool, EngineError> {
        Ok(self.person(cx, author)?.is_some_and(|person| person.standing() == Standing::Blocked))
    }

    pub(super) fn post_view(
        &self,
        cx: &Context<'_>,
        topic: &TopicRecord,
        cursor: u64,
        post: &PostRecord,
    ) -> Result<Post, EngineError> {
        let is_own = self.me.as_ref().is_some_and(|me| me.is(&post.author));
        let is_known = is_own || self.person(cx, &post.author)?.is_some_and(|person| person.is_contact());
        Ok(Post {
            topic: topic.name.clone(),
            cursor,
            id: post.id.clone(),
            author_name: if is_known { self.display_name(cx, &post.author)? } else { String::new() },
            author: post.author.clone(),
            claimed_name: post.claimed_name.clone(),
            text: post.text.clone(),
            posted_at_ms: post.posted_at_ms,
            received_at_ms: post.received_at_ms,
        })
    }
}
