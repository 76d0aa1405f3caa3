//! Plans against a model of sets of people, and against what every member checks.

use std::{collections::BTreeMap, sync::LazyLock};

use chacha20::ChaCha20Rng;
use proptest::prelude::*;
use qpq_crypto::{
    certificate::DeviceCertificate,
    hybrid::HybridSecret,
    identity::{DeviceSecret, IdentityKey},
    signature::Domain,
};
use qpq_proto::{
    ids::NodeKey,
    v1::{AddMembers, CommitAnnotation, GroupKind, GroupRecord, Leave, RemoveMember, Rotate},
};
use rand_core::SeedableRng as _;

use super::*;
use crate::{
    records::PersonRecord,
    storage::Transaction as _,
    tables::{self, CHANGES},
    tests::{bench::Bench, memory::Memory},
};

const PEOPLE: u8 = 7;
/// The person at whose node the plan is made, and who administers the group.
const COMMITTER: u8 = 0;
const CONVERSATION: [u8; 16] = [4; 16];

/// A device of a person: the one with which it became a member, or another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Device {
    who: u8,
    is_new: bool,
}

impl Device {
    fn secret(self) -> DeviceSecret {
        DeviceSecret::from_seed(&[self.who + 1 + if self.is_new { 64 } else { 0 }; 32])
    }

    fn certificate(self) -> DeviceCertificate {
        let suites = [mls::HYBRID, mls::CLASSICAL];
        let node = NodeKey::from_bytes([self.who; 32]);
        DeviceCertificate::issue(&identity(self.who), self.secret().public(), node, &suites, 1).unwrap()
    }
}

fn identity(who: u8) -> IdentityKey {
    IdentityKey::from_seed(&[who + 1; 32])
}

fn id(who: u8) -> Vec<u8> {
    identity(who).public().as_bytes().to_vec()
}

/// A key package of every device.
static PACKAGES: LazyLock<BTreeMap<Device, Vec<u8>>> = LazyLock::new(|| {
    let mut memory = Memory::default();
    let mut rng = ChaCha20Rng::from_seed([3; 32]);
    let devices = (0..PEOPLE).flat_map(|who| [false, true].map(|is_new| Device { who, is_new }));
    let package = |device: Device| {
        let (secret, certificate) = (device.secret(), device.certificate());
        let (storage, rng) = (memory.secrets(), &mut rng);
        let mut mls = mls::Context { storage, rng, device: &secret, certificate: &certificate };
        mls::KeyPackage::create(&mut mls, mls::Suite::Classical, false).unwrap().0
    };
    let devices: Vec<Device> = devices.collect();
    devices.clone().into_iter().zip(devices.into_iter().map(package)).collect()
});

/// A group of these people, at leaves that are not in their order.
fn group(members: &BTreeSet<u8>) -> GroupView {
    let member = |who: &u8| mls::Member {
        leaf: leaf(*who),
        certificate: Device { who: *who, is_new: false }.certificate(),
    };
    GroupView {
        id: vec![5; 32],
        suite: mls::Suite::Classical,
        epoch: mls::EpochId([0; 32]),
        epoch_number: 4,
        own_leaf: leaf(COMMITTER),
        members: members.iter().map(member).collect(),
        record: GroupRecord {
            version: 1,
            kind: GroupKind::Group.into(),
            name: "village".into(),
            routing_secret: vec![1; 32],
            administrators: vec![id(COMMITTER)],
            ..GroupRecord::default()
        },
    }
}

/// The committer has the lowest.
fn leaf(who: u8) -> u32 {
    if who == COMMITTER { 1 } else { u32::from(PEOPLE - who) + 1 }
}

/// What is asked for, and by whom.
#[derive(Debug, Clone)]
enum Asked {
    Add { by: u8, whom: Vec<Device>, is_misnamed: bool },
    Remove { whom: u8 },
    Leave { who: u8 },
    Rotate { by: u8, with: Option<Device> },
    Garbage,
}

fn asked() -> impl Strategy<Value = Asked> {
    let device = || (0..PEOPLE, any::<bool>()).prop_map(|(who, is_new)| Device { who, is_new });
    let others = 1..PEOPLE;
    prop_oneof![
        4 => (0..PEOPLE, prop::collection::vec(device(), 0..3), prop::bool::weighted(0.1))
            .prop_map(|(by, whom, is_misnamed)| Asked::Add { by, whom, is_misnamed }),
        2 => (0..PEOPLE).prop_map(|whom| Asked::Remove { whom }),
        1 => others.prop_map(|who| Asked::Leave { who }),
        3 => (0..PEOPLE, prop::option::of(device())).prop_map(|(by, with)| Asked::Rotate { by, with }),
        1 => Just(Asked::Garbage),
    ]
}

fn hybrid_key() -> Vec<u8> {
    HybridSecret::from_seed(&[7; 32]).public().to_bytes().to_vec()
}

fn record(number: usize, asked: &Asked) -> ChangeRecord {
    let package = |device: &Device| PACKAGES[device].clone();
    let (author, kind) = match asked {
        Asked::Add { by, whom, is_misnamed } => {
            let profile = |device: &Device| {
                let named = if *is_misnamed { (device.who + 1) % PEOPLE } else { device.who };
                let key: &[u8] = &hybrid_key();
                let signature = identity(named).sign(Domain::HybridKey, &[key, &1_u64.to_be_bytes()]);
                MemberProfile {
                    identity: id(named),
                    hybrid_key: key.to_vec(),
                    hybrid_signature: signature.to_vec(),
                    hybrid_sequence: 1,
                    ..MemberProfile::default()
                }
            };
            let key_packages = whom.iter().map(package).collect();
            (*by, change::Kind::Add(AddMembers { key_packages, members: whom.iter().map(profile).collect() }))
        }
        Asked::Remove { whom } => (COMMITTER, change::Kind::Remove(RemoveMember { identity: id(*whom) })),
        Asked::Leave { who } => (*who, change::Kind::Leave(Leave {})),
        Asked::Rotate { by, with } => {
            let key_package = with.as_ref().map(package).unwrap_or_default();
            (*by, change::Kind::Rotate(Rotate { key_package }))
        }
        Asked::Garbage => return ChangeRecord { signed: vec![0xff], ..ChangeRecord::default() },
    };
    let (id_of_change, group_id) = (vec![u8::try_from(number).unwrap(); 16], vec![5; 32]);
    let (era, kind) = (Vec::new(), Some(kind));
    let change = Change { id: id_of_change, group_id, author: id(author), era, kind }.encode_to_vec();
    let device = Device { who: author, is_new: false }.secret();
    let signature = device.sign(Domain::GroupChange, &[&change]).to_vec();
    let signed = SignedChange { change, signature }.encode_to_vec();
    let (number, author) = (vec![u8::try_from(number).unwrap(); 16], id(author));
    ChangeRecord { signed, id: number, author, ..ChangeRecord::default() }
}

/// What the group is to become, in terms of people.
#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    gone: BTreeSet<u8>,
    added: BTreeSet<u8>,
    force_path: bool,
    /// Numbers of the changes that are made.
    made: BTreeSet<usize>,
}

impl Model {
    fn of(members: &BTreeSet<u8>, asked: &[Asked], members_max: usize) -> Self {
        let mut model = Self::default();
        let is_removal = |asked: &Asked| matches!(asked, Asked::Remove { .. } | Asked::Leave { .. });
        for wants_removals in [true, false] {
            for (number, asked) in asked.iter().enumerate().filter(|(_, a)| is_removal(a) == wants_removals) {
                let mut next = model.clone();
                if next.take(members, asked, members_max) {
                    next.made.insert(number);
                    model = next;
                }
            }
        }
        model
    }

    /// False if the change cannot be made.
    fn take(&mut self, members: &BTreeSet<u8>, asked: &Asked, members_max: usize) -> bool {
        match asked {
            Asked::Garbage => false,
            Asked::Add { by, whom, is_misnamed } => {
                let is_asked_for = members.contains(by) && (whom.is_empty() || !is_misnamed);
                is_asked_for
                    && whom.iter().all(|device| {
                        let is_there = members.contains(&device.who) && !device.is_new;
                        !is_there && self.bring(members, device.who, members_max)
                    })
            }
            Asked::Remove { whom } => {
                self.gone.insert(*whom);
                *whom != COMMITTER && members.contains(whom)
            }
            Asked::Leave { who } => {
                self.gone.insert(*who);
                members.contains(who)
            }
            Asked::Rotate { by, with: None } => {
                self.force_path = true;
                members.contains(by)
            }
            Asked::Rotate { by, with: Some(device) } => {
                members.contains(by) && device.who == *by && self.bring(members, *by, members_max)
            }
        }
    }

    fn bring(&mut self, members: &BTreeSet<u8>, who: u8, members_max: usize) -> bool {
        let size = members.union(&self.added).filter(|who| !self.gone.contains(who)).count();
        let has_room = size - usize::from(members.contains(&who)) < members_max;
        !self.gone.contains(&who) && has_room && self.added.insert(who)
    }
}

/// The commit of a plan, as every other member looks at it.
fn is_acceptable(group: &GroupView, plan: &Plan) -> Result<(), mls::Refusal> {
    let added: Vec<mls::Member> = (100..)
        .zip(&plan.add)
        .map(|(leaf, package)| mls::Member { leaf, certificate: package.certificate.clone() })
        .collect();
    let removed: Vec<mls::Member> =
        group.members.iter().filter(|member| plan.remove.contains(&member.leaf)).cloned().collect();
    let identity = |member: &mls::Member| member.certificate.identity.as_bytes().to_vec();
    let back: BTreeSet<Vec<u8>> = added.iter().map(identity).collect();
    let gone: BTreeSet<Vec<u8>> = removed.iter().map(identity).filter(|it| !back.contains(it)).collect();
    let record = authority::next_record(group, &plan.changes, &gone, &[2; 32]).encode_to_vec();
    let annotation = CommitAnnotation { changes: plan.changes.clone() }.encode_to_vec();
    let view = mls::CommitView {
        committer: group.member(&id(COMMITTER)).unwrap(),
        added: &added,
        removed: &removed,
        record: (!removed.is_empty()).then_some(record.as_slice()),
        annotation: &annotation,
        parent: group.epoch,
        epoch: None,
        has_path: true,
    };
    authority::check_commit(group, &view)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_plan_is_what_the_model_comes_to_and_what_everybody_accepts(
        members in prop::collection::btree_set(1..PEOPLE, 0..6),
        asked in prop::collection::vec(asked(), 0..9),
        members_max in 3..8_usize,
    ) {
        let members: BTreeSet<u8> = members.into_iter().chain([COMMITTER]).collect();
        let (group, mut bench) = (group(&members), Bench::empty());
        bench.engine.limits.group_members_max = members_max;
        let pending: Vec<(u64, ChangeRecord)> =
            asked.iter().enumerate().map(|(number, asked)| (number as u64, record(number, asked))).collect();
        let plan = bench.with(|engine, cx| {
            for who in &members {
                let (identity, welcome_key) = (id(*who), hybrid_key());
                let person = PersonRecord { identity, welcome_key, ..PersonRecord::default() };
                engine.save_person(cx, &person).unwrap();
            }
            for (ordinal, record) in &pending {
                tables::save(cx.tx, CHANGES, tables::at(&CONVERSATION, *ordinal), record).unwrap();
            }
            engine.plan_pending(cx, &CONVERSATION, &group, pending).unwrap().0
        });
        let model = Model::of(&members, &asked, members_max);
        let added: BTreeSet<Vec<u8>> =
            plan.add.iter().map(|package| package.certificate.identity.as_bytes().to_vec()).collect();
        prop_assert_eq!(added, model.added.iter().copied().map(id).collect::<BTreeSet<_>>());
        let replaced = model.added.intersection(&members);
        let removed: BTreeSet<u32> = model.gone.iter().chain(replaced).copied().map(leaf).collect();
        prop_assert_eq!(&plan.remove, &removed);
        prop_assert_eq!((plan.force_path, plan.changes.len()), (model.force_path, model.made.len()));
        prop_assert_eq!(plan.profiles.len(), plan.add.len());
        let left: Vec<(u64, ChangeRecord)> = tables::first(&bench.memory, CHANGES, &CONVERSATION, 99).unwrap();
        let left: BTreeSet<usize> = left.iter().map(|(number, _)| usize::try_from(*number).unwrap()).collect();
        prop_assert_eq!(left, model.made, "what cannot be made is dropped, the rest waits for the commit");
        prop_assert_eq!(is_acceptable(&group, &plan), Ok(()));
        prop_assert!(authority::may_commit(&group, &plan.changes));
    }
}
