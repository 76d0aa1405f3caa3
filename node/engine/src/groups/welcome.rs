//! How a welcome becomes a conversation, and a contact's new device a member.

use std::{collections::BTreeSet, slice::from_ref};

use prost::Message as _;
use qpq_crypto::mls::{self, Refusal};
use qpq_proto::{
    Failure, Status,
    v1::{GroupKind, GroupRecord, GroupWelcome, content},
};

use crate::{
    context::Context,
    conversations::GroupView,
    direct::refused_welcome,
    engine::Engine,
    input::EngineError,
    introductions::Introduced,
    records::{ConversationRecord, InterruptionRecord, Kind, PersonRecord, Stage, Standing},
    sealing::Audience,
    tables::{self, CONVERSATIONS, PEOPLE},
};

impl Engine {
    pub(super) fn check_conversations_room(&self, cx: &Context<'_>) -> Result<(), Failure> {
        if cx.tx.all(CONVERSATIONS)?.len() >= self.limits.conversations_max {
            return Err(Failure::quota("this node has as many conversations as it can have"));
        }
        Ok(())
    }

    /// A member brings a group, or the group with this person's leaf renewed.
    pub(crate) fn welcomed(
        &mut self,
        cx: &mut Context<'_>,
        from: &Introduced,
        known: Option<PersonRecord>,
        welcome: GroupWelcome,
    ) -> Result<(), Failure> {
        let people: Vec<PersonRecord> = tables::all(cx.tx, PEOPLE)?;
        let hosts = people
            .iter()
            .filter(|person| person.standing() == Standing::Accepted || !person.joining.is_empty());
        let hosts: BTreeSet<&[u8]> = hosts.map(|person| person.identity.as_slice()).collect();
        let me = self.me()?;
        let mut mls = me.mls(cx);
        let joined = mls::Group::join(&mut mls, &welcome.welcome, &mut |view| {
            let record =
                GroupRecord::decode(view.record).map_err(|_| Refusal("the group's record is malformed"))?;
            if view.sender.certificate.identity != from.identity {
                return Err(Refusal("the welcome was sent by another than its author"));
            }
            let is_group = record.kind() == GroupKind::Group;
            let is_invited =
                view.members.iter().any(|m| hosts.contains(m.certificate.identity.as_bytes().as_slice()));
            let is_acceptable = view.is_known || (is_group && is_invited);
            if !is_acceptable {
                return Err(Refusal("the welcome is from nobody who may invite"));
            }
            if record.routing_secret.len() != 32 {
                return Err(Refusal("the group's record is malformed"));
            }
            Ok(())
        });
        let group = joined.map_err(|error| refused_welcome(&error))?;
        let view = GroupView::of(&group)?;
        self.groups.insert(group);
        for member in &view.members {
            let identity = member.certificate.identity;
            let profile = welcome.members.iter().find(|profile| profile.identity == identity.as_bytes());
            if !self.me()?.is(identity.as_bytes()) {
                self.learn_member(cx, identity, member.certificate.node, profile)?;
            }
        }
        let mut conversation = self.conversation_for_welcome(cx, &view, &people)?;
        self.keep_past_from_newcomers(cx, &mut conversation, &view)?;
        self.settle_renewal(cx, &conversation)?;
        if conversation.kind() == Kind::Direct {
            self.follow_group(cx, &mut conversation, &view)?;
            conversation.stage = Stage::Open.into();
            self.save_conversation(cx, &conversation)?;
            self.review_changes(cx, &conversation, &view)?;
            let (id, members) = (conversation.conversation_id()?, conversation.members);
            self.log_group(cx, id, "rotated", "your keys were renewed".into(), members)?;
            self.seal_waiting(cx, &conversation)?;
        } else {
            let name = self.display_name(cx, from.identity.as_bytes())?;
            let text = format!("{name} added you to #{}", conversation.name);
            self.open_group(cx, &mut conversation, &view, "joined", text)?;
        }
        self.open_future(cx, &view.id)?;
        if let Some(contact) = known.filter(|person| person.standing() == Standing::Accepted) {
            self.replenish(cx, &contact)?;
        }
        Ok(())
    }

    /// Whoever came in while this person was away, or had lost the group, gets nothing of what was said before.
    fn keep_past_from_newcomers(
        &self,
        cx: &mut Context<'_>,
        conversation: &mut ConversationRecord,
        group: &GroupView,
    ) -> Result<(), EngineError> {
        let before = match (conversation.stage(), conversation.interruption.take()) {
            (Stage::Ended, _) => {
                InterruptionRecord { own_sequence: conversation.own_sequence, members: Vec::new() }
            }
            (Stage::Waiting, Some(before)) => before,
            _ => return Ok(()),
        };
        let members = group.members.iter().map(|member| member.certificate.identity.as_bytes().to_vec());
        for newcomer in members.filter(|member| !before.members.contains(member)) {
            self.note_joined_after(cx, &conversation.id, &newcomer, before.own_sequence)?;
        }
        Ok(())
    }

    /// The conversation that a group becomes: the one it was before, the one that waits for it, or a new one.
    pub(super) fn conversation_for_welcome(
        &self,
        cx: &mut Context<'_>,
        group: &GroupView,
        people: &[PersonRecord],
    ) -> Result<ConversationRecord, Failure> {
        if let Some(conversation) = self.conversation_of_group(cx, &group.id)? {
            return Ok(conversation);
        }
        let host = people.iter().find(|person| !person.joining.is_empty() && group.has(&person.identity));
        if let Some(mut host) = host.cloned() {
            let conversation = self.conversation_of(cx, &host.joining)?;
            host.joining.clear();
            host.token.clear();
            host.request_sealed = false;
            self.save_person(cx, &host)?;
            return Ok(conversation);
        }
        self.check_conversations_room(cx)?;
        let mut conversation = self.new_conversation(cx, Kind::Group, &[])?;
        conversation.name = self.claim_name(cx, '#', &group.record.name, &conversation.id)?;
        Ok(conversation)
    }

    /// A contact has a new device: asks for it to take the place of the old one in every common group. A group that
    /// refuses keeps the contact out of no other.
    pub(crate) fn renew_in_groups(
        &mut self,
        cx: &mut Context<'_>,
        contact: &PersonRecord,
    ) -> Result<(), Failure> {
        let device = self.certificate_of(contact)?.device;
        let conversations: Vec<ConversationRecord> = tables::all(cx.tx, CONVERSATIONS)?;
        for conversation in conversations {
            if conversation.kind() != Kind::Group || conversation.stage() != Stage::Open {
                continue;
            }
            let group = self.group_view(cx, &conversation.group_id);
            let Some(group) = self.unless_broken(cx, &conversation.id, group)? else { continue };
            let is_old =
                group.member(&contact.identity).is_some_and(|member| member.certificate.device != device);
            if !is_old {
                continue;
            }
            let kind = self.add_change(cx, group.suite, from_ref(&contact.name));
            match kind.and_then(|kind| self.request_apart(cx, &conversation, kind)) {
                Ok(()) => {}
                Err(failure) if failure.status == Status::Internal => return Err(failure),
                Err(failure) => tracing::warn!(%failure, "a contact's new device is kept out of a group"),
            }
        }
        Ok(())
    }

    /// Takes a group into use for a conversation.
    pub(super) fn open_group(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &mut ConversationRecord,
        group: &GroupView,
        what: &str,
        text: String,
    ) -> Result<(), EngineError> {
        conversation.group_id.clone_from(&group.id);
        conversation.stage = Stage::Open.into();
        self.follow_group(cx, conversation, group)?;
        self.save_conversation(cx, conversation)?;
        self.review_changes(cx, conversation, group)?;
        let id = conversation.conversation_id()?;
        self.log_group(cx, id, what, text, conversation.members)?;
        self.seal_waiting(cx, conversation)?;
        self.offer_in(cx, &conversation.id)
    }

    /// Gives a contact fresh key packages after it used one up.
    pub(super) fn replenish(&mut self, cx: &mut Context<'_>, contact: &PersonRecord) -> Result<(), Failure> {
        let Some(conversation) = self.conversation(cx, &contact.conversation)? else { return Ok(()) };
        if conversation.stage() != Stage::Open {
            return Ok(());
        }
        let profile = self.profile(cx)?;
        let content = self.unnumbered(cx, content::Kind::Profile(profile));
        Ok(self.seal_content(cx, &conversation, &content, Audience::Everybody)?)
    }
}
