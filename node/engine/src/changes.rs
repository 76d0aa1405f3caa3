//! Changes of groups: asked for, committed, followed.

use std::collections::BTreeSet;

use prost::Message as _;
use qpq_crypto::{
    mls::{self, ValidatedKeyPackage},
    signature::Domain,
};
use qpq_proto::{
    Failure,
    ids::Identity,
    v1::{
        Change, CommitAnnotation, GroupChange, GroupWelcome, MemberProfile, SignedChange, WaitChangeRequest,
        WaitChangeResponse, change, content, introduction,
    },
};

use crate::{
    authority,
    context::Context,
    conversations::GroupView,
    engine::Engine,
    input::EngineError,
    introductions::introduction,
    outbox::{Shipment, To},
    records::{ChangeRecord, ChangeStateRecord, ConversationRecord, Kind, PersonRecord, Stage},
    sealing::Audience,
    tables::{self, CHANGE_IDS, CHANGES, UNSEALED},
};

/// A commit of another member that has been applied.
pub(crate) struct Followed {
    pub committer: mls::Member,
    pub added: Vec<mls::Member>,
    pub removed: Vec<mls::Member>,
    pub annotation: Vec<u8>,
    pub removed_us: bool,
}

/// What a set of changes comes to in the group as it is.
#[derive(Default)]
struct Plan {
    changes: Vec<SignedChange>,
    add: Vec<ValidatedKeyPackage>,
    profiles: Vec<MemberProfile>,
    remove: BTreeSet<u32>,
    force_path: bool,
}

impl Engine {
    /// Makes a change if this node commits, or else asks the committer for it.
    pub(crate) fn request_change(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        kind: change::Kind,
    ) -> Result<GroupChange, Failure> {
        let mut conversation = conversation.clone();
        let (id, signed) = self.sign_change(cx, &conversation.group_id, kind.clone())?;
        let group = self.group_view(cx, &conversation.group_id)?;
        authority::check_change(&group, &signed)
            .map_err(|refusal| Failure::forbidden(refusal.to_string()))?;
        let own = self.me()?.id();
        if matches!(kind, change::Kind::Leave(_)) && !conversation.leaving.contains(&own) {
            conversation.leaving.push(own.clone());
            self.save_conversation(cx, &conversation)?;
        }
        self.save_change(cx, &conversation, &id, &own, &signed)?;
        let state =
            ChangeStateRecord { conversation: conversation.id.clone(), ..ChangeStateRecord::default() };
        tables::save(cx.tx, CHANGE_IDS, tables::key(&id), &state)?;
        let is_committer = authority::committer(&group, &conversation.leaving)
            .is_some_and(|member| member.certificate.identity.as_bytes().as_slice() == own);
        if is_committer {
            self.commit_pending(cx, &conversation.id)?;
        } else {
            let content = self.unnumbered(cx, content::Kind::Change(signed));
            self.seal_content(cx, &conversation, &content, Audience::Everybody)?;
        }
        let view = self.change_view(cx, &id)?;
        if is_committer && !view.failed.is_empty() {
            return Err(Failure::conflict(view.failed));
        }
        Ok(view)
    }

    fn sign_change(
        &self,
        cx: &mut Context<'_>,
        group_id: &[u8],
        kind: change::Kind,
    ) -> Result<([u8; 16], SignedChange), Failure> {
        let id = cx.message_id();
        let me = self.me()?;
        let change =
            Change { id: id.to_vec(), group_id: group_id.to_vec(), author: me.id(), kind: Some(kind) }
                .encode_to_vec();
        let signature = me.device.sign(Domain::GroupChange, &[&change]).to_vec();
        Ok((id, SignedChange { change, signature }))
    }

    fn save_change(
        &self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        id: &[u8],
        author: &[u8],
        signed: &SignedChange,
    ) -> Result<(), Failure> {
        let pending: Vec<(u64, ChangeRecord)> = tables::first(cx.tx, CHANGES, &conversation.id, usize::MAX)?;
        if pending.iter().any(|(_, record)| record.id == id) {
            return Ok(());
        }
        if pending.len() >= self.limits.group_changes_max {
            return Err(Failure::quota("too many changes of this group wait already"));
        }
        let ordinal = pending.last().map_or(1, |(ordinal, _)| ordinal + 1);
        let record =
            ChangeRecord { signed: signed.encode_to_vec(), id: id.to_vec(), author: author.to_vec() };
        Ok(tables::save(cx.tx, CHANGES, tables::at(&conversation.id, ordinal), &record)?)
    }

    /// Takes a change that a member asks for.
    pub(crate) fn take_change(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        group_id: &[u8],
        sender: &mls::Member,
        signed: &SignedChange,
    ) -> Result<(), Failure> {
        if conversation.group_id != group_id {
            return Ok(());
        }
        let group = self.group_view(cx, group_id)?;
        let change = authority::check_change(&group, signed)
            .map_err(|refusal| Failure::forbidden(refusal.to_string()))?;
        if change.author != sender.certificate.identity.as_bytes() {
            return Err(Failure::forbidden("a change was sent by another than its author"));
        }
        let mut conversation = conversation.clone();
        if matches!(change.kind, Some(change::Kind::Leave(_)))
            && !conversation.leaving.contains(&change.author)
        {
            conversation.leaving.push(change.author.clone());
            self.save_conversation(cx, &conversation)?;
        }
        self.save_change(cx, &conversation, &change.id, &change.author, signed)?;
        self.commit_pending(cx, &conversation.id)
    }

    /// Commits the changes that wait, if this node is the one that commits.
    pub(crate) fn commit_pending(
        &mut self,
        cx: &mut Context<'_>,
        conversation_id: &[u8],
    ) -> Result<(), Failure> {
        let conversation = self.conversation_of(cx, conversation_id)?;
        if conversation.stage() != Stage::Open {
            return Ok(());
        }
        let group = self.group_view(cx, &conversation.group_id)?;
        let own = self.me()?.id();
        let is_committer = authority::committer(&group, &conversation.leaving)
            .is_some_and(|member| member.certificate.identity.as_bytes().as_slice() == own);
        let pending: Vec<(u64, ChangeRecord)> = tables::first(cx.tx, CHANGES, conversation_id, usize::MAX)?;
        if !is_committer || pending.is_empty() {
            return Ok(());
        }
        let mut plan = Plan::default();
        for (ordinal, record) in pending {
            if plan.changes.len() == authority::CHANGES_MAX {
                break;
            }
            let planned = SignedChange::decode(record.signed.as_slice())
                .map_err(|_| "the change is malformed".to_owned())
                .and_then(|signed| self.plan_change(&group, &mut plan, signed));
            if let Err(reason) = planned {
                cx.tx.delete(CHANGES, tables::at(conversation_id, ordinal))?;
                self.change_failed(cx, &record.id, &reason)?;
            }
        }
        if plan.changes.is_empty() {
            return Ok(());
        }
        self.commit(cx, conversation, &group, plan)
    }

    /// Adds a change to a plan, or says why it cannot be made.
    fn plan_change(&self, group: &GroupView, plan: &mut Plan, signed: SignedChange) -> Result<(), String> {
        let change = authority::check_change(group, &signed).map_err(|refusal| refusal.to_string())?;
        match &change.kind {
            Some(change::Kind::Add(add)) => {
                for (index, package) in add.key_packages.iter().enumerate() {
                    self.plan_add(group, plan, package, add.members.get(index))?;
                }
            }
            Some(change::Kind::Remove(remove)) => {
                let member = group.member(&remove.identity).ok_or("the person is not a member")?;
                if member.leaf == group.own_leaf {
                    return Err("the group's committer cannot be removed: it has to leave by itself".into());
                }
                plan.remove.insert(member.leaf);
            }
            Some(change::Kind::Leave(_)) => {
                let member = group.member(&change.author).ok_or("the person is not a member")?;
                plan.remove.insert(member.leaf);
            }
            Some(change::Kind::Rotate(rotate)) if rotate.key_package.is_empty() => plan.force_path = true,
            Some(change::Kind::Rotate(rotate)) => self.plan_add(group, plan, &rotate.key_package, None)?,
            None => return Err("the change asks for nothing".into()),
        }
        plan.changes.push(signed);
        Ok(())
    }

    fn plan_add(
        &self,
        group: &GroupView,
        plan: &mut Plan,
        package: &[u8],
        profile: Option<&MemberProfile>,
    ) -> Result<(), String> {
        let package = mls::KeyPackage::validate(package).map_err(|error| error.to_string())?;
        let identity = package.certificate.identity;
        let is_new_profile = profile.is_none_or(|profile| profile.identity == identity.as_bytes());
        if package.suite != group.suite {
            return Err("the person's device cannot use this group's cipher suite".into());
        }
        if !is_new_profile || plan.add.iter().any(|other| other.certificate.identity == identity) {
            return Err("the change contradicts itself or another".into());
        }
        if let Some(member) = group.member(identity.as_bytes()) {
            let is_replaced = profile.is_none() || member.certificate.device != package.certificate.device;
            if !is_replaced {
                return Err("the person is a member already".into());
            }
            plan.remove.insert(member.leaf);
        }
        if group.members.len() + plan.add.len() >= self.limits.group_members_max {
            return Err("the group has as many members as a group can have".into());
        }
        plan.profiles.push(profile.cloned().unwrap_or_default());
        plan.add.push(package);
        Ok(())
    }

    /// Makes a commit, and sends it to the members and its welcome to the newcomers.
    fn commit(
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
        let record = (!gone.is_empty())
            .then(|| authority::next_record(&before.record, &gone, &cx.random::<32>()).encode_to_vec());
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
        self.save_conversation(cx, &conversation)?;
        for (package, profile) in plan.add.iter().zip(&plan.profiles) {
            let (identity, node) = (package.certificate.identity, package.certificate.node);
            if !before.has(identity.as_bytes()) {
                self.read_from_now_on(cx, &conversation.id, identity.as_bytes())?;
            }
            self.learn_member(cx, identity, node, Some(profile))?;
            self.ship_welcome(cx, &conversation, identity, profile, &committed.welcome)?;
        }
        self.log_changes(cx, &conversation, &after, &plan.changes)?;
        self.settle_changes(cx, &conversation, &plan.changes)
    }

    /// Sends a commit to everybody who can open it: the members it leaves, in the conversation's stream, and those it
    /// removes, for whom nothing else of the conversation is left.
    fn ship_commit(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        commit: &[u8],
        before: &GroupView,
        added: &BTreeSet<Vec<u8>>,
        gone: &BTreeSet<Vec<u8>>,
    ) -> Result<(), EngineError> {
        let payload = self.group_parcel(cx, conversation, commit)?;
        let shipment =
            |payload| Shipment { payload, message: &[], conversation: &conversation.id, content: &[] };
        let own = self.config.node;
        let members = before.members.iter().filter(|member| member.certificate.node != own);
        let members = members.map(|member| member.certificate.identity.as_bytes().to_vec());
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
    fn ship_welcome(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        identity: Identity,
        profile: &MemberProfile,
        welcome: &Option<Vec<u8>>,
    ) -> Result<(), Failure> {
        let Some(welcome) = welcome else { return Ok(()) };
        let mut person = self.person(cx, identity.as_bytes())?.unwrap_or_default();
        if person.hybrid_key.is_empty() {
            person.hybrid_key.clone_from(&profile.hybrid_key);
            self.save_person(cx, &person)?;
        }
        let members = self.member_profiles(cx, &conversation.group_id)?;
        let welcome = GroupWelcome { welcome: welcome.clone(), members, token: Vec::new() };
        let introduction = introduction(cx, introduction::Kind::Welcome(welcome));
        self.ship_introduction(cx, &person, &introduction, &conversation.id)
    }

    /// Who the members of a group are, this person included.
    fn member_profiles(
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
            return Ok(MemberProfile {
                identity: identity.to_vec(),
                name,
                addresses,
                hybrid_key: Vec::new(),
            });
        }
        let PersonRecord { name, addresses, .. } = self.person(cx, identity)?.unwrap_or_default();
        Ok(MemberProfile { identity: identity.to_vec(), name, addresses, hybrid_key: Vec::new() })
    }

    /// Another member's commit is in force: note what it changed.
    pub(crate) fn follow_commit(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        before: &GroupView,
        message: &[u8],
        followed: &Followed,
    ) -> Result<(), Failure> {
        let mut conversation = conversation.clone();
        let annotation = CommitAnnotation::decode(followed.annotation.as_slice())
            .map_err(|error| EngineError::Internal(error.to_string()))?;
        if followed.removed_us {
            return self.leave_for_good(cx, conversation, &annotation);
        }
        tracing::debug!(leaf = followed.committer.leaf, added = followed.added.len(), "followed a commit");
        self.note_epoch(cx, &mut conversation, before, message)?;
        let after = self.group_view(cx, &before.id)?;
        self.follow_group(cx, &mut conversation, &after)?;
        self.save_conversation(cx, &conversation)?;
        let profiles = profiles_in(&annotation);
        for member in &followed.added {
            let identity = member.certificate.identity;
            if !before.has(identity.as_bytes()) {
                self.read_from_now_on(cx, &conversation.id, identity.as_bytes())?;
            }
            let profile = profiles.iter().find(|profile| profile.identity == identity.as_bytes());
            self.learn_member(cx, identity, member.certificate.node, profile)?;
        }
        for member in &followed.removed {
            let identity = member.certificate.identity.as_bytes();
            if !after.has(identity) {
                self.drop_queue(cx, identity, &conversation.id, "the recipient is no longer a member")?;
            }
        }
        self.log_changes(cx, &conversation, &after, &annotation.changes)?;
        self.settle_changes(cx, &conversation, &annotation.changes)?;
        self.settle_overtaken(cx, &conversation, &after)?;
        self.commit_pending(cx, &conversation.id)
    }

    /// Settles changes that are true already, because somebody else asked for the same.
    fn settle_overtaken(
        &self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        group: &GroupView,
    ) -> Result<(), Failure> {
        let pending: Vec<(u64, ChangeRecord)> = tables::first(cx.tx, CHANGES, &conversation.id, usize::MAX)?;
        let signed = pending.iter().filter_map(|(_, record)| SignedChange::decode(&record.signed[..]).ok());
        let is_true = |signed: &SignedChange| {
            Change::decode(&signed.change[..]).is_ok_and(|change| is_true_already(group, &change))
        };
        let overtaken: Vec<SignedChange> = signed.filter(is_true).collect();
        self.settle_changes(cx, conversation, &overtaken)
    }

    /// A commit has removed this person.
    fn leave_for_good(
        &mut self,
        cx: &mut Context<'_>,
        conversation: ConversationRecord,
        annotation: &CommitAnnotation,
    ) -> Result<(), Failure> {
        let own = self.me()?.id();
        let is_leaving = changes_in(annotation)
            .any(|change| change.author == own && matches!(change.kind, Some(change::Kind::Leave(_))));
        self.settle_changes(cx, &conversation, &annotation.changes)?;
        self.end_conversation(cx, conversation, if is_leaving { "left" } else { "removed" })
    }

    /// Closes a conversation: its keys are deleted, its history stays.
    pub(crate) fn end_conversation(
        &mut self,
        cx: &mut Context<'_>,
        mut conversation: ConversationRecord,
        how: &str,
    ) -> Result<(), Failure> {
        conversation.stage = Stage::Ended.into();
        let own = self.me()?.id();
        for member in
            self.group_view(cx, &conversation.group_id).map(|group| group.members).unwrap_or_default()
        {
            let identity = member.certificate.identity.as_bytes();
            if identity.as_slice() != own {
                self.drop_queue(cx, identity, &conversation.id, "this person is no longer a member")?;
            }
        }
        self.drop_retained(cx, &conversation)?;
        self.delete_group(cx, &conversation.group_id.clone())?;
        tables::clear(cx.tx, CHANGES, &conversation.id)?;
        tables::clear(cx.tx, UNSEALED, &conversation.id)?;
        self.save_conversation(cx, &conversation)?;
        let text = match how {
            "left" => "you left the group".to_owned(),
            _ => "you were removed from the group".to_owned(),
        };
        Ok(self.log_group(cx, conversation.conversation_id()?, how, text, 0)?)
    }

    /// Removes changes that a commit has carried out, and tells those who wait.
    fn settle_changes(
        &self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        done: &[SignedChange],
    ) -> Result<(), Failure> {
        let done: BTreeSet<Vec<u8>> = done
            .iter()
            .filter_map(|signed| Change::decode(signed.change.as_slice()).ok())
            .map(|change| change.id)
            .collect();
        let pending: Vec<(u64, ChangeRecord)> = tables::first(cx.tx, CHANGES, &conversation.id, usize::MAX)?;
        for (ordinal, record) in pending {
            if done.contains(&record.id) {
                cx.tx.delete(CHANGES, tables::at(&conversation.id, ordinal))?;
            }
        }
        for id in &done {
            let state: Option<ChangeStateRecord> = tables::load(cx.tx, CHANGE_IDS, tables::key(id))?;
            if let Some(mut state) = state {
                state.committed = true;
                tables::save(cx.tx, CHANGE_IDS, tables::key(id), &state)?;
            }
        }
        Ok(())
    }

    /// A welcome has brought this person's renewed leaf: its own requests for that are done.
    pub(crate) fn settle_renewal(
        &self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
    ) -> Result<(), Failure> {
        let own = self.me()?.id();
        let pending: Vec<(u64, ChangeRecord)> = tables::first(cx.tx, CHANGES, &conversation.id, usize::MAX)?;
        let signed =
            pending.iter().filter_map(|(_, record)| SignedChange::decode(record.signed.as_slice()).ok());
        let annotation = CommitAnnotation { changes: signed.collect() };
        let is_done =
            |change: &Change| change.author == own && matches!(change.kind, Some(change::Kind::Rotate(_)));
        let done =
            annotation.changes.iter().zip(changes_in(&annotation)).filter(|(_, change)| is_done(change));
        let done: Vec<SignedChange> = done.map(|(signed, _)| signed.clone()).collect();
        self.settle_changes(cx, conversation, &done)
    }

    fn change_failed(&self, cx: &mut Context<'_>, id: &[u8], reason: &str) -> Result<(), EngineError> {
        let state: Option<ChangeStateRecord> = tables::load(cx.tx, CHANGE_IDS, tables::key(id))?;
        let Some(mut state) = state else { return Ok(()) };
        reason.clone_into(&mut state.failed);
        tables::save(cx.tx, CHANGE_IDS, tables::key(id), &state)
    }

    fn log_changes(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        after: &GroupView,
        changes: &[SignedChange],
    ) -> Result<(), Failure> {
        if conversation.kind() == Kind::Direct {
            return Ok(());
        }
        let members = u32::try_from(after.members.len()).unwrap_or(u32::MAX);
        let annotation = CommitAnnotation { changes: changes.to_vec() };
        for change in changes_in(&annotation) {
            let author = self.display_name(cx, &change.author)?;
            let (what, text) = match &change.kind {
                Some(change::Kind::Add(add)) => {
                    let names = add.members.iter().map(|member| self.display_name(cx, &member.identity));
                    let names = names.collect::<Result<Vec<_>, EngineError>>()?.join(", ");
                    ("added", format!("{author} added {names}"))
                }
                Some(change::Kind::Remove(remove)) => {
                    ("removed", format!("{author} removed {}", self.display_name(cx, &remove.identity)?))
                }
                Some(change::Kind::Leave(_)) => ("left", format!("{author} left")),
                Some(change::Kind::Rotate(_)) => ("rotated", format!("{author} renewed its keys")),
                None => continue,
            };
            self.log_group(cx, conversation.conversation_id()?, what, text, members)?;
        }
        Ok(())
    }

    /// How far a change got.
    pub(crate) fn change_view(&mut self, cx: &mut Context<'_>, id: &[u8]) -> Result<GroupChange, Failure> {
        let state: Option<ChangeStateRecord> = tables::load(cx.tx, CHANGE_IDS, tables::key(id))?;
        let state = state.ok_or_else(|| Failure::not_found("no change has this id"))?;
        let mut view = GroupChange {
            change: id.to_vec(),
            committed: state.committed,
            waiting_for: String::new(),
            failed: state.failed,
        };
        if !view.committed && view.failed.is_empty() {
            let conversation = self.conversation_of(cx, &state.conversation)?;
            view.waiting_for = self.committer_name(cx, &conversation)?;
        }
        Ok(view)
    }

    /// Name of the member whose node commits; empty while there is no group.
    pub(crate) fn committer_name(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
    ) -> Result<String, Failure> {
        if conversation.stage() != Stage::Open {
            return Ok(String::new());
        }
        let group = self.group_view(cx, &conversation.group_id)?;
        let committer = authority::committer(&group, &conversation.leaving);
        let name = committer.map(|member| self.display_name(cx, member.certificate.identity.as_bytes()));
        Ok(name.transpose()?.unwrap_or_default())
    }

    /// `WaitChange` without the waiting, which is the driver's.
    pub(crate) fn wait_change(
        &mut self,
        cx: &mut Context<'_>,
        request: &WaitChangeRequest,
    ) -> Result<WaitChangeResponse, Failure> {
        Ok(WaitChangeResponse { change: Some(self.change_view(cx, &request.change)?) })
    }

    /// A key package of a person for a group's suite, used up unless it is a last resort.
    pub(crate) fn take_key_package(
        &self,
        cx: &mut Context<'_>,
        person: &PersonRecord,
        suite: mls::Suite,
    ) -> Result<Vec<u8>, Failure> {
        let mut record = self.key_packages(cx, &person.identity)?;
        let mut best: Option<(usize, bool)> = None;
        for (index, package) in record.packages.iter().enumerate() {
            let Ok(package) = mls::KeyPackage::validate(package) else { continue };
            let is_better = best.is_none_or(|(_, is_last_resort)| is_last_resort && !package.is_last_resort);
            if package.suite == suite && is_better {
                best = Some((index, package.is_last_resort));
            }
        }
        let Some((index, is_last_resort)) = best else {
            return Err(Failure::conflict(format!("no key package of @{} fits this group", person.name)));
        };
        if is_last_resort {
            return Ok(record.packages[index].clone());
        }
        let package = record.packages.remove(index);
        self.save_key_packages(cx, &person.identity, &record)?;
        Ok(package)
    }
}

/// Whether a group is as a change wants it.
fn is_true_already(group: &GroupView, change: &Change) -> bool {
    match &change.kind {
        Some(change::Kind::Add(add)) => add.key_packages.iter().all(|package| {
            let Ok(package) = mls::KeyPackage::validate(package) else { return false };
            let member = group.member(package.certificate.identity.as_bytes());
            member.is_some_and(|member| member.certificate.device == package.certificate.device)
        }),
        Some(change::Kind::Remove(remove)) => !group.has(&remove.identity),
        Some(change::Kind::Leave(_)) => !group.has(&change.author),
        Some(change::Kind::Rotate(_)) | None => false,
    }
}

fn changes_in(annotation: &CommitAnnotation) -> impl Iterator<Item = Change> + '_ {
    annotation.changes.iter().filter_map(|signed| Change::decode(signed.change.as_slice()).ok())
}

fn profiles_in(annotation: &CommitAnnotation) -> Vec<MemberProfile> {
    let adds = changes_in(annotation).filter_map(|change| match change.kind {
        Some(change::Kind::Add(add)) => Some(add.members),
        _ => None,
    });
    adds.flatten().collect()
}
