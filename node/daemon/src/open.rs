//! Opening what a node keeps: database, at-rest key, node key, engine.
//!
//! The database tells its id before its key is known, and the key file is named after the id. For a new
//! database the key is on disk before anything is sealed under it.

mod beside;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use chacha20::ChaCha20Rng;
use qpq_crypto::identity::DeviceSecret;
use qpq_crypto::opaque::OPAQUE_COST;
use qpq_engine::storage::{Key, StorageError, Table, Transaction};
use qpq_engine::{Config, Engine, EngineError};
use qpq_proto::Failure;
use qpq_proto::ids::NodeKey;
use qpq_proto::limits::Limits;
use qpq_relay::RelayError;
use qpq_store::{CommitError, LockedStore, OpenError, Options, Storage, Store};
use rand_core::{CryptoRng, SeedableRng};
use zeroize::Zeroizing;

use self::beside::{open_counter, open_heads};
use crate::actor::{Core, Machine};
use crate::clock::Clock;
use crate::environment::Environment;
use crate::machine::{NodeMachine, Relaying};
use crate::private_file::{self, PrivateFileError};
use crate::relay::Relay;
use crate::relaying::RELAY;
use crate::room::Room;
use crate::settings::{Custody, Neighbours, PeerConnections, Registration, Settings, WorkBits};
use crate::unlock::{Unlock, UnlockError};

/// What a node keeps cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenNodeError {
    /// Another daemon has the directory.
    #[error("another daemon uses {data_dir}: stop it, or choose another directory with --data-dir")]
    InUse {
        /// The data directory.
        data_dir: PathBuf,
    },
    /// The key is of another database.
    #[error("{source_of_key} is not the one the database in {data_dir} was made with")]
    WrongKey {
        /// The data directory.
        data_dir: PathBuf,
        /// The key file, or the passphrase.
        source_of_key: String,
    },
    /// The database does not open.
    #[error("the database in {data_dir} does not open: {source}")]
    Store {
        /// The data directory.
        data_dir: PathBuf,
        /// Why.
        source: OpenError,
    },
    /// There is no key.
    #[error(transparent)]
    Unlock(#[from] UnlockError),
    /// A directory cannot be made, or not be used.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Randomness(getrandom::Error),
    /// The database cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The database cannot be written.
    #[error("the database cannot be written: {0}")]
    Commit(#[from] CommitError),
    /// What the engine keeps cannot be used.
    #[error("what the node keeps cannot be used: {0}")]
    Engine(#[from] EngineError),
    /// What the relay keeps cannot be used.
    #[error("what the relay keeps cannot be used: {0}")]
    Relay(#[from] RelayError),
    /// What the relay's log was signed at cannot be kept beside the key.
    #[error("beside the at-rest key: {}", .0.message)]
    Heads(Failure),
    /// The node key in the database is malformed.
    #[error("the node key in the database is malformed")]
    NodeKeyMalformed,
}

/// What the writer of a node owns.
pub(crate) type NodeCore = Core<Store, NodeMachine>;

/// What was found while a node was opened.
#[derive(Debug)]
pub(crate) struct Found {
    /// The node's secret key; its public half names the node.
    pub(crate) node_secret: NodeSecret,
    /// The key file; none with a passphrase.
    pub(crate) key_file: Option<PathBuf>,
    /// Whether the database is an older copy.
    pub(crate) is_rolled_back: bool,
    /// The names of the roles that are switched on.
    pub(crate) roles: Vec<String>,
    /// Whether the relay's log is older than what was signed of it.
    pub(crate) is_log_older: bool,
}

impl Found {
    /// Whether the node is a relay.
    pub(crate) fn is_relay(&self) -> bool {
        self.roles.iter().any(|role| role == RELAY)
    }
}

/// The secret half of a node key.
pub(crate) struct NodeSecret(pub(crate) Zeroizing<[u8; 32]>);

impl NodeSecret {
    /// The node key: like every key of an identity or a device, the public half of Ed25519.
    pub(crate) fn public(&self) -> NodeKey {
        NodeKey::from_bytes(*DeviceSecret::from_seed(&self.0).public().as_bytes())
    }
}

impl std::fmt::Debug for NodeSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NodeSecret(..)")
    }
}

/// Opens the node in a data directory, or makes it.
pub(crate) fn open(
    settings: &Settings,
    environment: &Environment,
    data_dir: &Path,
    limits: &Limits,
    clock: Clock,
) -> Result<(NodeCore, Found), OpenNodeError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut_slice()).map_err(OpenNodeError::Randomness)?;
    let mut rng = ChaCha20Rng::from_seed(*seed);
    if let Some(mode) = private_file::claim_directory(data_dir)? {
        tracing::warn!(
            "{} was open to others (mode {mode:03o}); it is closed to them now",
            data_dir.display()
        );
    }
    let (mut store, key_file) = open_store(settings, environment, data_dir, limits, &mut rng)?;
    let heads = open_heads(key_file.as_deref(), environment, data_dir, store.id());
    let is_rolled_back = store.is_rolled_back();

    let mut batch = store.begin();
    let mut tx = batch.transaction();
    let node_secret = load_node_secret(&mut tx, &mut rng)?;
    let config = Config {
        node: node_secret.public(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        limits: limits.clone(),
        has_peers: settings.peers == PeerConnections::On,
        seeks_strangers: settings.neighbours == Neighbours::Open,
        is_rolled_back,
        custody_is_volatile: settings.custody == Custody::Ram,
        password_cost: OPAQUE_COST,
    };
    let engine = Engine::open(config, &mut tx)?;
    let relaying = Relaying {
        node: node_secret.0.clone(),
        limits: limits.relay.clone(),
        registration: registration_of(settings),
        domain: settings.relay_domain.as_ref().map(ToString::to_string).unwrap_or_default(),
        heads,
        push: settings.relay_push,
    };
    let roles = Engine::roles(&tx)?;
    let is_relay = roles.iter().any(|role| role == RELAY);
    let relay = is_relay.then(|| relaying.open(&mut rng, &mut tx)).transpose()?;
    tx.accept();
    batch.commit()?;
    let is_log_older = relay.as_ref().is_some_and(Relay::is_log_older);
    let room = Room::new(data_dir.to_owned(), limits.disk_reserve_bytes);
    let mut machine = NodeMachine { engine, relay, relaying, room };
    machine.keep_outside().map_err(OpenNodeError::Heads)?;
    let core = Core { storage: store, machine, rng, clock };
    Ok((core, Found { node_secret, key_file, is_rolled_back, roles, is_log_older }))
}

fn open_store(
    settings: &Settings,
    environment: &Environment,
    data_dir: &Path,
    limits: &Limits,
    rng: &mut dyn CryptoRng,
) -> Result<(Store, Option<PathBuf>), OpenNodeError> {
    let mut source_of_key = String::new();
    let described = |error, source_of_key: &str| describe(error, data_dir, source_of_key);
    let options = Options {
        cache_bytes: limits.database_cache_bytes,
        journal_bytes: limits.database_journal_bytes_max,
        open_counter: None,
    };
    let locked = LockedStore::open(data_dir, &options).map_err(|error| described(error, &source_of_key))?;
    let unlock = Unlock { settings, environment, data_dir };
    let id = locked.id();
    let unlocked =
        if locked.is_new() { unlock.create(id.as_bytes(), rng)? } else { unlock.existing(id.as_bytes())? };
    source_of_key.push_str(&match &unlocked.key_file {
        Some(path) => format!("the key in {}", path.display()),
        None => "the passphrase".to_owned(),
    });
    locked.check_key(&unlocked.key).map_err(|error| described(error, &source_of_key))?;
    // The counter lies beside the key, whose place was not known before.
    let counted = match open_counter(unlocked.key_file.as_deref(), environment, data_dir, id) {
        Some(path) => locked.count_in(&path),
        None => Ok(locked),
    };
    let store = counted
        .and_then(|locked| locked.unlock(&unlocked.key))
        .map_err(|error| described(error, &source_of_key))?;
    Ok((store, unlocked.key_file))
}

fn describe(error: OpenError, data_dir: &Path, source_of_key: &str) -> OpenNodeError {
    let data_dir = data_dir.to_owned();
    match error {
        OpenError::InUse => OpenNodeError::InUse { data_dir },
        OpenError::WrongKey => OpenNodeError::WrongKey { data_dir, source_of_key: source_of_key.to_owned() },
        source => OpenNodeError::Store { data_dir, source },
    }
}

/// The node key of the database, made at the first start. It is in no backup: a restored node is another one.
fn load_node_secret(tx: &mut dyn Transaction, rng: &mut dyn CryptoRng) -> Result<NodeSecret, OpenNodeError> {
    if let Some(stored) = tx.get(NODE_TABLE, NODE_KEY)? {
        let secret: &[u8; 32] = stored.as_ref().try_into().map_err(|_| OpenNodeError::NodeKeyMalformed)?;
        return Ok(NodeSecret(Zeroizing::new(*secret)));
    }
    let mut secret = Zeroizing::new([0; 32]);
    rng.fill_bytes(secret.as_mut_slice());
    tx.put(NODE_TABLE, NODE_KEY, Bytes::copy_from_slice(secret.as_slice()))?;
    Ok(NodeSecret(secret))
}

/// What belongs to the node itself, whoever uses it.
pub(crate) const NODE_TABLE: Table = Table("node");
/// The certificate of the direct listener that the node made, and its private key, as PEM.
pub(crate) const CERTIFICATE: Key<'static> = Key { prefix: b"direct-certificate", ordinal: 0 };
const NODE_KEY: Key<'static> = Key { prefix: b"node-key", ordinal: 0 };

/// Who may register.
fn registration_of(settings: &Settings) -> qpq_relay::Registration {
    match settings.relay_registration {
        Registration::Closed => qpq_relay::Registration::Closed,
        Registration::Open => qpq_relay::Registration::Open,
        Registration::Work => {
            let bits = settings.relay_work_bits.map_or(WORK_BITS, |WorkBits(bits)| bits);
            qpq_relay::Registration::Work { bits }
        }
    }
}

/// Work of about two seconds on a laptop.
const WORK_BITS: u8 = 24;

#[cfg(test)]
mod tests;
