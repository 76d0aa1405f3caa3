//! What connects the interpreter of effects to the writer and the network, and the network to the writer.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use qpq_engine::{CallFailure, Input, RelayKey, RelayLine};
use qpq_net::{PeerEvent, Peers};
use qpq_proto::ids::NodeKey;
use qpq_proto::{CallError, Method, TransportErrorKind};
use tokio::sync::mpsc;

use crate::effects::{Inputs, Network};
use crate::relay_clients::RelayClients;
use crate::service::Writer;

impl Inputs for Writer {
    async fn give(&self, input: Input) {
        Self::give(self, input).await;
    }
}

/// Peers, and relays at which there are mailboxes.
#[derive(Debug, Clone)]
pub(crate) struct Networks {
    /// The peers; none for a node that connects with relays alone.
    pub(crate) peers: Option<Arc<Peers>>,
    /// The relays.
    pub(crate) relays: RelayClients,
}

impl Network for Networks {
    async fn call(&self, node: NodeKey, method: Method, payload: Bytes) -> Result<Bytes, CallError> {
        match &self.peers {
            Some(peers) => peers.call(node, method, payload).await,
            None => Err(CallError::transport(TransportErrorKind::Unreachable, "this node has no peers")),
        }
    }

    fn want(&self, node: NodeKey, addresses: Vec<SocketAddr>) {
        if let Some(peers) = &self.peers {
            peers.want(node, addresses);
        }
    }

    fn release(&self, node: NodeKey) {
        if let Some(peers) = &self.peers {
            peers.release(node);
        }
    }

    fn want_relay(&self, relay: RelayKey, places: Vec<String>) {
        self.relays.want(relay, places);
    }

    fn release_relay(&self, relay: RelayKey) {
        self.relays.release(relay);
    }

    async fn call_relay(
        &self,
        relay: RelayKey,
        line: RelayLine,
        method: Method,
        payload: Bytes,
    ) -> Result<Bytes, CallFailure> {
        self.relays.call(relay, line, method, payload).await
    }
}

/// Tells the engine what happens to connections.
pub(crate) async fn forward(mut events: mpsc::Receiver<PeerEvent>, writer: Writer) {
    while let Some(event) = events.recv().await {
        if let Some(input) = input_of(event) {
            writer.give(input).await;
        }
    }
}

fn input_of(event: PeerEvent) -> Option<Input> {
    Some(match event {
        PeerEvent::Connected { node, address } => Input::PeerConnected {
            node,
            address: address.map(|address| address.to_string()).unwrap_or_default(),
        },
        PeerEvent::Disconnected { node, .. } => Input::PeerDisconnected { node },
        PeerEvent::Discovered { node, addresses } => Input::PeerDiscovered { node, addresses },
        PeerEvent::Lost { node } => Input::PeerLost { node },
        PeerEvent::AddressesChanged(addresses) => Input::AddressesChanged(addresses),
        // News of a kind that the network learned and the engine did not.
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: NodeKey = NodeKey::from_bytes([7; 32]);

    #[test]
    fn news_of_the_network_become_inputs() {
        let address: SocketAddr = ([192, 0, 2, 1], 4433).into();
        for (event, expected) in [
            (
                PeerEvent::Connected { node: NODE, address: Some(address) },
                Input::PeerConnected { node: NODE, address: "192.0.2.1:4433".to_owned() },
            ),
            (
                PeerEvent::Connected { node: NODE, address: None },
                Input::PeerConnected { node: NODE, address: String::new() },
            ),
            (
                PeerEvent::Disconnected { node: NODE, reason: "for a person".to_owned() },
                Input::PeerDisconnected { node: NODE },
            ),
            (
                PeerEvent::Discovered { node: NODE, addresses: vec![address] },
                Input::PeerDiscovered { node: NODE, addresses: vec![address] },
            ),
            (PeerEvent::Lost { node: NODE }, Input::PeerLost { node: NODE }),
            (PeerEvent::AddressesChanged(vec![address]), Input::AddressesChanged(vec![address])),
        ] {
            let input = format!("{:?}", input_of(event));
            assert_eq!(input, format!("{:?}", Some(expected)));
        }
    }
}
