//! What this node does for others, and with whom it has agreed on it.

use std::net::SocketAddr;

use qpq_mesh::{Tier, wire::NodeKind};
use qpq_proto::{
    Failure,
    ids::NodeKey,
    limits::PAIRED_NODES_MAX,
    v1::{PairNodeRequest, PairNodeResponse, SetRoleRequest, SetRoleResponse},
};

use crate::{
    context::Context,
    engine::Engine,
    input::{Effect, EngineError},
    records::{PairRecord, RolesRecord},
    storage::Transaction,
    tables::{self, PAIRS, ROLES, SINGLE},
};

impl Engine {
    pub(crate) fn set_role(
        &mut self,
        cx: &mut Context<'_>,
        request: &SetRoleRequest,
    ) -> Result<SetRoleResponse, Failure> {
        let mut roles = roles(cx.tx)?;
        match request.role.as_str() {
            "carrier" => roles.is_carrier = request.on,
            "relay" => roles.is_relay = request.on,
            "federation" => {
                return Err(Failure::forbidden("this version does not offer the role federation"));
            }
            _ => return Err(Failure::bad_request("role", "the roles are carrier, relay and federation")),
        }
        tables::save(cx.tx, ROLES, tables::key(SINGLE), &roles)?;
        self.reopen_mesh(cx)?;
        Ok(SetRoleResponse { roles: roles.names() })
    }

    pub(crate) fn pair_node(
        &self,
        cx: &mut Context<'_>,
        request: &PairNodeRequest,
    ) -> Result<PairNodeResponse, Failure> {
        let node = NodeKey::try_from(request.node.as_slice())
            .map_err(|_| Failure::bad_request("node", "a node key is 32 bytes long: `qpq id` shows it"))?;
        if node == self.config.node {
            return Err(Failure::bad_request("node", "this is the key of this node: name the other one"));
        }
        let addresses: Vec<SocketAddr> = request
            .addresses
            .iter()
            .map(|address| address.parse())
            .collect::<Result<_, _>>()
            .map_err(|_| Failure::bad_request("addresses", "an address is an IP address and a port"))?;
        match request.paired {
            true => self.pair(cx, node, addresses)?,
            false => self.unpair(cx, node)?,
        }
        cx.judged_anew.insert(node);
        Ok(PairNodeResponse {})
    }

    fn pair(&self, cx: &mut Context<'_>, node: NodeKey, addresses: Vec<SocketAddr>) -> Result<(), Failure> {
        let others = paired(cx.tx)?.iter().filter(|pair| pair.node != node.as_bytes()).count();
        if others >= PAIRED_NODES_MAX {
            let message =
                format!("{PAIRED_NODES_MAX} nodes are paired already: `qpq mesh unpair NODE` one first");
            return Err(Failure::quota(message));
        }
        let record = PairRecord {
            node: node.as_bytes().to_vec(),
            addresses: addresses.iter().map(ToString::to_string).collect(),
        };
        tables::save(cx.tx, PAIRS, tables::key(node.as_bytes()), &record)?;
        cx.effects.push(Effect::Want { node, addresses });
        Ok(())
    }

    fn unpair(&self, cx: &mut Context<'_>, node: NodeKey) -> Result<(), Failure> {
        if !is_paired(cx.tx, node)? {
            return Err(Failure::not_found("this node is not paired: `qpq mesh peers` shows those that are"));
        }
        cx.tx.delete(PAIRS, tables::key(node.as_bytes()))?;
        Ok(self.let_go(cx, node)?)
    }

    /// Wants, after a start, the nodes this one is paired with.
    pub(crate) fn want_paired(&self, cx: &mut Context<'_>) -> Result<(), EngineError> {
        for pair in paired(cx.tx)? {
            let Ok(node) = NodeKey::try_from(pair.node.as_slice()) else { continue };
            let addresses = pair.addresses.iter().filter_map(|address| address.parse().ok()).collect();
            cx.effects.push(Effect::Want { node, addresses });
        }
        Ok(())
    }
}

/// The roles that are switched on.
pub(crate) fn roles(tx: &dyn Transaction) -> Result<RolesRecord, EngineError> {
    Ok(tables::load(tx, ROLES, tables::key(SINGLE))?.unwrap_or_default())
}

/// What kind of node this is to its neighbours. A relay carries too.
pub(crate) fn kind(tx: &dyn Transaction) -> Result<NodeKind, EngineError> {
    Ok(if roles(tx).map(|roles| roles.is_carrier || roles.is_relay)? {
        NodeKind::Carrier
    } else {
        NodeKind::Mobile
    })
}

/// The nodes that this one is paired with.
pub(crate) fn paired(tx: &dyn Transaction) -> Result<Vec<PairRecord>, EngineError> {
    tables::all(tx, PAIRS)
}

pub(crate) fn is_paired(tx: &dyn Transaction, node: NodeKey) -> Result<bool, EngineError> {
    Ok(tx.get(PAIRS, tables::key(node.as_bytes()))?.is_some())
}

/// How close a bringer stands, in the words of the wire.
pub(crate) const fn standing_word(tier: Tier) -> &'static str {
    match tier {
        Tier::Own => "own",
        Tier::Paired => "paired",
        Tier::Contact => "contact",
        Tier::Stranger => "stranger",
    }
}

/// A kind of node, in the words of the wire.
pub(crate) const fn kind_word(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Carrier => "carrier",
        NodeKind::Mobile => "mobile",
        NodeKind::Leaf => "leaf",
    }
}
