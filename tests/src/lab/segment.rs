//! An Ethernet segment in user space.
//!
//! ```text
//!   host ──veth── port ─►┐                          ┌─► port ──veth── host
//!                        ├─► air: who hears it, ────┤
//!   host ──veth── port ─►┘   what is lost, when     └─► port ──veth── host
//! ```
//!
//! Like an old Ethernet, or the air: what one host sends, all others that are in range hear, and their cards ignore what
//! is not for them. Each frame may be lost, and arrives after a time of its own, so that frames overtake each other. The
//! random numbers are seeded.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::fs::File;
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use chacha20::ChaCha20Rng;
use pnet_datalink::{Channel, Config, DataLinkReceiver, DataLinkSender};
use rand_core::{Rng, SeedableRng};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::{Frame, Host};

/// The namespace of all ports, where nothing listens but the segments.
pub(super) const NAMESPACE: &str = "segments";

/// What happens to frames on their way.
#[derive(Debug, Clone, Copy)]
pub struct Air {
    /// Frames lost of a thousand.
    pub lost_per_mille: u32,
    /// Shortest time on the way, ms.
    pub delay_ms: u32,
    /// What chance may add to it, ms: so far apart two frames may be sent and still overtake each other.
    pub jitter_ms: u32,
}

impl Air {
    /// Nothing is lost, nothing takes time.
    pub const CLEAR: Self = Self { lost_per_mille: 0, delay_ms: 0, jitter_ms: 0 };
}

/// Hosts that hear each other. It ends with the process.
#[derive(Debug)]
pub struct Segment {
    number: u64,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    orders: Sender<Order>,
}

#[derive(Debug)]
struct State {
    air: Air,
    random: ChaCha20Rng,
    /// The names of the hosts, by port.
    hosts: Vec<String>,
    /// Names of hosts that nobody hears and that hear nobody.
    cut: BTreeSet<String>,
    passes_multicast: bool,
    heard: Vec<Frame>,
}

/// What the thread that sends is told.
enum Order {
    Open(usize, Box<dyn DataLinkSender>),
    Send(Delivery),
}

/// A frame on its way; the first to arrive is the greatest.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Delivery(Reverse<Instant>, Reverse<u64>, usize, Vec<u8>);

impl Segment {
    pub(super) fn new(number: u64, air: Air) -> Self {
        let (orders, ordered) = channel();
        thread::spawn(move || deliver(&ordered));
        let state = State {
            air,
            random: ChaCha20Rng::seed_from_u64(number),
            hosts: Vec::new(),
            cut: BTreeSet::new(),
            passes_multicast: true,
            heard: Vec::new(),
        };
        Self { number, shared: Arc::new(Shared { state: Mutex::new(state), orders }) }
    }

    /// Connects a host by a new interface, which is given an address such as `10.0.0.1/24` or `fd00::1/64`, if any.
    #[track_caller]
    pub fn plug(&self, host: &Host, interface: &str, address: &str) {
        let port = self.state().hosts.len();
        self.state().hosts.push(host.name().to_owned());
        let name = format!("s{}p{port}", self.number);
        let hub = Host::existing(NAMESPACE);
        hub.ip(&format!("link add {name} type veth peer name {interface} netns {}", host.name()));
        // What is larger than a frame is cut by the kernel, as without a card that could do it.
        host.ip(&format!("link set {interface} gso_max_segs 1"));
        hub.ip(&format!("link set {name} up"));
        let (opened, is_open) = channel();
        let shared = Arc::clone(&self.shared);
        thread::spawn(move || {
            let (sender, receiver) = open(&hub, &name);
            let _ = shared.orders.send(Order::Open(port, sender));
            let _ = opened.send(());
            shared.hear(port, receiver);
        });
        assert!(is_open.recv().is_ok(), "the port of {} cannot be opened", host.name());
        if !address.is_empty() {
            host.ip(&format!("addr add {address} dev {interface}"));
        }
        host.ip(&format!("link set {interface} up"));
    }

    /// From now on nobody hears the host, and it hears nobody. Its interface notices nothing.
    pub fn cut(&self, host: &Host) {
        self.state().cut.insert(host.name().to_owned());
    }

    /// The host is in range again.
    pub fn join(&self, host: &Host) {
        self.state().cut.remove(host.name());
    }

    /// From now on multicasts are lost; broadcasts, by which addresses are resolved, are not.
    pub fn drop_multicast(&self) {
        self.state().passes_multicast = false;
    }

    /// Everything that was sent by hosts in range so far, whoever it was for.
    pub fn heard(&self) -> Vec<Frame> {
        self.state().heard.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics while it holds the lock")
    }

    /// Takes what the host at a port sends, for as long as the port is there.
    fn hear(&self, port: usize, mut receiver: Box<dyn DataLinkReceiver>) {
        while let Ok(bytes) = receiver.next() {
            let bytes = bytes.to_vec();
            for delivery in self.state().sent(port, bytes, Instant::now()) {
                // Without the thread that sends, the test is over.
                let _ = self.orders.send(Order::Send(delivery));
            }
        }
    }
}

impl State {
    /// A host sends a frame: who gets it, and when.
    fn sent(&mut self, port: usize, bytes: Vec<u8>, now: Instant) -> Vec<Delivery> {
        let mut frame = Frame { from: self.hosts[port].clone(), bytes };
        if self.cut.contains(&frame.from) {
            return Vec::new();
        }
        frame.mend_checksum();
        self.heard.push(frame.clone());
        if frame.is_multicast() && !self.passes_multicast {
            return Vec::new();
        }
        let hosts = self.hosts.clone();
        let others = hosts.iter().enumerate().filter(|(other, _)| *other != port);
        let others = others.filter(|(_, name)| !self.cut.contains(*name)).map(|(other, _)| other);
        others
            .collect::<Vec<_>>()
            .into_iter()
            .filter_map(|other| self.on_its_way(other, &frame, now))
            .collect()
    }

    fn on_its_way(&mut self, to: usize, frame: &Frame, now: Instant) -> Option<Delivery> {
        let Air { lost_per_mille, delay_ms, jitter_ms } = self.air;
        if self.random.next_u32() % 1_000 < lost_per_mille {
            return None;
        }
        let delay_ms = delay_ms + self.random.next_u32() % (jitter_ms + 1);
        let arrives = now + Duration::from_millis(delay_ms.into());
        Some(Delivery(Reverse(arrives), Reverse(self.heard.len() as u64), to, frame.bytes.clone()))
    }
}

/// Hands over each frame when its time has come.
fn deliver(ordered: &Receiver<Order>) {
    let mut ports = BTreeMap::new();
    let mut on_their_way: BinaryHeap<Delivery> = BinaryHeap::new();
    loop {
        let patience = match on_their_way.peek() {
            Some(Delivery(Reverse(arrives), ..)) => arrives.saturating_duration_since(Instant::now()),
            None => Duration::MAX,
        };
        match ordered.recv_timeout(patience) {
            Ok(Order::Open(port, sender)) => drop(ports.insert(port, sender)),
            Ok(Order::Send(delivery)) => on_their_way.push(delivery),
            Err(RecvTimeoutError::Timeout) => {
                let Some(Delivery(_, _, port, bytes)) = on_their_way.pop() else { continue };
                let sender: Option<&mut Box<dyn DataLinkSender>> = ports.get_mut(&port);
                // An interface that is down takes nothing.
                let _ = sender.map(|sender| sender.send_to(&bytes, None));
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Opens an interface of the ports' namespace, into which the calling thread moves.
fn open(namespace: &Host, interface: &str) -> (Box<dyn DataLinkSender>, Box<dyn DataLinkReceiver>) {
    let file = File::open(namespace.path()).expect("the namespace of the ports exists");
    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
        .expect("a sandbox permits what it was made for");
    let interfaces = pnet_datalink::interfaces();
    let found = interfaces.iter().find(|found| found.name == interface).expect("the port was just made");
    match pnet_datalink::channel(found, Config::default()) {
        Ok(Channel::Ethernet(sender, receiver)) => (sender, receiver),
        Ok(_) => panic!("the port {interface} is no Ethernet"),
        Err(error) => panic!("the port {interface} cannot be opened: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(air: Air) -> State {
        State {
            air,
            random: ChaCha20Rng::seed_from_u64(1),
            hosts: ["alice", "bob", "carol"].map(str::to_owned).into(),
            cut: BTreeSet::new(),
            passes_multicast: true,
            heard: Vec::new(),
        }
    }

    fn receivers(state: &mut State, port: usize, destination: u8) -> Vec<usize> {
        let sent = state.sent(port, vec![destination; 60], Instant::now());
        sent.into_iter().map(|Delivery(_, _, to, _)| to).collect()
    }

    #[test]
    fn all_others_in_range_hear_a_frame() {
        let mut state = state(Air::CLEAR);
        assert_eq!(receivers(&mut state, 1, 2), [0, 2]);
        state.cut.insert("carol".to_owned());
        assert_eq!(receivers(&mut state, 1, 2), [0]);
        assert!(receivers(&mut state, 2, 2).is_empty(), "nobody hears whom nobody hears");
        assert_eq!(state.heard.len(), 2, "and no listener does");
    }

    #[test]
    fn without_multicast_broadcasts_still_arrive() {
        let mut state = state(Air::CLEAR);
        state.passes_multicast = false;
        assert!(receivers(&mut state, 0, 1).is_empty());
        assert_eq!(receivers(&mut state, 0, 0xff), [1, 2]);
    }

    #[test]
    fn about_as_many_frames_are_lost_as_asked_for_and_the_rest_take_their_time() {
        let mut state = state(Air { lost_per_mille: 100, delay_ms: 5, jitter_ms: 20 });
        let now = Instant::now();
        let sent: Vec<_> = (0..1_000).flat_map(|_| state.sent(0, vec![2; 60], now)).collect();
        assert!((1_700..1_900).contains(&sent.len()), "{} of 2000", sent.len());
        let times = sent.iter().map(|Delivery(Reverse(arrives), ..)| arrives.duration_since(now).as_millis());
        let times: BTreeSet<_> = times.collect();
        assert_eq!(times, (5..=25).collect());
    }
}
