//! What the node answers: its own health and state here, everything that concerns people by the engine.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Instant;

use bytes::Bytes;
use prost::Message;
use qpq_crypto::passphrase::PassphraseCost;
use qpq_net::{Answer, Caller, ConnectionId, Peer, Peers, Service};
use qpq_proto::limits::WIRE_VERSION;
use qpq_proto::{Failure, Method, v1};
use qpq_store::Store;
use tokio::sync::watch;

use crate::actor::ActorHandle;
use crate::backup;
use crate::carried_file;
use crate::clock::Clock;
use crate::diagnose;
use crate::drain::Drain;
use crate::long_poll::{LongPoll, Wakeups, poll};
use crate::machine::{NodeMachine, is_relays};
use crate::metrics::Metrics;
use crate::objects::Folder;
use crate::open::NodeCore;
use crate::relay::Relay;
use crate::relay_link;
use crate::relaying::{Listening, RELAY, RelayRole};
use crate::settings::Settings;
use crate::status;

/// Gives inputs to the node's engine.
pub(crate) type Writer = ActorHandle<Store, NodeMachine>;

/// What is known about the running node.
#[derive(Debug)]
pub(crate) struct NodeState {
    /// The clocks.
    pub(crate) clock: Clock,
    /// The settings, as they were at the last reload.
    pub(crate) settings: watch::Receiver<Settings>,
    /// The data directory.
    pub(crate) data_dir: PathBuf,
    /// The key file; none with a passphrase.
    pub(crate) key_file: Option<PathBuf>,
    /// Whether the database was found to be an older copy.
    pub(crate) is_rolled_back: bool,
    /// What a guess at the passphrase of a backup costs.
    pub(crate) passphrase_cost: PassphraseCost,
    /// The peers, once they are there. They hold the service, which holds this.
    pub(crate) peers: OnceLock<Weak<Peers>>,
    /// Cursor of the newest event.
    pub(crate) newest_event: watch::Receiver<u64>,
    /// Counts the calls.
    pub(crate) drain: Drain,
    /// What the node does for others.
    pub(crate) relay: RelayRole,
    /// Where the relay's blobs are.
    pub(crate) objects: Folder,
    /// What is counted.
    pub(crate) metrics: Arc<Metrics>,
    /// The names of the roles that are switched on.
    pub(crate) roles: watch::Sender<Vec<String>>,
}

impl NodeState {
    /// The peers, while they are there.
    pub(crate) fn peers(&self) -> Option<Arc<Peers>> {
        self.peers.get()?.upgrade()
    }
}

/// Answers calls.
#[derive(Debug, Clone)]
pub(crate) struct NodeService {
    writer: Writer,
    state: Arc<NodeState>,
}

impl NodeService {
    /// The service of a node.
    pub(crate) fn new(writer: Writer, state: Arc<NodeState>) -> Self {
        Self { writer, state }
    }

    async fn answer(&self, caller: Caller, method: Method, payload: Bytes) -> Result<Bytes, Failure> {
        if method == Method::Health {
            decode::<v1::HealthRequest>(payload)?;
            return Ok(encode(&self.health()));
        }
        let _under_way = self.state.drain.enter()?;
        match method {
            Method::ReadEvents => self.wait::<v1::ReadEventsRequest>(payload).await,
            Method::WaitMessage => self.wait::<v1::WaitMessageRequest>(payload).await,
            Method::WaitChange => self.wait::<v1::WaitChangeRequest>(payload).await,
            Method::WaitMailboxRelay => self.wait::<v1::WaitMailboxRelayRequest>(payload).await,
            Method::ShowRecovery => self.wait::<v1::ShowRecoveryRequest>(payload).await,
            Method::WaitRecoveryUse => self.wait::<v1::WaitRecoveryUseRequest>(payload).await,
            Method::WaitUser => self.wait::<v1::WaitUserRequest>(payload).await,
            Method::WaitRelayErrand => self.wait::<v1::WaitRelayErrandRequest>(payload).await,
            Method::SetRole => self.set_role(payload).await,
            Method::CreateRelayInvitation if self.state.relay.is_on() => {
                self.invite_to_relay(caller, payload).await
            }
            _ if self.state.relay.is_on() && is_relays(method) => {
                self.relay_call(caller, method, payload).await
            }
            Method::NodeStatus => self.node_status(payload).await,
            Method::Diagnose => self.diagnose(payload).await,
            Method::CreateBackup => self.create_backup(payload).await,
            Method::VerifyBackup => backup::verify(decode(payload)?).await.map(|response| encode(&response)),
            Method::RestoreBackup => self.restore_backup(payload).await,
            Method::ExportBundles => {
                let wall_ms = self.state.clock.now().wall_ms;
                let response = carried_file::export(&self.writer, decode(payload)?, wall_ms).await?;
                Ok(encode(&response))
            }
            Method::ImportBundles => {
                let response = carried_file::import(&self.writer, decode(payload)?).await?;
                Ok(encode(&response))
            }
            _ => {
                if caller.peer == Peer::Owner && is_relays(method) {
                    return Err(Failure::forbidden(
                        "this node is no relay: `qpq role relay on` makes it one",
                    ));
                }
                // Nobody can log in at a node that is no relay.
                caller.check_without_session(method)?;
                self.writer.call(engine_caller(caller), method, payload).await
            }
        }
    }

    fn health(&self) -> v1::HealthResponse {
        let draining = self.state.drain.is_draining();
        let status = if draining { v1::HealthStatus::NotServing } else { v1::HealthStatus::Serving };
        v1::HealthResponse {
            status: status.into(),
            uptime_ms: self.state.clock.uptime_ms(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            roles: self.state.roles.borrow().clone(),
            draining,
            wire_version_min: WIRE_VERSION,
            wire_version_max: WIRE_VERSION,
        }
    }

    async fn set_role(&self, payload: Bytes) -> Result<Bytes, Failure> {
        let request: v1::SetRoleRequest = decode(payload.clone())?;
        let switched = if request.role == RELAY {
            let settings = self.state.settings.borrow().clone();
            let service = Arc::new(self.clone());
            self.state.relay.switch(request.on, &settings, &self.writer, service).await?
        } else {
            self.ask_engine(Method::SetRole, payload).await?
        };
        self.state.roles.send_replace(switched.roles.clone());
        Ok(encode(&switched))
    }

    async fn relay_call(&self, caller: Caller, method: Method, payload: Bytes) -> Result<Bytes, Failure> {
        self.writer.call_relay(relay_caller(caller), method, payload).await
    }

    async fn wait<P: LongPoll>(&self, payload: Bytes) -> Result<Bytes, Failure> {
        let wakeups =
            Wakeups { events: self.state.newest_event.clone(), draining: self.state.drain.draining() };
        poll::<P, _>(payload, wakeups, |payload| {
            self.writer.call(qpq_engine::Caller::Owner, P::METHOD, payload)
        })
        .await
    }

    async fn node_status(&self, payload: Bytes) -> Result<Bytes, Failure> {
        let mut response = self.engine_status(payload).await?;
        status::complete(&mut response, &self.state);
        let listening = self.state.relay.listening().await;
        if let Some(listening) = listening {
            response.relay_link = self.relay_link(&listening, None).await.unwrap_or_default();
            response.listener_address = listening.address.to_string();
            response.listener_pin = listening.pin.to_vec();
        }
        status::show_packets(&mut response, self.state.relay.packet_nodes().await);
        Ok(encode(&response))
    }

    /// An invitation by the relay, and the link by which it is given away.
    async fn invite_to_relay(&self, caller: Caller, payload: Bytes) -> Result<Bytes, Failure> {
        let answer = self.relay_call(caller, Method::CreateRelayInvitation, payload).await?;
        let mut made = v1::CreateRelayInvitationResponse::decode(answer).map_err(|_| Failure::internal())?;
        let listening = self.state.relay.listening().await;
        let token = made.token.as_slice().try_into().ok();
        if let Some(listening) = listening {
            made.link = self.relay_link(&listening, token).await.unwrap_or_default();
        }
        Ok(encode(&made))
    }

    /// The link to this relay; none if it is none, or cannot be reached.
    async fn relay_link(&self, listening: &Listening, invitation: Option<[u8; 32]>) -> Option<String> {
        let log_key = |core: &mut NodeCore| core.machine.relay.as_ref().map(Relay::transparency_keys);
        let keys = self.writer.work(log_key).await.ok()??;
        let named = self.state.settings.borrow().relay_places.clone();
        let places = match named.is_empty() {
            false => named,
            true => {
                let own = self.state.peers().map(|peers| peers.addresses()).unwrap_or_default();
                relay_link::places(listening.address, &own)
            }
        };
        Some(relay_link::make(listening, &keys.log_key, places, invitation)?.to_string())
    }

    /// What the engine knows about the node.
    async fn engine_status(&self, payload: Bytes) -> Result<v1::NodeStatusResponse, Failure> {
        self.ask_engine(Method::NodeStatus, payload).await
    }

    async fn diagnose(&self, payload: Bytes) -> Result<Bytes, Failure> {
        let mut response: v1::DiagnoseResponse = self.ask_engine(Method::Diagnose, payload).await?;
        let findings = status::findings(&self.state);
        response.checks.splice(..0, diagnose::checks(&findings));
        Ok(encode(&response))
    }

    async fn create_backup(&self, payload: Bytes) -> Result<Bytes, Failure> {
        let request = decode(payload)?;
        let status = self.engine_status(Bytes::new()).await?;
        let now = self.state.clock.now();
        // The writing goes on if whoever asked goes away: it is all of the file or none.
        let relay = self.state.relay.is_on().then(|| self.state.objects.clone());
        let response =
            backup::create(&self.writer, request, &status, relay, now, self.state.passphrase_cost).await?;
        Ok(encode(&response))
    }

    async fn restore_backup(&self, payload: Bytes) -> Result<Bytes, Failure> {
        let status = self.engine_status(Bytes::new()).await?;
        if !status.identities.is_empty() {
            return Err(Failure::conflict(
                "this node has an identity already: restore into a fresh data directory",
            ));
        }
        let response = backup::restore(&self.writer, &self.state.objects, decode(payload)?).await?;
        Ok(encode(&response))
    }

    async fn ask_engine<R: Message + Default>(&self, method: Method, payload: Bytes) -> Result<R, Failure> {
        let answer = self.writer.call(qpq_engine::Caller::Owner, method, payload).await?;
        R::decode(answer).map_err(|_| Failure::internal())
    }
}

impl Service for NodeService {
    fn call(&self, caller: Caller, method: Method, payload: Bytes) -> Answer<'_> {
        Box::pin(async move {
            let (begun, bytes) = (Instant::now(), payload.len());
            let answer = self.answer(caller, method, payload).await;
            self.state.metrics.called(method, begun.elapsed(), bytes, &answer);
            answer
        })
    }

    fn disconnected(&self, connection: ConnectionId) {
        if self.state.relay.is_on() {
            let connection = qpq_relay::ConnectionId(connection.0);
            self.writer.tell_relay(qpq_relay::Input::Disconnected(connection));
        }
    }
}

fn engine_caller(caller: Caller) -> qpq_engine::Caller {
    match caller.peer {
        Peer::Owner => qpq_engine::Caller::Owner,
        Peer::Node(node) => qpq_engine::Caller::Node(node),
        Peer::Anyone => qpq_engine::Caller::Public,
    }
}

fn relay_caller(caller: Caller) -> qpq_relay::Caller {
    let Caller { connection, peer, address, exporter } = caller;
    let peer = match peer {
        Peer::Owner => qpq_relay::Peer::Owner,
        Peer::Node(node) => qpq_relay::Peer::Node(node),
        Peer::Anyone => qpq_relay::Peer::Anyone,
    };
    let connection = qpq_relay::ConnectionId(connection.0);
    qpq_relay::Caller { connection, peer, address, exporter: exporter.0 }
}

fn decode<R: Message + Default>(payload: Bytes) -> Result<R, Failure> {
    R::decode(payload).map_err(|error| Failure::bad_request("", error.to_string()))
}

fn encode(message: &impl Message) -> Bytes {
    message.encode_to_vec().into()
}
