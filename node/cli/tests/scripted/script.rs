//! What a scripted node answers.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;
use qpq_proto::limits::WIRE_VERSION;
use qpq_proto::services::{Owner, Peers};
use qpq_proto::{Failure, Method, v1};

/// What the node answers. A method without an answer here is `NotFound`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    /// Answers to some methods, before everything else; the last one of several stays.
    pub(crate) answers: BTreeMap<Method, Vec<Result<Bytes, Failure>>>,
    /// What happens when a method is called.
    pub(crate) happens: Vec<(Method, v1::Event)>,
    /// Every request so far, but those for health and events.
    pub(crate) requests: Vec<(Method, Bytes)>,
    /// Answers every call but `Health` with this.
    pub(crate) failure: Option<Failure>,
    /// Speaks this wire version alone, instead of ours.
    pub(crate) wire_version: Option<u32>,
    /// State in which messages are, and remain.
    pub(crate) message_state: &'static str,
    /// The change that every group method answers.
    pub(crate) change: v1::GroupChange,
    /// The messages there are.
    pub(crate) messages: Vec<v1::Message>,
    /// The events there are.
    pub(crate) events: Vec<v1::Event>,
    /// The outcome of the one check.
    pub(crate) check: &'static str,
    /// What was asked, by method name and, where a test looks, what for.
    pub(crate) asked: Vec<String>,
}

impl Script {
    /// Answers this method with one more answer.
    pub(crate) fn answering(self, method: Method, answer: &impl Message) -> Self {
        self.with(method, Ok(answer.encode_to_vec().into()))
    }

    /// Answers this method with a failure.
    pub(crate) fn failing(self, method: Method, failure: Failure) -> Self {
        self.with(method, Err(failure))
    }

    fn with(mut self, method: Method, answer: Result<Bytes, Failure>) -> Self {
        self.answers.entry(method).or_default().push(answer);
        self
    }

    /// Has something happen when a method is called.
    pub(crate) fn happening(mut self, method: Method, kind: v1::event::Kind) -> Self {
        let cursor = 1 + (self.events.len() + self.happens.len()) as u64;
        self.happens
            .push((method, v1::Event { cursor, at_ms: message(1, "").stored_at_ms, kind: Some(kind) }));
        self
    }

    /// The events there are after a cursor.
    pub(crate) fn events_after(&self, since: u64) -> v1::ReadEventsResponse {
        let events: Vec<_> = self.events.iter().filter(|event| event.cursor > since).cloned().collect();
        let next = events.last().map_or(since, |event| event.cursor);
        v1::ReadEventsResponse { events, next, lagged: 0 }
    }

    /// Writes a request down and has happen what happens then; the answer, if there is one for the method.
    pub(crate) fn called(&mut self, method: Method, payload: &Bytes) -> Option<Result<Bytes, Failure>> {
        if !matches!(method, Method::Health | Method::ReadEvents) {
            self.requests.push((method, payload.clone()));
        }
        // One call, one event.
        if let Some(index) = self.happens.iter().position(|(when, _)| *when == method) {
            self.events.push(self.happens.remove(index).1);
        }
        let answers = self.answers.get_mut(&method)?;
        if answers.len() > 1 { Some(answers.remove(0)) } else { answers.first().cloned() }
    }
}

/// A message from bob.
pub(crate) fn message(cursor: u64, text: &str) -> v1::Message {
    v1::Message {
        id: vec![1; 16],
        conversation: "@bob".into(),
        from: "bob".into(),
        from_identity: vec![2; 32],
        text: text.into(),
        sent_at_ms: 1_795_257_065_120,
        stored_at_ms: 1_795_257_065_320,
        state: "received".into(),
        cursor,
        ..Default::default()
    }
}

impl Peers<()> for Script {
    fn health(&mut self, (): &mut (), _: v1::HealthRequest) -> Result<v1::HealthResponse, Failure> {
        let version = self.wire_version.unwrap_or(WIRE_VERSION);
        Ok(v1::HealthResponse {
            version: "9.9.9".into(),
            wire_version_min: version,
            wire_version_max: version,
            ..Default::default()
        })
    }
}

impl Owner<()> for Script {
    fn show_identity(
        &mut self,
        (): &mut (),
        _: v1::ShowIdentityRequest,
    ) -> Result<v1::ShowIdentityResponse, Failure> {
        Ok(v1::ShowIdentityResponse { identity: vec![1; 32], name: "alice".into(), ..Default::default() })
    }

    fn node_status(
        &mut self,
        (): &mut (),
        _: v1::NodeStatusRequest,
    ) -> Result<v1::NodeStatusResponse, Failure> {
        Ok(v1::NodeStatusResponse { version: env!("CARGO_PKG_VERSION").into(), ..Default::default() })
    }

    fn diagnose(&mut self, (): &mut (), _: v1::DiagnoseRequest) -> Result<v1::DiagnoseResponse, Failure> {
        let check = v1::Check { name: "clock".into(), outcome: self.check.into(), ..Default::default() };
        Ok(v1::DiagnoseResponse { checks: vec![check] })
    }

    fn list_contacts(
        &mut self,
        (): &mut (),
        _: v1::ListContactsRequest,
    ) -> Result<v1::ListContactsResponse, Failure> {
        let bob = v1::Contact { name: "bob".into(), state: "accepted".into(), ..Default::default() };
        Ok(v1::ListContactsResponse { contacts: vec![bob] })
    }

    fn list_conversations(
        &mut self,
        (): &mut (),
        _: v1::ListConversationsRequest,
    ) -> Result<v1::ListConversationsResponse, Failure> {
        Ok(v1::ListConversationsResponse::default())
    }

    fn verify_contact(
        &mut self,
        (): &mut (),
        request: v1::VerifyContactRequest,
    ) -> Result<v1::VerifyContactResponse, Failure> {
        let verification =
            if request.action() == v1::VerifyAction::Compare { "mismatched" } else { "unverified" };
        let contact =
            v1::Contact { name: request.name, verification: verification.into(), ..Default::default() };
        Ok(v1::VerifyContactResponse { safety_number: "12345".repeat(12), contact: Some(contact) })
    }

    fn read_messages(
        &mut self,
        (): &mut (),
        request: v1::ReadMessagesRequest,
    ) -> Result<v1::ReadMessagesResponse, Failure> {
        let after = |message: &&v1::Message| message.cursor > request.since;
        let limit = usize::try_from(request.limit).unwrap();
        let messages: Vec<_> = self.messages.iter().filter(after).take(limit).cloned().collect();
        let next = messages.last().map_or(request.since, |message| message.cursor);
        Ok(v1::ReadMessagesResponse { messages, next })
    }

    fn mark_read(
        &mut self,
        (): &mut (),
        request: v1::MarkReadRequest,
    ) -> Result<v1::MarkReadResponse, Failure> {
        self.asked.push(format!("MarkRead {} {}", request.conversation, request.cursor));
        Ok(v1::MarkReadResponse {})
    }

    fn send_message(
        &mut self,
        (): &mut (),
        request: v1::SendMessageRequest,
    ) -> Result<v1::SendMessageResponse, Failure> {
        self.asked.push(format!("SendMessage {} {}", request.to, request.text));
        let sent =
            v1::Message { own: true, conversation: request.to, state: "queued".into(), ..message(9, "") };
        Ok(v1::SendMessageResponse { message: Some(sent) })
    }

    fn wait_message(
        &mut self,
        (): &mut (),
        request: v1::WaitMessageRequest,
    ) -> Result<v1::WaitMessageResponse, Failure> {
        let waited = v1::Message { own: true, state: self.message_state.into(), ..message(9, "") };
        let reached = self.message_state == request.state;
        Ok(v1::WaitMessageResponse { message: Some(waited), reached, waiting_for: vec!["bob".into()] })
    }

    fn remove_group_member(
        &mut self,
        (): &mut (),
        _: v1::RemoveGroupMemberRequest,
    ) -> Result<v1::RemoveGroupMemberResponse, Failure> {
        Ok(v1::RemoveGroupMemberResponse { change: Some(self.change.clone()) })
    }

    fn wait_change(
        &mut self,
        (): &mut (),
        _: v1::WaitChangeRequest,
    ) -> Result<v1::WaitChangeResponse, Failure> {
        self.asked.push("WaitChange".into());
        Ok(v1::WaitChangeResponse { change: Some(self.change.clone()) })
    }
}
