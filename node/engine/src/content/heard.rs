//! What was in a content, and what receipts say.

use qpq_proto::{Failure, ids::Identity, v1::Receipt};

use super::receipts::RECEIPT_IDS_MAX;
use crate::{
    context::Context,
    engine::Engine,
    records::{ConversationRecord, Kind, Progress},
};

/// What a content was.
pub(crate) enum Heard {
    /// A text, by its id: its sender waits for a receipt.
    Text(Vec<u8>),
    /// What somebody received.
    Receipt,
    /// Something else.
    Other,
}

impl Engine {
    pub(crate) fn take_receipt(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        from: Identity,
        receipt: &Receipt,
    ) -> Result<(), Failure> {
        let joined_after = self.joined_after(cx, &conversation.id, from)?;
        let has_gone =
            conversation.kind() == Kind::Group && !self.is_member(cx, conversation, from.as_bytes())?;
        for id in receipt.ids.iter().take(RECEIPT_IDS_MAX) {
            // Of whoever is no longer a member it is noted what it was sent.
            if has_gone && !self.has_delivery(cx, id, from.as_bytes())? {
                continue;
            }
            // Only who was sent a message can have opened it.
            let own = self.own_message(cx, id)?.filter(|(_, record)| record.sequence > joined_after);
            if own.is_none_or(|(place, _)| place.conversation != conversation.id) {
                continue;
            }
            self.opened_elsewhere(cx, &conversation.id, from.as_bytes(), id)?;
            self.delivery_progressed(cx, id, from.as_bytes(), Progress::Delivered, "")?;
        }
        let deliveries = receipt.deliveries.iter().take(RECEIPT_IDS_MAX);
        Ok(self.deliveries_taken(cx, &conversation.id, from.as_bytes(), deliveries)?)
    }
}
