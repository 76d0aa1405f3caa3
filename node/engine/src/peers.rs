//! Which nodes are connected, which are wanted, and which calls to them are under way.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use bytes::Bytes;
use qpq_proto::ids::NodeKey;

use crate::{
    context::Context,
    engine::Engine,
    input::{CallFailure, CallId, Effect, EngineError},
    outbox::Stream,
    records::{NameRecord, PersonRecord, Standing},
    relays::Mailed,
    tables::{self, NODES, PEOPLE},
};

mod calls;
pub(crate) use calls::Purpose;

/// Connections and calls of this run; nothing of it is kept.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    connected: BTreeSet<NodeKey>,
    wanted: BTreeSet<NodeKey>,
    /// Nodes seen on the LAN that are wanted as neighbours, whoever's they are.
    nearby: BTreeSet<NodeKey>,
    /// People all of whose nodes are wanted.
    people_wanted: BTreeSet<Vec<u8>>,
    calls: BTreeMap<CallId, Purpose>,
    /// Recipients and streams of the deliveries among the calls.
    delivering: BTreeSet<(Vec<u8>, Stream)>,
    next_call: u64,
    /// What the present input has changed, and what its effects say.
    changes: Vec<Change>,
}

/// A change that is undone if its effect does not go out.
#[derive(Debug)]
enum Change {
    Wanted(NodeKey),
    PersonWanted(Vec<u8>),
    Released(NodeKey),
    Neared(NodeKey),
    Parted(NodeKey),
    Called(CallId),
}

impl Peers {
    pub(crate) fn is_connected(&self, node: &NodeKey) -> bool {
        self.connected.contains(node)
    }

    pub(crate) fn is_under_way(&self, purpose: &Purpose) -> bool {
        self.calls.values().any(|call| call == purpose)
    }

    pub(crate) fn connected(&self) -> Vec<NodeKey> {
        self.connected.iter().copied().collect()
    }

    /// Whether a delivery of a stream to a recipient is under way.
    pub(crate) fn is_delivering(&self, recipient: &[u8], stream: &Stream) -> bool {
        self.delivering.contains(&(recipient.to_vec(), stream.clone()))
    }

    pub(crate) fn is_wanted(&self, person: &[u8]) -> bool {
        self.people_wanted.contains(person)
    }

    /// Notes that a person's nodes are wanted; returns those that were not.
    pub(crate) fn want(&mut self, person: &[u8], nodes: &[NodeKey]) -> Vec<NodeKey> {
        if self.people_wanted.insert(person.to_vec()) {
            self.changes.push(Change::PersonWanted(person.to_vec()));
        }
        let new: Vec<NodeKey> = nodes.iter().copied().filter(|node| self.wanted.insert(*node)).collect();
        self.changes.extend(new.iter().copied().map(Change::Wanted));
        new
    }

    /// Notes that a person's nodes are no longer wanted; returns those that were.
    fn release(&mut self, person: &[u8], nodes: &[NodeKey]) -> Vec<NodeKey> {
        self.people_wanted.remove(person);
        let gone: Vec<NodeKey> = nodes.iter().copied().filter(|node| self.wanted.remove(node)).collect();
        self.changes.extend(gone.iter().copied().map(Change::Released));
        gone
    }

    /// Whether a node is wanted, be it for a person or as a neighbour.
    pub(crate) fn is_node_wanted(&self, node: &NodeKey) -> bool {
        self.wanted.contains(node) || self.nearby.contains(node)
    }

    /// Nodes wanted as neighbours, whoever's they are.
    pub(crate) fn nearby(&self) -> usize {
        self.nearby.len()
    }

    /// Notes that a node is wanted as a neighbour.
    pub(crate) fn near(&mut self, node: NodeKey) {
        if self.nearby.insert(node) {
            self.changes.push(Change::Neared(node));
        }
    }

    /// Notes that a node is no longer wanted as a neighbour; whether it was.
    pub(crate) fn part(&mut self, node: NodeKey) -> bool {
        let was_near = self.nearby.remove(&node);
        if was_near {
            self.changes.push(Change::Parted(node));
        }
        was_near
    }

    /// The present input's effects go out.
    pub(crate) fn keep(&mut self) {
        self.changes.clear();
    }

    /// The present input's effects do not go out: what they say has not happened.
    pub(crate) fn discard(&mut self) {
        for change in std::mem::take(&mut self.changes).into_iter().rev() {
            match change {
                Change::Wanted(node) => drop(self.wanted.remove(&node)),
                Change::PersonWanted(person) => drop(self.people_wanted.remove(&person)),
                Change::Released(node) => drop(self.wanted.insert(node)),
                Change::Neared(node) => drop(self.nearby.remove(&node)),
                Change::Parted(node) => drop(self.nearby.insert(node)),
                Change::Called(call) => drop(self.ended(call)),
            }
        }
    }

    /// A person may have further nodes.
    pub(crate) fn nodes_changed(&mut self, person: &[u8]) {
        self.people_wanted.remove(person);
    }
}

impl Engine {
    /// Asks for connections to a person's nodes.
    pub(crate) fn want(&mut self, cx: &mut Context<'_>, person: &PersonRecord) {
        let nodes: Vec<NodeKey> =
            person.node_keys().into_iter().filter(|node| *node != self.config.node).collect();
        let addresses: Vec<SocketAddr> = person.socket_addresses();
        for node in self.peers.want(&person.identity, &nodes) {
            cx.effects.push(Effect::Want { node, addresses: addresses.clone() });
        }
    }

    /// Wants the nodes of every contact, and of everybody for whom something waits.
    pub(crate) fn want_everybody(&mut self, cx: &mut Context<'_>) -> Result<(), EngineError> {
        let waiting = self.waiting_deliveries(cx)?;
        let people: Vec<PersonRecord> = tables::all(cx.tx, PEOPLE)?;
        for person in people {
            let is_waited_for = waiting.get(&person.identity).is_some_and(|waiting| *waiting > 0);
            let is_close = matches!(person.standing(), Standing::Requested | Standing::Accepted);
            if is_close || is_waited_for {
                self.want(cx, &person);
            }
        }
        Ok(())
    }

    /// Takes up, after a start, what the last run may have left undone.
    pub(crate) fn finish_open_work(&mut self, cx: &mut Context<'_>) -> Result<(), EngineError> {
        self.resume_all(cx)?;
        self.watch_gaps(cx)?;
        self.plan_receipts(cx)?;
        self.sweep(cx)
    }

    /// The people who say that a node is theirs. The node has not confirmed it, so nobody's word hides another's.
    pub(crate) fn owners_of_node(
        &self,
        cx: &Context<'_>,
        node: NodeKey,
    ) -> Result<Vec<Vec<u8>>, EngineError> {
        let owners: Vec<(u64, NameRecord)> = tables::first(cx.tx, NODES, node.as_bytes(), usize::MAX)?;
        Ok(owners.into_iter().map(|(_, owner)| owner.target).collect())
    }

    /// Notes which nodes are a person's, and which are no longer.
    pub(crate) fn assign_nodes(
        &self,
        cx: &mut Context<'_>,
        person: &[u8],
        before: &[Vec<u8>],
        after: &[Vec<u8>],
    ) -> Result<(), EngineError> {
        let changed = before.iter().filter(|node| !after.contains(node));
        let changed = changed.chain(after.iter().filter(|node| !before.contains(node)));
        cx.judged_anew.extend(changed.filter_map(|node| NodeKey::try_from(node.as_slice()).ok()));
        for node in before.iter().filter(|node| !after.contains(node)) {
            let owners: Vec<(u64, NameRecord)> = tables::first(cx.tx, NODES, node, usize::MAX)?;
            for (ordinal, _) in owners.iter().filter(|(_, owner)| owner.target == person) {
                cx.tx.delete(NODES, tables::at(node, *ordinal))?;
            }
        }
        for node in after.iter().filter(|node| !before.contains(node)) {
            let ordinal = tables::next_ordinal(cx.tx, NODES, node)?;
            tables::save(cx.tx, NODES, tables::at(node, ordinal), &NameRecord { target: person.to_vec() })?;
        }
        Ok(())
    }

    /// Lets go of a person's nodes, but for those that another says are theirs, and is wanted.
    pub(crate) fn release(&mut self, cx: &mut Context<'_>, person: &PersonRecord) -> Result<(), EngineError> {
        let mut nodes = Vec::new();
        for node in person.node_keys() {
            let owners = self.owners_of_node(cx, node)?;
            let mut others = owners.iter().filter(|owner| **owner != person.identity);
            if !others.any(|other| self.peers.is_wanted(other)) {
                nodes.push(node);
            }
        }
        for node in self.peers.release(&person.identity, &nodes) {
            self.let_go(cx, node)?;
        }
        Ok(())
    }

    pub(crate) fn peer_connected(
        &mut self,
        cx: &mut Context<'_>,
        node: NodeKey,
        address: &str,
    ) -> Result<(), EngineError> {
        self.peers.connected.insert(node);
        for identity in self.owners_of_node(cx, node)? {
            if let Some(person) = self.learn_where(cx, &identity, &[address.to_owned()])? {
                self.ask_hybrid_key(cx, &person, node);
                self.ask_directly(cx, person)?;
            }
            self.recipient_reachable(cx, &identity)?;
        }
        self.neighbour_connected(cx, node)
    }

    pub(crate) fn peer_disconnected(
        &mut self,
        cx: &mut Context<'_>,
        node: NodeKey,
    ) -> Result<(), EngineError> {
        self.peers.connected.remove(&node);
        for identity in self.owners_of_node(cx, node)? {
            self.mail_soon(cx, &identity)?;
        }
        self.mesh_input(cx, qpq_mesh::Input::LinkDown { node })?;
        // What would have gone to it directly may go by others now.
        self.carry_soon(cx.now);
        Ok(())
    }

    pub(crate) fn answered(
        &mut self,
        cx: &mut Context<'_>,
        call: CallId,
        result: Result<Bytes, CallFailure>,
    ) -> Result<(), EngineError> {
        match self.peers.ended(call) {
            None => Ok(()),
            Some(Purpose::Delivery { stream, recipient, ordinal }) => {
                self.delivery_answered(cx, &stream, &recipient, ordinal, result)
            }
            Some(Purpose::Mesh { generation, call, method }) => {
                self.mesh_answered(cx, generation, call, method, result)
            }
            Some(Purpose::HybridKey { person }) => self.hybrid_key_answered(cx, &person, result),
            Some(Purpose::MailedHybridKey { person, mailbox }) => {
                self.hybrid_key_fetched(cx, &person, &mailbox, result)
            }
            Some(Purpose::Mail { stream, recipient, ordinal, mailbox, token }) => {
                let mailed = Mailed {
                    stream: &stream,
                    recipient: &recipient,
                    ordinal,
                    mailbox: &mailbox,
                    token: &token,
                };
                self.mail_answered(cx, &mailed, result)
            }
            Some(Purpose::MailBatch { letters }) => self.batch_answered(cx, letters, result),
            Some(Purpose::Relay { relay, round, step }) => {
                self.relay_answered(cx, relay, round, step, result)
            }
            Some(Purpose::Recovery { attempt }) => self.bundle_fetched(cx, attempt, result),
        }
    }
}

#[cfg(test)]
mod tests;
