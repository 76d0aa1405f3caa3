//! The two halves of a node: what it does for its own person, and what it does for others.

use bytes::Bytes;
use prost::Message;
use qpq_crypto::identity::DeviceSecret;
use qpq_engine::storage::Transaction;
use qpq_engine::{Engine, EngineError, Input, Now, Outcome};
use qpq_proto::limits::RelayLimits;
use qpq_proto::{Failure, Method, Service, v1};
use qpq_relay::{Caller, Peer, Registration, RelayError};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::actor::Machine;
use crate::heads::Heads;
use crate::relay::Relay;
use crate::room::{Room, Usage};
use crate::settings::Push;
use crate::waking::Waking;

/// Engine and, while the role is on, relay.
#[derive(Debug)]
pub(crate) struct NodeMachine {
    /// The person's half.
    pub(crate) engine: Engine,
    /// What the node does for others.
    pub(crate) relay: Option<Relay>,
    /// What the relay is told when the role is switched on.
    pub(crate) relaying: Relaying,
    /// On the disk.
    pub(crate) room: Room,
}

/// What a relay is told when it is opened.
pub(crate) struct Relaying {
    /// The node's secret key.
    pub(crate) node: Zeroizing<[u8; 32]>,
    /// Limits of the profile.
    pub(crate) limits: RelayLimits,
    /// Who may register.
    pub(crate) registration: Registration,
    /// Under which name the log is signed; empty for the node's key.
    pub(crate) domain: String,
    /// The trees that were signed, outside of the database; none where there is no place for them.
    pub(crate) heads: Option<Heads>,
    /// By which endpoints devices are woken.
    pub(crate) push: Push,
}

impl std::fmt::Debug for Relaying {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relaying").field("registration", &self.registration).finish_non_exhaustive()
    }
}

impl Relaying {
    /// Opens the relay.
    pub(crate) fn open(
        &self,
        rng: &mut dyn CryptoRng,
        tx: &mut dyn qpq_relay::storage::Transaction,
    ) -> Result<Relay, RelayError> {
        let (limits, registration) = (self.limits.clone(), self.registration);
        let node = DeviceSecret::from_seed(&self.node);
        let domain = self.domain.clone();
        let signed_trees = self.heads.as_ref().map(|heads| heads.trees().to_vec()).unwrap_or_default();
        let config = qpq_relay::Config { node, limits, registration, domain, signed_trees };
        let (wakes, is_private) = (Waking::is_possible(self.push), self.push == Push::Any);
        Relay::open(config, rng, tx).map(|relay| relay.with_wakes(wakes).with_private_push(is_private))
    }
}

impl Machine for NodeMachine {
    fn handle(
        &mut self,
        input: Input,
        now: Now,
        rng: &mut dyn CryptoRng,
        tx: &mut dyn Transaction,
    ) -> Result<Outcome, EngineError> {
        self.engine.handle(input, now, rng, tx)
    }

    fn wake_at(&self) -> Option<u64> {
        self.engine.wake_at()
    }

    fn relay(&mut self) -> Option<&mut Relay> {
        let Self { engine, relay, .. } = self;
        let relay = relay.as_mut()?;
        // A person comes to a node once, and may be restored there with newer keys.
        if relay.owner() != engine.hybrid_key_version() {
            relay.set_owner(engine.administrator_key());
        }
        Some(relay)
    }

    fn relay_wake_at(&self) -> Option<u64> {
        self.relay.as_ref()?.wake_at()
    }

    fn keep_outside(&mut self) -> Result<(), Failure> {
        let (Some(relay), Some(heads)) = (&mut self.relay, &mut self.relaying.heads) else { return Ok(()) };
        let Some(tree) = relay.signed_tree() else { return Ok(()) };
        if let Err(error) = heads.keep(tree) {
            tracing::error!("the newest head of the relay's log cannot be kept beside the key: {error}");
            return Err(Failure::unavailable("what the relay's log is signed at cannot be kept", RETRY_MS));
        }
        relay.tree_is_kept();
        Ok(())
    }

    fn look_for_room(&mut self, written_bytes: u64, uptime_ms: u64) {
        if let Some(relay) = &mut self.relay {
            let qpq_relay::Figures { stored_bytes, released_bytes, .. } = relay.figures();
            let kept_bytes = stored_bytes.wrapping_sub(released_bytes).cast_signed();
            relay.set_room(self.room.look(Usage { written_bytes, kept_bytes }, uptime_ms));
        }
    }

    fn is_own(&self, caller: &Caller, method: Method, payload: &Bytes) -> bool {
        let Some(own) = self.engine.identity().filter(|_| matches!(caller.peer, Peer::Node(_))) else {
            return false;
        };
        let named = match method {
            Method::Enqueue => v1::EnqueueRequest::decode(payload.clone()).map(|request| request.mailbox),
            Method::FetchHybridKey => {
                v1::FetchHybridKeyRequest::decode(payload.clone()).map(|request| request.identity_key)
            }
            _ => return false,
        };
        named.is_ok_and(|named| named == own.as_bytes())
    }
}

/// Whether a method is one that a relay offers.
pub(crate) fn is_relays(method: Method) -> bool {
    match method.service() {
        Service::Auth
        | Service::Delivery
        | Service::Keys
        | Service::Channels
        | Service::Groups
        | Service::Moderation
        | Service::Users
        | Service::KeyTransparency
        | Service::Blobs
        | Service::Devices
        | Service::Recovery
        | Service::Account => true,
        Service::Peers => method != Method::Health,
        Service::Owner => matches!(
            method,
            Method::CreateRelayInvitation
                | Method::ListRelayUsers
                | Method::SetRelayAdministrator
                | Method::BanRelayUser
                | Method::UnbanRelayUser
                | Method::ListRelayReports
                | Method::ListRelayBans
                | Method::ReadRelayAudit
        ),
        Service::Mesh | Service::Federation => false,
    }
}

/// When a caller who is refused for want of a disk should try again.
const RETRY_MS: u64 = 10_000;
