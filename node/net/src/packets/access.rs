//! For whom packets are passed on.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use iroh::EndpointId;
use iroh_relay::server::clients::Clients;
use iroh_relay::server::{Access as Verdict, AccessControl, ClientRequest, ConnectionId};
use qpq_proto::ids::NodeKey;

use crate::lock;

/// Whether packets are passed on for a node; if not, why, for whoever runs the node.
pub type Decision<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// Decides for whom packets are passed on.
pub trait Admits: fmt::Debug + Send + Sync + 'static {
    /// About a node, which has proved its key.
    fn admits(&self, node: NodeKey) -> Decision<'_>;
}

/// Asks, and counts the connections.
#[derive(Debug)]
pub(super) struct Access {
    admits: Arc<dyn Admits>,
    connections_max: usize,
    /// Connections, by node.
    connections: Mutex<BTreeMap<NodeKey, usize>>,
}

impl Access {
    pub(super) fn new(admits: Arc<dyn Admits>, connections_max: usize) -> Self {
        Self { admits, connections_max, connections: Mutex::default() }
    }

    /// Nodes with a connection.
    pub(super) fn nodes(&self) -> usize {
        lock(&self.connections).len()
    }

    /// Counts one more connection of a node, or says why there may be none.
    fn enter(&self, node: NodeKey) -> Result<(), String> {
        let mut connections = lock(&self.connections);
        if connections.values().sum::<usize>() >= self.connections_max {
            return Err("the relay has no room".to_owned());
        }
        let of_node = connections.entry(node).or_default();
        // All but the newest wait for it to go, as when a node has moved to another network.
        if *of_node >= CONNECTIONS_PER_NODE_MAX {
            return Err("too many connections of this node".to_owned());
        }
        *of_node += 1;
        Ok(())
    }

    fn leave(&self, node: NodeKey) {
        let mut connections = lock(&self.connections);
        if let Some(of_node) = connections.get_mut(&node) {
            *of_node -= 1;
            if *of_node == 0 {
                connections.remove(&node);
            }
        }
    }

    /// Sends everybody away who would not be let in any more.
    pub(super) async fn review(&self, clients: &Clients) {
        let nodes: Vec<_> = lock(&self.connections).keys().copied().collect();
        for node in nodes {
            if self.admits.admits(node).await.is_err()
                && let Ok(id) = EndpointId::from_bytes(node.as_bytes())
            {
                clients.disconnect(id, None);
            }
        }
    }
}

impl AccessControl for Access {
    async fn on_connect(&self, request: &ClientRequest) -> Verdict {
        let node = key(request.endpoint_id());
        // Counted last: whoever goes while the answer is awaited is not told of again.
        match self.admits.admits(node).await.and_then(|()| self.enter(node)) {
            Ok(()) => Verdict::Allow,
            Err(reason) => Verdict::Deny { reason: Some(reason) },
        }
    }

    fn on_disconnect(&self, endpoint_id: EndpointId, _: ConnectionId) {
        self.leave(key(endpoint_id));
    }
}

fn key(id: EndpointId) -> NodeKey {
    NodeKey::from_bytes(*id.as_bytes())
}

/// Connections of one node at one time.
const CONNECTIONS_PER_NODE_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Everybody;

    impl Admits for Everybody {
        fn admits(&self, _: NodeKey) -> Decision<'_> {
            Box::pin(async { Ok(()) })
        }
    }

    #[test]
    fn connections_are_counted_for_each_node_and_for_all() {
        let access = Access::new(Arc::new(Everybody), 6);
        let node = |byte| NodeKey::from_bytes([byte; 32]);
        for _ in 0..CONNECTIONS_PER_NODE_MAX {
            access.enter(node(1)).unwrap();
        }
        assert!(access.enter(node(1)).is_err());
        access.enter(node(2)).unwrap();
        access.enter(node(3)).unwrap();
        assert!(access.enter(node(4)).is_err(), "there is no room");
        assert_eq!(access.nodes(), 3);
        access.leave(node(1));
        access.enter(node(4)).unwrap();
        for byte in [1, 1, 1, 2, 3, 4, 5] {
            access.leave(node(byte));
        }
        assert!(lock(&access.connections).is_empty());
    }
}
