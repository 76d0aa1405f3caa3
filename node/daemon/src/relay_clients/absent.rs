//! In place of connections to relays, in a build that leaves them out.

use bytes::Bytes;
use qpq_engine::{CallFailure, Input, RelayKey, RelayLine};
use qpq_proto::Method;
use qpq_proto::limits::Limits;

use crate::effects::Inputs;
use crate::service::Writer;

/// Connects to nobody.
#[derive(Debug, Clone)]
pub(crate) struct RelayClients(Writer);

impl RelayClients {
    /// None, for ever.
    pub(crate) fn new(writer: Writer, _: Limits) -> Self {
        Self(writer)
    }

    /// Says that there will be no connection.
    pub(crate) fn want(&self, relay: RelayKey, _: Vec<String>) {
        let writer = self.0.clone();
        let reason = "this build has no connections to relays".to_owned();
        tokio::spawn(async move { Inputs::give(&writer, Input::RelayUnreached { relay, reason }).await });
    }

    /// Does nothing.
    #[expect(clippy::unused_self, reason = "as the one that connects")]
    pub(crate) fn release(&self, _: RelayKey) {}

    /// Reaches nobody.
    #[expect(clippy::unused_async, reason = "as the one that connects")]
    pub(crate) async fn call(
        &self,
        _: RelayKey,
        _: RelayLine,
        _: Method,
        _: Bytes,
    ) -> Result<Bytes, CallFailure> {
        Err(CallFailure::Unreachable)
    }
}
