//! What the person is shown of what happens, and how their own messages are marked: as delivered, or as lost.
//!
//! A line that was sent stays on the terminal as it was typed. Writing to it later would need a terminal that obeys,
//! and would not reach it once it has been scrolled away. So the mark is a line of its own, which names the message,
//! and comes when all recipients have the message, or when one knows that they never will. A message without one is
//! still on its way.
//!
//! An event tells the state in which its message is when the event is read, not the one of that time, so that several
//! events can tell the same. A mark is shown once.

use std::collections::VecDeque;

use qpq_proto::v1;
use qpq_proto::v1::event::Kind;

use super::incoming::is_worth_showing;

/// Chooses what is shown.
#[derive(Debug)]
pub(super) struct Marks {
    /// Deliveries to one conversation in a row become one mark: for people, not for programs.
    joins: bool,
    /// Ids of the messages that were marked last, the latest at the end.
    marked: VecDeque<Vec<u8>>,
}

/// An event to be shown.
#[derive(Debug, PartialEq)]
pub(super) struct Shown {
    /// The event.
    pub(super) event: v1::Event,
    /// Deliveries to the same conversation right before it, for which it stands too.
    pub(super) before: usize,
}

impl Marks {
    /// Nothing was marked yet.
    pub(super) fn new(joins: bool) -> Self {
        Self { joins, marked: VecDeque::new() }
    }

    /// What is to be shown of these events, in their order.
    pub(super) fn select(&mut self, events: Vec<v1::Event>) -> Vec<Shown> {
        let mut selected: Vec<Shown> = Vec::new();
        for event in events {
            if !is_worth_showing(&event) || !self.is_news(&event) {
                continue;
            }
            match selected.last_mut() {
                Some(last) if self.joins && are_deliveries_to_one(&last.event, &event) => {
                    last.before += 1;
                    last.event = event;
                }
                _ => selected.push(Shown { event, before: 0 }),
            }
        }
        selected
    }

    fn is_news(&mut self, event: &v1::Event) -> bool {
        let Some(Kind::State(message)) = &event.kind else { return true };
        if self.marked.contains(&message.id) {
            return false;
        }
        if self.marked.len() >= MARKED_MAX {
            self.marked.pop_front();
        }
        self.marked.push_back(message.id.clone());
        true
    }
}

fn are_deliveries_to_one(one: &v1::Event, other: &v1::Event) -> bool {
    match (delivery(one), delivery(other)) {
        (Some(one), Some(other)) => one.conversation == other.conversation,
        _ => false,
    }
}

fn delivery(event: &v1::Event) -> Option<&v1::Message> {
    match &event.kind {
        Some(Kind::State(message)) if message.state == "delivered" => Some(message),
        _ => None,
    }
}

/// Messages that are remembered as marked: what tells of one message comes close together.
const MARKED_MAX: usize = 1_024;

#[cfg(test)]
mod tests;
