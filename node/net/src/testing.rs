//! What the tests of this crate share.

use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use qpq_proto::limits::{Limits, WIRE_VERSION};
use qpq_proto::v1::HealthResponse;
use qpq_proto::{Failure, Method};
use tokio::sync::{mpsc, watch};

use crate::caller::{Answer, Caller, Service};

/// Answers `Health` as a node does, `Enqueue` and `SendMessage` with their own payload, `Fetch` and `ReadEvents` when
/// the gate is opened, and panics on `ResolveEndpoint`. Tells the test who calls what.
pub(crate) struct Echo {
    pub(crate) wire_versions: (u32, u32),
    gate: watch::Receiver<bool>,
    calls: mpsc::UnboundedSender<(Caller, Method)>,
}

/// The test's end of an [`Echo`].
pub(crate) struct EchoControl {
    pub(crate) gate: watch::Sender<bool>,
    pub(crate) calls: mpsc::UnboundedReceiver<(Caller, Method)>,
}

impl Echo {
    pub(crate) fn new() -> (Self, EchoControl) {
        let (gate, gate_receiver) = watch::channel(false);
        let (sender, calls) = mpsc::unbounded_channel();
        let echo = Self { wire_versions: (WIRE_VERSION, WIRE_VERSION), gate: gate_receiver, calls: sender };
        (echo, EchoControl { gate, calls })
    }
}

impl Service for Echo {
    fn call(&self, caller: Caller, method: Method, payload: Bytes) -> Answer<'_> {
        let _ = self.calls.send((caller, method));
        Box::pin(async move {
            match method {
                Method::Health => Ok(self.health()),
                Method::Enqueue | Method::SendMessage => Ok(payload),
                Method::PublishEndpoint | Method::ReadEvents => {
                    let _ = self.gate.clone().wait_for(|open| *open).await;
                    Ok(payload)
                }
                Method::ResolveEndpoint => panic!("the test asks for it"),
                _ => Err(Failure::not_offered(method)),
            }
        })
    }
}

impl Echo {
    fn health(&self) -> Bytes {
        let (wire_version_min, wire_version_max) = self.wire_versions;
        HealthResponse { wire_version_min, wire_version_max, ..HealthResponse::default() }
            .encode_to_vec()
            .into()
    }
}

/// The router's limits with short times, for tests that wait for them.
pub(crate) fn impatient() -> Limits {
    Limits { call_timeout_ms: 300, handshake_timeout_ms: 1_000, dial_backoff_min_ms: 10, ..Limits::ROUTER }
}

/// Fails a test that would hang.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("should have happened long ago")
}
