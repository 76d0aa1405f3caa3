//! Somebody who uses a relay over its direct listener, written against the wire contract alone.

use std::iter;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard};

use anyhow::{Context, anyhow};
use chacha20::ChaCha20Rng;
use qpq_crypto::account::{prove_possession, session_token_hash, sign_deletion, sign_login, sign_session};
use qpq_crypto::certificate::DeviceCertificate;
use qpq_crypto::device_list::DeviceList;
use qpq_crypto::digest::delivery_id;
use qpq_crypto::identity::{DeviceSecret, IdentityKey};
use qpq_crypto::opaque::{ClientLogin, ClientRegistration, LoggedIn};
use qpq_crypto::passphrase::PassphraseCost;
use qpq_net::direct::{DirectClient, Trust};
use qpq_proto::ids::{DeviceKey, Identity, NodeKey};
use qpq_proto::limits::Limits;
use qpq_proto::v1::{
    DeleteAccountRequest, EnqueueRequest, OpaqueLoginFinishRequest, OpaqueLoginStartRequest,
    OpaqueRegisterFinishRequest, OpaqueRegisterStartRequest, PushKind, RegisterPushTokenRequest,
    ResumeSessionRequest,
};
use qpq_proto::{CallError, Client};
use rand_core::SeedableRng;

use crate::Node;

/// A relay as its users know it.
#[derive(Debug, Clone)]
pub struct RelayAddress {
    /// Where it listens.
    pub address: SocketAddr,
    /// How its certificate is known.
    pub trust: Trust,
}

impl RelayAddress {
    /// Of a node whose daemon runs and listens for programs.
    ///
    /// # Errors
    /// If its line of readiness does not name the listener.
    pub fn of(node: &Node) -> anyhow::Result<Self> {
        let log = node.log();
        let word = |name: &str| {
            let ready = log.lines().rev().find(|line| line.contains("ready node="));
            ready.and_then(|line| line.split_whitespace().find_map(|word| word.strip_prefix(name)))
        };
        let address = word("rpc=").context("the daemon does not listen for programs")?;
        let pin = word("pin=").context("the daemon names no pin")?;
        let pin = pin.parse().map_err(|error| anyhow!("the pin cannot be read: {error}"))?;
        Ok(Self { address: address.parse()?, trust: Trust::Pin(pin) })
    }

    /// A connection to it, on which nobody is logged in.
    ///
    /// # Errors
    /// If there is none.
    pub async fn connect(&self) -> anyhow::Result<Client<DirectClient>> {
        Ok(Client::new(DirectClient::connect(self.address, &self.trust, &Limits::SERVER).await?))
    }
}

/// Somebody with an identity, one device and a password.
#[derive(Debug)]
pub struct RelayUser {
    name: String,
    identity: IdentityKey,
    device: DeviceSecret,
    node: NodeKey,
    rng: Mutex<ChaCha20Rng>,
}

impl RelayUser {
    /// Somebody whose keys follow from the number.
    pub fn new(number: u32) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(number.into());
        Self {
            name: format!("user{number}"),
            identity: IdentityKey::generate(&mut rng),
            device: DeviceSecret::generate(&mut rng),
            node: NodeKey::from_bytes([1; 32]),
            rng: Mutex::new(rng),
        }
    }

    /// The same under another name.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    /// The same with the device on a node.
    #[must_use]
    pub fn on_node(self, node: NodeKey) -> Self {
        Self { node, ..self }
    }

    /// Who it is, and the mailbox of everybody who knows only that.
    pub fn identity(&self) -> Identity {
        self.identity.public()
    }

    /// Registers at an open relay.
    ///
    /// # Errors
    /// As the relay answers.
    pub async fn register(&self, relay: &Client<DirectClient>) -> anyhow::Result<()> {
        self.register_with(relay, Vec::new()).await
    }

    /// Registers with an invitation.
    ///
    /// # Errors
    /// As the relay answers.
    pub async fn register_with(
        &self,
        relay: &Client<DirectClient>,
        invitation: Vec<u8>,
    ) -> anyhow::Result<()> {
        let (state, request) = ClientRegistration::start(&mut *self.rng()?, PASSWORD)?;
        let username = self.name.clone();
        let start = OpaqueRegisterStartRequest { username: username.clone(), request };
        let answer = relay.opaque_register_start(&start).await?;
        let registered = state.finish(&mut *self.rng()?, &self.identity(), &answer.response, COST)?;
        let proof = prove_possession(&self.identity, &username, &registered.record);
        let finish = OpaqueRegisterFinishRequest {
            username,
            upload: registered.record,
            identity_key: self.identity().to_vec(),
            proof_of_possession: proof.to_vec(),
            invitation,
            ..OpaqueRegisterFinishRequest::default()
        };
        relay.opaque_register_finish(&finish).await?;
        Ok(())
    }

    /// Logs in on a connection, and gives the session's token.
    ///
    /// # Errors
    /// As the relay answers.
    pub async fn log_in(&self, relay: &Client<DirectClient>) -> anyhow::Result<[u8; 32]> {
        let proven = self.prove_password(relay).await?;
        let exporter = relay.transport().exporter().0;
        let signature = sign_login(&self.device, &proven.session_key, &exporter);
        let finish = OpaqueLoginFinishRequest {
            username: self.name.clone(),
            finalization: proven.finalization,
            identity_key: self.identity().to_vec(),
            device_id: self.device.public().to_vec(),
            device_signature: signature.to_vec(),
            device_list: self.device_list(&[])?.encode(),
        };
        let answer = relay.opaque_login_finish(&finish).await?;
        answer.session_token.try_into().map_err(|_| anyhow!("the token is not 32 bytes long"))
    }

    /// The password's half of a login.
    async fn prove_password(&self, relay: &Client<DirectClient>) -> anyhow::Result<LoggedIn> {
        let (state, request) = ClientLogin::start(&mut *self.rng()?, PASSWORD)?;
        let start = OpaqueLoginStartRequest { username: self.name.clone(), request };
        let answer = relay.opaque_login_start(&start).await?;
        Ok(state.finish(&mut *self.rng()?, &self.identity(), &answer.response, COST)?)
    }

    /// What deletes the account over a connection on which it is logged in; the password is proved again for it.
    ///
    /// # Errors
    /// As the relay answers.
    pub async fn deletion(&self, relay: &Client<DirectClient>) -> anyhow::Result<DeleteAccountRequest> {
        let proven = self.prove_password(relay).await?;
        let signature =
            sign_deletion(&self.identity, &proven.session_key, &relay.transport().exporter().0).to_vec();
        Ok(DeleteAccountRequest { finalization: proven.finalization, signature })
    }

    /// Takes a session up on another connection.
    ///
    /// # Errors
    /// As the relay answers.
    pub async fn resume(&self, relay: &Client<DirectClient>, token: &[u8; 32]) -> anyhow::Result<()> {
        let exporter = relay.transport().exporter().0;
        let signature = sign_session(&self.device, &session_token_hash(token), &exporter);
        let request =
            ResumeSessionRequest { session_token: token.to_vec(), device_signature: signature.to_vec() };
        relay.resume_session(&request).await?;
        Ok(())
    }

    /// Connects, registers and logs in.
    ///
    /// # Errors
    /// As the relay answers.
    pub async fn arrive(&self, relay: &RelayAddress) -> anyhow::Result<Client<DirectClient>> {
        let connection = relay.connect().await?;
        self.register(&connection).await?;
        self.log_in(&connection).await?;
        Ok(connection)
    }

    fn rng(&self) -> anyhow::Result<MutexGuard<'_, ChaCha20Rng>> {
        self.rng.lock().map_err(|_| anyhow!("another task panicked"))
    }

    /// Names the token by which a service wakes its device. Returns whether the relay wakes it so.
    ///
    /// # Errors
    /// As the relay answers.
    pub async fn push_token(
        &self,
        relay: &Client<DirectClient>,
        kind: PushKind,
        token: &[u8],
    ) -> Result<bool, CallError> {
        let (device_id, token) = (self.device.public().to_vec(), token.to_vec());
        let request = RegisterPushTokenRequest { device_id, kind: kind.into(), token };
        Ok(relay.register_push_token(&request).await?.deliverable)
    }

    /// The first list of its devices: the one that it logs in with, and others.
    ///
    /// # Errors
    /// If that is no list: too many of them, or one twice.
    pub fn device_list(&self, others: &[DeviceKey]) -> anyhow::Result<DeviceList> {
        Ok(DeviceList::sign(&self.identity, 1, [0; 32], self.certificates(others)?, Vec::new())?)
    }

    /// The list of its devices that follows another: the one that it logs in with, and others.
    ///
    /// # Errors
    /// As for [`Self::device_list`].
    pub fn next_device_list(&self, list: &DeviceList, others: &[DeviceKey]) -> anyhow::Result<DeviceList> {
        Ok(list.next(&self.identity, self.certificates(others)?, Vec::new())?)
    }

    fn certificates(&self, others: &[DeviceKey]) -> anyhow::Result<Vec<DeviceCertificate>> {
        let devices = iter::once(self.device.public()).chain(others.iter().copied());
        let issue = |device| DeviceCertificate::issue(&self.identity, device, self.node, &[0x4f], 1);
        devices.map(|device| Ok(issue(device)?)).collect()
    }
}

/// A request that puts a payload into somebody's mailbox.
pub fn delivery(to: Identity, payload: Vec<u8>) -> EnqueueRequest {
    let delivery_id = delivery_id(&payload).to_vec();
    EnqueueRequest { mailbox: to.to_vec(), payload: payload.into(), delivery_id, ..EnqueueRequest::default() }
}

const PASSWORD: &[u8] = b"correct horse battery staple";
/// Stretching is the client's alone: the relay does not know how little these do.
const COST: PassphraseCost = PassphraseCost { memory_kib: 8, passes: 1, lanes: 1 };
