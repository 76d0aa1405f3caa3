//! Direct conversations: making the two-member group, joining it, and choosing between two.

use prost::Message as _;
use qpq_crypto::{
    certificate::DeviceCertificate,
    device_list::DeviceList,
    mls::{self, Refusal},
};
use qpq_proto::{
    Failure,
    ids::Identity,
    v1::{ContactAcceptance, GroupKind, GroupRecord, introduction},
};

use crate::{
    context::Context,
    conversations::GroupView,
    engine::Engine,
    group_cache::GroupFailure,
    identity::mls_failure,
    input::EngineError,
    introductions::introduction,
    records::{ConversationRecord, KeyPackagesRecord, PersonRecord, Stage},
    tables::{self, KEY_PACKAGES},
};

/// Key packages kept of one person.
const KEY_PACKAGES_KEPT_MAX: usize = 8;
/// Groups of a direct conversation that lost and are kept for what is under way.
const RETIRED_GROUPS_MAX: usize = 4;

impl Engine {
    /// Makes the direct group with somebody who asked, and says yes.
    pub(crate) fn establish(
        &mut self,
        cx: &mut Context<'_>,
        person: PersonRecord,
        token: &[u8],
        is_renewal: bool,
    ) -> Result<(), Failure> {
        self.save_person(cx, &person)?;
        let list = DeviceList::decode_and_verify(&person.device_list)
            .map_err(|error| EngineError::Internal(error.to_string()))?;
        let me = self.me()?;
        let certificates: Vec<&DeviceCertificate> =
            list.certificates.iter().chain([&me.certificate]).collect();
        let suite = mls::Suite::negotiate(&certificates);
        let record = GroupRecord {
            version: 1,
            kind: GroupKind::Direct.into(),
            name: String::new(),
            routing_secret: cx.random::<32>().to_vec(),
            administrators: Vec::new(),
            ..GroupRecord::default()
        };
        let package = self.take_key_package(cx, &person, suite)?;
        let package = mls::KeyPackage::validate(&package).map_err(|error| mls_failure(&error))?;
        let me = self.me()?;
        let mut mls = me.mls(cx);
        let mut group = mls::Group::create(&mut mls, suite, &record.encode_to_vec())
            .map_err(|error| mls_failure(&error))?;
        let changes =
            mls::Changes { add: &[package], remove: &[], record: None, annotation: &[], force_path: true };
        let committed = group.commit(&mut mls, changes).map_err(|error| mls_failure(&error))?;
        let view = GroupView::of(&group)?;
        self.groups.insert(group);
        let mut conversation = self.conversation_of(cx, &person.conversation)?;
        let profile = self.profile(cx)?;
        let acceptance = ContactAcceptance {
            token: token.to_vec(),
            profile: Some(profile),
            welcome: committed.welcome.unwrap_or_default(),
            crossing_token: person.token.clone(),
        };
        let introduction = introduction(cx, introduction::Kind::Acceptance(acceptance));
        self.ship_introduction(cx, &person, &introduction, &conversation.id)?;
        self.adopt(cx, &mut conversation, &view, is_renewal)?;
        Ok(self.log_contact(cx, &person.identity)?)
    }

    /// Joins the direct group that somebody made who was asked.
    pub(crate) fn join_direct(
        &mut self,
        cx: &mut Context<'_>,
        person: &PersonRecord,
        welcome: &[u8],
        is_renewal: bool,
    ) -> Result<(), Failure> {
        let other = person.identity.clone();
        let me = self.me()?;
        let own = me.id();
        let mut mls = me.mls(cx);
        let joined = mls::Group::join(&mut mls, welcome, &mut |view| {
            let record =
                GroupRecord::decode(view.record).map_err(|_| Refusal("the group's record is malformed"))?;
            let is_of_two = view.members.len() == 2
                && [&own, &other].iter().all(|identity| {
                    view.members
                        .iter()
                        .any(|member| member.certificate.identity.as_bytes() == identity.as_slice())
                });
            if record.kind() != GroupKind::Direct || !is_of_two || view.is_known {
                return Err(Refusal("the welcome is not to a direct conversation with its sender"));
            }
            if record.routing_secret.len() != 32 {
                return Err(Refusal("the group's record is malformed"));
            }
            Ok(())
        });
        let group = joined.map_err(|error| refused_welcome(&error))?;
        let view = GroupView::of(&group)?;
        self.groups.insert(group);
        let mut conversation = self.conversation_of(cx, &person.conversation)?;
        Ok(self.adopt(cx, &mut conversation, &view, is_renewal)?)
    }

    /// Takes a direct group into use, or keeps it beside the one in use: of two that were made at once, the one
    /// with the smaller id is used by both sides.
    fn adopt(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &mut ConversationRecord,
        group: &GroupView,
        is_renewal: bool,
    ) -> Result<(), EngineError> {
        self.follow_group(cx, conversation, group)?;
        let is_loser = conversation.stage() == Stage::Open && !is_renewal && conversation.group_id < group.id;
        let retired = if is_loser {
            group.id.clone()
        } else {
            std::mem::replace(&mut conversation.group_id, group.id.clone())
        };
        if !retired.is_empty() {
            conversation.retired_groups.push(retired);
        }
        if conversation.retired_groups.len() > RETIRED_GROUPS_MAX {
            let oldest = conversation.retired_groups.remove(0);
            conversation.routes.retain(|route| route.group_id != oldest);
            self.delete_group(cx, &oldest)?;
            self.routes = None;
        }
        conversation.stage = Stage::Open.into();
        self.save_conversation(cx, conversation)?;
        if !is_loser {
            self.review_changes(cx, conversation, group)?;
        }
        if is_renewal {
            // The other side may not have the group any more in which it was sealed.
            self.seal_all_again(cx, &conversation.id, &conversation.contact)?;
        }
        self.contact_ready(cx, &conversation.contact, is_renewal)?;
        self.seal_waiting(cx, conversation)
    }

    pub(crate) fn key_packages(
        &self,
        cx: &Context<'_>,
        identity: &[u8],
    ) -> Result<KeyPackagesRecord, EngineError> {
        Ok(tables::load(cx.tx, KEY_PACKAGES, tables::key(identity))?.unwrap_or_default())
    }

    pub(crate) fn save_key_packages(
        &self,
        cx: &mut Context<'_>,
        identity: &[u8],
        record: &KeyPackagesRecord,
    ) -> Result<(), EngineError> {
        tables::save(cx.tx, KEY_PACKAGES, tables::key(identity), record)
    }

    /// Keeps fresh key packages of a contact; those of another device than the list names are dropped, and with
    /// them any that hides the hybrid suite which the list names.
    pub(crate) fn keep_key_packages(
        &self,
        cx: &mut Context<'_>,
        person: &PersonRecord,
        packages: &[Vec<u8>],
    ) -> Result<(), EngineError> {
        let Ok(list) = DeviceList::decode_and_verify(&person.device_list) else { return Ok(()) };
        let mut record = self.key_packages(cx, &person.identity)?;
        record.packages.retain(|package| is_listed(&list, package));
        for package in packages.iter().take(KEY_PACKAGES_KEPT_MAX) {
            if is_listed(&list, package) && !record.packages.contains(package) {
                record.packages.push(package.clone());
            }
        }
        let surplus = record.packages.len().saturating_sub(KEY_PACKAGES_KEPT_MAX);
        record.packages.drain(..surplus);
        self.save_key_packages(cx, &person.identity, &record)
    }

    /// The certificate of a contact's device.
    pub(crate) fn certificate_of(&self, person: &PersonRecord) -> Result<DeviceCertificate, Failure> {
        let list = DeviceList::decode_and_verify(&person.device_list).ok();
        let certificate = list.and_then(|list| list.certificates.into_iter().next());
        certificate.ok_or_else(|| {
            Failure::conflict(format!("@{} has not answered the contact request yet", person.name))
        })
    }
}

fn is_listed(list: &DeviceList, package: &[u8]) -> bool {
    let Ok(package) = mls::KeyPackage::validate(package) else { return false };
    let listed: Option<&DeviceCertificate> = list.contains(&package.certificate.device);
    let identity: Identity = package.certificate.identity;
    identity == list.identity && listed == Some(&package.certificate)
}

/// What the sender of a welcome is told.
pub(crate) fn refused_welcome(error: &mls::MlsError) -> Failure {
    tracing::warn!(%error, "a welcome was refused");
    match error {
        mls::MlsError::KeyPackageUnknown => {
            Failure::conflict("the welcome is for a key package that is gone")
        }
        mls::MlsError::Storage(_) | mls::MlsError::State(_) => {
            EngineError::from(GroupFailure::Engine(EngineError::Internal(error.to_string()))).into()
        }
        _ => Failure::forbidden("the welcome is not acceptable"),
    }
}
