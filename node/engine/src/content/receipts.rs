//! Receipts: what came as a bundle for several, or had to wait, is acknowledged to its sender in the conversation.
//!
//! What comes within a short time is acknowledged together, and if something else goes to the sender before, with that.

use qpq_proto::{
    ids::Identity,
    v1::{Content, Receipt, content},
};

use crate::{
    content::sender_key,
    context::Context,
    engine::Engine,
    input::EngineError,
    outbox::Task,
    records::{ConversationRecord, ReceiptsRecord},
    sealing::Audience,
    tables::{self, RECEIPTS},
};

/// How long a receipt waits for others, ms.
const RECEIPTS_AFTER_MS: u64 = 2_000;
/// The same on a node that has no peers, and perhaps not long to live, ms.
const RECEIPTS_AFTER_WITHOUT_PEERS_MS: u64 = 100;
/// Content ids in one receipt.
pub(super) const RECEIPT_IDS_MAX: usize = 256;
/// Content ids that go along with another content.
const RECEIPTS_ALONG_MAX: usize = 32;

/// What is acknowledged.
enum Received {
    /// A content, by its id.
    Content(Vec<u8>),
    /// A delivery, by its id.
    Delivery(Vec<u8>),
}

impl Engine {
    /// A content is here whose sender does not know it.
    pub(crate) fn note_receipt(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        to: Identity,
        id: Vec<u8>,
    ) -> Result<(), EngineError> {
        self.note_received(cx, conversation, to, Received::Content(id))
    }

    /// A delivery that holds no text came through a relay, and its sender does not know it.
    pub(crate) fn note_delivery_receipt(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        to: Identity,
        delivery: Vec<u8>,
    ) -> Result<(), EngineError> {
        self.note_received(cx, conversation, to, Received::Delivery(delivery))
    }

    fn note_received(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        to: Identity,
        what: Received,
    ) -> Result<(), EngineError> {
        if tables::all::<ReceiptsRecord>(cx.tx, RECEIPTS)?.is_empty() {
            self.receipts_soon(cx);
        }
        let key = sender_key(&conversation.id, to.as_bytes());
        let known: Option<ReceiptsRecord> = tables::load(cx.tx, RECEIPTS, tables::key(&key))?;
        let mut record = known.unwrap_or_else(|| ReceiptsRecord {
            conversation: conversation.id.clone(),
            identity: to.as_bytes().to_vec(),
            ..ReceiptsRecord::default()
        });
        let (received, of_which) = match what {
            Received::Content(id) => (&mut record.ids, id),
            Received::Delivery(id) => (&mut record.deliveries, id),
        };
        if !received.contains(&of_which) {
            received.push(of_which);
        }
        if received.len() == RECEIPT_IDS_MAX {
            return self.send_receipt(cx, &record);
        }
        tables::save(cx.tx, RECEIPTS, tables::key(&key), &record)
    }

    /// Acknowledges everything that waits for it.
    pub(crate) fn send_receipts(&mut self, cx: &mut Context<'_>) -> Result<(), EngineError> {
        for record in tables::all::<ReceiptsRecord>(cx.tx, RECEIPTS)? {
            self.send_receipt(cx, &record)?;
        }
        Ok(())
    }

    /// Receipts that the last run left.
    pub(crate) fn plan_receipts(&mut self, cx: &Context<'_>) -> Result<(), EngineError> {
        if !tables::all::<ReceiptsRecord>(cx.tx, RECEIPTS)?.is_empty() {
            self.receipts_soon(cx);
        }
        Ok(())
    }

    fn receipts_soon(&mut self, cx: &Context<'_>) {
        let after_ms =
            if self.config.has_peers { RECEIPTS_AFTER_MS } else { RECEIPTS_AFTER_WITHOUT_PEERS_MS };
        self.outbox.plan(cx.now.monotonic_ms + after_ms, Task::Receipts);
    }

    fn send_receipt(&mut self, cx: &mut Context<'_>, record: &ReceiptsRecord) -> Result<(), EngineError> {
        cx.tx.delete(RECEIPTS, tables::key(&sender_key(&record.conversation, &record.identity)))?;
        let Some(conversation) = self.conversation(cx, &record.conversation)? else { return Ok(()) };
        if !self.is_member(cx, &conversation, &record.identity)? {
            return Ok(());
        }
        let kind = content::Kind::Receipt(Receipt {
            ids: record.ids.clone(),
            deliveries: record.deliveries.clone(),
        });
        let content = self.unnumbered(cx, kind);
        self.seal_content(cx, &conversation, &content, Audience::Only(&record.identity))
    }

    /// A content with the receipts that wait for those who get it, and need no parcel of their own then.
    pub(crate) fn with_receipts(
        &self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        content: &Content,
        audience: Audience<'_>,
    ) -> Result<Content, EngineError> {
        let mut content = content.clone();
        for mut record in tables::all::<ReceiptsRecord>(cx.tx, RECEIPTS)? {
            let is_reached = match audience {
                Audience::Everybody => true,
                Audience::Only(reader) => record.identity == reader,
            };
            if record.conversation != conversation.id || !is_reached {
                continue;
            }
            let room = RECEIPTS_ALONG_MAX.saturating_sub(content.received.len());
            content.received.extend(record.ids.drain(..room.min(record.ids.len())));
            let key = sender_key(&record.conversation, &record.identity);
            if record.ids.is_empty() && record.deliveries.is_empty() {
                cx.tx.delete(RECEIPTS, tables::key(&key))?;
            } else {
                tables::save(cx.tx, RECEIPTS, tables::key(&key), &record)?;
            }
        }
        Ok(content)
    }
}
