//! Turning contents into parcels: MLS inside, the routing secret outside, padded to a size class between.

use bytes::Bytes;
use prost::Message as _;
use qpq_crypto::{
    hybrid::HybridPublic,
    identity::DeviceSecret,
    padding,
    route::{self, RoutingSecret},
    sealed,
    signature::Domain,
};
use qpq_proto::{
    Failure,
    ids::Identity,
    v1::{Content, Introduction, Parcel, ParcelContent, SignedIntroduction, content, introduction},
};
use zeroize::Zeroizing;

use crate::{
    context::Context,
    engine::Engine,
    group_cache::GroupFailure,
    input::EngineError,
    outbox::{Entry, Shipment, To},
    records::{ConversationRecord, Kind, MessageRecord, PersonRecord, Stage},
};

mod waiting;

pub(crate) use waiting::TOO_LONG;

/// HPKE info of introductions, so that nothing else sealed to the same key can be taken for one.
const INTRODUCTION_INFO: &[u8] = b"qpq/v1/introduction";

/// Who gets a content.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Audience<'a> {
    /// Every other member of the group.
    Everybody,
    /// One member; the others' ratchets skip the generation.
    Only(&'a [u8]),
}

impl Engine {
    /// Seals a content in a conversation's group and ships it; a text to everybody keeps its message id.
    pub(crate) fn seal_content(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        content: &Content,
        audience: Audience<'_>,
    ) -> Result<(), EngineError> {
        self.seal_until(cx, conversation, content, audience, None)
    }

    /// The same for a content whose lifetime may have begun before: it is not prolonged by sealing it.
    fn seal_until(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        content: &Content,
        audience: Audience<'_>,
        expires_node_ms: Option<u64>,
    ) -> Result<(), EngineError> {
        let content = &self.with_receipts(cx, conversation, content, audience)?;
        let plaintext = Zeroizing::new(content.encode_to_vec());
        let group_id = conversation.group_id.clone();
        let sealed = self.with_group(cx, &group_id, |group, mls| group.seal(mls, &plaintext));
        let message = sealed.map_err(EngineError::from)?;
        let payload = self.group_parcel(cx, conversation, message, audience)?;
        let is_text = matches!(content.kind, Some(content::Kind::Text(_)));
        let shipment = Shipment {
            payload,
            message: if is_text { &content.id } else { &[] },
            conversation: &conversation.id,
            content: if is_text { &[] } else { &plaintext },
            request: &[],
            expires_node_ms,
        };
        match audience {
            Audience::Only(recipient) => self.ship(cx, shipment, To::Person(recipient)),
            Audience::Everybody => {
                let others = self.other_members(cx, &group_id)?;
                self.ship(cx, shipment, To::members(&others))
            }
        }
    }

    /// Seals a content again for a recipient that can no longer open it, under the same content id.
    pub(crate) fn seal_again(&mut self, cx: &mut Context<'_>, entry: &Entry) -> Result<(), EngineError> {
        let content = match self.own_message(cx, &entry.parcel.message)? {
            Some((_, record)) => text_content(&record),
            None if entry.parcel.content.is_empty() => return Ok(()),
            None => decode_content(&entry.parcel.content)?,
        };
        let Some(conversation) = self.conversation(cx, &entry.parcel.conversation)? else { return Ok(()) };
        match conversation.stage() {
            Stage::Open => {}
            Stage::Waiting => {
                return self.keep_again(cx, &conversation, &content, entry.parcel.expires_node_ms);
            }
            Stage::Ended => return Ok(()),
        }
        if !self.is_member(cx, &conversation, &entry.recipient)? {
            return Ok(());
        }
        let (audience, expires) = (Audience::Only(&entry.recipient), entry.parcel.expires_node_ms);
        self.seal_until(cx, &conversation, &content, audience, Some(expires))
    }

    /// An MLS message of a conversation, for one member or for all, as a parcel under its routing secret.
    pub(crate) fn group_parcel(
        &self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        message: Vec<u8>,
        audience: Audience<'_>,
    ) -> Result<Bytes, EngineError> {
        let route = conversation.current_route();
        let secret =
            route.and_then(|route| <[u8; 32]>::try_from(route.secret.as_slice()).ok().map(Zeroizing::new));
        let secret =
            secret.ok_or_else(|| EngineError::Internal("an open conversation has no route".into()))?;
        let readers = match (conversation.kind(), audience, &self.me) {
            (Kind::Direct, _, Some(me)) => Readers::One(&me.device),
            (_, Audience::Only(identity), _) => Readers::Member(identity),
            _ => Readers::Members,
        };
        Ok(parcel(cx, &RoutingSecret::from_bytes(&secret), message, readers))
    }

    /// An introduction to a person, signed by this device and sealed to the person's hybrid key.
    pub(crate) fn ship_introduction(
        &mut self,
        cx: &mut Context<'_>,
        person: &PersonRecord,
        introduction: &Introduction,
        conversation: &[u8],
    ) -> Result<(), Failure> {
        let identity = Identity::try_from(person.identity.as_slice())
            .map_err(|_| EngineError::Internal("an identity is not 32 bytes long".into()))?;
        let hybrid = HybridPublic::from_bytes(person.hybrid_key.as_slice())
            .map_err(|_| EngineError::Internal("a hybrid key is not 1,216 bytes long".into()))?;
        let me = self.me()?;
        let request = match &introduction.kind {
            Some(introduction::Kind::Request(request)) => request.token.clone(),
            _ => Vec::new(),
        };
        let introduction = introduction.encode_to_vec();
        let signature = me.device.sign(Domain::Introduction, &[identity.as_bytes(), &introduction]);
        let signed = SignedIntroduction {
            introduction,
            device_list: me.device_list.clone(),
            device: me.device.public().as_bytes().to_vec(),
            signature: signature.to_vec(),
        };
        let inner =
            sealed::seal_to(cx.rng, &hybrid, INTRODUCTION_INFO, identity.as_bytes(), &signed.encode_to_vec());
        let payload = parcel(cx, &RoutingSecret::derive_stranger(&identity), inner, Readers::One(&me.device));
        let shipment = Shipment {
            payload,
            message: &[],
            conversation,
            content: &[],
            request: &request,
            expires_node_ms: None,
        };
        Ok(self.ship(cx, shipment, To::Introduction(&person.identity))?)
    }

    /// Opens what was sealed to this person's hybrid key.
    pub(crate) fn open_introduction(&self, inner: &[u8]) -> Result<SignedIntroduction, Failure> {
        let me = self.me()?;
        let identity = me.identity.public();
        let opened = sealed::open_sealed(&me.hybrid, INTRODUCTION_INFO, identity.as_bytes(), inner)
            .map_err(|_| Failure::bad_request("payload", "the introduction cannot be opened"))?;
        SignedIntroduction::decode(opened.as_slice())
            .map_err(|_| Failure::bad_request("payload", "the introduction is malformed"))
    }

    /// Identity keys of the other members of a group.
    pub(crate) fn other_members(
        &mut self,
        cx: &mut Context<'_>,
        group_id: &[u8],
    ) -> Result<Vec<Vec<u8>>, GroupFailure> {
        let own = self.me.as_ref().map(|me| me.identity.public());
        self.with_group(cx, group_id, |group, _| {
            let members = group.roster().map(|(_, certificate)| certificate.identity);
            let others = members.filter(|identity| Some(*identity) != own);
            Ok(others.map(|identity| identity.as_bytes().to_vec()).collect())
        })
    }
}

/// The content of an own text, as it was first sealed.
pub(crate) fn text_content(record: &MessageRecord) -> Content {
    Content {
        id: record.id.clone(),
        sequence: record.sequence,
        sent_at_ms: record.sent_at_ms,
        received: Vec::new(),
        kind: Some(content::Kind::Text(qpq_proto::v1::Text { text: record.text.clone() })),
    }
}

fn decode_content(bytes: &[u8]) -> Result<Content, EngineError> {
    Content::decode(bytes).map_err(|error| EngineError::Internal(format!("a content that was kept: {error}")))
}

/// Who can open a parcel.
#[derive(Clone, Copy)]
pub(crate) enum Readers<'a> {
    /// One device, which may settle the bundle of the device that seals it.
    One(&'a DeviceSecret),
    /// The members of a group.
    Members,
    /// The members of a group, of whom one should.
    Member(&'a [u8]),
}

fn parcel(cx: &mut Context<'_>, secret: &RoutingSecret, message: Vec<u8>, readers: Readers<'_>) -> Bytes {
    let salt = cx.random::<8>();
    let (settle_secret, reader) = match readers {
        Readers::One(device) => (route::settle_secret(device, &salt).to_vec(), Vec::new()),
        Readers::Members => (Vec::new(), Vec::new()),
        Readers::Member(identity) => (Vec::new(), identity.to_vec()),
    };
    let content = Zeroizing::new(
        ParcelContent { message, settle_secret, reader, ..Default::default() }.encode_to_vec(),
    );
    let padded = Zeroizing::new(padding::pad(&content, route::BODY_OVERHEAD_BYTES));
    let body = secret.seal_body(&salt, &padded);
    let parcel = Parcel { salt: salt.to_vec(), tag: secret.tag(&salt).to_vec(), body: body.into() };
    parcel.encode_to_vec().into()
}

#[cfg(test)]
mod tests;
