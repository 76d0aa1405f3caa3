//! In place of what a node counts, in a build that leaves it out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use qpq_net::Pushes;
use qpq_proto::{Failure, Method};
use qpq_relay::{Figures, Totals};
use qpq_store::CommitInfo;

use crate::service::NodeState;
use crate::settings::Settings;

/// The endpoint cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MetricsError {
    /// There is none.
    #[error("this build counts nothing: leave out metrics_listen")]
    NotBuilt,
}

/// Refuses settings that ask for it.
pub(crate) fn check(settings: &Settings) -> Result<(), MetricsError> {
    settings.metrics_listen.map_or(Ok(()), |_| Err(MetricsError::NotBuilt))
}

/// No counters.
#[derive(Debug)]
pub(crate) struct Metrics;

impl Metrics {
    /// None, for ever.
    pub(crate) fn new() -> Self {
        Self
    }

    /// Counts nothing.
    #[expect(clippy::unused_self, reason = "as the one that counts")]
    pub(crate) fn called(&self, _: Method, _: Duration, _: usize, _: &Result<Bytes, Failure>) {}

    /// Counts nothing.
    #[expect(clippy::unused_self, reason = "as the one that counts")]
    pub(crate) fn committed(&self, _: usize) {}

    /// Counts nothing.
    #[expect(clippy::unused_self, reason = "as the one that counts")]
    pub(crate) fn note(&self, _: CommitInfo, _: Option<(Figures, Totals)>) {}
}

/// An endpoint that serves: never.
#[derive(Debug)]
pub(crate) enum MetricsServer {}

impl MetricsServer {
    /// Refuses.
    #[expect(clippy::unused_async, reason = "as the one that listens")]
    pub(crate) async fn start(_: SocketAddr, _: Arc<NodeState>, _: Pushes) -> Result<Self, MetricsError> {
        Err(MetricsError::NotBuilt)
    }

    /// What the line of readiness says about it.
    pub(crate) fn ready(&self) -> String {
        match *self {}
    }
}
