//! A relay's passing on of packets between nodes that cannot reach each other.

use std::net::SocketAddr;
use std::sync::Arc;

use qpq_net::direct::Certificate;
use qpq_net::packets::{Admits, Decision, PacketConfig, PacketServer};
use qpq_proto::ids::NodeKey;
use qpq_proto::limits::Limits;
use qpq_store::Storage;

use crate::actor::Core;
use crate::machine::NodeMachine;
use crate::service::Writer;
use crate::settings::Packets;

/// Packets are passed on.
#[derive(Debug)]
pub(crate) struct PacketRelaying(PacketServer);

impl PacketRelaying {
    /// Begins, beside the direct listener at an address, unless nobody's packets are to be passed on. That it is not
    /// possible is no reason not to be a relay.
    pub(crate) async fn start(
        packets: Packets,
        listen: SocketAddr,
        certificate: Certificate,
        writer: &Writer,
        limits: &Limits,
    ) -> Option<Self> {
        let is_for_all = match packets {
            Packets::Off => return None,
            Packets::Open => true,
            Packets::Registered => false,
        };
        let admits = Arc::new(Admission { is_for_all, writer: writer.clone() });
        let config = PacketConfig { listen, certificate, admits, limits: limits.clone() };
        match PacketServer::start(config).await {
            Ok(server) => Some(Self(server)),
            Err(error) => {
                tracing::warn!(%error, "this relay passes no packets on between nodes");
                None
            }
        }
    }

    /// Nodes that can be reached through the relay at present.
    pub(crate) fn nodes(&self) -> usize {
        self.0.nodes()
    }

    /// Ends it.
    pub(crate) async fn stop(self) {
        self.0.shutdown().await;
    }
}

/// For whom packets are passed on.
#[derive(Debug)]
struct Admission {
    is_for_all: bool,
    writer: Writer,
}

impl Admits for Admission {
    fn admits(&self, node: NodeKey) -> Decision<'_> {
        Box::pin(async move {
            if self.is_for_all {
                return Ok(());
            }
            let asked = self.writer.work(move |core| serves(core, &node)).await;
            match asked {
                Ok(true) => Ok(()),
                Ok(false) => Err("this node is not that of somebody with an account here".to_owned()),
                Err(failure) => Err(failure.message),
            }
        })
    }
}

/// Whether the relay knows the node as that of somebody whom it serves.
fn serves<S: Storage>(core: &mut Core<S, NodeMachine>, node: &NodeKey) -> bool {
    let Core { storage, machine, clock, .. } = core;
    let Some(relay) = &machine.relay else { return false };
    let now = clock.now();
    let now = qpq_relay::Now { monotonic_ms: now.monotonic_ms, wall_ms: now.wall_ms };
    let mut batch = storage.begin();
    relay.serves_node(&batch.transaction(), node, now).unwrap_or_else(|error| {
        tracing::error!(%error, "cannot tell whether a node is served");
        false
    })
}
