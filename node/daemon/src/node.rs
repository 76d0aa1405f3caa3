//! A node from its start to its end.
//!
//! ```text
//! start  database ─ engine ─ peers, if it has any ─ owner's socket ─ direct listener
//! stop   refuse new calls, finish those under way ─ peers ─ last commit ─ socket
//! ```

mod configured;
mod reached;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use qpq_engine::Input;
use qpq_net::socket::{ListenError, SocketServer};
use qpq_net::{PeerConfig, Peers, Pushes, Service};
use qpq_proto::ids::NodeKey;
use qpq_proto::limits::Limits;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::actor::{self, ActorEnd, Outlets, Started};
use crate::clock::Clock;
use crate::direct::DirectError;
use crate::drain::Drain;
use crate::effects::{Interpreter, StaticPeers};
use crate::environment::Environment;
use crate::metrics::{Metrics, MetricsError, MetricsServer};
use crate::objects::{Folder, Objects, Report};
use crate::open::{self, Found, OpenNodeError};
use crate::paths::{self, PathError};
use crate::relay_clients::RelayClients;
use crate::relaying::{RelayRole, carry_out};
use crate::service::{NodeService, NodeState, Writer};
use crate::settings::{PeerConnections, Settings};
use crate::waking::Waking;
use crate::wiring::Networks;
pub(crate) use configured::passphrase_cost_of;
use configured::{discovery_of, limits_of, peer_config, static_peers_of};
use reached::{listen, shut_down, start_peers};

/// A node does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// A location cannot be worked out.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The thread of the writer cannot be started.
    #[error("no thread can be started: {0}")]
    Thread(std::io::Error),
    /// What the node keeps cannot be opened.
    #[error(transparent)]
    Open(#[from] Box<OpenNodeError>),
    /// The writer ended while it opened the database.
    #[error("the database could not be opened: {0}")]
    Writer(ActorEnd),
    /// The database is an older copy, and the engine could not make a new device.
    #[error(
        "the database is an older copy, and going on as a new device failed (the log says why); \
         restore a backup into a fresh data directory with `qpq backup restore`"
    )]
    RollbackUnhandled,
    /// Peers cannot be connected.
    #[error("connections with peers cannot be started: {0}")]
    Peers(#[from] qpq_net::StartError),
    /// The owner's socket cannot be put in place.
    #[error("{0}; choose another place with --socket")]
    Socket(#[from] ListenError),
    /// The direct listener does not start.
    #[error(transparent)]
    Direct(#[from] Box<DirectError>),
    /// The endpoint of the metrics does not start.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
}

/// A running node.
#[derive(Debug)]
pub(crate) struct Node {
    state: Arc<NodeState>,
    writer: Writer,
    writer_end: oneshot::Receiver<ActorEnd>,
    /// None for a node without peers.
    peers: Option<Arc<Peers>>,
    node_key: NodeKey,
    socket: SocketServer,
    /// What the line of readiness says about the direct listener.
    ready: String,
    socket_path: PathBuf,
    settings: watch::Sender<Settings>,
    static_peers: watch::Sender<StaticPeers>,
    interpreting: JoinHandle<()>,
    relaying: JoinHandle<()>,
    forwarding: Option<JoinHandle<()>>,
    /// The endpoint of metrics and health, if there is one; it serves until this is dropped.
    #[expect(dead_code, reason = "kept for its end")]
    metrics: Option<MetricsServer>,
}

impl Node {
    /// Starts a node, up to the point where it serves.
    pub(crate) async fn start(settings: &Settings, environment: &Environment) -> Result<Self, StartError> {
        let data_dir = std::path::absolute(paths::data_dir_of(settings, environment)?)
            .map_err(|_| PathError::NoDataDirectory)?;
        let socket_path = paths::socket_of(settings, environment)?;
        let limits = limits_of(settings);
        let clock = Clock::start(environment);
        let (engine, effects_out) = mpsc::unbounded_channel();
        let (relay, relay_effects_out) = mpsc::unbounded_channel();
        let opening = opening(settings, environment, &data_dir, &limits, clock);
        let metrics = Arc::new(Metrics::new());
        let outlets = Outlets { engine, relay, metrics: Arc::clone(&metrics) };
        let (writer, writer_end, found) = start_writer(limits.clone(), outlets, opening).await?;
        let (newest_event, newest_event_out) = watch::channel(0);
        let (settings_in, settings_out) = watch::channel(settings.clone());
        let pushes = Pushes::new(&limits);
        let config = PeerConfig { pushes: pushes.clone(), ..peer_config(settings, &found, &limits) };
        let node_key = found.node_secret.public();
        let relay = RelayRole::new(&found, &limits, &pushes);
        let objects = Folder::new(&data_dir, &found.node_secret.0);
        let state = Arc::new(NodeState {
            clock,
            settings: settings_out,
            data_dir,
            key_file: found.key_file,
            is_rolled_back: found.is_rolled_back,
            passphrase_cost: passphrase_cost_of(settings.profile),
            peers: OnceLock::new(),
            newest_event: newest_event_out,
            drain: Drain::new(),
            relay,
            objects,
            metrics,
            roles: watch::Sender::new(found.roles),
        });
        let service: Arc<dyn Service> = Arc::new(NodeService::new(writer.clone(), Arc::clone(&state)));
        let (peers, forwarding) = match settings.peers {
            PeerConnections::On => start_peers(config, &service, &state, &writer).await?,
            PeerConnections::Off => (None, None),
        };
        let static_peers = watch::Sender::new(static_peers_of(settings));
        let relays = RelayClients::new(writer.clone(), limits.clone());
        let networks = Networks { peers: peers.clone(), relays };
        let interpreter = Interpreter::new(networks, writer.clone(), newest_event, limits.clone());
        let interpreting = tokio::spawn(interpreter.run(effects_out, static_peers.subscribe()));
        let objects = Objects::new(state.objects.clone(), report_blobs(&writer));
        let waking = Waking::start(settings.relay_push, &limits.relay, &writer);
        let relaying = tokio::spawn(carry_out(relay_effects_out, pushes, objects, waking));
        let listening = listen(settings, &socket_path, &writer, &state, service, limits).await;
        if listening.is_err() {
            shut_down(peers.as_deref()).await;
        }
        let (socket, metrics, ready) = listening?;
        Ok(Self {
            state,
            writer,
            writer_end,
            peers,
            node_key,
            socket,
            ready,
            socket_path,
            settings: settings_in,
            static_peers,
            interpreting,
            relaying,
            forwarding,
            metrics,
        })
    }

    /// The one line that tells that the node serves.
    pub(crate) fn ready_line(&self) -> String {
        let addresses = self.peers.as_ref().map(|peers| peers.addresses()).unwrap_or_default();
        let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        format!(
            "ready node={} addresses={} socket={}{}",
            self.node_key,
            addresses.join(","),
            self.socket_path.display(),
            self.ready
        )
    }

    /// Takes up settings that a running node can.
    pub(crate) fn apply(&self, settings: &Settings) {
        self.settings.send_replace(settings.clone());
        self.static_peers.send_replace(static_peers_of(settings));
        let Some(peers) = self.peers.clone() else { return };
        peers.set_discovery(discovery_of(settings));
        let relays = settings.packet_relays.clone();
        tokio::spawn(async move { peers.set_packet_relays(&relays).await });
    }

    /// Waits until the writer ends by itself, which it does only when something is wrong.
    pub(crate) async fn writer_ended(&mut self) -> ActorEnd {
        (&mut self.writer_end).await.unwrap_or(ActorEnd::Panicked)
    }

    /// Whether the writer still gets to its work; waits for it.
    pub(crate) async fn is_alive(&self) -> bool {
        self.writer.work(|_| ()).await.is_ok()
    }

    /// Takes leave of the peers of a node whose writer has ended.
    pub(crate) async fn abandon(self) {
        self.forwarding.iter().for_each(JoinHandle::abort);
        self.interpreting.abort();
        self.relaying.abort();
        shut_down(self.peers.as_deref()).await;
    }

    /// Stops the node in order.
    pub(crate) async fn stop(self) -> ActorEnd {
        self.state.drain.begin();
        self.writer.tell_relay(qpq_relay::Input::Closing);
        let left = self.state.drain.drain(DRAIN_PATIENCE).await;
        if left > 0 {
            tracing::warn!(calls = left, "calls were cut off");
        }
        let _ = timeout(SHUTDOWN_PATIENCE, self.state.relay.stop()).await;
        self.writer.stop();
        let end = self.writer_end.await.unwrap_or(ActorEnd::Panicked);
        // The interpreters end with the writer.
        self.forwarding.iter().for_each(JoinHandle::abort);
        let _ = timeout(SHUTDOWN_PATIENCE, self.relaying).await;
        let _ = timeout(SHUTDOWN_PATIENCE, self.interpreting).await;
        shut_down(self.peers.as_deref()).await;
        // The socket is removed even if somebody does not read an answer.
        let _ = timeout(SHUTDOWN_PATIENCE, self.socket.shutdown()).await;
        end
    }
}

/// What the writer's thread does first.
fn opening(
    settings: &Settings,
    environment: &Environment,
    data_dir: &Path,
    limits: &Limits,
    clock: Clock,
) -> impl FnOnce() -> Result<(open::NodeCore, Found), OpenNodeError> + Send + 'static {
    let (settings, environment) = (settings.clone(), environment.clone());
    let (data_dir, limits) = (data_dir.to_owned(), limits.clone());
    move || open::open(&settings, &environment, &data_dir, &limits, clock)
}

/// Starts the writer, and tells the engine that the node has started.
async fn start_writer(
    limits: Limits,
    effects: Outlets,
    opening: impl FnOnce() -> Result<(open::NodeCore, Found), OpenNodeError> + Send + 'static,
) -> Result<(Writer, oneshot::Receiver<ActorEnd>, Found), StartError> {
    let Started { handle, opened, end } =
        actor::spawn(limits, effects, opening).map_err(StartError::Thread)?;
    let Ok(opened) = opened.await else {
        return Err(StartError::Writer(end.await.unwrap_or(ActorEnd::Panicked)));
    };
    let found = opened.map_err(Box::new)?;
    handle.give(Input::Started).await;
    if found.is_rolled_back {
        let acknowledged = handle.work(acknowledge_rollback).await;
        acknowledged.unwrap_or(Err(StartError::RollbackUnhandled))?;
    }
    Ok((handle, end, found))
}

/// Tells the relay what came of a job of its object store.
fn report_blobs(writer: &Writer) -> Report {
    let writer = writer.clone();
    Arc::new(move |id, result| writer.tell_relay(qpq_relay::Input::BlobDone { id, result }))
}

/// Has the store forget that it is an older copy, once the engine has done what that asks for.
fn acknowledge_rollback(core: &mut open::NodeCore) -> Result<(), StartError> {
    if core.machine.engine.is_rolled_back() {
        return Err(StartError::RollbackUnhandled);
    }
    core.storage.acknowledge_rollback().map_err(|error| StartError::Writer(error.into()))
}

const DRAIN_PATIENCE: Duration = Duration::from_secs(5);
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(2);
