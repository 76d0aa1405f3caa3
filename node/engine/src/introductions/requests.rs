//! Asking somebody: the hybrid key, the request, and what becomes of it.

use bytes::Bytes;
use prost::Message as _;
use qpq_crypto::link::LinkMailbox;
use qpq_proto::{
    Failure, Method,
    ids::{Identity, NodeKey},
    v1::{ContactRequest, FetchHybridKeyRequest, FetchHybridKeyResponse, Mailbox, introduction},
};

use crate::{
    context::Context,
    engine::Engine,
    input::{CallFailure, EngineError},
    peers::Purpose,
    records::{PersonRecord, Standing},
};

use super::verify_hybrid_key;

impl Engine {
    /// Begins to ask, by the mailbox that the link names if the person's node is not connected before.
    pub(crate) fn start_request_by(
        &mut self,
        cx: &mut Context<'_>,
        person: &PersonRecord,
        mailbox: Option<&LinkMailbox>,
    ) -> Result<(), Failure> {
        let Some(mailbox) = mailbox else { return self.start_request(cx, person) };
        self.note_link_mailbox(cx, person, mailbox)?;
        if self.is_node_connected(person) {
            return self.start_request(cx, person);
        }
        self.want(cx, person);
        Ok(self.mail_soon(cx, &person.identity)?)
    }

    /// Seals a request, or asks for what it lacks as soon as the person's node is there.
    pub(crate) fn start_request(
        &mut self,
        cx: &mut Context<'_>,
        person: &PersonRecord,
    ) -> Result<(), Failure> {
        self.want(cx, person);
        if !person.hybrid_key.is_empty() {
            return Ok(self.seal_request(cx, person.clone(), Vec::new())?);
        }
        self.ask_key_at_relay(cx, person);
        if let Some(node) = person.node_keys().into_iter().find(|node| self.peers.is_connected(node)) {
            self.ask_hybrid_key(cx, person, node);
        }
        Ok(())
    }

    /// Asks a node for its person's hybrid key if a request to that person waits for it.
    pub(crate) fn ask_hybrid_key(&mut self, cx: &mut Context<'_>, person: &PersonRecord, node: NodeKey) {
        let is_unsealed = !person.token.is_empty() && !person.request_sealed;
        let is_needed = is_unsealed && person.hybrid_key.is_empty();
        let purpose = Purpose::HybridKey { person: person.identity.clone() };
        if !is_needed || self.peers.is_under_way(&purpose) {
            return;
        }
        let identity_key = person.identity.clone();
        let request = FetchHybridKeyRequest { identity_key, ..FetchHybridKeyRequest::default() };
        let payload = Bytes::from(request.encode_to_vec());
        cx.effects.push(self.peers.call(node, Method::FetchHybridKey, payload, purpose));
    }

    /// A person's node is connected whom a relay was to be asked for: the request goes directly.
    pub(crate) fn ask_directly(
        &mut self,
        cx: &mut Context<'_>,
        person: PersonRecord,
    ) -> Result<(), EngineError> {
        match person.is_asked_by_mail() {
            true => self.seal_request(cx, person, Vec::new()),
            false => Ok(()),
        }
    }

    pub(crate) fn hybrid_key_answered(
        &mut self,
        cx: &mut Context<'_>,
        identity: &[u8],
        result: Result<Bytes, CallFailure>,
    ) -> Result<(), EngineError> {
        let Some(person) = self.person(cx, identity)? else { return Ok(()) };
        // Unreachable: asked again when the node is connected again.
        let response = match result {
            Ok(response) => FetchHybridKeyResponse::decode(response).ok(),
            Err(CallFailure::Unreachable) => return Ok(()),
            Err(CallFailure::Refused(_)) => None,
        };
        let authentic = response.filter(|response| is_hybrid_key_of(identity, response));
        let Some(response) = authentic else {
            return self.request_failed(cx, person, "the node in the link does not serve that person");
        };
        let person = self.keep_hybrid_key(cx, person, response)?;
        match person.request_sealed {
            true => Ok(()),
            false => self.seal_request(cx, person, Vec::new()),
        }
    }

    /// Keeps a person's hybrid key, which is authentic.
    pub(crate) fn keep_hybrid_key(
        &self,
        cx: &mut Context<'_>,
        mut person: PersonRecord,
        response: FetchHybridKeyResponse,
    ) -> Result<PersonRecord, EngineError> {
        person.hybrid_key = response.hybrid_public_key;
        person.hybrid_signature = response.signature;
        person.hybrid_sequence = response.sequence;
        self.save_person(cx, &person)?;
        Ok(person)
    }

    /// Seals and queues the request to a person whose hybrid key is known. The answer may be left in these mailboxes.
    pub(crate) fn seal_request(
        &mut self,
        cx: &mut Context<'_>,
        mut person: PersonRecord,
        mailboxes: Vec<Mailbox>,
    ) -> Result<(), EngineError> {
        let profile = self.profile(cx).map_err(|error| EngineError::Internal(error.message))?;
        let by_name = person.is_asked_by_name();
        let token = person.token.clone();
        let request = ContactRequest { token, profile: Some(profile), mailboxes, by_name };
        let introduction = super::introduction(cx, introduction::Kind::Request(request));
        self.ship_introduction(cx, &person, &introduction, &person.joining)
            .map_err(|error| EngineError::Internal(error.message))?;
        person.request_sealed = true;
        self.save_person(cx, &person)
    }

    /// A request that this person made will not be answered: what waited for it ends, and another can be made.
    pub(crate) fn request_failed(
        &mut self,
        cx: &mut Context<'_>,
        mut person: PersonRecord,
        reason: &str,
    ) -> Result<(), EngineError> {
        person.token.clear();
        person.request_sealed = false;
        person.is_renewing = false;
        let joining = std::mem::take(&mut person.joining);
        person.is_refused = joining.is_empty() && person.standing() == Standing::Requested;
        self.save_person(cx, &person)?;
        if let Some(conversation) = self.conversation(cx, &joining)? {
            self.end_conversation(cx, conversation, "refused")
                .map_err(|failure| EngineError::Internal(failure.message))?;
        }
        self.log_contact(cx, &person.identity)?;
        let text = format!("the request to {} failed: {reason}", person.name);
        self.log_alarm(cx, "contact-request-failed", text)
    }
}

pub(crate) fn is_hybrid_key_of(identity: &[u8], response: &FetchHybridKeyResponse) -> bool {
    let Ok(identity) = Identity::try_from(identity) else { return false };
    verify_hybrid_key(identity, &response.hybrid_public_key, response.sequence, &response.signature)
}
