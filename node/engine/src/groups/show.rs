//! Finding groups by name, and showing them.

use qpq_crypto::mls;
use qpq_proto::{
    Failure,
    v1::{GroupChange, GroupMember, ShowGroupRequest, ShowGroupResponse},
};

use crate::{
    context::Context,
    conversations::GroupView,
    engine::Engine,
    people::{Named, verification_word},
    records::{ConversationRecord, Stage},
};

impl Engine {
    pub(crate) fn show_group(
        &mut self,
        cx: &mut Context<'_>,
        request: &ShowGroupRequest,
    ) -> Result<ShowGroupResponse, Failure> {
        let conversation = self.any_conversation(cx, &request.group)?;
        if conversation.stage() != Stage::Open {
            let conversation = Some(self.conversation_view(cx, &conversation)?);
            return Ok(ShowGroupResponse { conversation, ..ShowGroupResponse::default() });
        }
        let group = self.group_view(cx, &conversation.group_id)?;
        let mut members = Vec::with_capacity(group.members.len());
        for member in &group.members {
            members.push(self.group_member(cx, &group, member)?);
        }
        let pending = self.pending_changes(cx, &conversation.id)?;
        let committer = self.committer_name(cx, &conversation)?;
        let changes = pending.into_iter().map(|(_, record)| GroupChange {
            change: record.id,
            committed: false,
            waiting_for: committer.clone(),
            failed: String::new(),
        });
        Ok(ShowGroupResponse {
            changes: changes.collect(),
            conversation: Some(self.conversation_view(cx, &conversation)?),
            members,
            epoch_id: group.epoch.0.to_vec(),
            epoch: group.epoch_number,
            suite: group.suite.code_point().into(),
            committer,
        })
    }

    pub(super) fn group_member(
        &self,
        cx: &Context<'_>,
        group: &GroupView,
        member: &mls::Member,
    ) -> Result<GroupMember, Failure> {
        let identity = member.certificate.identity.as_bytes();
        let own = self.me()?.is(identity);
        let person = self.person(cx, identity)?.unwrap_or_default();
        Ok(GroupMember {
            identity: identity.to_vec(),
            name: self.display_name(cx, identity)?,
            administrator: group.record.administrators.iter().any(|administrator| administrator == identity),
            own,
            verification: if own { String::new() } else { verification_word(person.verification()).into() },
            leaf: member.leaf,
        })
    }

    /// A conversation by its name; a group's may be written without sigil.
    pub(super) fn any_conversation(
        &self,
        cx: &Context<'_>,
        name: &str,
    ) -> Result<ConversationRecord, Failure> {
        self.me()?;
        Ok(match self.find_named(cx, name) {
            Ok(Named::Person(person)) => self.conversation_of(cx, &person.conversation)?,
            Ok(Named::Group(id)) => self.conversation_of(cx, &id)?,
            Err(_) => self.conversation_of(cx, &self.find_group(cx, name)?)?,
        })
    }

    /// A conversation by its name, if it has a group now.
    pub(super) fn any_open_conversation(
        &self,
        cx: &Context<'_>,
        name: &str,
    ) -> Result<ConversationRecord, Failure> {
        let conversation = self.any_conversation(cx, name)?;
        match conversation.stage() {
            Stage::Open => Ok(conversation),
            Stage::Waiting => {
                Err(Failure::conflict(format!("{name} has no group yet: the other side must answer")))
            }
            Stage::Ended => Err(Failure::forbidden(format!("you are no longer a member of {name}"))),
        }
    }

    pub(super) fn open_group_named(
        &mut self,
        cx: &mut Context<'_>,
        name: &str,
    ) -> Result<(ConversationRecord, GroupView), Failure> {
        let name = format!("#{}", name.strip_prefix('#').unwrap_or(name));
        let conversation = self.any_open_conversation(cx, &name)?;
        let group = self.group_view(cx, &conversation.group_id)?;
        Ok((conversation, group))
    }

    pub(super) fn member_named(
        &self,
        cx: &Context<'_>,
        group: &GroupView,
        name: &str,
    ) -> Result<Vec<u8>, Failure> {
        let bare = name.strip_prefix('@').unwrap_or(name);
        for member in &group.members {
            let identity = member.certificate.identity.as_bytes();
            if self.display_name(cx, identity)? == bare {
                return Ok(identity.to_vec());
            }
        }
        Err(Failure::not_found(format!("no member is named @{bare}: `qpq group members` shows the names")))
    }
}
