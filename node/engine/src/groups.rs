//! What the owner does with groups, and how a welcome becomes a conversation.

use prost::Message as _;
use qpq_crypto::{
    certificate::DeviceCertificate,
    link::Invitation,
    mls::{self},
};
use qpq_proto::{
    Failure,
    limits::MEMBERS_PER_CHANGE_MAX,
    v1::{
        AddGroupMembersRequest, AddGroupMembersResponse, AddMembers, CreateGroupLinkRequest,
        CreateGroupLinkResponse, CreateGroupRequest, CreateGroupResponse, GroupChange, GroupKind,
        GroupRecord, JoinGroupRequest, JoinGroupResponse, Leave, LeaveGroupRequest, LeaveGroupResponse,
        MemberProfile, Profile, RemoveGroupMemberRequest, RemoveGroupMemberResponse, RemoveMember, Rotate,
        RotateGroupRequest, RotateGroupResponse, change,
    },
};

use crate::{
    contacts::{link_failure, parse_link},
    context::Context,
    conversations::GroupView,
    engine::Engine,
    identity::{checked_name, mls_failure},
    introductions::Introduced,
    invitations::Wanted,
    records::{InvitationRecord, Kind, PersonRecord, Stage, Standing},
};

mod show;

mod welcome;

impl Engine {
    pub(crate) fn create_group(
        &mut self,
        cx: &mut Context<'_>,
        request: &CreateGroupRequest,
    ) -> Result<CreateGroupResponse, Failure> {
        let bare = request.name.strip_prefix('#').unwrap_or(&request.name);
        let name = checked_name("name", bare)?;
        if !self.name_is_free(cx, '#', &name)? {
            return Err(Failure::conflict(format!("there is a group named #{name} already")));
        }
        self.check_conversations_room(cx)?;
        let certificates = self.certificates_of(cx, &request.members)?;
        let me = self.me()?;
        let all: Vec<&DeviceCertificate> = certificates.iter().chain([&me.certificate]).collect();
        let suite = mls::Suite::negotiate(&all);
        let record = GroupRecord {
            version: 1,
            kind: GroupKind::Group.into(),
            name: name.clone(),
            routing_secret: cx.random::<32>().to_vec(),
            administrators: vec![me.id()],
            ..GroupRecord::default()
        };
        let group = mls::Group::create(&mut me.mls(cx), suite, &record.encode_to_vec())
            .map_err(|error| mls_failure(&error))?;
        let view = GroupView::of(&group)?;
        self.groups.insert(group);
        let mut conversation = self.new_conversation(cx, Kind::Group, &[])?;
        self.take_name(cx, '#', &name, &conversation.id)?;
        conversation.name.clone_from(&name);
        self.open_group(cx, &mut conversation, &view, "created", format!("you created #{name}"))?;
        if !request.members.is_empty() {
            let kind = self.add_change(cx, suite, &request.members)?;
            self.request_change(cx, &conversation, kind)?;
        }
        let conversation = self.conversation_of(cx, &conversation.id)?;
        Ok(CreateGroupResponse { conversation: Some(self.conversation_view(cx, &conversation)?) })
    }

    fn certificates_of(&self, cx: &Context<'_>, names: &[String]) -> Result<Vec<DeviceCertificate>, Failure> {
        names.iter().map(|name| self.certificate_of(&self.find_contact(cx, name)?)).collect()
    }

    /// The change that adds contacts, with a key package of each.
    fn add_change(
        &self,
        cx: &mut Context<'_>,
        suite: mls::Suite,
        names: &[String],
    ) -> Result<change::Kind, Failure> {
        if names.len() > MEMBERS_PER_CHANGE_MAX {
            let message = format!(
                "{} people are named, at most {MEMBERS_PER_CHANGE_MAX} are added at once: add the others with \
                 `qpq group add` afterwards",
                names.len()
            );
            return Err(Failure { field: "members".into(), ..Failure::quota(message) });
        }
        let mut add = AddMembers::default();
        for name in names {
            let person = self.find_contact(cx, name)?;
            if person.standing() != Standing::Accepted {
                return Err(Failure::conflict(format!("@{} is not an accepted contact yet", person.name)));
            }
            add.key_packages.push(self.take_key_package(cx, &person, suite)?);
            add.members.push(self.profile_to_add(cx, &person)?);
        }
        Ok(change::Kind::Add(add))
    }

    /// Who a person is that is to be added, with what its welcome needs.
    fn profile_to_add(&self, cx: &Context<'_>, person: &PersonRecord) -> Result<MemberProfile, Failure> {
        Ok(MemberProfile {
            hybrid_key: person.hybrid_key.clone(),
            hybrid_signature: person.hybrid_signature.clone(),
            hybrid_sequence: person.hybrid_sequence,
            device_list: person.device_list.clone(),
            ..self.member_profile(cx, &person.identity)?
        })
    }

    pub(crate) fn add_group_members(
        &mut self,
        cx: &mut Context<'_>,
        request: &AddGroupMembersRequest,
    ) -> Result<AddGroupMembersResponse, Failure> {
        if request.members.is_empty() {
            return Err(Failure::bad_request("members", "name at least one contact"));
        }
        let (conversation, group) = self.open_group_named(cx, &request.group)?;
        for name in &request.members {
            let person = self.find_contact(cx, name)?;
            let certificate = self.certificate_of(&person)?;
            if group
                .member(&person.identity)
                .is_some_and(|member| member.certificate.device == certificate.device)
            {
                return Err(Failure::conflict(format!("@{} is a member already", person.name)));
            }
        }
        let kind = self.add_change(cx, group.suite, &request.members)?;
        Ok(AddGroupMembersResponse { change: Some(self.request_change(cx, &conversation, kind)?) })
    }

    pub(crate) fn create_group_link(
        &mut self,
        cx: &mut Context<'_>,
        request: &CreateGroupLinkRequest,
    ) -> Result<CreateGroupLinkResponse, Failure> {
        let (conversation, _) = self.open_group_named(cx, &request.group)?;
        let wanted =
            Wanted { reusable: request.reusable, lifetime_s: request.lifetime_s, group: Some(&conversation) };
        let record = self.make_invitation(cx, &wanted)?;
        Ok(CreateGroupLinkResponse {
            link: record.link,
            invitation: record.token,
            expires_at_ms: record.expires_at_ms,
        })
    }

    pub(crate) fn join_group(
        &mut self,
        cx: &mut Context<'_>,
        request: &JoinGroupRequest,
    ) -> Result<JoinGroupResponse, Failure> {
        let me = self.me()?.identity.public();
        let (invitation, group) = parse_link(&request.link)?.into_group().map_err(link_failure)?;
        let Invitation { identity, node, token, name, addresses, .. } = invitation;
        if identity == me {
            return Err(Failure::bad_request("link", "this is your own link: give it to somebody else"));
        }
        self.check_conversations_room(cx)?;
        let mut person = self.person(cx, identity.as_bytes())?.unwrap_or_else(|| PersonRecord {
            identity: identity.as_bytes().to_vec(),
            name: checked_name("link", &name).unwrap_or_default(),
            added_at_ms: cx.now.wall_ms,
            ..PersonRecord::default()
        });
        if !person.token.is_empty() {
            return Err(Failure::conflict(
                "an earlier request to this person is still open: wait for its answer",
            ));
        }
        let mut conversation = self.new_conversation(cx, Kind::Group, &[])?;
        conversation.name = self.claim_name(cx, '#', &group, &conversation.id)?;
        self.save_conversation(cx, &conversation)?;
        person.token = token.to_vec();
        person.joining.clone_from(&conversation.id);
        person.request_sealed = false;
        if person.nodes.is_empty() {
            person.nodes.push(node.as_bytes().to_vec());
        }
        person.learn_addresses(&addresses.iter().map(ToString::to_string).collect::<Vec<_>>());
        self.save_person(cx, &person)?;
        self.start_request(cx, &person)?;
        Ok(JoinGroupResponse { conversation: Some(self.conversation_view(cx, &conversation)?) })
    }

    /// Somebody asks, with the token of a group link, to be added.
    pub(crate) fn asked_into_group(
        &mut self,
        cx: &mut Context<'_>,
        from: &Introduced,
        known: Option<PersonRecord>,
        invitation: &InvitationRecord,
        profile: Profile,
    ) -> Result<(), Failure> {
        let conversation = self.conversation_of(cx, &invitation.conversation)?;
        if conversation.stage() != Stage::Open {
            return Err(Failure::not_found("the group of this link is no longer open here"));
        }
        let group = self.group_view(cx, &conversation.group_id)?;
        let mut person = known.unwrap_or_else(|| PersonRecord {
            identity: from.identity.as_bytes().to_vec(),
            name: checked_name("payload", &profile.name).unwrap_or_default(),
            added_at_ms: cx.now.wall_ms,
            ..PersonRecord::default()
        });
        person.device_list = from.list.encode();
        person.nodes = from.list.certificates.iter().map(|device| device.node.as_bytes().to_vec()).collect();
        person.learn_hybrid_key(&profile);
        person.learn_addresses(&profile.addresses);
        self.save_person(cx, &person)?;
        self.keep_key_packages(cx, &person, &profile.key_packages)?;
        let member = MemberProfile { name: profile.name, ..self.profile_to_add(cx, &person)? };
        let add = AddMembers {
            key_packages: vec![self.take_key_package(cx, &person, group.suite)?],
            members: vec![member],
        };
        self.request_for_another(cx, &conversation, change::Kind::Add(add))
    }

    pub(crate) fn leave_group(
        &mut self,
        cx: &mut Context<'_>,
        request: &LeaveGroupRequest,
    ) -> Result<LeaveGroupResponse, Failure> {
        let (conversation, group) = self.open_group_named(cx, &request.group)?;
        if group.members.len() == 1 {
            self.end_conversation(cx, conversation, "left")?;
            let change = GroupChange { committed: true, ..GroupChange::default() };
            return Ok(LeaveGroupResponse { change: Some(change) });
        }
        let change = self.request_change(cx, &conversation, change::Kind::Leave(Leave {}))?;
        Ok(LeaveGroupResponse { change: Some(change) })
    }

    pub(crate) fn remove_group_member(
        &mut self,
        cx: &mut Context<'_>,
        request: &RemoveGroupMemberRequest,
    ) -> Result<RemoveGroupMemberResponse, Failure> {
        let (conversation, group) = self.open_group_named(cx, &request.group)?;
        let identity = self.member_named(cx, &group, &request.member)?;
        if self.me()?.is(&identity) {
            return Err(Failure::bad_request("member", "to leave a group yourself use `qpq group leave`"));
        }
        let kind = change::Kind::Remove(RemoveMember { identity });
        Ok(RemoveGroupMemberResponse { change: Some(self.request_change(cx, &conversation, kind)?) })
    }

    pub(crate) fn rotate_group(
        &mut self,
        cx: &mut Context<'_>,
        request: &RotateGroupRequest,
    ) -> Result<RotateGroupResponse, Failure> {
        let conversation = self.any_open_conversation(cx, &request.group)?;
        let group = self.group_view(cx, &conversation.group_id)?;
        let committer = crate::authority::committer(&group, conversation.away()).map(|member| member.leaf);
        let key_package = if committer == Some(group.own_leaf) {
            Vec::new()
        } else {
            let me = self.me()?;
            let made = mls::KeyPackage::create(&mut me.mls(cx), group.suite, false);
            made.map_err(|error| mls_failure(&error))?.0
        };
        let kind = change::Kind::Rotate(Rotate { key_package });
        Ok(RotateGroupResponse { change: Some(self.request_change(cx, &conversation, kind)?) })
    }
}

#[cfg(test)]
mod tests;
