//! What members say inside MLS: texts, receipts, change requests, profiles, and questions for what is missing.

use prost::Message as _;
use qpq_crypto::mls;
use qpq_proto::{
    Failure,
    ids::Identity,
    limits::TEXT_BYTES_MAX,
    v1::{Content, Profile, Receipt, ResendRequest, Text, content},
};

use crate::{
    context::Context,
    conversations::ConversationId,
    engine::Engine,
    gaps,
    input::EngineError,
    introductions::check_profile,
    outbox::{GAP_PATIENCE_MS, Stream, Task},
    records::{ConversationRecord, EventRecord, Kind, MessageRecord, SenderRecord},
    sealing::{Audience, text_content},
    tables::{self, MESSAGES, SENDERS},
};

mod heard;
mod receipts;
pub(crate) use heard::Heard;

/// Sequences asked for, and answered, at once.
const RESEND_MAX: usize = 64;
/// When missing contents are asked for again, ms.
const ASK_AGAIN_MS: u64 = 600_000;
/// How far back own messages are searched for what is asked for again.
const RESEND_DEPTH: usize = 4_096;

impl Engine {
    /// Takes a decrypted content.
    pub(crate) fn take_content(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        group_id: &[u8],
        sender: &mls::Member,
        plaintext: &[u8],
    ) -> Result<Heard, Failure> {
        let content = Content::decode(plaintext)
            .map_err(|_| Failure::bad_request("payload", "the content is malformed"))?;
        let from = sender.certificate.identity;
        if !content.received.is_empty() {
            self.take_receipt(
                cx,
                conversation,
                from,
                &Receipt { ids: content.received.clone(), deliveries: Vec::new() },
            )?;
        }
        // What a newer version says is not for us.
        let Some(kind) = &content.kind else { return Ok(Heard::Other) };
        match kind {
            content::Kind::Text(text) => {
                self.take_text(cx, conversation, from, &content, text)?;
                return Ok(Heard::Text(content.id));
            }
            content::Kind::Receipt(receipt) => {
                self.take_receipt(cx, conversation, from, receipt)?;
                return Ok(Heard::Receipt);
            }
            content::Kind::Mailboxes(said) => self.take_mailboxes(cx, conversation, from, said)?,
            content::Kind::Change(signed) => self.take_change(cx, conversation, group_id, sender, signed)?,
            content::Kind::Refusal(refusal) => {
                self.take_refusal(cx, conversation, group_id, sender, refusal)?
            }
            content::Kind::Profile(profile) => self.take_profile(cx, from, profile)?,
            content::Kind::Resend(request) => self.take_resend(cx, conversation, from, request)?,
        }
        Ok(Heard::Other)
    }

    fn take_text(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        from: Identity,
        content: &Content,
        text: &Text,
    ) -> Result<(), Failure> {
        let is_fit = content.id.len() == 16
            && content.sequence > 0
            && !text.text.is_empty()
            && text.text.len() <= TEXT_BYTES_MAX;
        if !is_fit {
            return Err(Failure::bad_request("payload", "the text is malformed or too long"));
        }
        if self.place_by(cx, &content.id, from.as_bytes())?.is_some() {
            return Ok(());
        }
        self.note_sequence(cx, conversation, from, content.sequence)?;
        let record = MessageRecord {
            id: content.id.clone(),
            from: from.as_bytes().to_vec(),
            text: text.text.clone(),
            sent_at_ms: content.sent_at_ms,
            stored_at_ms: cx.now.wall_ms,
            sequence: content.sequence,
            ..MessageRecord::default()
        };
        self.store_message(cx, &conversation.id, &record)?;
        Ok(())
    }

    fn note_sequence(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        from: Identity,
        sequence: u64,
    ) -> Result<(), EngineError> {
        let key = sender_key(&conversation.id, from.as_bytes());
        let mut sender: SenderRecord = tables::load(cx.tx, SENDERS, tables::key(&key))?.unwrap_or_default();
        gaps::arrived(&mut sender, sequence);
        sender.conversation.clone_from(&conversation.id);
        sender.identity = from.as_bytes().to_vec();
        tables::save(cx.tx, SENDERS, tables::key(&key), &sender)?;
        self.watch_gap(cx, &sender);
        Ok(())
    }

    /// Plans a look at a sender of whom something is missing.
    fn watch_gap(&mut self, cx: &Context<'_>, sender: &SenderRecord) {
        let Ok(conversation) = sender.conversation.as_slice().try_into() else { return };
        if gaps::missing_count(sender) > 0 {
            let task = Task::Gap { conversation, sender: sender.identity.clone() };
            self.outbox.plan(cx.now.monotonic_ms + GAP_PATIENCE_MS, task);
        }
    }

    /// Plans a look at everybody of whom something is missing, after a start.
    pub(crate) fn watch_gaps(&mut self, cx: &Context<'_>) -> Result<(), EngineError> {
        for sender in tables::all::<SenderRecord>(cx.tx, SENDERS)? {
            self.watch_gap(cx, &sender);
        }
        Ok(())
    }

    /// Asks a member to offer again what this node has stored and could not open.
    pub(crate) fn ask_for_rest(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        from: &[u8],
    ) -> Result<(), EngineError> {
        if !self.is_member(cx, conversation, from)? {
            return Ok(());
        }
        let content = self.unnumbered(cx, content::Kind::Resend(ResendRequest::default()));
        self.seal_content(cx, conversation, &content, Audience::Only(from))
    }

    /// Asks a sender for what is still missing, and tells the owner.
    pub(crate) fn check_gap(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationId,
        from: &[u8],
    ) -> Result<(), EngineError> {
        let key = sender_key(conversation, from);
        let Some(mut sender) = tables::load::<SenderRecord>(cx.tx, SENDERS, tables::key(&key))? else {
            return Ok(());
        };
        let sequences = gaps::missing(&sender, RESEND_MAX);
        let asked_lately = sender.asked_node_ms + GAP_PATIENCE_MS > cx.node_ms && sender.asked_node_ms > 0;
        let Some(record) = self.conversation(cx, conversation)? else { return Ok(()) };
        if sequences.is_empty() || asked_lately || !self.is_member(cx, &record, from)? {
            return Ok(());
        }
        let missing = gaps::missing_count(&sender);
        sender.asked_node_ms = cx.node_ms;
        tables::save(cx.tx, SENDERS, tables::key(&key), &sender)?;
        self.outbox.plan(
            cx.now.monotonic_ms + ASK_AGAIN_MS,
            Task::Gap { conversation: *conversation, sender: from.to_vec() },
        );
        let event = EventRecord {
            what: "gap".into(),
            conversation: conversation.to_vec(),
            person: from.to_vec(),
            number: missing,
            ..EventRecord::default()
        };
        self.log_event(cx, event)?;
        let content = self.unnumbered(cx, content::Kind::Resend(ResendRequest { sequences }));
        self.seal_content(cx, &record, &content, Audience::Only(from))
    }

    fn take_resend(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        from: Identity,
        request: &ResendRequest,
    ) -> Result<(), Failure> {
        // Whoever has gone since could not open it.
        if conversation.kind() == Kind::Group && !self.is_member(cx, conversation, from.as_bytes())? {
            return Ok(());
        }
        let asked = &request.sequences[..request.sequences.len().min(RESEND_MAX)];
        if asked.is_empty() {
            for stream in
                [Stream::Person(from.as_bytes().to_vec()), Stream::Conversation(conversation.id.clone())]
            {
                self.offer_now(&stream, from.as_bytes());
            }
            return Ok(());
        }
        let newest: Vec<(u64, MessageRecord)> = tables::scan(
            cx.tx,
            MESSAGES,
            &conversation.id,
            0..u64::MAX,
            crate::storage::Direction::Backward,
            RESEND_DEPTH,
        )?;
        let joined_after = self.joined_after(cx, &conversation.id, from)?;
        // Whoever asks again and again does not fill the outbox with it.
        let on_its_way = self.texts_on_their_way(cx, from.as_bytes())?;
        let is_wanted = |record: &MessageRecord| {
            record.own
                && record.sequence > joined_after
                && asked.contains(&record.sequence)
                && !on_its_way.contains(&record.id)
        };
        let wanted = newest.iter().filter(|(_, record)| is_wanted(record));
        for (_, record) in wanted.take(RESEND_MAX) {
            if self.is_outbox_full(cx)? {
                break;
            }
            self.seal_content(cx, conversation, &text_content(record), Audience::Only(from.as_bytes()))?;
        }
        Ok(())
    }

    fn take_profile(&self, cx: &mut Context<'_>, from: Identity, profile: &Profile) -> Result<(), Failure> {
        let Some(mut person) = self.person(cx, from.as_bytes())? else { return Ok(()) };
        if !person.is_contact() {
            return Ok(());
        }
        if profile.hybrid_sequence >= person.hybrid_sequence && check_profile(from, profile).is_ok() {
            person.learn_hybrid_key(profile);
        }
        person.learn_addresses(&profile.addresses);
        self.save_person(cx, &person)?;
        Ok(self.keep_key_packages(cx, &person, &profile.key_packages)?)
    }

    /// A content that is not part of the numbered sequence.
    pub(crate) fn unnumbered(&self, cx: &mut Context<'_>, kind: content::Kind) -> Content {
        let (id, sent_at_ms) = (cx.message_id().to_vec(), cx.now.wall_ms);
        Content { id, sent_at_ms, kind: Some(kind), ..Content::default() }
    }

    pub(crate) fn is_member(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        identity: &[u8],
    ) -> Result<bool, EngineError> {
        if conversation.stage() != crate::records::Stage::Open {
            return Ok(false);
        }
        let Ok(identity) = Identity::try_from(identity) else { return Ok(false) };
        let is_member = |group: &mut mls::Group, _: &mut mls::Context<'_>| {
            Ok(group.members_of(&identity).next().is_some())
        };
        Ok(self.with_group(cx, &conversation.group_id, is_member)?)
    }
}

pub(crate) fn sender_key(conversation: &[u8], identity: &[u8]) -> Vec<u8> {
    [conversation, identity].concat()
}
