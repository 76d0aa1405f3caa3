//! In place of passing packets on, in a build that leaves it out.

use std::net::SocketAddr;

use qpq_net::direct::Certificate;
use qpq_proto::limits::Limits;

use crate::service::Writer;
use crate::settings::Packets;

/// Packets are passed on: never.
#[derive(Debug)]
pub(crate) enum PacketRelaying {}

impl PacketRelaying {
    /// Says that it is not possible.
    #[expect(clippy::unused_async, reason = "as the one that passes packets on")]
    pub(crate) async fn start(
        packets: Packets,
        _: SocketAddr,
        _: Certificate,
        _: &Writer,
        _: &Limits,
    ) -> Option<Self> {
        if packets != Packets::Off {
            tracing::info!("this build passes no packets on between nodes");
        }
        None
    }

    /// None, ever.
    pub(crate) fn nodes(&self) -> usize {
        match *self {}
    }

    /// Ends it.
    #[expect(clippy::unused_async, reason = "as the one that passes packets on")]
    pub(crate) async fn stop(self) {
        match self {}
    }
}
