//! Links that name a mailbox: whoever follows one may leave a few deliveries there, the request first.
//!
//! The tokens follow from a secret in the link. The relay is told of them when it is reached, which may be after the link
//! was given away: until then whoever follows it tries again.

use bytes::Bytes;
use qpq_crypto::{
    delivery_token::DeliveryTokens,
    link::{LINK_DELIVERY_TOKENS, Link, LinkMailbox},
    relay_link::RELAY_PLACES_MAX,
};
use qpq_proto::{
    Method, Status,
    v1::{SetDeliveryTokensRequest, UploadHybridKeyRequest},
};
use zeroize::Zeroizing;

use super::{RelayStep, Stage, request};
use crate::{
    context::Context,
    engine::Engine,
    input::{CallFailure, EngineError, RelayKey},
    records::{InvitationRecord, RelayRecord},
    tables::{self, INVITATIONS},
};

/// Invitations of which a relay is told by one call.
const INVITATIONS_PER_CALL_MAX: usize = 16;

impl Engine {
    /// The mailbox that a link made now names; none if no relay keeps anything for this person.
    pub(crate) fn link_mailbox(&self, cx: &mut Context<'_>) -> Result<Option<LinkMailbox>, EngineError> {
        let records = self.relay_records(cx)?;
        let keeps = |record: &&RelayRecord| record.has_mailbox && !record.session_token.is_empty();
        let Some(record) = records.iter().find(keeps) else { return Ok(None) };
        let places: Vec<_> = record.places.iter().filter_map(|place| place.parse().ok()).collect();
        let is_named = (1..=RELAY_PLACES_MAX).contains(&places.len());
        let ids = (<[u8; 32]>::try_from(&record.pin[..]), <[u8; 32]>::try_from(&record.mailbox[..]));
        let (Ok(pin), Ok(mailbox), true) = (ids.0, ids.1, is_named) else { return Ok(None) };
        Ok(Some(LinkMailbox { pin, mailbox, secret: cx.random::<32>(), places }))
    }

    /// Invitations of which a relay is to be told; adds the hashes of their tokens to those that it is told.
    pub(super) fn untold_invitations(
        &self,
        cx: &Context<'_>,
        record: &RelayRecord,
        hashes: &mut Vec<Vec<u8>>,
    ) -> Result<Vec<Vec<u8>>, EngineError> {
        let all: Vec<InvitationRecord> = tables::all(cx.tx, INVITATIONS)?;
        let mut told = Vec::new();
        for invitation in all.into_iter().filter(|invitation| invitation.is_untold) {
            let named = mailbox_of(&invitation).filter(|named| named.mailbox == *record.mailbox);
            if let Some(named) = named.filter(|_| told.len() < INVITATIONS_PER_CALL_MAX) {
                hashes.extend(hashes_of(&named));
                told.push(invitation.token);
            }
        }
        Ok(told)
    }

    /// A relay knows the tokens of these invitations.
    pub(super) fn invitations_told(
        &self,
        cx: &mut Context<'_>,
        invitations: &[Vec<u8>],
    ) -> Result<(), EngineError> {
        for token in invitations {
            let record: Option<InvitationRecord> = tables::load(cx.tx, INVITATIONS, tables::key(token))?;
            if let Some(mut record) = record {
                record.is_untold = false;
                tables::save(cx.tx, INVITATIONS, tables::key(token), &record)?;
            }
        }
        Ok(())
    }

    /// An invitation is revoked: so are its tokens, if the relay is reached. Otherwise what is left with them is of no use.
    pub(crate) fn revoke_link_tokens(
        &mut self,
        cx: &mut Context<'_>,
        invitation: &InvitationRecord,
    ) -> Result<(), EngineError> {
        let Some(named) = mailbox_of(invitation) else { return Ok(()) };
        let relay = RelayKey(named.pin);
        let record = self.relay_record(cx, relay)?.filter(|record| record.mailbox == named.mailbox);
        let is_ready = self.relays.lines.get(&relay).is_some_and(|line| line.stage == Stage::Ready);
        if record.is_none() || !is_ready {
            return Ok(());
        }
        let set = SetDeliveryTokensRequest {
            mailbox: named.mailbox.to_vec(),
            add_hashes: Vec::new(),
            revoke_hashes: hashes_of(&named).collect(),
        };
        let step = RelayStep::Tokens { contacts: Vec::new(), invitations: Vec::new() };
        self.call_own_relay(cx, relay, request(Method::SetDeliveryTokens, &set), step);
        Ok(())
    }

    /// Invitations whose relay does not know their tokens yet: their relays.
    pub(super) fn relays_of_untold(&self, cx: &Context<'_>) -> Result<Vec<RelayKey>, EngineError> {
        let all: Vec<InvitationRecord> = tables::all(cx.tx, INVITATIONS)?;
        let untold = all.iter().filter(|invitation| invitation.is_untold);
        Ok(untold.filter_map(mailbox_of).map(|named| RelayKey(named.pin)).collect())
    }

    /// Gives the relay the key to which those seal their request who are invited, or find this person by name.
    pub(super) fn upload_hybrid_key(&mut self, cx: &mut Context<'_>, relay: RelayKey, record: &RelayRecord) {
        let Some(me) = self.me.as_ref().filter(|me| record.hybrid_sequence < me.device_list_sequence) else {
            return;
        };
        let sequence = me.device_list_sequence;
        let upload = UploadHybridKeyRequest {
            hybrid_public_key: me.hybrid.public().to_bytes().to_vec(),
            signature: me.hybrid_signature.clone(),
            sequence,
        };
        let step = RelayStep::HybridKey { sequence };
        self.call_own_relay(cx, relay, request(Method::UploadHybridKey, &upload), step);
    }

    /// The relay has answered whether it takes the key. One that has none yet is given it over the next connection.
    pub(super) fn hybrid_key_uploaded(
        &self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        sequence: u64,
        result: Result<Bytes, CallFailure>,
    ) -> Result<(), EngineError> {
        let is_held = match &result {
            Ok(_) => true,
            Err(CallFailure::Refused(failure)) => failure.status == Status::Conflict,
            Err(CallFailure::Unreachable) => false,
        };
        match self.relay_record(cx, relay)? {
            Some(mut record) if is_held => {
                record.hybrid_sequence = sequence;
                self.save_relay(cx, &record)
            }
            _ => Ok(()),
        }
    }
}

/// The mailbox that an invitation's link names.
fn mailbox_of(invitation: &InvitationRecord) -> Option<LinkMailbox> {
    let link: Link = invitation.link.parse().ok()?;
    link.into_contact().ok()?.mailbox
}

fn hashes_of(named: &LinkMailbox) -> impl Iterator<Item = Vec<u8>> + use<> {
    let tokens = DeliveryTokens::new(Zeroizing::new(named.secret));
    (0..LINK_DELIVERY_TOKENS).map(move |number| tokens.hash(number).to_vec())
}
