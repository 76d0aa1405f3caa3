//! What is planned for a later moment.

use super::Stream;
use crate::{
    context::Context,
    conversations::ConversationId,
    engine::Engine,
    input::{EngineError, RelayKey},
};

/// Something to do at a moment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Task {
    /// Try a recipient again.
    Retry(Vec<u8>),
    /// Offer a recipient again what its node has stored without opening it.
    Offer(Stream, Vec<u8>),
    /// Look whether contents of a sender are still missing.
    Gap { conversation: ConversationId, sender: Vec<u8> },
    /// Look for what has expired.
    Sweep,
    /// Look for what others should carry.
    Carry,
    /// Acknowledge what was received.
    Receipts,
    /// Look for own posts that are to be carried and are not.
    Posts,
    /// Go on with a relay.
    Relay(RelayKey),
    /// Look for contacts who need tokens.
    Grants,
    /// Look whether recovery bundles must be renewed.
    Recovery,
    /// Ask a relay for this person's own name.
    OwnName(RelayKey),
}

impl Engine {
    pub(crate) fn run_task(&mut self, cx: &mut Context<'_>, task: Task) -> Result<(), EngineError> {
        match task {
            Task::Retry(recipient) => {
                self.pump_later(&recipient);
                self.ask_by_mail(cx, &recipient)
            }
            Task::Offer(stream, recipient) => {
                self.offer_due(cx.now, &stream, &recipient);
                Ok(())
            }
            Task::Gap { conversation, sender } => self.check_gap(cx, &conversation, &sender),
            Task::Sweep => self.sweep(cx),
            Task::Carry => self.carry_waiting(cx),
            Task::Receipts => self.send_receipts(cx),
            Task::Posts => self.deposit_posts(cx),
            Task::Relay(relay) => self.relay_due(cx, relay),
            Task::Grants => self.grant_tokens(cx),
            Task::Recovery => self.bundles_due(cx),
            Task::OwnName(relay) => self.own_name_due(cx, relay),
        }
    }
}
