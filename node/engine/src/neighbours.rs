//! Which nodes are sought as neighbours: besides those of this node's people and those it is paired with, a few that are
//! on the same local network, whoever's they are. They carry for strangers as this node does.

use std::net::SocketAddr;

use qpq_proto::ids::NodeKey;

use crate::{
    context::Context,
    engine::Engine,
    input::{Effect, EngineError},
    records::PersonRecord,
    roles,
};

impl Engine {
    /// Discovery saw a node.
    pub(crate) fn peer_discovered(
        &mut self,
        cx: &mut Context<'_>,
        node: NodeKey,
        addresses: Vec<SocketAddr>,
    ) -> Result<(), EngineError> {
        let shown: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        for identity in self.owners_of_node(cx, node)? {
            self.learn_where(cx, &identity, &shown)?;
        }
        let is_wanted = self.peers.is_node_wanted(&node) || roles::is_paired(cx.tx, node)?;
        let has_room = self.peers.nearby() < self.limits.lan_neighbours_max;
        if self.config.seeks_strangers && !is_wanted && has_room {
            self.peers.near(node);
            cx.effects.push(Effect::Want { node, addresses });
        }
        Ok(())
    }

    /// Notes where a person's node is.
    pub(crate) fn learn_where(
        &self,
        cx: &mut Context<'_>,
        identity: &[u8],
        addresses: &[String],
    ) -> Result<Option<PersonRecord>, EngineError> {
        let Some(mut person) = self.person(cx, identity)? else { return Ok(None) };
        let known = person.addresses.clone();
        person.learn_addresses(addresses);
        if person.addresses != known {
            self.save_person(cx, &person)?;
        }
        Ok(Some(person))
    }

    /// Discovery no longer sees a node.
    pub(crate) fn peer_lost(&mut self, cx: &mut Context<'_>, node: NodeKey) -> Result<(), EngineError> {
        if self.peers.part(node) { self.let_go(cx, node) } else { Ok(()) }
    }

    /// Gives up the connection to a node, unless something else wants it.
    pub(crate) fn let_go(&self, cx: &mut Context<'_>, node: NodeKey) -> Result<(), EngineError> {
        if !self.peers.is_node_wanted(&node) && !roles::is_paired(cx.tx, node)? {
            cx.effects.push(Effect::Release { node });
        }
        Ok(())
    }
}
