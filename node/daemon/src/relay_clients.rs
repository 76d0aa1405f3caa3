//! Connections to relays at which people have mailboxes, this node's own person or others.
//!
//! A relay at which this node's person has a mailbox is kept connected: one task each, which connects, tells the engine,
//! waits for the end of the connection and begins again after a pause. What is for others goes over connections of
//! another kind, made when they are needed and closed when nobody has used them for a while: nobody logs in on those.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use qpq_engine::{CallFailure, Input, RelayKey, RelayLine};
use qpq_net::direct::{ConnectError, DirectClient, Pin, Trust};
use qpq_proto::limits::Limits;
use qpq_proto::{Method, Transport};
use tokio::net::lookup_host;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::effects::{Inputs, failure_of};
use crate::service::Writer;

/// Pause after the first connection that failed; doubled up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// Longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(120);
/// A connection that lasted this long was a success: the next one is not put off.
const LASTING: Duration = Duration::from_secs(10);
/// How long a connection on which nobody logs in is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(60);
/// Connections on which nobody logs in, at one time; the one that was used least recently makes room.
const ANONYMOUS_MAX: usize = 32;
/// Addresses that are tried of one name.
const ADDRESSES_PER_NAME_MAX: usize = 4;
/// How long a name may take to be resolved.
const RESOLVING: Duration = Duration::from_secs(5);

/// The connections.
#[derive(Debug, Clone)]
pub(crate) struct RelayClients(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    writer: Writer,
    limits: Limits,
    own: Mutex<BTreeMap<RelayKey, Own>>,
    anonymous: Mutex<BTreeMap<RelayKey, Anonymous>>,
}

/// A relay that is kept connected.
#[derive(Debug)]
struct Own {
    places: Vec<String>,
    client: Option<Arc<DirectClient>>,
    task: AbortHandle,
}

/// A connection on which nobody logs in. Whoever needs it first makes it while the others wait.
#[derive(Debug, Clone)]
struct Anonymous {
    client: Arc<tokio::sync::Mutex<Option<Arc<DirectClient>>>>,
    used: Instant,
}

impl Drop for Own {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl RelayClients {
    /// None yet.
    pub(crate) fn new(writer: Writer, limits: Limits) -> Self {
        Self(Arc::new(Shared { writer, limits, own: Mutex::default(), anonymous: Mutex::default() }))
    }

    /// Keeps a relay connected. Tries at once if it is not.
    pub(crate) fn want(&self, relay: RelayKey, places: Vec<String>) {
        let mut own = lock(&self.0.own);
        if own.get(&relay).is_some_and(|own| own.places == places && own.client.is_some()) {
            return;
        }
        let had_client = own.remove(&relay).is_some_and(|own| own.client.is_some());
        let keeping = keep_connected(Arc::downgrade(&self.0), relay, places.clone(), had_client);
        let task = tokio::spawn(keeping).abort_handle();
        own.insert(relay, Own { places, client: None, task });
    }

    /// Gives a relay up.
    pub(crate) fn release(&self, relay: RelayKey) {
        lock(&self.0.own).remove(&relay);
    }

    /// Calls a method of a relay.
    pub(crate) async fn call(
        &self,
        relay: RelayKey,
        line: RelayLine,
        method: Method,
        payload: Bytes,
    ) -> Result<Bytes, CallFailure> {
        let client = match line {
            RelayLine::Session => lock(&self.0.own).get(&relay).and_then(|own| own.client.clone()),
            RelayLine::Anonymous { places } => self.0.anonymous(relay, &places).await,
        };
        let client = client.ok_or(CallFailure::Unreachable)?;
        client.call(method, payload).await.map_err(|error| {
            tracing::debug!(method = method.name(), "a call of a relay failed: {error}");
            failure_of(error)
        })
    }
}

impl Shared {
    /// A connection on which nobody logs in.
    async fn anonymous(self: &Arc<Self>, relay: RelayKey, places: &[String]) -> Option<Arc<DirectClient>> {
        let slot = self.anonymous_slot(relay);
        let mut client = slot.lock().await;
        if let Some(client) = client.as_ref().filter(|client| !client.is_closed()) {
            return Some(Arc::clone(client));
        }
        match connect(relay, places, &self.limits).await {
            Ok(made) => {
                let made = Arc::new(made);
                *client = Some(Arc::clone(&made));
                Some(made)
            }
            Err(reason) => {
                tracing::debug!("a relay was not reached: {reason}");
                None
            }
        }
    }

    fn anonymous_slot(
        self: &Arc<Self>,
        relay: RelayKey,
    ) -> Arc<tokio::sync::Mutex<Option<Arc<DirectClient>>>> {
        let mut anonymous = lock(&self.anonymous);
        if anonymous.is_empty() {
            tokio::spawn(close_idle(Arc::downgrade(self)));
        }
        if anonymous.len() >= ANONYMOUS_MAX
            && !anonymous.contains_key(&relay)
            && let Some(oldest) = anonymous.iter().min_by_key(|(_, slot)| slot.used).map(|(relay, _)| *relay)
        {
            anonymous.remove(&oldest);
        }
        let new = || Anonymous { client: Arc::default(), used: Instant::now() };
        let slot = anonymous.entry(relay).or_insert_with(new);
        slot.used = Instant::now();
        Arc::clone(&slot.client)
    }
}

/// Closes connections that nobody uses, until there are none.
async fn close_idle(shared: Weak<Shared>) {
    loop {
        sleep(IDLE / 2).await;
        let Some(shared) = shared.upgrade() else { return };
        let mut anonymous = lock(&shared.anonymous);
        anonymous.retain(|_, slot| slot.used.elapsed() < IDLE);
        if anonymous.is_empty() {
            return;
        }
    }
}

/// Keeps a relay connected until it is given up.
async fn keep_connected(shared: Weak<Shared>, relay: RelayKey, places: Vec<String>, had_client: bool) {
    let mut pause = PAUSE_MIN;
    if had_client {
        tell(&shared, Input::RelayLost { relay }).await;
    }
    loop {
        let Some(limits) = shared.upgrade().map(|shared| shared.limits.clone()) else { return };
        match connect(relay, &places, &limits).await {
            Ok(client) => {
                let since = Instant::now();
                serve(&shared, relay, Arc::new(client)).await;
                if since.elapsed() >= LASTING {
                    pause = PAUSE_MIN;
                }
            }
            Err(reason) => tell(&shared, Input::RelayUnreached { relay, reason }).await,
        }
        sleep(pause + jitter(pause)).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Lets a connection be used until it ends.
async fn serve(shared: &Weak<Shared>, relay: RelayKey, client: Arc<DirectClient>) {
    let exporter = client.exporter().0;
    set_client(shared, relay, Some(Arc::clone(&client)));
    tell(shared, Input::RelayConnected { relay, exporter }).await;
    let reason = client.closed().await;
    tracing::info!("the connection to a relay has ended: {reason}");
    set_client(shared, relay, None);
    tell(shared, Input::RelayLost { relay }).await;
}

fn set_client(shared: &Weak<Shared>, relay: RelayKey, client: Option<Arc<DirectClient>>) {
    if let Some(shared) = shared.upgrade()
        && let Some(own) = lock(&shared.own).get_mut(&relay)
    {
        own.client = client;
    }
}

async fn tell(shared: &Weak<Shared>, input: Input) {
    let writer = shared.upgrade().map(|shared| shared.writer.clone());
    if let Some(writer) = writer {
        Inputs::give(&writer, input).await;
    }
}

/// Connects to the first place that answers; or says, for a person, why none did.
async fn connect(relay: RelayKey, places: &[String], limits: &Limits) -> Result<DirectClient, String> {
    let trust = Trust::Pin(Pin(relay.0));
    let mut reason = String::from("the relay has no address");
    for place in places {
        let addresses = addresses_of(place).await;
        if addresses.is_empty() {
            reason = format!("the name in {place} leads nowhere");
        }
        for address in addresses {
            match DirectClient::connect(address, &trust, limits).await {
                Ok(client) => return Ok(client),
                Err(ConnectError::Untrusted(_)) => {
                    reason = format!(
                        "what listens at {place} is not the relay of the link: its certificate is another"
                    );
                }
                Err(error) => reason = format!("the relay was not reached at {place}: {error}"),
            }
        }
    }
    Err(reason)
}

async fn addresses_of(place: &str) -> Vec<SocketAddr> {
    if let Ok(address) = place.parse() {
        return vec![address];
    }
    match timeout(RESOLVING, lookup_host(place)).await {
        Ok(Ok(addresses)) => addresses.take(ADDRESSES_PER_NAME_MAX).collect(),
        _ => Vec::new(),
    }
}

/// Up to a quarter of a pause, so that those whom a relay has lost do not all come back at once.
fn jitter(pause: Duration) -> Duration {
    let mut byte = [0];
    match getrandom::fill(&mut byte) {
        Ok(()) => pause * u32::from(byte[0]) / 1_024,
        Err(_) => Duration::ZERO,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
