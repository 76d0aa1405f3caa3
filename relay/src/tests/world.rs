//! A relay, people who are logged in, and calls that read like prose.

use bytes::Bytes;
use chacha20::ChaCha20Rng;
use prost::Message;
use qpq_crypto::digest::delivery_id;
use qpq_crypto::identity::{DeviceSecret, IdentityKey};
use qpq_proto::ids::{DeviceKey, Identity};
use qpq_proto::limits::{RateLimit, RelayLimits};
use qpq_proto::v1::{
    AckRequest, AckResponse, EnqueueRequest, EnqueueResponse, Envelope, FetchRequest, FetchResponse,
    FetchWaitRequest, MailboxPolicy, PushEvent, RegisterMailboxRequest, RegisterMailboxResponse,
};
use qpq_proto::{Failure, Method};
use rand_core::SeedableRng;

use super::memory::Memory;
use crate::input::{CallId, Caller, ConnectionId, Effect, Input, Now, Peer, RelayError};
use crate::records::{AccountRecord, DeviceRecord};
use crate::relay::{Config, Registration, Relay};
use crate::sessions::Session;
use crate::tables::{self, ACCOUNTS, key};

/// A relay and what it keeps.
pub(super) struct World {
    pub relay: Relay,
    pub memory: Memory,
    pub now: Now,
    pub rng: ChaCha20Rng,
    next_call: u64,
    /// Effects that nobody has looked at.
    effects: Vec<Effect>,
}

/// A device of a person, who is a number, on a connection of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Device {
    pub person: u8,
    pub number: u8,
}

impl Device {
    pub(super) fn identity(self) -> Identity {
        self.identity_key().public()
    }

    /// The secret of the person.
    pub(super) fn identity_key(self) -> IdentityKey {
        IdentityKey::from_seed(&[self.person; 32])
    }

    pub(super) fn key(self) -> DeviceKey {
        self.secret().public()
    }

    /// The secret of the device.
    pub(super) fn secret(self) -> DeviceSecret {
        DeviceSecret::from_seed(&[self.person, self.number].repeat(16).try_into().unwrap())
    }

    pub(super) fn connection(self) -> ConnectionId {
        ConnectionId(u64::from(self.person) << 8 | u64::from(self.number))
    }

    pub(super) fn caller(self) -> Caller {
        Caller { connection: self.connection(), peer: Peer::Anyone, address: None, exporter: [0; 32] }
    }
}

/// Somebody without a session.
pub(super) const STRANGER: Caller =
    Caller { connection: ConnectionId(0), peer: Peer::Anyone, address: None, exporter: [0; 32] };

/// The time at which a world begins.
pub(super) const START_MS: u64 = 1_800_000_000_000;

impl World {
    pub(super) fn new() -> Self {
        Self::with(RelayLimits { removals_per_step_max: 4, ..RelayLimits::ROUTER })
    }

    /// With these limits, and as many calls as anybody likes.
    pub(super) fn with(limits: RelayLimits) -> Self {
        let often = RateLimit { burst: u32::MAX, interval_us: 1 };
        Self::with_rates(RelayLimits {
            calls_per_connection: often,
            calls_per_caller: often,
            calls_per_address: often,
            ..limits
        })
    }

    /// With these limits, those of calls included.
    pub(super) fn with_rates(limits: RelayLimits) -> Self {
        let (mut memory, mut rng) = (Memory::default(), ChaCha20Rng::seed_from_u64(1));
        Self {
            relay: Relay::open(config(limits, ""), &mut rng, &mut memory).unwrap(),
            memory,
            now: Now { monotonic_ms: 1_000, wall_ms: START_MS },
            rng,
            next_call: 1,
            effects: Vec::new(),
        }
    }

    /// Starts the relay again over what it keeps, under a domain.
    pub(super) fn restart(&mut self, domain: &str) -> Result<(), RelayError> {
        let config = config(self.relay.limits.clone(), domain);
        self.relay = Relay::open(config, &mut self.rng, &mut self.memory)?;
        Ok(())
    }

    /// Registers a person's device, the first one with the account, and logs it in.
    pub(super) fn enrol(&mut self, device: Device) -> Device {
        let identity = device.identity();
        let mut account =
            crate::accounts::account(&self.memory, identity.as_bytes()).unwrap().unwrap_or_default();
        if account.devices.is_empty() {
            self.relay.open_own_mailbox(&mut self.memory, &mut self.rng, identity).unwrap();
        }
        account.devices.push(DeviceRecord { device: device.key().to_vec(), ..DeviceRecord::default() });
        self.save(identity, &account);
        self.log_in(device, false);
        device
    }

    /// Takes a device off its account and off its connection.
    pub(super) fn expel(&mut self, device: Device) {
        let identity = device.identity();
        let mut account = crate::accounts::account(&self.memory, identity.as_bytes()).unwrap().unwrap();
        account.devices.retain(|other| other.device != device.key().to_vec());
        self.save(identity, &account);
        self.relay.sessions.unbind(device.connection());
    }

    pub(super) fn log_in(&mut self, device: Device, is_administrator: bool) {
        let session = Session {
            identity: device.identity(),
            device: device.key(),
            expires_at_ms: u64::MAX,
            is_administrator,
        };
        self.relay.sessions.bind(device.connection(), session);
    }

    fn save(&mut self, identity: Identity, account: &AccountRecord) {
        tables::save(&mut self.memory, ACCOUNTS, key(identity.as_bytes()), account).unwrap();
    }

    /// Makes a call in a batch of its own. `None` if it is not answered yet.
    pub(super) fn try_call(
        &mut self,
        caller: Caller,
        method: Method,
        request: &impl Message,
    ) -> Option<Result<Bytes, Failure>> {
        let call = self.submit(caller, method, request);
        self.answer(call)
    }

    /// Makes a call that is answered at once.
    pub(super) fn call<R: Message + Default>(
        &mut self,
        caller: Caller,
        method: Method,
        request: &impl Message,
    ) -> Result<R, Failure> {
        let answer = self.try_call(caller, method, request).expect("an answer");
        answer.map(|payload| R::decode(payload).unwrap())
    }

    /// Makes a call of the present batch, and returns its number.
    pub(super) fn submit(&mut self, caller: Caller, method: Method, request: &impl Message) -> CallId {
        let call = CallId(self.next_call);
        self.next_call += 1;
        let payload = Bytes::from(request.encode_to_vec());
        self.give(Input::Call { call, caller, method, payload });
        call
    }

    /// Ends the batch, and returns the answer to a call, if it has one by now.
    pub(super) fn answer(&mut self, call: CallId) -> Option<Result<Bytes, Failure>> {
        let ended = self.relay.end_batch();
        self.effects.extend(ended);
        let is_it = |effect: &Effect| matches!(effect, Effect::Answer { call: of, .. } if *of == call);
        let place = self.effects.iter().position(is_it)?;
        match self.effects.remove(place) {
            Effect::Answer { result, .. } => Some(result),
            _ => None,
        }
    }

    /// The connections to which something was pushed since the last time.
    pub(super) fn pushed(&mut self) -> Vec<ConnectionId> {
        let pushed = self.effects().into_iter().filter_map(|effect| match effect {
            Effect::Push { connection, .. } => Some(connection),
            _ => None,
        });
        pushed.collect()
    }

    /// The events of one kind that were pushed since the last time, and over which connections.
    pub(super) fn events<E: Message + Default>(&mut self, kind: PushEvent) -> Vec<(ConnectionId, E)> {
        let pushed = self.effects().into_iter().filter_map(|effect| match effect {
            Effect::Push { connection, event, payload } if event == kind => {
                Some((connection, E::decode(payload).unwrap()))
            }
            _ => None,
        });
        pushed.collect()
    }

    /// What was to be done since the last time.
    pub(super) fn effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Gives back what was taken and not looked at.
    pub(super) fn put_back(&mut self, effects: Vec<Effect>) {
        self.effects.splice(0..0, effects);
    }

    pub(super) fn give(&mut self, input: Input) {
        let mut transaction = self.memory.clone();
        let outcome = self.relay.handle(input, self.now, &mut self.rng, &mut transaction).unwrap();
        if outcome.keep {
            self.memory = transaction;
        }
        self.effects.extend(outcome.effects);
        self.keep_totals();
    }

    /// Lets time pass, and does what is due, to its end.
    pub(super) fn pass(&mut self, ms: u64) {
        self.now.monotonic_ms += ms;
        self.now.wall_ms += ms;
        while self.relay.wake_at().is_some_and(|at| at <= self.now.monotonic_ms) {
            self.give(Input::Tick);
        }
    }

    pub(super) fn enqueue(
        &mut self,
        from: Caller,
        mailbox: &[u8],
        text: &str,
    ) -> Result<EnqueueResponse, Failure> {
        self.call(from, Method::Enqueue, &delivery(mailbox, text))
    }

    /// What a device finds in its own mailbox, as texts with their sequences.
    pub(super) fn fetch(&mut self, device: Device) -> Vec<(u64, String)> {
        let found: FetchResponse =
            self.call(device.caller(), Method::Fetch, &FetchRequest::default()).unwrap();
        texts(found.envelopes)
    }

    pub(super) fn ack(&mut self, device: Device, seq_up_to: u64) -> Result<u64, Failure> {
        let request = AckRequest { seq_up_to, ..AckRequest::default() };
        self.call(device.caller(), Method::Ack, &request).map(|response: AckResponse| response.removed)
    }

    /// A call that waits for a delivery to the device's own mailbox.
    pub(super) fn wait(&mut self, device: Device, timeout_ms: u32) -> CallId {
        let request = FetchWaitRequest { timeout_ms, ..FetchWaitRequest::default() };
        self.submit(device.caller(), Method::FetchWait, &request)
    }

    pub(super) fn register_mailbox(
        &mut self,
        device: Device,
        mailbox: [u8; 32],
        tokens_only: bool,
    ) -> Result<(), Failure> {
        let policy = Some(MailboxPolicy { tokens_only, ..MailboxPolicy::default() });
        let request = RegisterMailboxRequest { mailbox: mailbox.to_vec(), policy };
        let answer: Result<RegisterMailboxResponse, _> =
            self.call(device.caller(), Method::RegisterMailbox, &request);
        answer.map(|_| ())
    }
}

pub(super) fn config(limits: RelayLimits, domain: &str) -> Config {
    let (node, domain) = (DeviceSecret::from_seed(&[9; 32]), domain.to_owned());
    Config { node, limits, registration: Registration::Open, domain, signed_trees: Vec::new() }
}

/// A request to deliver a text.
pub(super) fn delivery(mailbox: &[u8], text: &str) -> EnqueueRequest {
    let payload = Bytes::from(text.to_owned());
    let (mailbox, delivery_id) = (mailbox.to_vec(), delivery_id(&payload).to_vec());
    EnqueueRequest { mailbox, delivery_id, payload, ..EnqueueRequest::default() }
}

/// Envelopes as texts with their sequences.
pub(super) fn texts(envelopes: Vec<Envelope>) -> Vec<(u64, String)> {
    let text = |envelope: Envelope| (envelope.seq, String::from_utf8(envelope.data.to_vec()).unwrap());
    envelopes.into_iter().map(text).collect()
}
