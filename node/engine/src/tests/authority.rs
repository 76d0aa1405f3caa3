//! Who may change a group: every rule against members, strangers and forgers with real keys.

use prost::Message as _;
use qpq_crypto::{
    certificate::DeviceCertificate,
    device_list::DeviceList,
    identity::{DeviceSecret, IdentityKey},
    mls,
    signature::Domain,
};
use qpq_proto::{
    ids::NodeKey,
    limits::MEMBERS_PER_CHANGE_MAX,
    v1::{
        AddMembers, Change, GroupKind, GroupRecord, Leave, MemberProfile, RemoveMember, Rotate, SignedChange,
        change::Kind,
    },
};

use crate::{
    authority::{Away, check_change, committer, may_remove, revoked_by},
    conversations::GroupView,
};

mod chance;
mod commits;

/// Somebody with keys; the number names all of them.
struct Person(u8);

impl Person {
    fn identity_key(&self) -> IdentityKey {
        IdentityKey::from_seed(&[self.0; 32])
    }

    fn id(&self) -> Vec<u8> {
        self.identity_key().public().as_bytes().to_vec()
    }

    fn device(&self) -> DeviceSecret {
        DeviceSecret::from_seed(&[self.0 | 0x80; 32])
    }

    fn certificate(&self) -> DeviceCertificate {
        let node = NodeKey::from_bytes([self.0; 32]);
        DeviceCertificate::issue(&self.identity_key(), self.device().public(), node, &[0x004F], 1).unwrap()
    }

    /// At the leaf of the same number.
    fn member(&self) -> mls::Member {
        mls::Member { leaf: self.0.into(), certificate: self.certificate() }
    }

    /// A change that this person asks for, in a group.
    fn asks(&self, group: u8, kind: Kind) -> SignedChange {
        self.signs(&Change {
            id: vec![9; 16],
            group_id: vec![group; 32],
            author: self.id(),
            era: Vec::new(),
            kind: Some(kind),
        })
    }

    fn signs(&self, change: &Change) -> SignedChange {
        let change = change.encode_to_vec();
        let signature = self.device().sign(Domain::GroupChange, &[&change]).to_vec();
        SignedChange { change, signature }
    }

    /// A signed list in which this person revokes a device.
    fn revokes(&self, device: &DeviceSecret) -> Vec<u8> {
        let revoked = vec![device.public()];
        let other = DeviceSecret::from_seed(&[self.0 | 0x40; 32]).public();
        let node = NodeKey::from_bytes([0x40; 32]);
        let certificate = DeviceCertificate::issue(&self.identity_key(), other, node, &[0x004F], 1).unwrap();
        DeviceList::sign(&self.identity_key(), 2, [1; 32], vec![certificate], revoked).unwrap().encode()
    }
}

const ALICE: Person = Person(1);
const BOB: Person = Person(2);
const CAROL: Person = Person(3);
const MALLORY: Person = Person(7);

/// Alice, bob and carol, at leaves 1, 2 and 3.
fn group(kind: GroupKind, administrators: &[&Person]) -> GroupView {
    GroupView {
        id: vec![5; 32],
        suite: mls::Suite::Hybrid,
        epoch: mls::EpochId([0; 32]),
        epoch_number: 4,
        own_leaf: 3,
        // Not in the order of the leaves, which alone decides.
        members: [CAROL, ALICE, BOB].iter().map(Person::member).collect(),
        record: record(1, kind, administrators),
    }
}

fn village() -> GroupView {
    group(GroupKind::Group, &[&ALICE])
}

fn record(secret: u8, kind: GroupKind, administrators: &[&Person]) -> GroupRecord {
    GroupRecord {
        version: 1,
        kind: kind.into(),
        name: "village".into(),
        routing_secret: vec![secret; 32],
        administrators: administrators.iter().map(|person| person.id()).collect(),
        ..GroupRecord::default()
    }
}

fn add() -> Kind {
    Kind::Add(AddMembers::default())
}

fn remove(person: &Person) -> Kind {
    Kind::Remove(RemoveMember { identity: person.id() })
}

fn rotate() -> Kind {
    Kind::Rotate(Rotate::default())
}

fn leave() -> Kind {
    Kind::Leave(Leave {})
}

#[test]
fn the_lowest_leaf_commits_that_is_not_away() {
    let group = village();
    let device = |person: &Person| person.device().public().as_bytes().to_vec();
    for (leaving, revoked, expected) in [
        (vec![], vec![], Some(1)),
        (vec![ALICE.id()], vec![], Some(2)),
        (vec![], vec![device(&ALICE)], Some(2)),
        (vec![BOB.id()], vec![device(&ALICE)], Some(3)),
        (vec![CAROL.id(), MALLORY.id()], vec![], Some(1)),
        (vec![device(&ALICE)], vec![ALICE.id()], Some(1)),
        (vec![ALICE.id(), BOB.id()], vec![device(&CAROL)], None),
    ] {
        let found = committer(&group, Away { leaving: &leaving, revoked: &revoked });
        assert_eq!(found.map(|member| member.leaf), expected, "{leaving:?} {revoked:?}");
    }
}

#[test]
fn administrators_remove_and_without_any_the_lowest_leaf_does() {
    for (administrators, allowed) in [
        (&[&ALICE][..], [true, false, false, false]),
        (&[&BOB, &CAROL], [false, true, true, false]),
        (&[], [true, false, false, false]),
        (&[&MALLORY], [true, false, false, false]),
    ] {
        let group = group(GroupKind::Group, administrators);
        let may = [ALICE, BOB, CAROL, MALLORY].map(|person| may_remove(&group, &person.id()));
        assert_eq!(may, allowed, "an administrator who is no member counts for nothing");
    }
}

#[test]
fn everybody_asks_for_what_is_theirs_to_ask_for() {
    let (many, two) = (village(), group(GroupKind::Direct, &[]));
    for (group, by, kind, is_allowed) in [
        (&many, &BOB, add(), true),
        (&many, &BOB, leave(), true),
        (&many, &BOB, rotate(), true),
        (&many, &BOB, remove(&CAROL), false),
        (&many, &BOB, remove(&BOB), false),
        (&many, &ALICE, remove(&BOB), true),
        (&many, &ALICE, remove(&MALLORY), true),
        (&many, &MALLORY, leave(), false),
        (&many, &MALLORY, add(), false),
        (&two, &ALICE, rotate(), true),
        (&two, &BOB, rotate(), true),
        (&two, &ALICE, add(), false),
        (&two, &ALICE, leave(), false),
        (&two, &ALICE, remove(&BOB), false),
    ] {
        let checked = check_change(group, &by.asks(5, kind.clone()));
        assert_eq!(checked.is_ok(), is_allowed, "{} asks for {kind:?}", by.0);
    }
}

#[test]
fn forged_changes_are_refused() {
    let good = BOB.asks(5, leave());
    let change = Change::decode(good.change.as_slice()).unwrap();
    assert_eq!(check_change(&village(), &good), Ok(change.clone()));
    let mut flipped = good.clone();
    flipped.signature[10] ^= 1;
    let of_identity = BOB.identity_key().sign(Domain::GroupChange, &[&good.change]).to_vec();
    let of_another_domain = BOB.device().sign(Domain::Introduction, &[&good.change]).to_vec();
    for (forged, how) in [
        (flipped, "a broken signature"),
        (SignedChange { signature: Vec::new(), ..good.clone() }, "no signature"),
        (SignedChange { signature: of_identity, ..good.clone() }, "another key of the same person"),
        (SignedChange { signature: of_another_domain, ..good.clone() }, "a signature of something else"),
        (SignedChange { change: ALICE.asks(5, leave()).change, ..good.clone() }, "another's change"),
        (MALLORY.signs(&change), "signed by somebody else"),
        (SignedChange { change: vec![0xff; 3], ..good }, "no change at all"),
        (BOB.asks(6, leave()), "for another group"),
        (BOB.signs(&Change { id: vec![9; 15], ..change.clone() }), "a short id"),
        (BOB.signs(&Change { kind: None, ..change }), "nothing asked for"),
    ] {
        assert!(check_change(&village(), &forged).is_err(), "{how}");
    }
}

#[test]
fn a_change_says_whom_it_adds_and_does_not_add_too_many() {
    for (members, packages, is_allowed) in [
        (MEMBERS_PER_CHANGE_MAX, 0, true),
        (MEMBERS_PER_CHANGE_MAX + 1, 0, false),
        (MEMBERS_PER_CHANGE_MAX, MEMBERS_PER_CHANGE_MAX, true),
        (2, 3, false),
    ] {
        let (members, key_packages) = (vec![MemberProfile::default(); members], vec![vec![1]; packages]);
        let asked = BOB.asks(5, Kind::Add(AddMembers { key_packages, members }));
        assert_eq!(check_change(&village(), &asked).is_ok(), is_allowed, "{packages} packages");
    }
}

#[test]
fn only_ones_own_list_revokes() {
    let proof = |list: Vec<u8>| {
        let profile = MemberProfile { device_list: list, ..MemberProfile::default() };
        Change {
            kind: Some(Kind::Add(AddMembers { members: vec![profile], ..AddMembers::default() })),
            ..Change::default()
        }
    };
    let bobs = BOB.device().public().as_bytes().to_vec();
    for (list, revoked) in [
        (BOB.revokes(&BOB.device()), vec![bobs]),
        (BOB.revokes(&MALLORY.device()), vec![]),
        (ALICE.revokes(&BOB.device()), vec![]),
        (MALLORY.revokes(&MALLORY.device()), vec![]),
        (Vec::new(), vec![]),
        (vec![0; 64], vec![]),
    ] {
        assert_eq!(revoked_by(&village(), &proof(list)), revoked);
    }
    assert!(revoked_by(&village(), &Change { kind: Some(leave()), ..Change::default() }).is_empty());
}
