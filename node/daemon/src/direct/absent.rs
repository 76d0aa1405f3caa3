//! In place of the direct listener, in a build that leaves it out.

use std::net::SocketAddr;
use std::sync::Arc;

use qpq_net::{Pushes, Service};
use qpq_proto::Failure;
use qpq_proto::limits::Limits;

use crate::relaying::Listening;
use crate::service::Writer;
use crate::settings::Settings;

/// The direct listener does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DirectError {
    /// There is none.
    #[error("this build has no direct listener: leave out rpc_listen, and the role relay")]
    NotBuilt,
}

/// Refuses settings that ask for it.
pub(crate) fn check(settings: &Settings) -> Result<(), DirectError> {
    settings.rpc_listen.map_or(Ok(()), |_| Err(DirectError::NotBuilt))
}

impl DirectError {
    /// Never the node that stops.
    #[expect(clippy::unused_self, reason = "as the one that listens")]
    pub(crate) fn stopping(&self) -> Option<&Failure> {
        None
    }
}

/// What a listener may spend, and how those who are connected are reached.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    /// The limits.
    #[expect(dead_code, reason = "as the one that listens")]
    pub(crate) limits: Limits,
    /// Reaches those who are connected.
    #[expect(dead_code, reason = "as the one that listens")]
    pub(crate) pushes: Pushes,
}

/// A direct listener that serves: never.
#[derive(Debug)]
pub(crate) enum Direct {}

impl Direct {
    /// Refuses.
    #[expect(clippy::unused_async, reason = "as the one that listens")]
    pub(crate) async fn start(
        _: &Settings,
        _: SocketAddr,
        _: &Writer,
        _: Arc<dyn Service>,
        _: Bounds,
    ) -> Result<Self, DirectError> {
        Err(DirectError::NotBuilt)
    }

    /// None, ever.
    pub(crate) fn packet_nodes(&self) -> Option<usize> {
        match *self {}
    }

    /// Where it is.
    pub(crate) fn listening(&self) -> Listening {
        match *self {}
    }

    /// Begins nothing.
    #[expect(clippy::unused_async, reason = "as the one that listens")]
    pub(crate) async fn pass_packets(&self, _: &Settings, _: &Writer) {
        match *self {}
    }

    /// Ends nothing.
    #[expect(clippy::unused_async, reason = "as the one that listens")]
    pub(crate) async fn stop_packets(&self) {
        match *self {}
    }

    /// Stops.
    #[expect(clippy::unused_async, reason = "as the one that listens")]
    pub(crate) async fn shutdown(self) {
        match self {}
    }
}
