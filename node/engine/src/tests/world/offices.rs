//! Relays of a world: as much of one as nodes see of it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use qpq_crypto::{
    digest::sha256,
    opaque::{OpaqueSetup, PendingLogin},
};
use qpq_proto::{
    Failure, Method,
    ids::{DeviceKey, Identity},
    v1,
};

use super::{World, rng};
use crate::{CallFailure, CallId, Input, RelayKey, RelayLine};

mod answers;
mod batches;
mod bundles;
mod log;
mod reports;
pub(in crate::tests) use log::Log;

/// A relay. What it keeps is never lost; its connections are.
pub(in crate::tests) struct Office {
    pub(in crate::tests) is_up: bool,
    /// Answers get lost: what is asked for is done.
    pub(in crate::tests) is_silent: bool,
    /// The node does without the role at present, and says so.
    pub(in crate::tests) is_no_relay: bool,
    /// How many calls of each method it was given.
    pub(in crate::tests) calls: BTreeMap<&'static str, usize>,
    /// Deliveries that came in batches.
    pub(in crate::tests) batched: usize,
    /// Gives out another's hybrid key than is asked for.
    pub(in crate::tests) is_forging: bool,
    /// Most tokens of a mailbox.
    pub(in crate::tests) tokens_max: usize,
    setup: OpaqueSetup,
    accounts: BTreeMap<String, (Identity, Vec<u8>)>,
    sessions: BTreeMap<[u8; 32], (DeviceKey, Identity)>,
    pending: BTreeMap<usize, PendingLogin>,
    /// Nodes that are logged in.
    logged_in: BTreeMap<usize, Identity>,
    pub(in crate::tests) boxes: BTreeMap<Vec<u8>, Box>,
    /// Recovery bundles by the hash of their token: whose each is, its version, and it.
    pub(in crate::tests) bundles: BTreeMap<Vec<u8>, (Identity, u64, Bytes)>,
    /// In the order in which they came.
    pub(in crate::tests) hybrid_keys: Vec<v1::FetchHybridKeyResponse>,
    /// Its log of names, if it keeps one.
    pub(in crate::tests) log: Option<Log>,
    /// What it makes of an answer about a name.
    pub(in crate::tests) lie: fn(&mut v1::ResolveUserResponse),
    /// What it makes of an answer about the end of an identity.
    pub(in crate::tests) lie_of_ends: fn(&mut v1::CheckRevocationResponse),
    /// Those whom it names as its administrators.
    pub(in crate::tests) administrators: Vec<v1::AdministratorKey>,
    /// What was reported, oldest first.
    pub(in crate::tests) reports: Vec<v1::Report>,
    /// Questions for deliveries that wait.
    waiting: Vec<(usize, u32, CallId, Vec<u8>)>,
}

/// A mailbox.
#[derive(Default)]
pub(in crate::tests) struct Box {
    pub(in crate::tests) tokens: BTreeSet<[u8; 32]>,
    pub(in crate::tests) deliveries: Vec<Bytes>,
    /// Acknowledged.
    pub(in crate::tests) taken: usize,
}

impl World {
    /// Opens a further relay, and gives the link to it.
    pub(in crate::tests) fn add_office(&mut self) -> String {
        let number = u8::try_from(self.offices.len()).unwrap();
        self.offices.push(Office {
            is_up: true,
            is_silent: false,
            is_no_relay: false,
            batched: 0,
            is_forging: false,
            calls: BTreeMap::new(),
            tokens_max: 1_024,
            setup: OpaqueSetup::generate(&mut rng(7, number)),
            accounts: BTreeMap::new(),
            sessions: BTreeMap::new(),
            pending: BTreeMap::new(),
            logged_in: BTreeMap::new(),
            boxes: BTreeMap::new(),
            bundles: BTreeMap::new(),
            hybrid_keys: Vec::new(),
            administrators: Vec::new(),
            reports: Vec::new(),
            waiting: Vec::new(),
            log: None,
            lie: |_| (),
            lie_of_ends: |_| (),
        });
        let hex = |byte: u8| format!("{byte:02x}").repeat(32);
        format!("qpq://relay/{}/{}/relay{number}.example:5001", hex(number), hex(number))
    }

    /// Opens a further relay that keeps a log of names, and gives the link to it.
    pub(in crate::tests) fn add_office_with_log(&mut self) -> String {
        let link = self.add_office();
        let number = self.offices.len() - 1;
        let log = Log::of(u8::try_from(number).unwrap() + 1);
        let link = format!("{}/{}/relay{number}.example:5001", &link[..76], log.key());
        self.offices[number].log = Some(log);
        link
    }

    /// Stops a relay, or starts it again: whoever is connected to it is not any more.
    pub(in crate::tests) fn open_office(&mut self, office: usize, is_up: bool) {
        let relay = RelayKey([u8::try_from(office).unwrap(); 32]);
        self.offices[office].is_up = is_up;
        for node in 0..self.nodes.len() {
            if self.nodes[node].on_line.remove(&relay) {
                self.offices[office].forget(node);
                self.input(node, Input::RelayLost { relay });
            }
        }
    }

    /// Registers at a relay, and waits until it keeps what comes.
    pub(in crate::tests) fn register(
        &mut self,
        node: usize,
        link: &str,
    ) -> Result<v1::MailboxRelay, Failure> {
        let request = v1::RegisterAtRelayRequest {
            link: link.into(),
            username: format!("Person{node}"),
            password: b"correct horse".to_vec(),
            invitation: Vec::new(),
        };
        let begun: v1::RegisterAtRelayResponse = self.owner(node, Method::RegisterAtRelay, &request)?;
        self.await_relay(node, begun.relay.unwrap())
    }

    pub(in crate::tests) fn log_in(
        &mut self,
        node: usize,
        link: &str,
        password: &str,
    ) -> Result<v1::MailboxRelay, Failure> {
        let (username, password) = (format!("person{node}"), password.as_bytes().to_vec());
        let request = v1::LoginAtRelayRequest { link: link.into(), username, password };
        let begun: v1::LoginAtRelayResponse = self.owner(node, Method::LoginAtRelay, &request)?;
        self.await_relay(node, begun.relay.unwrap())
    }

    fn await_relay(&mut self, node: usize, begun: v1::MailboxRelay) -> Result<v1::MailboxRelay, Failure> {
        self.pass(5_000);
        let request = v1::WaitMailboxRelayRequest { pin: begun.pin, timeout_ms: 0 };
        let answer: v1::WaitMailboxRelayResponse = self.owner(node, Method::WaitMailboxRelay, &request)?;
        Ok(answer.relay.unwrap())
    }

    /// Connects who wants to be; false if there is nobody.
    pub(super) fn connect_offices(&mut self) -> bool {
        let office_of = |relay: &RelayKey| usize::from(relay.0[0]);
        for node in 0..self.nodes.len() {
            let state = &self.nodes[node];
            let mut wanted = state.relays.iter().filter(|relay| !state.on_line.contains(relay));
            let found =
                wanted.find(|relay| self.offices.get(office_of(relay)).is_some_and(|office| office.is_up));
            if let Some(relay) = found.copied().filter(|_| state.is_up) {
                self.nodes[node].on_line.insert(relay);
                self.input(node, Input::RelayConnected { relay, exporter: exporter(node, relay) });
                return true;
            }
        }
        false
    }

    pub(super) fn leave_office(&mut self, node: usize, relay: RelayKey) {
        self.nodes[node].relays.remove(&relay);
        self.nodes[node].on_line.remove(&relay);
        if let Some(office) = self.offices.get_mut(usize::from(relay.0[0])) {
            office.forget(node);
        }
    }

    pub(super) fn leave_offices(&mut self, node: usize) {
        self.nodes[node].on_line.clear();
        self.offices.iter_mut().for_each(|office| office.forget(node));
    }

    /// Takes a call to a relay.
    pub(super) fn post(
        &mut self,
        from: usize,
        run: u32,
        call: CallId,
        (relay, line): (RelayKey, RelayLine),
        method: Method,
        payload: Bytes,
    ) {
        let is_on_line = line != RelayLine::Session || self.nodes[from].on_line.contains(&relay);
        let office =
            self.offices.get_mut(usize::from(relay.0[0])).filter(|office| office.is_up && is_on_line);
        let Some(office) = office else {
            let result = Err(CallFailure::Unreachable);
            return self.events.push_back(super::Event::Answer { to: from, run, call, result });
        };
        *office.calls.entry(method.name()).or_default() += 1;
        let caller = (line == RelayLine::Session).then_some((from, run, call));
        let result = office.handle(caller, method, payload, exporter(from, relay));
        let is_silent = office.is_silent;
        let arrived = office.arrived();
        if let Some(result) = result {
            let result =
                if is_silent { Err(CallFailure::Unreachable) } else { result.map_err(CallFailure::Refused) };
            self.events.push_back(super::Event::Answer { to: from, run, call, result });
        }
        for (to, run, call, answer) in arrived {
            self.events.push_back(super::Event::Answer { to, run, call, result: Ok(answer) });
        }
    }
}

fn exporter(node: usize, relay: RelayKey) -> [u8; 32] {
    sha256(&[&node.to_be_bytes(), &relay.0])
}
