//! What connects the interpreter of effects to the writer and the network, and the network to the writer.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use qpq_engine::Input;
use qpq_net::{PeerEvent, Peers};
use qpq_proto::ids::NodeKey;
use qpq_proto::{CallError, Method};
use tokio::sync::mpsc;

use crate::effects::{Inputs, Network};
use crate::service::Writer;

impl Inputs for Writer {
    async fn give(&self, input: Input) {
        Self::give(self, input).await;
    }
}

impl Network for Arc<Peers> {
    async fn call(&self, node: NodeKey, method: Method, payload: Bytes) -> Result<Bytes, CallError> {
        Peers::call(self, node, method, payload).await
    }

    fn want(&self, node: NodeKey, addresses: Vec<SocketAddr>) {
        Peers::want(self, node, addresses);
    }

    fn release(&self, node: NodeKey) {
        Peers::release(self, node);
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
