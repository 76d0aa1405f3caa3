//! Calls under way: whom they went to and what they were about.

use std::collections::BTreeMap;

use crate::bundle::SortKey;
use crate::effect::CallId;
use crate::link::Sent;
use crate::wire::Want;

/// What a call is about.
#[derive(Clone, Debug)]
pub(crate) enum Purpose {
    /// Introducing itself, with its half of the session's key.
    Hello([u8; 16]),
    Reconcile,
    Offer(Offered),
    Fetch(Vec<Want>),
    Settle(Vec<SortKey>),
    Transfer(Vec<Sent>),
}

/// What was offered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offered {
    /// In order: what is held, then what is known by hearsay.
    pub(crate) keys: Vec<SortKey>,
    /// How far the neighbour was told rumours before, by source.
    pub(crate) told_before: Vec<(usize, u64)>,
}

/// The calls; at most two for each link.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    under_way: BTreeMap<CallId, (usize, Purpose)>,
    last: u64,
}

impl Calls {
    /// Notes a call on a link.
    pub(crate) fn start(&mut self, slot: usize, purpose: Purpose) -> CallId {
        self.last += 1;
        let call = CallId(self.last);
        self.under_way.insert(call, (slot, purpose));
        call
    }

    /// Whether this node is introducing itself on a link.
    pub(crate) fn is_greeting(&self, slot: usize) -> bool {
        self.under_way.values().any(|(of, purpose)| *of == slot && matches!(purpose, Purpose::Hello(_)))
    }

    /// A call has ended.
    pub(crate) fn take(&mut self, call: CallId) -> Option<(usize, Purpose)> {
        self.under_way.remove(&call)
    }

    /// The calls of a link that is gone have ended.
    pub(crate) fn take_of(&mut self, slot: usize) -> Vec<Purpose> {
        let ended = self.under_way.extract_if(.., |_, (of, _)| *of == slot);
        ended.map(|(_, (_, purpose))| purpose).collect()
    }
}
