//! The connection to a relay, as far as it is known in this run.

use std::collections::{BTreeSet, VecDeque};

use super::names::Question;
use crate::input::OwnMailbox;

/// The connection to a relay that is wanted.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub stage: Stage,
    /// Where it is sought.
    pub places: Vec<String>,
    /// Grows with each connection, and when what was under way is given up: later answers are not taken for its own.
    pub round: u64,
    pub exporter: [u8; 32],
    /// Why it is not ready.
    pub reason: String,
    /// What contacts left.
    contacts: Fetched,
    /// What strangers left.
    strangers: Fetched,
    /// The relay is being told of tokens.
    pub is_granting: bool,
    /// It holds as many tokens as it will.
    pub has_enough_tokens: bool,
    /// When it is asked for the own name again, monotonic ms.
    pub own_name_ms: u64,
    /// What it is being asked.
    pub asked: Option<Question>,
    /// What it is to be asked then.
    pub questions: VecDeque<Question>,
}

/// How far one mailbox is fetched.
#[derive(Debug, Default)]
pub(super) struct Fetched {
    /// Deliveries that were fetched and are not handled yet, by their position.
    pub mails: BTreeSet<u64>,
    /// Position of the last of them.
    pub newest: u64,
    /// Position of one that could not be handled though nothing is wrong with it, and how often.
    pub stuck: (u64, u32),
    /// When deliveries were asked for last, monotonic ms.
    pub asked_ms: u64,
    /// What the relay held when the connection began was fetched.
    pub is_caught_up: bool,
}

impl Fetched {
    /// Nothing is under way.
    fn anew(&self) -> Self {
        Self { stuck: self.stuck, ..Self::default() }
    }
}

/// How far a connection to a relay is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// There is none.
    #[default]
    Offline,
    /// Nobody is logged in yet.
    Connected,
    /// What comes is fetched.
    Ready,
}

impl Line {
    pub(super) fn fetched(&mut self, mailbox: OwnMailbox) -> &mut Fetched {
        match mailbox {
            OwnMailbox::Contacts => &mut self.contacts,
            OwnMailbox::Strangers => &mut self.strangers,
        }
    }

    /// What the relay held when the connection began was fetched.
    pub(super) fn is_caught_up(&self) -> bool {
        self.contacts.is_caught_up && self.strangers.is_caught_up
    }

    /// Deliveries that were fetched are being handled.
    pub(super) fn is_handling_mail(&self) -> bool {
        !(self.contacts.mails.is_empty() && self.strangers.mails.is_empty())
    }

    /// Gives up what is under way.
    pub(super) fn begin_round(&mut self, next_round: &mut u64) {
        *next_round += 1;
        let (places, reason) = (std::mem::take(&mut self.places), std::mem::take(&mut self.reason));
        let (round, exporter) = (*next_round, self.exporter);
        *self = Self { stage: Stage::Connected, places, round, exporter, reason, ..self.anew() };
    }

    /// There is no connection any more.
    pub(super) fn break_off(&mut self, reason: &str) {
        let places = std::mem::take(&mut self.places);
        *self = Self { places, reason: reason.to_owned(), ..self.anew() };
    }

    /// What outlives the connection.
    fn anew(&self) -> Self {
        Self { contacts: self.contacts.anew(), strangers: self.strangers.anew(), ..Self::default() }
    }
}
