//! The two halves of a node: what it does for its own person, and what it does for others.

use bytes::Bytes;
use prost::Message;
use qpq_crypto::identity::DeviceSecret;
use qpq_engine::storage::Transaction;
use qpq_engine::{Engine, EngineError, Input, Now, Outcome};
use qpq_proto::limits::RelayLimits;
use qpq_proto::{Method, Service, v1};
use qpq_relay::{Caller, Peer, Registration, Relay, RelayError};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::actor::Machine;

/// Engine and, while the role is on, relay.
#[derive(Debug)]
pub(crate) struct NodeMachine {
    /// The person's half.
    pub(crate) engine: Engine,
    /// What the node does for others.
    pub(crate) relay: Option<Relay>,
    /// What the relay is told when the role is switched on.
    pub(crate) relaying: Relaying,
}

/// What a relay is told when it is opened.
pub(crate) struct Relaying {
    /// The node's secret key.
    pub(crate) node: Zeroizing<[u8; 32]>,
    /// Limits of the profile.
    pub(crate) limits: RelayLimits,
    /// Who may register.
    pub(crate) registration: Registration,
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
        // Its log is signed under the node's key.
        let domain = String::new();
        // Nothing here speaks HTTP yet.
        Ok(Relay::open(qpq_relay::Config { node, limits, registration, domain }, rng, tx)?.with_wakes(false))
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
        self.relay.as_mut()
    }

    fn relay_wake_at(&self) -> Option<u64> {
        self.relay.as_ref()?.wake_at()
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
