//! The omniscient bound: the earliest that a message can reach its recipients on given contacts.
//!
//! Each message floods alone, in the order of time, over every contact: it waits for a contact, takes the time that the
//! link needs for it, and must have arrived before the contact ends. Other messages do not hold it up and no buffer is
//! full, so that no router can deliver more, or sooner.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rayon::prelude::*;

use crate::movement::contact::Interval;
use crate::routers::baseline::stored_bytes;
use crate::scenario::Scenario;
use crate::time::Time;
use crate::traffic::Message;

/// How long each pair of a message and a recipient takes at least, in seconds; pairs that cannot be are left out.
pub fn least_delays_s(scenario: &Scenario, intervals: &[Interval], messages: &[Message]) -> Vec<f64> {
    let meetings = Meetings::new(scenario, intervals);
    messages.par_iter().flat_map_iter(|message| meetings.delays(message)).collect()
}

/// For each node, its contacts by when they end.
struct Meetings<'a> {
    scenario: &'a Scenario,
    of: Vec<Vec<Interval>>,
    /// When the run ends.
    end: Time,
}

impl<'a> Meetings<'a> {
    fn new(scenario: &'a Scenario, intervals: &[Interval]) -> Self {
        let mut of = vec![Vec::new(); scenario.node_count()];
        for interval in intervals {
            of[interval.a as usize].push(*interval);
            of[interval.b as usize].push(*interval);
        }
        of.iter_mut().for_each(|meetings| meetings.sort_by_key(|meeting| meeting.down));
        Self { scenario, of, end: Time::from_secs_f64(scenario.duration_s) }
    }

    fn delays(&self, message: &Message) -> Vec<f64> {
        let limit = message.expires().min(self.end);
        let mut earliest: Vec<Option<Time>> = vec![None; self.of.len()];
        earliest[message.source as usize] = Some(message.created);
        let mut open = BinaryHeap::from([Reverse((message.created, message.source))]);
        let mut delays = Vec::new();
        while let Some(Reverse((now, node))) = open.pop() {
            if now > limit || delays.len() == message.recipients.len() {
                break;
            }
            if earliest[node as usize].is_some_and(|before| before < now) {
                continue;
            }
            if message.is_for(node) {
                delays.push(now.since(message.created).as_secs_f64());
            }
            for (arrives, neighbour) in self.onward(message, node, now) {
                let is_better = earliest[neighbour as usize].is_none_or(|before| arrives < before);
                if arrives <= limit && is_better {
                    earliest[neighbour as usize] = Some(arrives);
                    open.push(Reverse((arrives, neighbour)));
                }
            }
        }
        delays
    }

    /// When the message would be at each neighbour.
    fn onward(&self, message: &Message, node: u32, now: Time) -> impl Iterator<Item = (Time, u32)> {
        let meetings = &self.of[node as usize];
        let first = meetings.partition_point(|meeting| meeting.down < now);
        meetings[first..].iter().filter_map(move |meeting| {
            let neighbour = if meeting.a == node { meeting.b } else { meeting.a };
            let class = &self.scenario.links[usize::from(meeting.class)];
            let takes = class.sending(stored_bytes(message), node < neighbour);
            let arrives = now.max(meeting.up) + takes + class.latency();
            (arrives <= meeting.down).then_some((arrives, neighbour))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn a_message_takes_the_fastest_way_there_is() {
        // 0 meets 1 early and 2 late; 1 meets 2 in between; a link takes 100 ms for a body of 10,000 - 72 bytes.
        let scenario = testing::scenario(4, 100.0);
        let intervals = testing::intervals(&[(0, 1, 10.0, 20.0), (1, 2, 30.0, 40.0), (0, 2, 80.0, 90.0)]);
        let message = testing::message(0, &[2], 5.0);
        let bound =
            |intervals: &[Interval]| least_delays_s(&scenario, intervals, std::slice::from_ref(&message));
        assert_eq!(bound(&intervals), [25.1]);
        assert_eq!(
            bound(&testing::intervals(&[(0, 1, 10.0, 20.0), (1, 2, 30.0, 30.09), (0, 2, 80.0, 90.0)])),
            [75.1]
        );
        assert_eq!(bound(&testing::intervals(&[(1, 2, 1.0, 9.0), (0, 1, 10.0, 20.0)])), [0.0; 0]);
    }
}
