//! What the baselines have in common: summaries, buffers, and handing over what is for the neighbour first.
//!
//! When two nodes meet, each sends a summary: an identifier of eight bytes for each message that it holds or has had,
//! and what its policy adds. Once the neighbour's summary is there it sends message after message: first those for the
//! neighbour, then whatever the policy picks. That the neighbour has got a message from somebody else since is known,
//! for eight bytes a message. When a buffer is full, what came first goes first.

use std::collections::BTreeMap;

use super::Router;
use super::station::Station;
use crate::bits::Bits;
use crate::net::{Net, Way};
use crate::observation::{Cause, Observation};
use crate::traffic::Message;

/// What a message has besides its body: as much as a bundle of ours has.
pub const HEADER_BYTES: u64 = 72;
/// What a node says of a message in a summary.
pub const ID_BYTES: u64 = 8;

/// Decides who gets what is not for him.
pub trait Policy {
    /// How many copies a message starts with.
    fn copies(&self) -> u16 {
        1
    }

    /// Whether nodes tell each other what has arrived everywhere, and drop it.
    fn acknowledges(&self) -> bool {
        false
    }

    /// Two nodes meet. Returns what each adds to its summary, in bytes, the one of the smaller number first.
    fn meet(&mut self, _net: &Net<'_, Packet>, _way: Way) -> [u64; 2] {
        [0, 0]
    }

    /// What to send next, if anything.
    fn pick(&self, view: &View<'_>, net: &mut Net<'_, Packet>, way: Way) -> Option<u32>;

    /// How many of its copies a node hands on.
    fn handed_on(&self, _copies: u16) -> u16 {
        1
    }
}

/// What baselines send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet {
    /// What the sender has.
    Summary,
    /// A message.
    Message {
        /// Which.
        message: u32,
        /// How many copies are handed over.
        copies: u16,
    },
}

/// What a policy sees of both ends of a link.
#[derive(Debug)]
pub struct View<'a> {
    from: &'a Station,
    to: &'a Station,
    sent: &'a Bits,
}

impl View<'_> {
    /// Any message that the one has and the other has not; only such as may be sprayed, if wanted.
    pub fn any(&self, net: &mut Net<'_, Packet>, sprayable: bool) -> Option<u32> {
        let messages = net.messages().len().max(1);
        let start = u32::try_from(net.random().below(messages)).unwrap_or(0);
        let from = if sprayable { &self.from.sprayable } else { &self.from.held };
        from.next_without(start, &self.others())
    }

    /// All of them, in order.
    pub fn all(&self) -> Vec<u32> {
        self.from.held.without(&self.others()).collect()
    }

    fn others(&self) -> [&Bits; 6] {
        let to = self.to;
        [&to.held, &to.had, &to.dropped, &to.incoming, &to.acknowledged, self.sent]
    }
}

/// A router that follows a policy.
#[derive(Debug)]
pub struct Baseline<P> {
    policy: P,
    stations: Vec<Station>,
    /// By node, the messages that it is yet to get.
    awaited: Vec<Vec<u32>>,
    /// By message, how many recipients are yet to get it.
    open: Vec<usize>,
    /// Ways whose receiver's summary has arrived at the sender, with what has been sent that way since: nothing is
    /// sent twice in one contact, lest full buffers go round in circles.
    ready: BTreeMap<Way, Bits>,
}

/// What a message takes in a store, and on a link.
pub fn stored_bytes(message: &Message) -> u64 {
    u64::from(message.body_bytes) + HEADER_BYTES
}

impl<P: Policy> Baseline<P> {
    /// All nodes with empty buffers.
    pub fn new(policy: P, nodes: &[crate::scenario::Node]) -> Self {
        let stations =
            (0..).zip(nodes).map(|(number, node)| Station::new(number, node.buffer_bytes)).collect();
        Self {
            policy,
            stations,
            awaited: vec![Vec::new(); nodes.len()],
            open: Vec::new(),
            ready: BTreeMap::new(),
        }
    }

    /// Sends the next message this way, if the way is free and there is one.
    fn send_next(&mut self, net: &mut Net<'_, Packet>, way: Way) {
        let Some(sent) = self.ready.get(&way).filter(|_| net.is_idle(way)) else { return };
        let (from, to) = (&self.stations[way.from as usize], &self.stations[way.to as usize]);
        let is_wanted = |message: &&u32| from.held.contains(**message) && !to.incoming.contains(**message);
        let direct = self.awaited[way.to as usize].iter().find(is_wanted).copied();
        let picked = direct.or_else(|| self.policy.pick(&View { from, to, sent }, net, way));
        let Some(message) = picked else { return };
        let copies = if from.copies(message) > 1 { self.policy.handed_on(from.copies(message)) } else { 1 };
        self.stations[way.to as usize].incoming.insert(message);
        self.ready.entry(way).or_default().insert(message);
        let bytes = stored_bytes(net.message(message)) + ID_BYTES;
        net.send(way, Packet::Message { message, copies }, bytes);
    }

    /// Somebody has a new message: neighbours may want it.
    fn offer(&mut self, net: &mut Net<'_, Packet>, node: u32) {
        for way in net.ways(node).to_vec() {
            self.send_next(net, way);
        }
    }

    fn received(&mut self, net: &mut Net<'_, Packet>, way: Way, message: u32, copies: u16) {
        let Way { from, to, .. } = way;
        let bytes = stored_bytes(net.message(message));
        net.observe(&Observation::Transferred { from, to, message, bytes });
        self.stations[to as usize].incoming.remove(message);
        let left = self.stations[from as usize].copies(message);
        if left > 1 {
            self.stations[from as usize].set_copies(message, left.saturating_sub(copies).max(1));
        }
        if self.deliver(net, to, message) && self.open[message as usize] == 0 {
            if self.policy.acknowledges() {
                self.acknowledge(net, to, message);
                self.acknowledge(net, from, message);
            }
            return;
        }
        let bytes = stored_bytes(net.message(message));
        if !self.stations[to as usize].acknowledged.contains(message)
            && self.stations[to as usize].store(net, message, bytes, copies)
        {
            self.offer(net, to);
        }
    }

    /// Gives a message to the application, if it is for this node and new; says whether it was for it.
    fn deliver(&mut self, net: &mut Net<'_, Packet>, node: u32, message: u32) -> bool {
        let awaited = &mut self.awaited[node as usize];
        let Some(place) = awaited.iter().position(|other| *other == message) else { return false };
        awaited.remove(place);
        self.stations[node as usize].had.insert(message);
        self.open[message as usize] -= 1;
        net.observe(&Observation::Delivered { node, message });
        true
    }

    fn acknowledge(&mut self, net: &mut Net<'_, Packet>, node: u32, message: u32) {
        let station = &mut self.stations[node as usize];
        station.acknowledged.insert(message);
        station.remove(net, message, Cause::Settled);
    }

    fn summary_bytes(&self, node: u32) -> u64 {
        let station = &self.stations[node as usize];
        let named = [&station.held, &station.had, &station.dropped, &station.acknowledged];
        HEADER_BYTES + ID_BYTES * named.iter().map(|ids| ids.len() as u64).sum::<u64>()
    }
}

impl<P: Policy> Router for Baseline<P> {
    type Packet = Packet;

    fn created(&mut self, net: &mut Net<'_, Packet>, number: u32) {
        let message = net.message(number);
        self.open.resize(self.open.len().max(number as usize + 1), 0);
        self.open[number as usize] = message.recipients.len();
        for recipient in &message.recipients {
            self.awaited[*recipient as usize].push(number);
        }
        let station = &mut self.stations[message.source as usize];
        if station.store(net, number, stored_bytes(message), self.policy.copies()) {
            self.offer(net, message.source);
        }
    }

    fn link_up(&mut self, net: &mut Net<'_, Packet>, way: Way) {
        let added = self.policy.meet(net, way);
        for (way, added) in [(way, added[0]), (way.back(), added[1])] {
            let bytes = self.summary_bytes(way.from) + added;
            net.send(way, Packet::Summary, bytes);
        }
    }

    fn link_down(&mut self, _net: &mut Net<'_, Packet>, way: Way) {
        self.ready.remove(&way);
        self.ready.remove(&way.back());
    }

    fn arrived(&mut self, net: &mut Net<'_, Packet>, way: Way, packet: Packet) {
        match packet {
            Packet::Summary => {
                if self.policy.acknowledges() {
                    let news = self.stations[way.from as usize].acknowledged.clone();
                    let known = self.stations[way.to as usize].acknowledged.clone();
                    news.without(&[&known]).for_each(|message| self.acknowledge(net, way.to, message));
                }
                self.ready.insert(way.back(), Bits::default());
                self.send_next(net, way.back());
            }
            Packet::Message { message, copies } => self.received(net, way, message, copies),
        }
    }

    fn lost(&mut self, net: &mut Net<'_, Packet>, way: Way, packet: Packet) {
        match packet {
            Packet::Message { message, .. } => {
                self.stations[way.to as usize].incoming.remove(message);
                self.ready.entry(way).or_default().remove(message);
            }
            // Sent again until it arrives; of a link that has ended, nothing is.
            Packet::Summary => net.send(way, Packet::Summary, self.summary_bytes(way.from)),
        }
    }

    fn idle(&mut self, net: &mut Net<'_, Packet>, way: Way) {
        self.send_next(net, way);
    }

    fn expired(&mut self, net: &mut Net<'_, Packet>, message: u32) {
        for station in &mut self.stations {
            station.remove(net, message, Cause::Expired);
            station.had.remove(message);
            station.dropped.remove(message);
            station.acknowledged.remove(message);
        }
        for recipient in &net.message(message).recipients {
            self.awaited[*recipient as usize].retain(|other| *other != message);
        }
    }
}
