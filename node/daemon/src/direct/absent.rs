//! In place of the direct listener, in a build that leaves it out.

use std::sync::Arc;

use qpq_net::Service;
use qpq_proto::limits::Limits;

use crate::service::Writer;
use crate::settings::Settings;

/// The direct listener does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DirectError {
    /// There is none.
    #[error("this build has no direct listener: leave out rpc_listen")]
    NotBuilt,
}

/// Refuses settings that ask for it.
pub(crate) fn check(settings: &Settings) -> Result<(), DirectError> {
    settings.rpc_listen.map_or(Ok(()), |_| Err(DirectError::NotBuilt))
}

/// A direct listener that serves: never.
#[derive(Debug)]
pub(crate) enum Direct {}

impl Direct {
    /// Refuses settings that ask for it.
    #[expect(clippy::unused_async, reason = "as the one that listens")]
    pub(crate) async fn start(
        settings: &Settings,
        _: &Writer,
        _: Arc<dyn Service>,
        _: Limits,
    ) -> Result<Option<Self>, DirectError> {
        check(settings).map(|()| None)
    }

    /// What the line of readiness says about it.
    pub(crate) fn ready(&self) -> &str {
        match *self {}
    }

    /// Stops.
    #[expect(clippy::unused_async, reason = "as the one that listens")]
    pub(crate) async fn shutdown(self) {
        match self {}
    }
}
