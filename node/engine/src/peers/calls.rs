//! Calls that are under way, and what each is for.

use bytes::Bytes;
use qpq_proto::{Method, ids::NodeKey};

use super::{Change, Peers};
use crate::{
    input::{CallId, Effect, OwnMailbox, RelayKey, RelayLine},
    outbox::Stream,
    relays::{Letter, RelayStep},
};

/// What a call is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Delivers an entry of a stream of the outbox.
    Delivery { stream: Stream, recipient: Vec<u8>, ordinal: u64 },
    /// One of the mesh's own, of the mesh that was opened this often.
    Mesh { generation: u64, call: qpq_mesh::CallId, method: Method },
    /// Fetches the hybrid key of a person whose link we hold.
    HybridKey { person: Vec<u8> },
    /// The same from the relay of a mailbox that the link names.
    MailedHybridKey { person: Vec<u8>, mailbox: Vec<u8> },
    /// Leaves an entry of a stream of the outbox in a mailbox of the recipient's.
    Mail { stream: Stream, recipient: Vec<u8>, ordinal: u64, mailbox: Vec<u8>, token: Vec<u8> },
    /// Leaves the same payload in mailboxes of several recipients at one relay.
    MailBatch { letters: Vec<Letter> },
    /// Something between this person and a relay, over the connection of that round.
    Relay { relay: RelayKey, round: u64, step: RelayStep },
    /// Fetches the bundle of a recovery code.
    Recovery { attempt: u64 },
}

impl Purpose {
    /// The recipients and streams of deliveries.
    fn delivers(&self) -> Vec<(Vec<u8>, Stream)> {
        match self {
            Self::Delivery { stream, recipient, .. } | Self::Mail { stream, recipient, .. } => {
                vec![(recipient.clone(), stream.clone())]
            }
            Self::MailBatch { letters } => {
                letters.iter().map(|letter| (letter.recipient.clone(), letter.stream.clone())).collect()
            }
            Self::Mesh { .. }
            | Self::HybridKey { .. }
            | Self::MailedHybridKey { .. }
            | Self::Relay { .. }
            | Self::Recovery { .. } => Vec::new(),
        }
    }
}

impl Peers {
    /// Whether a relay was asked for what lies in a mailbox, or told what was taken, over the connection of a round.
    pub(crate) fn is_asking_relay(&self, relay: RelayKey, round: u64, mailbox: OwnMailbox) -> bool {
        [RelayStep::Fetch { mailbox }, RelayStep::Acknowledge { mailbox }]
            .into_iter()
            .any(|step| self.is_under_way(&Purpose::Relay { relay, round, step }))
    }

    /// Whether a relay is storing or deleting a recovery bundle, over the connection of a round.
    pub(crate) fn is_keeping_bundles(&self, relay: RelayKey, round: u64) -> bool {
        self.calls.values().any(|call| match call {
            Purpose::Relay { relay: of, round: over, step: RelayStep::Bundle(_) } => {
                *of == relay && *over == round
            }
            _ => false,
        })
    }

    /// Whether a relay is being told of something over the connection of a round, and has not answered.
    pub(crate) fn is_telling_relay(&self, relay: RelayKey, round: u64) -> bool {
        self.calls.values().any(|call| match call {
            Purpose::Relay { relay: called, round: over, step } => {
                let is_fetching = matches!(step, RelayStep::Fetch { .. });
                (*called, *over) == (relay, round) && !is_fetching
            }
            _ => false,
        })
    }

    /// What a call was for that has ended.
    pub(super) fn ended(&mut self, call: CallId) -> Option<Purpose> {
        let purpose = self.calls.remove(&call)?;
        for delivering in purpose.delivers() {
            self.delivering.remove(&delivering);
        }
        Some(purpose)
    }

    /// The effect that starts a call.
    pub(crate) fn call(&mut self, node: NodeKey, method: Method, payload: Bytes, purpose: Purpose) -> Effect {
        let call = self.begin(purpose);
        Effect::Call { call, node, method, payload }
    }

    /// The effect that starts a call of a relay.
    pub(crate) fn call_relay(
        &mut self,
        (relay, line): (RelayKey, RelayLine),
        method: Method,
        payload: Bytes,
        purpose: Purpose,
    ) -> Effect {
        let call = self.begin(purpose);
        Effect::RelayCall { call, relay, line, method, payload }
    }

    fn begin(&mut self, purpose: Purpose) -> CallId {
        let call = CallId(self.next_call);
        self.next_call += 1;
        self.delivering.extend(purpose.delivers());
        self.calls.insert(call, purpose);
        self.changes.push(Change::Called(call));
        call
    }
}
