//! Broadcast topics: whoever has a topic's key reads its posts and posts to it.
//!
//! ```text
//!   broadcast ──► post, signed ──► own bundle ──► custody here and elsewhere ──► whoever has the key
//!                   │                 ▲                                            │ opens, verifies
//!                   ▼                 │ made again while it is held by nobody      ▼
//!                 POSTS           OWN_POSTS                                      POSTS ──► event
//! ```
//!
//! A post travels as a bundle of its own class and ends by its lifetime alone: nothing settles it, since nobody knows who
//! has the key. A subscriber opens it and goes on carrying it like everybody else. What a post says of its author is
//! proven ([`qpq_crypto::topic`]); that it is welcome is not: whoever has the key can post, under as many identities as
//! they like. So everything here is bounded: posts and bytes of a topic, and posts of an author in a day.
//!
//! The newest posts are kept with their texts; of twice as many older ones it is remembered that they were there, so that
//! a bundle that somebody kept and sends again is not shown as new.

use qpq_crypto::{link::Link, text, topic::TopicKey};
use qpq_proto::{
    Failure,
    v1::{
        ListTopicsResponse, SubscribeTopicRequest, SubscribeTopicResponse, Topic, UnsubscribeTopicRequest,
        UnsubscribeTopicResponse,
    },
};

use crate::{
    context::Context,
    engine::Engine,
    identity::checked_name,
    input::EngineError,
    people::name_key,
    records::{NameRecord, TopicRecord},
    routes::RouteIndex,
    tables::{self, NAMES, TOPICS},
};

pub(crate) use outgoing::OwnPosts;

mod outgoing;
mod posts;
mod reading;

/// Names a topic on this node; says nothing of its key.
pub(crate) type TopicId = [u8; 32];

/// Before the names of topics where names are kept; nobody types it.
pub(crate) const TOPIC_SIGIL: char = '*';

impl Engine {
    pub(crate) fn subscribe_topic(
        &mut self,
        cx: &mut Context<'_>,
        request: &SubscribeTopicRequest,
    ) -> Result<SubscribeTopicResponse, Failure> {
        // No name has a colon, so that what has one is a link, or was to be one.
        let (record, created) = match request.topic.contains(':') {
            true => self.follow_topic(cx, &request.topic)?,
            false => (self.make_topic(cx, &request.topic)?, true),
        };
        Ok(SubscribeTopicResponse { topic: Some(topic_view(&record)?), created })
    }

    fn follow_topic(&mut self, cx: &mut Context<'_>, link: &str) -> Result<(TopicRecord, bool), Failure> {
        let link: Link = link.parse().map_err(link_failure)?;
        let (key, name) = link.into_topic().map_err(link_failure)?;
        if let Some(known) = self.topic(cx, &key.id())? {
            return Ok((known, false));
        }
        self.check_topic_count(cx)?;
        let name = self.claim_name(cx, TOPIC_SIGIL, &name, &key.id())?;
        let record = self.add_topic(cx, &key, name)?;
        // Neighbours may have offered its posts before, when they were of no use here.
        self.mesh_input(cx, qpq_mesh::Input::AskAgain)?;
        Ok((record, false))
    }

    fn make_topic(&mut self, cx: &mut Context<'_>, name: &str) -> Result<TopicRecord, Failure> {
        let name = checked_name("topic", name)?;
        if !self.name_is_free(cx, TOPIC_SIGIL, &name)? {
            return Err(Failure::conflict(format!(
                "there is a topic named {name} already: `qpq mesh topics` shows its link"
            )));
        }
        self.check_topic_count(cx)?;
        let key = TopicKey::generate(cx.rng);
        self.take_name(cx, TOPIC_SIGIL, &name, &key.id())?;
        Ok(self.add_topic(cx, &key, name)?)
    }

    fn check_topic_count(&self, cx: &Context<'_>) -> Result<(), Failure> {
        let most = self.limits.topics_max;
        if cx.tx.all(TOPICS).map_err(EngineError::from)?.len() < most {
            return Ok(());
        }
        Err(Failure::quota(format!("this node follows at most {most} topics: unsubscribe from one first")))
    }

    fn add_topic(
        &mut self,
        cx: &mut Context<'_>,
        key: &TopicKey,
        name: String,
    ) -> Result<TopicRecord, EngineError> {
        let record = TopicRecord {
            key: key.as_bytes().to_vec(),
            name,
            known_from: 1,
            kept_from: 1,
            next: 1,
            ..TopicRecord::default()
        };
        tables::save(cx.tx, TOPICS, tables::key(&key.id()), &record)?;
        self.routes = None;
        Ok(record)
    }

    pub(crate) fn unsubscribe_topic(
        &mut self,
        cx: &mut Context<'_>,
        request: &UnsubscribeTopicRequest,
    ) -> Result<UnsubscribeTopicResponse, Failure> {
        let (key, record) = self.topic_named(cx, &request.topic)?;
        self.forget_posts(cx, &key.id(), &record)?;
        self.release_name(cx, TOPIC_SIGIL, &record.name)?;
        cx.tx.delete(TOPICS, tables::key(&key.id()))?;
        self.end_interest(cx, RouteIndex::of_topic(&key))?;
        Ok(UnsubscribeTopicResponse {})
    }

    pub(crate) fn list_topics(&self, cx: &Context<'_>) -> Result<ListTopicsResponse, Failure> {
        let mut records: Vec<TopicRecord> = tables::all(cx.tx, TOPICS)?;
        records.sort_by_cached_key(|record| text::fold_name(&record.name));
        let topics = records.iter().map(topic_view).collect::<Result<_, _>>()?;
        Ok(ListTopicsResponse { topics })
    }

    pub(crate) fn names_of_other_topics(
        &self,
        cx: &Context<'_>,
        topic: &[u8],
    ) -> Result<Vec<String>, EngineError> {
        let records: Vec<TopicRecord> = tables::all(cx.tx, TOPICS)?;
        let is_other = |record: &TopicRecord| record.key().is_some_and(|key| key.id() != topic);
        Ok(records.into_iter().filter(is_other).map(|record| record.name).collect())
    }

    fn topic(&self, cx: &Context<'_>, id: &[u8]) -> Result<Option<TopicRecord>, EngineError> {
        tables::load(cx.tx, TOPICS, tables::key(id))
    }

    /// The topic of a name.
    fn topic_named(&self, cx: &Context<'_>, name: &str) -> Result<(TopicKey, TopicRecord), Failure> {
        let found: Option<NameRecord> =
            tables::load(cx.tx, NAMES, tables::key(&name_key(TOPIC_SIGIL, name)))?;
        let record = match found {
            Some(found) => self.topic(cx, &found.target)?,
            None => None,
        };
        record.and_then(|record| Some((record.key()?, record))).ok_or_else(|| {
            Failure::not_found(format!("no topic is named {name}: `qpq mesh topics` shows the topics"))
        })
    }
}

fn topic_view(record: &TopicRecord) -> Result<Topic, EngineError> {
    let corrupt = |reason: String| EngineError::Corrupt { table: TOPICS.0, reason };
    let key = record.key().ok_or_else(|| corrupt("a key is not 32 bytes long".into()))?;
    let link = Link::topic(key, &record.name).map_err(|error| corrupt(error.to_string()))?;
    Ok(Topic {
        name: record.name.clone(),
        link: link.to_string(),
        posts: record.next.saturating_sub(record.kept_from),
        newest_at_ms: record.newest_at_ms,
        dropped: record.dropped,
    })
}

fn link_failure(error: qpq_crypto::link::LinkError) -> Failure {
    Failure::bad_request("topic", error.to_string())
}

#[cfg(test)]
mod tests;
