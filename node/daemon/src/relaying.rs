//! The role relay: switching it, and what it takes besides the writer.
//!
//! The relay decides inside the writer; here are the listener for programs and light clients, which it needs, and the
//! effects that go to connections.

use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use data_encoding::HEXLOWER;
use prost::Message;
use qpq_net::{ConnectionId, Pushes, Service};
use qpq_proto::limits::{Limits, RPC_PORT};
use qpq_proto::{Failure, Method, v1};
use qpq_relay::Effect;
use qpq_store::Storage;
use tokio::sync::{Mutex, mpsc};

use crate::actor::{Core, Machine};
use crate::direct::{Bounds, Direct, DirectError};
use crate::machine::NodeMachine;
use crate::objects::Objects;
use crate::open::Found;
use crate::relay::Relay;
use crate::service::Writer;
use crate::settings::Settings;
use crate::waking::Waking;

/// Whether the node is a relay, and its listener.
#[derive(Debug)]
pub(crate) struct RelayRole {
    is_on: AtomicBool,
    /// Whether the log is older than what was signed of it.
    is_log_older: AtomicBool,
    direct: Mutex<Option<Direct>>,
    bounds: Bounds,
    pushes: Pushes,
}

impl RelayRole {
    /// As the node was left.
    pub(crate) fn new(found: &Found, limits: &Limits, pushes: &Pushes) -> Self {
        Self {
            is_on: AtomicBool::new(found.is_relay()),
            is_log_older: AtomicBool::new(found.is_log_older),
            direct: Mutex::new(None),
            bounds: Bounds { limits: limits.clone(), pushes: pushes.clone() },
            pushes: pushes.clone(),
        }
    }

    /// Whether the node is a relay.
    pub(crate) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Acquire)
    }

    /// Whether the log is older than what was signed of it; nothing if the node is no relay.
    pub(crate) fn is_log_older(&self) -> Option<bool> {
        self.is_on().then(|| self.is_log_older.load(Ordering::Acquire))
    }

    /// Reaches those who are connected.
    pub(crate) fn pushes(&self) -> Pushes {
        self.pushes.clone()
    }

    /// Where the listener is, if there is one.
    pub(crate) async fn listening(&self) -> Option<Listening> {
        self.direct.lock().await.as_ref().map(Direct::listening)
    }

    /// For how many nodes packets are passed on at present; nothing if the node does not do that.
    pub(crate) async fn packet_nodes(&self) -> Option<usize> {
        self.direct.lock().await.as_ref().and_then(Direct::packet_nodes)
    }

    /// Starts the listener, if the settings or the role ask for it.
    pub(crate) async fn listen(
        &self,
        settings: &Settings,
        writer: &Writer,
        service: Arc<dyn Service>,
    ) -> Result<(), DirectError> {
        let mut direct = self.direct.lock().await;
        if direct.is_none()
            && let Some(listen) = self.address(settings)
        {
            *direct = Some(Direct::start(settings, listen, writer, service, self.bounds.clone()).await?);
        }
        if let Some(direct) = direct.as_mut().filter(|_| self.is_on()) {
            direct.pass_packets(settings, writer).await;
        }
        Ok(())
    }

    /// Where the listener is to be.
    fn address(&self, settings: &Settings) -> Option<SocketAddr> {
        let of_a_relay = || SocketAddr::from((Ipv6Addr::UNSPECIFIED, RPC_PORT));
        settings.rpc_listen.or_else(|| self.is_on().then(of_a_relay))
    }

    /// Stops the listener, letting calls under way finish for a while.
    pub(crate) async fn stop(&self) {
        if let Some(direct) = self.direct.lock().await.take() {
            direct.shutdown().await;
        }
    }

    /// Stops what only a relay does.
    async fn stop_relaying(&self, settings: &Settings) {
        if settings.rpc_listen.is_none() {
            self.stop().await;
        } else if let Some(direct) = self.direct.lock().await.as_mut() {
            direct.stop_packets().await;
        }
    }

    /// Switches the role, for good: the listener first, so that nobody is told of a relay that cannot be reached.
    pub(crate) async fn switch(
        &self,
        is_on: bool,
        settings: &Settings,
        writer: &Writer,
        service: Arc<dyn Service>,
    ) -> Result<v1::SetRoleResponse, Failure> {
        let was_on = self.is_on.swap(is_on, Ordering::AcqRel);
        if is_on && let Err(error) = self.listen(settings, writer, service).await {
            self.is_on.store(was_on, Ordering::Release);
            // The node lives, and the owner can mend what is in its way.
            let in_the_way = || {
                Failure::conflict(format!("the node cannot listen for those whom it would serve: {error}"))
            };
            return Err(error.stopping().cloned().unwrap_or_else(in_the_way));
        }
        let request = v1::SetRoleRequest { role: RELAY.to_owned(), on: is_on };
        let payload = request.encode_to_vec().into();
        let switched = match writer.call(qpq_engine::Caller::Owner, Method::SetRole, payload).await {
            Ok(payload) => writer.work(move |core| switch_machine(core, is_on)).await?.map(|is_log_older| {
                self.is_log_older.store(is_log_older, Ordering::Release);
                payload
            }),
            Err(failure) => Err(failure),
        };
        if switched.is_err() {
            self.is_on.store(was_on, Ordering::Release);
        }
        if !self.is_on() {
            self.stop_relaying(settings).await;
        }
        v1::SetRoleResponse::decode(switched?).map_err(|_| Failure::internal())
    }
}

/// Where a listener is, and how it is known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listening {
    /// Where.
    pub(crate) address: SocketAddr,
    /// The pin of its certificate: SHA-256 of it.
    pub(crate) pin: [u8; 32],
}

impl Listening {
    /// What the line of readiness says about it.
    pub(crate) fn ready(&self) -> String {
        format!(" rpc={} pin={}", self.address, HEXLOWER.encode(&self.pin))
    }
}

/// Opens the relay, or lets go of it and all who wait for it. Tells whether its log is older than what was signed of it.
fn switch_machine<S: Storage>(core: &mut Core<S, NodeMachine>, is_on: bool) -> Result<bool, Failure> {
    let Core { storage, machine, rng, .. } = core;
    if !is_on {
        machine.relay = None;
        return Ok(false);
    }
    if machine.relay.is_none() {
        let mut batch = storage.begin();
        let mut tx = batch.transaction();
        let relay = machine.relaying.open(rng, &mut tx).map_err(Failure::from)?;
        tx.accept();
        batch.commit().map_err(|error| {
            tracing::error!("the relay could not be opened: {error}");
            Failure::internal()
        })?;
        machine.relay = Some(relay);
        machine.keep_outside()?;
    }
    Ok(machine.relay.as_ref().is_some_and(Relay::is_log_older))
}

/// Carries out the relay's effects, until the writer ends.
pub(crate) async fn carry_out(
    mut effects: mpsc::UnboundedReceiver<Effect>,
    pushes: Pushes,
    mut objects: Objects,
    waking: Waking,
) {
    while let Some(effect) = effects.recv().await {
        match effect {
            Effect::Push { connection, event, payload } => {
                // Whoever has gone finds it in the queue when coming back.
                let _ = pushes.push(ConnectionId(connection.0), event, payload);
            }
            Effect::Disconnect { connection } => {
                let _ = pushes.end(ConnectionId(connection.0), "the session was ended");
            }
            Effect::Blob { id, job } => objects.give(id, job),
            Effect::WakeDevice(wake) => waking.wake(wake),
            // Given by the writer.
            Effect::Answer { .. } => {}
        }
    }
}

/// The role's name.
pub(crate) const RELAY: &str = "relay";
