//! The network under a router: links, time, and a place to say what happened.

use crate::book::Book;
use crate::checkers::{Checkers, Facts};
use crate::link::{Direction, Flight, LinkClass};
use crate::observation::Observation;
use crate::queue::Queue;
use crate::random::Random;
use crate::scenario::{Node, Scenario};
use crate::time::Time;
use crate::trace_hash::TraceHash;
use crate::traffic::Message;

/// A contact, while it lasts. Numbers are never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkId(u32);

/// A link and the end that sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    /// The link.
    pub link: LinkId,
    /// Who sends.
    pub from: u32,
    /// Who receives.
    pub to: u32,
}

impl Way {
    /// The same link the other way.
    #[must_use]
    pub fn back(self) -> Self {
        Self { link: self.link, from: self.to, to: self.from }
    }

    /// Whether this is the way from the node of the smaller number.
    pub fn is_up(self) -> bool {
        self.from < self.to
    }
}

/// What the network has scheduled.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Due {
    /// Everything before it has left.
    Sent(Way),
    /// A message arrives.
    Arrives(Way),
    /// A node wanted to be called.
    Wake { node: u32, token: u64 },
    /// A message is of no more use.
    Expires { message: u32 },
}

struct Link<P> {
    a: u32,
    b: u32,
    class: u8,
    since: Time,
    directions: [Direction<P>; 2],
}

/// The network.
pub struct Net<'a, P> {
    scenario: &'a Scenario,
    nodes: &'a [Node],
    messages: &'a [Message],
    now: Time,
    pub(crate) queue: Queue<Due>,
    links: Vec<Option<Box<Link<P>>>>,
    neighbours: Vec<Vec<Way>>,
    losses: Random,
    random: Random,
    hash: TraceHash,
    book: Book,
    checkers: Checkers,
    hostile: std::ops::Range<u32>,
    /// The router is told when something has left.
    pub(crate) tells_sent: bool,
}

impl<P> std::fmt::Debug for Net<'_, P> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Net").field("now", &self.now).finish_non_exhaustive()
    }
}

impl<'a, P> Net<'a, P> {
    /// A network without links at the start of a run.
    pub(crate) fn new(scenario: &'a Scenario, nodes: &'a [Node], messages: &'a [Message], seed: u64) -> Self {
        Self {
            scenario,
            nodes,
            messages,
            now: Time::ZERO,
            queue: Queue::default(),
            links: Vec::new(),
            neighbours: vec![Vec::new(); nodes.len()],
            losses: Random::new(seed, "losses", 0),
            random: Random::new(seed, "protocol", 0),
            hash: TraceHash::default(),
            book: Book::new(nodes.len(), scenario.duration_s),
            checkers: Checkers::default(),
            hostile: scenario.hostile(),
            tells_sent: true,
        }
    }

    /// What time it is.
    pub fn now(&self) -> Time {
        self.now
    }

    /// All nodes.
    pub fn nodes(&self) -> &'a [Node] {
        self.nodes
    }

    /// All messages, also those that are yet to be written.
    pub fn messages(&self) -> &'a [Message] {
        self.messages
    }

    /// A message.
    pub fn message(&self, message: u32) -> &'a Message {
        &self.messages[message as usize]
    }

    /// The stream of random values for protocols.
    pub fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    /// The ways from a node, by neighbour.
    pub fn ways(&self, node: u32) -> &[Way] {
        &self.neighbours[node as usize]
    }

    /// The class of a link that is there.
    pub fn class(&self, link: LinkId) -> Option<&'a LinkClass> {
        let class = self.links[link.0 as usize].as_ref()?.class;
        self.scenario.links.get(usize::from(class))
    }

    /// Whether everything sent this way has left. False of a link that has ended.
    pub fn is_idle(&self, way: Way) -> bool {
        let link = self.links[way.link.0 as usize].as_ref();
        link.is_some_and(|link| link.directions[usize::from(way.is_up())].is_idle(self.now))
    }

    /// Sends a message. What is sent over a link that has ended is dropped.
    pub fn send(&mut self, way: Way, packet: P, bytes: u64) {
        let Some(link) = &mut self.links[way.link.0 as usize] else { return };
        let class = &self.scenario.links[usize::from(link.class)];
        let is_lost = class.loss > 0.0 && self.losses.chance(class.loss);
        let takes = [class.sending(bytes, way.is_up()), class.latency()];
        let direction = &mut link.directions[usize::from(way.is_up())];
        let [sent, arrives] = direction.send(self.now, packet, bytes, takes, is_lost);
        if class.half_duplex {
            link.directions[usize::from(!way.is_up())].hold_until(sent);
        }
        self.hash.add(self.now, [20, u64::from(way.from), u64::from(way.to), bytes]);
        if self.tells_sent {
            self.queue.schedule(sent, Due::Sent(way));
        }
        self.queue.schedule(arrives, Due::Arrives(way));
    }

    /// Asks for a call at a later time.
    pub fn wake(&mut self, node: u32, at: Time, token: u64) {
        self.queue.schedule(at.max(self.now), Due::Wake { node, token });
    }

    /// Says that something happened.
    pub fn observe(&mut self, observation: &Observation<'_>) {
        self.hash.add(self.now, observation.digest());
        self.book.observe(self.messages, self.now, observation);
        let facts = Facts {
            nodes: self.nodes,
            messages: self.messages,
            hostile: &self.hostile,
            hostile_share_bytes: self.scenario.hostile_share_bytes(),
        };
        self.checkers.observe(facts, self.now, observation);
    }

    /// Lets time pass.
    pub(crate) fn advance(&mut self, now: Time) {
        self.now = now;
        self.book.advance(now);
    }

    /// Begins a contact.
    pub(crate) fn connect(&mut self, a: u32, b: u32, class: u8) -> Way {
        let link = LinkId(u32::try_from(self.links.len()).expect("a run has fewer contacts"));
        self.links.push(Some(Box::new(Link {
            a,
            b,
            class,
            since: self.now,
            directions: Default::default(),
        })));
        let way = Way { link, from: a, to: b };
        for way in [way, way.back()] {
            let ways = &mut self.neighbours[way.from as usize];
            let place = ways.partition_point(|other| other.to < way.to);
            ways.insert(place, way);
        }
        self.hash.add(self.now, [21, u64::from(a), u64::from(b), u64::from(class)]);
        way
    }

    /// Ends a contact, and returns what was on its way.
    pub(crate) fn disconnect(&mut self, a: u32, b: u32) -> Option<(Way, Vec<(Way, P)>)> {
        let ways = &mut self.neighbours[a as usize];
        let place = ways.binary_search_by_key(&b, |way| way.to).ok()?;
        let way = ways.remove(place);
        self.neighbours[b as usize].retain(|other| other.to != a);
        let link = self.links[way.link.0 as usize].take()?;
        self.hash.add(self.now, [22, u64::from(link.a), u64::from(link.b), 0]);
        self.tell_capacity(&link);
        let [down, up] = link.directions;
        let mut lost = Vec::new();
        for (way, direction) in [(way.back(), down), (way, up)] {
            for flight in direction.into_flights() {
                self.book.bytes += flight.left_by(self.now);
                lost.push((way, flight.packet));
            }
        }
        Some((way, lost))
    }

    /// What a link that ends could have carried each way, if a checker wants to know.
    fn tell_capacity(&mut self, link: &Link<P>) {
        if self.hostile.is_empty() {
            return;
        }
        let class = &self.scenario.links[usize::from(link.class)];
        let up_s = self.now.since(link.since).as_secs_f64();
        for (from, to) in [(link.a, link.b), (link.b, link.a)] {
            let capacity_bytes = class.carries(up_s, from < to);
            self.observe(&Observation::LinkEnded { from, to, capacity_bytes });
        }
    }

    /// Takes what arrives now; none if the link has ended.
    pub(crate) fn arrive(&mut self, way: Way) -> Option<Flight<P>> {
        let link = self.links[way.link.0 as usize].as_mut()?;
        let flight = link.directions[usize::from(way.is_up())].arrive()?;
        self.book.bytes += flight.bytes;
        let lost = u64::from(flight.is_lost);
        self.hash.add(self.now, [23, u64::from(way.from), u64::from(way.to), flight.bytes << 1 | lost]);
        Some(flight)
    }

    /// Ends the run: what is still on its way counts as far as it has left.
    pub(crate) fn finish(mut self) -> (TraceHash, Book, Checkers) {
        for link in std::mem::take(&mut self.links).into_iter().flatten() {
            self.tell_capacity(&link);
            let flights = link.directions.into_iter().flat_map(Direction::into_flights);
            self.book.bytes += flights.map(|flight| flight.left_by(self.now)).sum::<u64>();
        }
        (self.hash, self.book, self.checkers)
    }
}
