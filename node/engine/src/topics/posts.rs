//! Posts as they come in: verified, counted, kept, forgotten.

use qpq_crypto::{
    device_list::DeviceList,
    topic::{Post, PostError},
};
use qpq_mesh::Bundle;
use qpq_proto::limits::TOPIC_POSTS_TAKEN_PER_DAY_MAX;

use super::TopicId;
use crate::{
    context::Context,
    engine::Engine,
    input::EngineError,
    records::{EventRecord, OwnPostRecord, PostAuthorRecord, PostPlaceRecord, PostRecord, TopicRecord},
    storage::Direction,
    tables::{self, OWN_POSTS, POST_AUTHORS, POST_IDS, POSTS, TOPICS},
};

/// How many times as many posts are remembered without their text as are kept with it.
const REMEMBERED_FACTOR: u64 = 2;
const DAY_MS: u64 = 86_400_000;
/// Posts forgotten in one look.
const PAGE: usize = 256;

impl Engine {
    /// Takes a bundle of a topic's class. What is no post, or one too many, is dropped and counted.
    pub(crate) fn take_topic_bundle(
        &mut self,
        cx: &mut Context<'_>,
        bundle: &Bundle,
    ) -> Result<(), EngineError> {
        let header = bundle.header();
        let Some(id) = self.recognise_topic(cx, header.salt(), header.tag())? else { return Ok(()) };
        let Some(mut topic) = self.topic(cx, &id)? else { return Ok(()) };
        let Some(key) = topic.key() else { return Ok(()) };
        let opened = key.open_post(header.salt(), bundle.body());
        if self.is_taken(cx, &id, &mut topic, opened)? {
            return Ok(());
        }
        topic.dropped += 1;
        tables::save(cx.tx, TOPICS, tables::key(&id), &topic)
    }

    /// Whether a post is kept, now or already.
    fn is_taken(
        &mut self,
        cx: &mut Context<'_>,
        id: &TopicId,
        topic: &mut TopicRecord,
        opened: Result<Post, PostError>,
    ) -> Result<bool, EngineError> {
        let post = match opened {
            Ok(post) => post,
            Err(error) => {
                tracing::debug!(%error, "a post was dropped");
                return Ok(false);
            }
        };
        let record = PostRecord {
            id: post.id.to_vec(),
            author: post.author.as_bytes().to_vec(),
            claimed_name: post.name.clone(),
            text: post.text.clone(),
            posted_at_ms: post.posted_at_ms,
            received_at_ms: cx.now.wall_ms,
        };
        if cx.tx.get(POST_IDS, tables::key(&place_key(id, &record)))?.is_some() {
            return Ok(true);
        }
        if self.is_by_revoked_device(cx, &post)? {
            return Ok(false);
        }
        if self.posts_left_today(cx, id, &record.author, TOPIC_POSTS_TAKEN_PER_DAY_MAX)? == 0 {
            return Ok(false);
        }
        self.keep_post(cx, id, topic, &record)?;
        Ok(true)
    }

    /// Whether the author, as far as their newest device list is known here, has revoked the device.
    fn is_by_revoked_device(&self, cx: &Context<'_>, post: &Post) -> Result<bool, EngineError> {
        let list = match &self.me {
            Some(me) if me.is(post.author.as_bytes()) => me.device_list.clone(),
            _ => match self.person(cx, post.author.as_bytes())? {
                Some(person) => person.device_list,
                None => return Ok(false),
            },
        };
        let list = DeviceList::decode_and_verify(&list);
        Ok(list.is_ok_and(|list| list.revoked.contains(&post.device)))
    }

    /// How many more posts an author may make today.
    pub(super) fn posts_left_today(
        &self,
        cx: &Context<'_>,
        id: &TopicId,
        author: &[u8],
        most: usize,
    ) -> Result<u64, EngineError> {
        let key = author_key(id, author);
        let record: Option<PostAuthorRecord> = tables::load(cx.tx, POST_AUTHORS, tables::key(&key))?;
        let today = record.filter(|record| record.day == day(cx));
        Ok((most as u64).saturating_sub(today.map_or(0, |today| today.taken)))
    }

    /// Writes a post that is new, and tells of it. Returns its cursor.
    pub(super) fn keep_post(
        &mut self,
        cx: &mut Context<'_>,
        id: &TopicId,
        topic: &mut TopicRecord,
        post: &PostRecord,
    ) -> Result<u64, EngineError> {
        let cursor = topic.next;
        topic.next += 1;
        topic.bytes += post.text.len() as u64;
        topic.newest_at_ms = post.received_at_ms;
        tables::save(cx.tx, POSTS, tables::at(id, cursor), post)?;
        tables::save(cx.tx, POST_IDS, tables::key(&place_key(id, post)), &PostPlaceRecord { cursor })?;
        let key = author_key(id, &post.author);
        let mut author: PostAuthorRecord =
            tables::load(cx.tx, POST_AUTHORS, tables::key(&key))?.unwrap_or_default();
        if author.day != day(cx) {
            (author.day, author.taken) = (day(cx), 0);
        }
        author.taken += 1;
        author.known += 1;
        tables::save(cx.tx, POST_AUTHORS, tables::key(&key), &author)?;
        self.trim_topic(cx, id, topic)?;
        tables::save(cx.tx, TOPICS, tables::key(id), topic)?;
        if !self.is_author_blocked(cx, &post.author)? {
            let event =
                EventRecord { what: "post".into(), conversation: id.to_vec(), cursor, ..Default::default() };
            self.log_event(cx, event)?;
        }
        Ok(cursor)
    }

    /// Clears the texts of the oldest posts where there are too many, and forgets those that were cleared long ago.
    fn trim_topic(
        &self,
        cx: &mut Context<'_>,
        id: &TopicId,
        topic: &mut TopicRecord,
    ) -> Result<(), EngineError> {
        let (posts_max, bytes_max) = (self.limits.topic_posts_max as u64, self.limits.topic_bytes_max);
        while topic.next - topic.kept_from > posts_max || topic.bytes > bytes_max {
            let at = tables::at(id, topic.kept_from);
            if let Some(mut post) = tables::load::<PostRecord>(cx.tx, POSTS, at)? {
                topic.bytes = topic.bytes.saturating_sub(post.text.len() as u64);
                post.text.clear();
                post.claimed_name.clear();
                tables::save(cx.tx, POSTS, at, &post)?;
            }
            topic.kept_from += 1;
        }
        while topic.kept_from - topic.known_from > REMEMBERED_FACTOR * posts_max {
            if let Some(post) = tables::load(cx.tx, POSTS, tables::at(id, topic.known_from))? {
                forget_post(cx, id, topic.known_from, &post)?;
            }
            topic.known_from += 1;
        }
        Ok(())
    }

    /// Forgets everything that was posted to a topic.
    pub(super) fn forget_posts(
        &self,
        cx: &mut Context<'_>,
        id: &TopicId,
        topic: &TopicRecord,
    ) -> Result<(), EngineError> {
        let mut from = topic.known_from;
        loop {
            let page: Vec<(u64, PostRecord)> =
                tables::scan(cx.tx, POSTS, id, from..u64::MAX, Direction::Forward, PAGE)?;
            let Some((last, _)) = page.last() else { break };
            from = last + 1;
            for (cursor, post) in &page {
                forget_post(cx, id, *cursor, post)?;
            }
        }
        let own: Vec<OwnPostRecord> = tables::all(cx.tx, OWN_POSTS)?;
        for post in own.iter().filter(|post| post.topic == id) {
            cx.tx.delete(OWN_POSTS, tables::key(&post.bundle))?;
        }
        Ok(())
    }
}

fn forget_post(
    cx: &mut Context<'_>,
    id: &TopicId,
    cursor: u64,
    post: &PostRecord,
) -> Result<(), EngineError> {
    cx.tx.delete(POSTS, tables::at(id, cursor))?;
    cx.tx.delete(POST_IDS, tables::key(&place_key(id, post)))?;
    let key = author_key(id, &post.author);
    let author: Option<PostAuthorRecord> = tables::load(cx.tx, POST_AUTHORS, tables::key(&key))?;
    match author {
        Some(author) if author.known > 1 => {
            let author = PostAuthorRecord { known: author.known - 1, ..author };
            tables::save(cx.tx, POST_AUTHORS, tables::key(&key), &author)
        }
        _ => Ok(cx.tx.delete(POST_AUTHORS, tables::key(&key))?),
    }
}

fn place_key(topic: &TopicId, post: &PostRecord) -> Vec<u8> {
    [topic, post.author.as_slice(), &post.id].concat()
}

fn author_key(topic: &TopicId, author: &[u8]) -> Vec<u8> {
    [topic, author].concat()
}

fn day(cx: &Context<'_>) -> u64 {
    cx.node_ms / DAY_MS
}
