//! Making a commit, and sending it to the members and its welcome to the newcomers.

use std::collections::BTreeSet;

use prost::Message as _;
use qpq_crypto::{hybrid::HybridPublic, mls};
use qpq_proto::{
    Failure,
    ids::Identity,
    v1::{CommitAnnotation, GroupWelcome, MemberProfile, introduction},
};

use crate::{
    authority,
    context::Context,
    conversations::GroupView,
    engine::Engine,
    identity::Me,
    input::EngineError,
    introductions::{introduction, verify_hybrid_key},
    outbox::{Shipment, To},
    records::{ConversationRecord, PersonRecord},
    sealing::Audience,
};

use super::plan::Plan;

impl Engine {
    /// Makes a commit, and sends it to the members and its welcome to the newcomers.
    pub(super) fn commit(
        &mut self,
        cx: &mut Context<'_>,
        mut conversation: ConversationRecord,
        before: &GroupView,
        plan: Plan,
    ) -> Result<(), Failure> {
        let added: BTreeSet<Vec<u8>> =
            plan.add.iter().map(|package| package.certificate.identity.as_bytes().to_vec()).collect();
        let gone = before.members.iter().filter(|member| plan.remove.contains(&member.leaf));
        let gone: BTreeSet<Vec<u8>> = gone
            .map(|member| member.certificate.identity.as_bytes().to_vec())
            .filter(|identity| !added.contains(identity))
            .collect();
        let record = (!plan.remove.is_empty()).then(|| {
            authority::next_record(before, &plan.changes, &gone, &cx.random::<32>()).encode_to_vec()
        });
        let annotation = CommitAnnotation { changes: plan.changes.clone() }.encode_to_vec();
        let remove: Vec<u32> = plan.remove.iter().copied().collect();
        let force_path = plan.force_path;
        let committed = self.with_group(cx, &before.id, |group, mls| {
            let changes = mls::Changes {
                add: &plan.add,
                remove: &remove,
                record: record.as_deref(),
                annotation: &annotation,
                force_path,
            };
            group.commit(mls, changes)
        })?;
        self.ship_commit(cx, &conversation, &committed.commit, before, &added, &gone)?;
        self.note_epoch(cx, &mut conversation, before, &committed.commit)?;
        let after = self.group_view(cx, &before.id)?;
        self.follow_group(cx, &mut conversation, &after)?;
        self.note_departed(cx, &mut conversation, &gone)?;
        self.save_conversation(cx, &conversation)?;
        self.forget_departed(cx, &gone)?;
        for (package, profile) in plan.add.iter().zip(&plan.profiles) {
            let (identity, node) = (package.certificate.identity, package.certificate.node);
            if !before.has(identity.as_bytes()) {
                self.read_from_now_on(cx, &conversation.id, identity.as_bytes())?;
            }
            self.learn_member(cx, identity, node, Some(profile))?;
            self.learn_welcome_key(cx, profile)?;
            self.ship_welcome(cx, &conversation, identity, &committed.welcome)?;
        }
        self.log_changes(cx, &conversation, &after, &plan.changes)?;
        self.settle_changes(cx, &conversation, &plan.changes)
    }

    /// Sends a commit to everybody who can open it: the members it leaves, in the conversation's stream, and those it
    /// removes, for whom nothing else of the conversation is left.
    pub(super) fn ship_commit(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        commit: &[u8],
        before: &GroupView,
        added: &BTreeSet<Vec<u8>>,
        gone: &BTreeSet<Vec<u8>>,
    ) -> Result<(), EngineError> {
        let payload = self.group_parcel(cx, conversation, commit.to_vec(), Audience::Everybody)?;
        let shipment = |payload| Shipment {
            payload,
            message: &[],
            conversation: &conversation.id,
            content: &[],
            request: &[],
            expires_node_ms: None,
        };
        let own = self.me.as_ref().map(Me::id);
        let members = before.members.iter().map(|member| member.certificate.identity.as_bytes().to_vec());
        let members = members.filter(|identity| Some(identity) != own.as_ref());
        // Whoever gets a new leaf gets the welcome instead: its new device could not open the commit.
        let (renewed, others): (Vec<_>, Vec<_>) = members.partition(|identity| added.contains(identity));
        let (removed, recipients): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|identity| gone.contains(identity));
        for identity in &removed {
            self.drop_queue(cx, identity, &conversation.id, "the recipient is no longer a member")?;
            self.ship(cx, shipment(payload.clone()), To::Person(identity))?;
        }
        self.ship(cx, shipment(payload), To::Members { recipients: &recipients, except: renewed })
    }

    /// Sends a newcomer the welcome, with who the members are.
    pub(super) fn ship_welcome(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        identity: Identity,
        welcome: &Option<Vec<u8>>,
    ) -> Result<(), Failure> {
        let Some(welcome) = welcome else { return Ok(()) };
        let mut person = self.person(cx, identity.as_bytes())?.unwrap_or_default();
        let members = self.member_profiles(cx, &conversation.group_id)?;
        let welcome = GroupWelcome { welcome: welcome.clone(), members, token: Vec::new() };
        let introduction = introduction(cx, introduction::Kind::Welcome(welcome));
        // Whoever asked may know a newer device than this node does, or an older one.
        let keys = BTreeSet::from([person.hybrid_key.clone(), person.welcome_key.clone()]);
        for key in keys.into_iter().filter(|key| HybridPublic::from_bytes(key).is_ok()) {
            person.hybrid_key = key;
            self.ship_introduction(cx, &person, &introduction, &conversation.id)?;
        }
        Ok(())
    }

    /// Keeps the key with which a member can be sent a welcome, as whoever asked for the member passes it on: if it is
    /// the member's own, and none older than the one kept.
    pub(super) fn learn_welcome_key(
        &self,
        cx: &mut Context<'_>,
        profile: &MemberProfile,
    ) -> Result<(), EngineError> {
        let (welcome_key, welcome_sequence) = (profile.hybrid_key.clone(), profile.hybrid_sequence);
        let person = self.person(cx, &profile.identity)?;
        let is_news = |person: &PersonRecord| {
            person.welcome_key != welcome_key && person.welcome_sequence <= welcome_sequence
        };
        match person.filter(|person| is_news(person) && is_welcome_key_signed(profile)) {
            Some(person) => self.save_person(cx, &PersonRecord { welcome_key, welcome_sequence, ..person }),
            None => Ok(()),
        }
    }

    /// Who the members of a group are, this person included.
    pub(super) fn member_profiles(
        &mut self,
        cx: &mut Context<'_>,
        group_id: &[u8],
    ) -> Result<Vec<MemberProfile>, Failure> {
        let group = self.group_view(cx, group_id)?;
        let mut profiles = Vec::with_capacity(group.members.len());
        for member in &group.members {
            let identity = member.certificate.identity.as_bytes();
            profiles.push(self.member_profile(cx, identity)?);
        }
        Ok(profiles)
    }

    pub(crate) fn member_profile(&self, cx: &Context<'_>, identity: &[u8]) -> Result<MemberProfile, Failure> {
        let me = self.me()?;
        if me.is(identity) {
            let (name, addresses) = (me.name.clone(), self.own_addresses());
            let identity = identity.to_vec();
            return Ok(MemberProfile { identity, name, addresses, ..MemberProfile::default() });
        }
        let PersonRecord { name, addresses, .. } = self.person(cx, identity)?.unwrap_or_default();
        Ok(MemberProfile { identity: identity.to_vec(), name, addresses, ..MemberProfile::default() })
    }
}

/// Whether the hybrid key in a profile is signed by the person it is said to be of.
pub(super) fn is_welcome_key_signed(profile: &MemberProfile) -> bool {
    let Ok(identity) = Identity::try_from(profile.identity.as_slice()) else { return false };
    verify_hybrid_key(identity, &profile.hybrid_key, profile.hybrid_sequence, &profile.hybrid_signature)
}
