//! What relays kept for this person.

use bytes::Bytes;
use prost::Message as _;
use qpq_crypto::digest;
use qpq_proto::{
    Failure,
    ids::Identity,
    v1::{Disposition, Parcel},
};

use super::{Opened, key_of};
use crate::{
    context::Context,
    engine::Engine,
    inbox::Origin,
    input::{Effect, EngineError, Mail, MailPlace, Next, OwnMailbox, RelayKey},
    records::{ConversationRecord, KeptMailRecord},
    routes::Recognised,
    storage::Direction,
    tables::{self, KEPT_MAIL, SINGLE},
};

/// Deliveries that are kept until they are recognised; the oldest make room.
const KEPT_MAX: u64 = 256;
/// Bytes of the longest of them.
const KEPT_BYTES_MAX: usize = 65_536;

impl Engine {
    /// Takes a delivery that a relay kept, as if its sender's node had brought it.
    ///
    /// # Errors
    /// As a direct delivery is refused. The transaction must then be dropped.
    pub(crate) fn mail_arrived(&mut self, cx: &mut Context<'_>, mail: &Mail) -> Result<(), Failure> {
        let delivery = digest::delivery_id(&mail.payload);
        if let Some(sender) = self.sender_of_seen(cx, &delivery)? {
            // It came another way before, and used up a token all the same.
            self.note_token_used(cx, mail.relay, &sender)?;
            return Ok(self.mail_done(cx, mail.relay, mail.place, false)?);
        }
        self.relays.opened = None;
        self.open_mail(cx, mail, delivery)?;
        if let Some(opened) = self.relays.opened.take() {
            self.note_token_used(cx, mail.relay, &opened.identity)?;
            if opened.is_untold {
                self.note_delivery(cx, &opened, delivery.to_vec())?;
            }
        }
        Ok(self.mail_done(cx, mail.relay, mail.place, false)?)
    }

    fn open_mail(&mut self, cx: &mut Context<'_>, mail: &Mail, delivery: [u8; 16]) -> Result<(), Failure> {
        if self.seen(cx, &delivery)?.is_some() {
            return Ok(());
        }
        let parcel = Parcel::decode(mail.payload.clone())
            .map_err(|_| Failure::bad_request("payload", "the parcel is malformed"))?;
        let Some(recognised) = self.recognise(cx, &parcel)? else {
            return Ok(self.keep_mail(cx, mail)?);
        };
        self.place_mail(cx, delivery, mail, &recognised)
    }

    fn place_mail(
        &mut self,
        cx: &mut Context<'_>,
        delivery: [u8; 16],
        mail: &Mail,
        recognised: &Recognised,
    ) -> Result<(), Failure> {
        let is_strangers = matches!(mail.place, MailPlace::Queue { mailbox: OwnMailbox::Strangers, .. });
        let met_at = is_strangers.then_some(mail.relay);
        let origin = Origin { node: None, delivery, carried: &[], is_mailed: true, met_at };
        if self.place(cx, origin, recognised)? == Disposition::Delivered {
            self.remember(cx, &delivery, Disposition::Delivered)?;
        }
        Ok(())
    }

    /// A delivery was not taken.
    pub(crate) fn mail_refused(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        place: MailPlace,
        is_useless: bool,
    ) -> Result<(), EngineError> {
        self.relays.is_touched = true;
        let is_given_up = match place {
            MailPlace::Queue { round, mailbox, seq } => {
                is_useless || self.mail_stuck(cx, relay, (round, mailbox, seq))
            }
            MailPlace::Kept(_) => is_useless,
        };
        if is_given_up { self.mail_done(cx, relay, place, true) } else { Ok(()) }
    }

    fn mail_done(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        place: MailPlace,
        is_useless: bool,
    ) -> Result<(), EngineError> {
        match place {
            MailPlace::Queue { round, mailbox, seq } => {
                if let Some(mut record) = self.relay_record(cx, relay)? {
                    record.received += 1;
                    record.useless += u64::from(is_useless);
                    self.save_relay(cx, &record)?;
                }
                self.mail_handled(cx, relay, (round, mailbox, seq))
            }
            MailPlace::Kept(ordinal) => Ok(cx.tx.delete(KEPT_MAIL, tables::at(SINGLE, ordinal))?),
        }
    }

    /// Keeps what is for this person by no secret that it has so far: the commit that brings the secret may come later,
    /// by another sender.
    fn keep_mail(&self, cx: &mut Context<'_>, mail: &Mail) -> Result<(), EngineError> {
        if mail.payload.len() > KEPT_BYTES_MAX || matches!(mail.place, MailPlace::Kept(_)) {
            return Ok(());
        }
        let ordinal = tables::next_ordinal(cx.tx, KEPT_MAIL, SINGLE)?;
        let record = KeptMailRecord { pin: mail.relay.0.to_vec(), payload: mail.payload.clone() };
        tables::save(cx.tx, KEPT_MAIL, tables::at(SINGLE, ordinal), &record)?;
        if let Some(old) = ordinal.checked_sub(KEPT_MAX) {
            cx.tx.delete(KEPT_MAIL, tables::at(SINGLE, old))?;
        }
        Ok(())
    }

    /// This person recognises more than before: looks at what was kept.
    pub(crate) fn kept_mail_may_open(&self, cx: &mut Context<'_>) -> Result<(), EngineError> {
        self.retry_kept_mail(cx, Engine::recognises_mail)
    }

    pub(super) fn retry_kept_mail(
        &self,
        cx: &mut Context<'_>,
        is_tried: impl Fn(&Self, &Bytes) -> bool,
    ) -> Result<(), EngineError> {
        let range = 0..u64::MAX;
        let kept: Vec<(u64, KeptMailRecord)> =
            tables::scan(cx.tx, KEPT_MAIL, SINGLE, range, Direction::Forward, usize::MAX)?;
        for (ordinal, record) in kept {
            let Some(relay) = key_of(&record.pin).filter(|_| is_tried(self, &record.payload)) else {
                continue;
            };
            let mail = Mail { relay, place: MailPlace::Kept(ordinal), payload: record.payload };
            cx.effects.push(Effect::Next(Next::Mail(mail)));
        }
        Ok(())
    }

    /// Whether a delivery is for this person by one of its present secrets.
    fn recognises_mail(&self, payload: &Bytes) -> bool {
        let Ok(parcel) = Parcel::decode(payload.clone()) else { return false };
        let Ok(salt) = <&[u8; 8]>::try_from(&parcel.salt[..]) else { return false };
        let routes = self.routes.as_ref();
        routes.is_some_and(|routes| routes.recognises(qpq_mesh::Class::Message, salt, &parcel.tag))
    }

    /// Whose content was opened.
    pub(crate) fn note_heard(&mut self, conversation: &ConversationRecord, from: Identity, is_untold: bool) {
        let (identity, conversation) = (from.to_vec(), conversation.id.clone());
        self.relays.note_opened(Opened { identity, conversation, is_untold });
    }

    /// Whose introduction was taken.
    pub(crate) fn note_introduced(&mut self, cx: &Context<'_>, identity: &[u8]) -> Result<(), EngineError> {
        let person = self.person(cx, identity)?.unwrap_or_default();
        let (identity, conversation) = (identity.to_vec(), person.conversation);
        self.relays.note_opened(Opened { identity, conversation, is_untold: true });
        Ok(())
    }
}
