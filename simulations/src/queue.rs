//! What is to happen, in order of time and then of when it was scheduled.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::time::Time;

/// A queue of events. Two events of the same moment come out in the order in which they were scheduled.
#[derive(Debug)]
pub struct Queue<E> {
    heap: BinaryHeap<Reverse<Entry<E>>>,
    scheduled: u64,
}

#[derive(Debug)]
struct Entry<E> {
    at: Time,
    sequence: u64,
    event: E,
}

impl<E> Queue<E> {
    /// Schedules an event.
    pub fn schedule(&mut self, at: Time, event: E) {
        self.heap.push(Reverse(Entry { at, sequence: self.scheduled, event }));
        self.scheduled += 1;
    }

    /// When the next event is.
    pub fn next_at(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse(entry)| entry.at)
    }

    /// Takes the next event out.
    pub fn take(&mut self) -> Option<(Time, E)> {
        self.heap.pop().map(|Reverse(entry)| (entry.at, entry.event))
    }
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), scheduled: 0 }
    }
}

impl<E> Entry<E> {
    /// Time and sequence in one number, which is compared in one step.
    fn order(&self) -> u128 {
        u128::from(self.at.as_micros()) << 64 | u128::from(self.sequence)
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<E> Eq for Entry<E> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_out_by_time_and_then_by_order_of_scheduling() {
        let mut queue = Queue::default();
        for (at, name) in [(5, "later"), (3, "first"), (3, "second"), (5, "last")] {
            queue.schedule(Time::from_micros(at), name);
        }
        assert_eq!(queue.next_at(), Some(Time::from_micros(3)));
        let order: Vec<_> = std::iter::from_fn(|| queue.take()).map(|(_, name)| name).collect();
        assert_eq!(order, ["first", "second", "later", "last"]);
    }
}
