//! Recognising for whom a parcel is, by its tag, and opening its outer seal.

use qpq_crypto::{padding, route::RoutingSecret};
use qpq_proto::v1::Parcel;
use zeroize::Zeroizing;

use crate::{
    context::Context,
    engine::Engine,
    input::EngineError,
    records::ConversationRecord,
    tables::{self, CONVERSATIONS},
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
    pub inner: Zeroizing<Vec<u8>>,
}

/// Every routing secret of this person, the most recently used first.
pub(crate) struct RouteIndex(Vec<(RoutingSecret, Destination)>);

impl RouteIndex {
    fn find(&mut self, salt: &[u8; 8], tag: &[u8; 16]) -> Option<&(RoutingSecret, Destination)> {
        let position = self.0.iter().position(|(secret, _)| secret.matches(salt, tag))?;
        self.0[..=position].rotate_right(1);
        self.0.first()
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
        let Ok(mut padded) = secret.open_body(salt, &parcel.body).map(Zeroizing::new) else {
            return Ok(None);
        };
        let Ok(length) = padding::unpad(&padded).map(<[u8]>::len) else { return Ok(None) };
        padded.truncate(length);
        Ok(Some(Recognised { destination: destination.clone(), inner: padded }))
    }

    fn collect_routes(&self, cx: &Context<'_>) -> Result<RouteIndex, EngineError> {
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
        Ok(RouteIndex(routes))
    }
}

#[cfg(test)]
mod tests;
