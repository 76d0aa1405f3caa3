//! The loop: contacts, messages and what the network has scheduled, in order of time.

use crate::book::Book;
use crate::checkers::Checkers;
use crate::movement::{Change, Contact};
use crate::net::{Due, Net};
use crate::observation::Observation;
use crate::routers::Router;
use crate::scenario::{Node, Scenario};
use crate::time::Time;
use crate::trace_hash::TraceHash;
use crate::traffic::Message;

/// What a run is made from: the same for every router.
#[derive(Debug)]
pub struct World<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// Its nodes, with the buffers of this run.
    pub nodes: &'a [Node],
    /// Who meets whom.
    pub contacts: &'a [Contact],
    /// Who writes what.
    pub messages: &'a [Message],
    /// The seed of losses and protocols.
    pub seed: u64,
}

/// What is left of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The hash of everything that happened.
    pub hash: String,
    /// The figures.
    pub book: Book,
    /// What the checkers found.
    pub checkers: Checkers,
}

impl World<'_> {
    /// Runs a router from the start to the end.
    pub fn run<R: Router>(&self, router: &mut R) -> Outcome {
        let mut net = Net::new(self.scenario, self.nodes, self.messages, self.seed);
        let end = Time::from_secs_f64(self.scenario.duration_s);
        let mut contacts = self.contacts.iter().peekable();
        let mut messages = (0_u32..).zip(self.messages).peekable();
        net.tells_sent = router.minds_idle();
        router.start(&mut net);
        loop {
            let next = [
                contacts.peek().map(|contact| contact.at),
                messages.peek().map(|(_, message)| message.created),
                net.queue.next_at(),
            ];
            let Some(now) = next.into_iter().flatten().min().filter(|now| *now <= end) else { break };
            net.advance(now);
            if next[0] == Some(now) {
                contacts.next().into_iter().for_each(|contact| meet(&mut net, router, contact));
            } else if next[1] == Some(now) {
                messages.next().into_iter().for_each(|(number, _)| create(&mut net, router, number));
            } else if let Some((_, due)) = net.queue.take() {
                carry_out(&mut net, router, due);
            }
        }
        net.advance(end);
        router.finish(&mut net);
        let (hash, book, checkers): (TraceHash, Book, Checkers) = net.finish();
        Outcome { hash: hash.finish(), book, checkers }
    }
}

fn meet<R: Router>(net: &mut Net<'_, R::Packet>, router: &mut R, contact: &Contact) {
    let Contact { a, b, change, .. } = *contact;
    match change {
        Change::Up(class) => {
            let way = net.connect(a, b, class);
            router.link_up(net, way);
        }
        Change::Down => {
            let Some((way, lost)) = net.disconnect(a, b) else { return };
            for (way, packet) in lost {
                router.lost(net, way, packet);
            }
            router.link_down(net, way);
        }
    }
}

fn create<R: Router>(net: &mut Net<'_, R::Packet>, router: &mut R, number: u32) {
    net.observe(&Observation::Created { message: number });
    net.queue.schedule(net.message(number).expires(), Due::Expires { message: number });
    router.created(net, number);
}

fn carry_out<R: Router>(net: &mut Net<'_, R::Packet>, router: &mut R, due: Due) {
    match due {
        Due::Sent(way) => {
            // Over a half-duplex link it is the other's turn now.
            router.idle(net, way.back());
            router.idle(net, way);
        }
        Due::Wake { node, token } => router.wake(net, node, token),
        Due::Expires { message } => router.expired(net, message),
        Due::Arrives(way) => {
            let Some(flight) = net.arrive(way) else { return };
            if flight.is_lost {
                router.lost(net, way, flight.packet);
            } else {
                router.arrived(net, way, flight.packet);
            }
        }
    }
}
