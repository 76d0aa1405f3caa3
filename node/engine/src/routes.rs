//! Recognising for whom a parcel is, by its tag, and opening its outer seal.

use std::collections::BTreeSet;

use bytes::Bytes;
use prost::Message as _;
use qpq_crypto::{padding, route::RoutingSecret, topic::TopicKey};
use qpq_mesh::Class;
use qpq_proto::v1::{Parcel, ParcelContent};
use zeroize::Zeroizing;

use crate::{
    context::Context,
    engine::Engine,
    input::EngineError,
    records::{ConversationRecord, TopicRecord},
    tables::{self, CONVERSATIONS, TOPICS},
    topics::TopicId,
};

/// What a routing secret leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    /// Introductions from people who share no group with this person.
    Stranger,
    /// An MLS group.
    Group(Vec<u8>),
}

/// A parcel that is for this person.
pub(crate) struct Recognised {
    pub destination: Destination,
    /// MLS message or sealed introduction.
    pub message: Zeroizing<Vec<u8>>,
    /// What settles the parcel's bundle, if it is for this device alone.
    pub settle_secret: Option<[u8; 32]>,
    /// Instead of a message: a piece of a longer parcel, as it was sealed.
    pub piece: Option<Bytes>,
}

/// Every routing secret of this person, the most recently used first.
///
/// Topics are apart: only their secrets are tried on bundles of their class, and on no others. So neither costs the other
/// time, and whoever gives a group the routing secret of a topic makes neither of them disappear.
pub(crate) struct RouteIndex {
    routes: Vec<(RoutingSecret, Destination)>,
    topics: Vec<(RoutingSecret, TopicId)>,
    /// Bundles that are held were looked through by these.
    is_looked: bool,
}

impl RouteIndex {
    fn find(&mut self, salt: &[u8; 8], tag: &[u8; 16]) -> Option<&(RoutingSecret, Destination)> {
        let position = self.routes.iter().position(|(secret, _)| secret.matches(salt, tag))?;
        self.routes[..=position].rotate_right(1);
        self.routes.first()
    }

    /// Whether it is new to the bundles that are held; from now on it is not.
    pub(crate) fn is_new(&mut self) -> bool {
        !std::mem::replace(&mut self.is_looked, true)
    }

    /// The topic of a bundle of that class.
    pub(crate) fn find_topic(&self, salt: &[u8; 8], tag: &[u8; 16]) -> Option<TopicId> {
        self.topics.iter().find(|(secret, _)| secret.matches(salt, tag)).map(|(_, topic)| *topic)
    }

    /// Whether one of the secrets for bundles of a class gives a tag that starts like this.
    pub(crate) fn recognises(&self, class: Class, salt: &[u8; 8], start: &[u8]) -> bool {
        match class {
            Class::Topic => self.topics.iter().any(|(secret, _)| secret.matches_start(salt, start)),
            _ => self.routes.iter().any(|(secret, _)| secret.matches_start(salt, start)),
        }
    }

    /// What tells the secrets apart, and says nothing of them.
    pub(crate) fn marks(&self) -> impl Iterator<Item = [u8; 16]> + '_ {
        let topics = self.topics.iter().map(|(secret, _)| mark_of(secret));
        self.routes.iter().map(|(secret, _)| mark_of(secret)).chain(topics)
    }

    /// Those of the secrets that have one of these marks.
    pub(crate) fn only(&self, marks: &BTreeSet<[u8; 16]>) -> Self {
        let routes = self.routes.iter().filter(|(secret, _)| marks.contains(&mark_of(secret)));
        let topics = self.topics.iter().filter(|(secret, _)| marks.contains(&mark_of(secret)));
        Self { routes: routes.cloned().collect(), topics: topics.cloned().collect(), is_looked: true }
    }

    /// The secret of one topic alone.
    pub(crate) fn of_topic(key: &TopicKey) -> Self {
        Self { routes: Vec::new(), topics: vec![(key.route(), key.id())], is_looked: true }
    }
}

impl Engine {
    /// Finds the destination of a parcel and opens it; `None` if it is for nobody here, or broken.
    pub(crate) fn recognise(
        &mut self,
        cx: &Context<'_>,
        parcel: &Parcel,
    ) -> Result<Option<Recognised>, EngineError> {
        let Ok(salt) = <&[u8; 8]>::try_from(&parcel.salt[..]) else { return Ok(None) };
        let Ok(tag) = <&[u8; 16]>::try_from(&parcel.tag[..]) else { return Ok(None) };
        if self.routes.is_none() {
            self.routes = Some(self.collect_routes(cx)?);
        }
        let Some((secret, destination)) = self.routes.as_mut().and_then(|routes| routes.find(salt, tag))
        else {
            return Ok(None);
        };
        let Some(content) = open_content(secret, parcel) else { return Ok(None) };
        let is_for_others =
            !content.reader.is_empty() && !self.me.as_ref().is_some_and(|me| me.is(&content.reader));
        if is_for_others {
            return Ok(None);
        }
        Ok(Some(Recognised {
            destination: destination.clone(),
            settle_secret: content.settle_secret.as_slice().try_into().ok(),
            message: Zeroizing::new(content.message),
            piece: (!content.piece.is_empty()).then(|| content.piece.into()),
        }))
    }

    pub(crate) fn collect_routes(&self, cx: &Context<'_>) -> Result<RouteIndex, EngineError> {
        let mut routes = Vec::new();
        if let Some(me) = &self.me {
            routes.push((RoutingSecret::derive_stranger(&me.identity.public()), Destination::Stranger));
        }
        let conversations: Vec<ConversationRecord> = tables::all(cx.tx, CONVERSATIONS)?;
        let routes_of_all = conversations.iter().flat_map(|conversation| &conversation.routes);
        for route in
            routes_of_all.filter(|route| route.until_node_ms == 0 || route.until_node_ms > cx.node_ms)
        {
            if let Ok(secret) = <[u8; 32]>::try_from(route.secret.as_slice()) {
                routes.push((RoutingSecret::from_bytes(&secret), Destination::Group(route.group_id.clone())));
            }
        }
        let topics: Vec<TopicRecord> = tables::all(cx.tx, TOPICS)?;
        let topics = topics.iter().filter_map(TopicRecord::key).map(|key| (key.route(), key.id()));
        Ok(RouteIndex { routes, topics: topics.collect(), is_looked: false })
    }

    /// The topic of a bundle of that class, if it is subscribed to.
    pub(crate) fn recognise_topic(
        &mut self,
        cx: &Context<'_>,
        salt: &[u8; 8],
        tag: &[u8; 16],
    ) -> Result<Option<TopicId>, EngineError> {
        let routes = match self.routes.take() {
            Some(routes) => routes,
            None => self.collect_routes(cx)?,
        };
        let topic = routes.find_topic(salt, tag);
        self.routes = Some(routes);
        Ok(topic)
    }
}

/// What tells a secret from others.
fn mark_of(secret: &RoutingSecret) -> [u8; 16] {
    secret.tag(&[0; 8])
}

/// Opens a parcel's outer seal; `None` if it was not sealed under this secret, or is broken.
pub(crate) fn open_content(secret: &RoutingSecret, parcel: &Parcel) -> Option<ParcelContent> {
    let salt = <&[u8; 8]>::try_from(&parcel.salt[..]).ok()?;
    let padded = Zeroizing::new(secret.open_body(salt, &parcel.body).ok()?);
    ParcelContent::decode(padding::unpad(&padded).ok()?).ok()
}

impl ConversationRecord {
    /// Every routing secret under which parcels of the conversation were sealed, as far as they are kept.
    pub(crate) fn routing_secrets(&self) -> impl Iterator<Item = RoutingSecret> + '_ {
        let secrets = self.routes.iter().filter_map(|route| route.secret.as_slice().try_into().ok());
        secrets.map(RoutingSecret::from_bytes)
    }
}

#[cfg(test)]
mod tests;
