//! The figures of a run, from what is observed of it.

use std::collections::BTreeSet;

use crate::observation::Observation;
use crate::time::Time;
use crate::traffic::Message;

/// How many points a curve has.
const POINTS: u64 = 120;

/// Counts and curves.
#[derive(Debug)]
pub struct Book {
    /// Pairs of a message and a recipient.
    pub created: u64,
    /// Pairs of which the recipient has the message.
    pub delivered: u64,
    /// How long each of those took, in seconds, in order of delivery.
    pub delays_s: Vec<f64>,
    /// Messages that crossed a link with their body.
    pub transmissions: u64,
    /// Everything that was sent.
    pub bytes: u64,
    /// The bodies of messages among it, where a whole one crossed a link.
    pub body_bytes: u64,
    /// Restarts after a crash.
    pub restarts: u64,
    /// The most that a node held.
    pub peak_bytes: u64,
    /// Points of the curves.
    pub samples: Vec<Sample>,
    forgotten: BTreeSet<(u32, u32)>,
    held: Vec<u64>,
    held_sum: u64,
    every_us: u64,
}

/// A point of the curves.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Sample {
    /// When.
    pub at_s: f64,
    /// Pairs of a message and a recipient so far.
    pub created: u64,
    /// Pairs of which the recipient has the message.
    pub delivered: u64,
    /// Bytes sent so far.
    pub bytes: u64,
    /// What a node holds on the mean, in bytes.
    pub held_bytes: u64,
}

impl Book {
    /// An empty book for so many nodes.
    pub fn new(nodes: usize, duration_s: f64) -> Self {
        Self {
            created: 0,
            delivered: 0,
            delays_s: Vec::new(),
            transmissions: 0,
            bytes: 0,
            body_bytes: 0,
            restarts: 0,
            peak_bytes: 0,
            samples: Vec::new(),
            forgotten: BTreeSet::new(),
            held: vec![0; nodes],
            held_sum: 0,
            every_us: (Time::from_secs_f64(duration_s).as_micros() / POINTS).max(1),
        }
    }

    /// Adds the points of the curves that are due.
    pub fn advance(&mut self, now: Time) {
        while self.samples.len() as u64 * self.every_us <= now.as_micros() {
            let at_s = Time::from_micros(self.samples.len() as u64 * self.every_us).as_secs_f64();
            let held_bytes = self.held_sum / self.held.len().max(1) as u64;
            let (created, delivered, bytes) = (self.created, self.delivered, self.bytes);
            self.samples.push(Sample { at_s, created, delivered, bytes, held_bytes });
        }
    }

    /// Counts an observation.
    pub fn observe(&mut self, messages: &[Message], at: Time, observation: &Observation<'_>) {
        match *observation {
            Observation::Created { message } => {
                self.created += messages[message as usize].recipients.len() as u64;
            }
            Observation::Delivered { node, message } => {
                if let Some(written) = messages.get(message as usize) {
                    self.delivered += 1;
                    if self.forgotten.remove(&(node, message)) {
                        // It took as long as it took the first time.
                        return;
                    }
                    self.delays_s.push(at.since(written.created).as_secs_f64());
                }
            }
            Observation::Forgotten { node, message } => {
                self.delivered -= 1;
                self.forgotten.insert((node, message));
            }
            Observation::Restarted { .. } => self.restarts += 1,
            Observation::Transferred { message, .. } if message as usize >= messages.len() => {}
            Observation::Transferred { message, .. } => {
                self.transmissions += 1;
                self.body_bytes +=
                    messages.get(message as usize).map_or(0, |sent| u64::from(sent.body_bytes));
            }
            Observation::Stored { node, bytes, .. } => {
                self.held_sum += bytes;
                let held = &mut self.held[node as usize];
                *held += bytes;
                self.peak_bytes = self.peak_bytes.max(*held);
            }
            Observation::Removed { node, bytes, .. } => {
                self.held_sum = self.held_sum.saturating_sub(bytes);
                let held = &mut self.held[node as usize];
                *held = held.saturating_sub(bytes);
            }
            _ => {}
        }
    }
}
