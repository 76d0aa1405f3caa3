//! Own posts: made, given to the mesh, and given again while nothing carries them.
//!
//! What the mesh refuses for want of room is no error. The post stays, and its bundle is made again - the very same one,
//! since nothing in it is random but the salt that is kept - when a neighbour comes, after a while, and after a restart,
//! for as long as its lifetime lasts.

use qpq_crypto::topic::Draft;
use qpq_mesh::{
    Bundle, BundleId, Class, Label, SortKey,
    bundle::{Kind, SizeClass},
};
use qpq_proto::{
    Failure,
    limits::TOPIC_POSTS_PER_DAY_MAX,
    v1::{BroadcastPostRequest, BroadcastPostResponse},
};

use crate::{
    context::Context,
    engine::Engine,
    input::EngineError,
    outbox::Task,
    records::{OwnPostRecord, PostRecord},
    tables::{self, OWN_POSTS, POSTS},
};

/// How long a post that the mesh has refused waits, ms.
const RETRY_MS: u64 = 60_000;
/// Posts that the mesh may refuse before the others wait for the next look.
const REFUSED_MAX: usize = 16;
/// How long posts are carried: as long as their class may be, s.
const LIFETIME_S: u32 = Class::Topic.lifetime_s_max();

/// What is held in memory of own posts; all of it can be made anew.
#[derive(Debug)]
pub(crate) struct OwnPosts {
    /// Some of them may be carried by nobody.
    is_waiting: bool,
    /// A look at them is planned.
    is_planned: bool,
}

impl Default for OwnPosts {
    fn default() -> Self {
        Self { is_waiting: true, is_planned: false }
    }
}

impl OwnPosts {
    /// The present input's transaction is dropped.
    pub(crate) fn discard(&mut self) {
        self.is_waiting = true;
    }
}

impl Engine {
    pub(crate) fn broadcast_post(
        &mut self,
        cx: &mut Context<'_>,
        request: &BroadcastPostRequest,
    ) -> Result<BroadcastPostResponse, Failure> {
        Self::check_text(&request.text)?;
        let (author, claimed_name) = self.me().map(|me| (me.id(), me.name.clone()))?;
        let (key, mut topic) = self.topic_named(cx, &request.topic)?;
        if self.posts_left_today(cx, &key.id(), &author, TOPIC_POSTS_PER_DAY_MAX)? == 0 {
            return Err(Failure::quota(format!(
                "you have posted {TOPIC_POSTS_PER_DAY_MAX} times to {} today, which is as much as others take",
                topic.name
            )));
        }
        let post = PostRecord {
            id: cx.message_id().to_vec(),
            author,
            claimed_name,
            text: request.text.clone(),
            posted_at_ms: cx.now.wall_ms,
            received_at_ms: cx.now.wall_ms,
        };
        let cursor = self.keep_post(cx, &key.id(), &mut topic, &post)?;
        let mut own = OwnPostRecord {
            topic: key.id().to_vec(),
            cursor,
            salt: cx.random::<8>().to_vec(),
            until_node_ms: cx.node_ms + u64::from(LIFETIME_S) * 1_000,
            ..OwnPostRecord::default()
        };
        let bundle = self.bundle_of(cx, &own)?.ok_or_else(Failure::internal)?;
        own.bundle = bundle.id().as_bytes().to_vec();
        own.kind = bundle.header().kind().to_byte().into();
        tables::save(cx.tx, OWN_POSTS, tables::key(&own.bundle), &own)?;
        self.deposit_post(cx, bundle)?;
        Ok(BroadcastPostResponse { post: Some(self.post_view(cx, &topic, cursor, &post)?) })
    }

    /// Looks for own posts that nothing carries, if there may be any.
    pub(crate) fn deposit_waiting_posts(&mut self, cx: &mut Context<'_>) -> Result<(), EngineError> {
        if self.own_posts.is_waiting { self.deposit_posts(cx) } else { Ok(()) }
    }

    /// Gives to the mesh what it does not hold of own posts, and forgets those whose lifetime is over.
    pub(crate) fn deposit_posts(&mut self, cx: &mut Context<'_>) -> Result<(), EngineError> {
        (self.own_posts.is_waiting, self.own_posts.is_planned) = (false, false);
        let mut refused = 0;
        for own in tables::all::<OwnPostRecord>(cx.tx, OWN_POSTS)? {
            let is_over = own.until_node_ms <= cx.node_ms;
            if !is_over && self.holds_post(&own) {
                continue;
            }
            if !is_over && refused == REFUSED_MAX {
                continue;
            }
            let bundle = if is_over { None } else { self.bundle_of(cx, &own)? };
            match bundle.filter(|bundle| bundle.id().as_bytes() == own.bundle.as_slice()) {
                Some(bundle) => {
                    if !self.deposit_post(cx, bundle)? {
                        refused += 1;
                    }
                }
                // Another device of this person made it: sealed by this one, another body would have the same key.
                None => cx.tx.delete(OWN_POSTS, tables::key(&own.bundle))?,
            }
        }
        Ok(())
    }

    /// Gives a post to the mesh. Whether it is carried; if not, it is given again later.
    fn deposit_post(&mut self, cx: &mut Context<'_>, bundle: Bundle) -> Result<bool, EngineError> {
        let key = SortKey::of(bundle.header());
        self.mesh_input(cx, qpq_mesh::Input::Deposit { bundle })?;
        if self.is_carried(key) {
            return Ok(true);
        }
        self.own_posts.is_waiting = true;
        if !std::mem::replace(&mut self.own_posts.is_planned, true) {
            self.outbox.plan(cx.now.monotonic_ms + RETRY_MS, Task::Posts);
        }
        Ok(false)
    }

    fn holds_post(&self, own: &OwnPostRecord) -> bool {
        let kind = u8::try_from(own.kind).ok().and_then(Kind::from_byte);
        let id = own.bundle.as_slice().try_into().ok().map(BundleId::from_bytes);
        kind.zip(id).is_some_and(|(kind, id)| self.is_carried(SortKey::new(kind, &id)))
    }

    /// The bundle of an own post, with what is left of its lifetime; `None` if the post or its topic is gone.
    fn bundle_of(&self, cx: &Context<'_>, own: &OwnPostRecord) -> Result<Option<Bundle>, EngineError> {
        let Some(topic) = self.topic(cx, &own.topic)?.filter(|topic| topic.kept_from <= own.cursor) else {
            return Ok(None);
        };
        let post: Option<PostRecord> = tables::load(cx.tx, POSTS, tables::at(&own.topic, own.cursor))?;
        let (Some(post), Some(key), Some(me)) = (post, topic.key(), &self.me) else { return Ok(None) };
        let malformed = || EngineError::Internal("an own post is malformed".into());
        let salt = own.salt.as_slice().try_into().map_err(|_| malformed())?;
        let draft = Draft {
            id: post.id.as_slice().try_into().map_err(|_| malformed())?,
            posted_at_ms: post.posted_at_ms,
            name: &post.claimed_name,
            text: &post.text,
        };
        let body = key.seal_post(salt, &me.identity, &me.device, &draft);
        let body = body.map_err(|error| EngineError::Internal(error.to_string()))?;
        debug_assert!(SizeClass::of(body.len()).is_some(), "the longest text fits a size class");
        let label = Label {
            class: Class::Topic,
            lifetime_max_s: LIFETIME_S,
            salt: *salt,
            tag: key.route().tag(salt),
            settle: None,
        };
        let mut bundle = Bundle::new(label, body.into()).map_err(|_| malformed())?;
        let left_s = own.until_node_ms.saturating_sub(cx.node_ms) / 1_000;
        bundle.transit.remaining_s = u32::try_from(left_s).unwrap_or(LIFETIME_S);
        Ok(Some(bundle))
    }
}
