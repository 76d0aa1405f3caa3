//! After the storage was replaced by an older copy, groups are read but not sent to.

#![allow(clippy::unwrap_used, reason = "what cannot be set up here has failed")]

mod mls_support;

use mls_support::{Circle, Person, plaintext, welcome_all};
use qpq_crypto::mls::{Changes, Group, KeyPackage, MlsError, Opened, Suite, note_rollback};

/// Puts the copy of a member's storage in its place, as of the last commit of the storage, and takes note.
fn roll_back(circle: &mut Circle, index: usize) {
    circle.people[index].storage.abort();
    note_rollback(&mut circle.people[index].cx()).unwrap();
    reload(circle, index);
}

fn reload(circle: &mut Circle, index: usize) {
    let id = circle.groups[index].id();
    circle.groups[index] = circle.people[index].load(id);
}

fn assert_refuses(circle: &mut Circle, index: usize) {
    let (person, group) = (&mut circle.people[index], &mut circle.groups[index]);
    assert!(group.is_sending_refused());
    assert!(Group::refuses_sending(&mut person.cx(), &group.id()).unwrap());
    let before = person.storage.records().clone();
    let sealed = group.seal(&mut person.cx(), b"hello");
    assert!(matches!(sealed, Err(MlsError::SendingRefused)), "{sealed:?}");
    let committed = group.commit(&mut person.cx(), Changes::default());
    assert!(matches!(committed, Err(MlsError::SendingRefused)), "{committed:?}");
    assert!(MlsError::SendingRefused.leaves_group_intact());
    assert_eq!(*person.storage.records(), before);
}

/// The others replace a member's leaf by one for a new key package, and it enters the group again.
fn add_again(circle: &mut Circle, index: usize) {
    let leaf = circle.groups[index].own_leaf();
    let suite = circle.groups[index].suite();
    let add = [circle.people[index].key_package(suite)];
    let changes = Changes { add: &add, remove: &[leaf], ..Changes::default() };
    let committed = circle.people[0].commit(&mut circle.groups[0], changes);
    for other in (1..circle.people.len()).filter(|other| *other != index) {
        circle.open(other, &committed.commit).unwrap();
    }
    circle.groups[index] = circle.people[index].join(&committed.welcome.unwrap());
}

#[test]
fn a_rolled_back_member_reads_and_sends_again_once_it_was_added_again() {
    for suite in Suite::ALL {
        let mut circle = Circle::new(3, suite);
        circle.people[1].storage.commit();
        // Sent and read after the copy was made: a reused ratchet would meet these.
        let own = circle.seal(1, b"lost");
        let theirs = circle.seal(0, b"comes back");
        plaintext(circle.open(0, &own));
        plaintext(circle.open(1, &theirs));

        roll_back(&mut circle, 1);
        assert_refuses(&mut circle, 1);
        assert_eq!(plaintext(circle.open(1, &theirs)), b"comes back");
        assert!(matches!(circle.open(1, &own), Ok(Opened::OwnEcho)));
        let message = circle.seal(2, b"new");
        assert_eq!(plaintext(circle.open(1, &message)), b"new");

        // Following others does not clear it: we may have sent in that epoch as well.
        circle.commit(0, Changes::default());
        assert_refuses(&mut circle, 1);
        reload(&mut circle, 1);
        assert_refuses(&mut circle, 1);

        add_again(&mut circle, 1);
        for is_reloaded in [false, true] {
            if is_reloaded {
                reload(&mut circle, 1);
            }
            assert!(!circle.groups[1].is_sending_refused());
            let message = circle.seal(1, b"back");
            assert_eq!(plaintext(circle.open(0, &message)), b"back");
            assert_eq!(plaintext(circle.open(2, &message)), b"back");
        }
        circle.commit(1, Changes::default());
        assert_eq!(circle.groups[0].epoch_id(), circle.groups[2].epoch_id());
    }
}

#[test]
fn checkpoints_of_before_refuse_whenever_they_are_rewound_to() {
    let mut circle = Circle::new(2, Suite::Classical);
    let old = circle.groups[1].checkpoint(&mut circle.people[1].cx()).unwrap();
    circle.people[1].storage.commit();
    roll_back(&mut circle, 1);
    add_again(&mut circle, 1);
    let new = circle.groups[1].checkpoint(&mut circle.people[1].cx()).unwrap();
    let id = circle.groups[1].id();
    let rewind =
        |circle: &mut Circle, epoch| Group::rewind(&mut circle.people[1].cx(), &id, epoch).unwrap().unwrap();
    circle.groups[1] = rewind(&mut circle, &old);
    assert_refuses(&mut circle, 1);
    circle.groups[1] = rewind(&mut circle, &new);
    assert!(!circle.groups[1].is_sending_refused());
    circle.groups[1].seal(&mut circle.people[1].cx(), b"hello").unwrap();
}

#[test]
fn every_rollback_counts() {
    let mut circle = Circle::new(2, Suite::Classical);
    for _ in 0..3 {
        circle.people[1].storage.commit();
        roll_back(&mut circle, 1);
        assert_refuses(&mut circle, 1);
        add_again(&mut circle, 1);
        // Back to a copy that knows of the rollbacks before.
        circle.people[1].storage.commit();
        roll_back(&mut circle, 1);
        assert_refuses(&mut circle, 1);
        add_again(&mut circle, 1);
        circle.seal(1, b"hello");
    }
}

#[test]
fn groups_made_after_a_rollback_are_not_affected() {
    let mut circle = Circle::new(2, Suite::Classical);
    note_rollback(&mut circle.people[1].cx()).unwrap();
    let mut group = circle.people[1].create(Suite::Classical);
    assert!(!group.is_sending_refused());
    circle.people[1].seal(&mut group, b"hello");
    let mut group = circle.people[1].load(group.id());
    circle.people[1].seal(&mut group, b"hello");
    let absent = circle.people[0].create(Suite::Classical).id();
    assert!(!Group::refuses_sending(&mut circle.people[1].cx(), &absent).unwrap());
}

/// Or whoever replays a welcome brings back a leaf whose ratchets were used.
#[test]
fn key_packages_of_before_are_deleted() {
    let mut founder = Person::new(0);
    let mut group = founder.create(Suite::Hybrid);
    let mut guest = Person::new(1);
    let add = [guest.key_package(Suite::Hybrid)];
    let (last_resort, _) = KeyPackage::create(&mut guest.cx(), Suite::Classical, true).unwrap();
    guest.storage.commit();
    let welcome = founder.commit(&mut group, Changes { add: &add, ..Changes::default() }).welcome.unwrap();
    let mut joined = guest.join(&welcome);
    guest.seal(&mut joined, b"with generation 0");

    guest.storage.abort();
    note_rollback(&mut guest.cx()).unwrap();
    let replayed = Group::join(&mut guest.cx(), &welcome, &mut welcome_all);
    assert!(matches!(replayed, Err(MlsError::KeyPackageUnknown)), "{replayed:?}");
    let mut other = founder.create(Suite::Classical);
    let add = [KeyPackage::validate(&last_resort).unwrap()];
    let welcome = founder.commit(&mut other, Changes { add: &add, ..Changes::default() }).welcome.unwrap();
    let replayed = Group::join(&mut guest.cx(), &welcome, &mut welcome_all);
    assert!(matches!(replayed, Err(MlsError::KeyPackageUnknown)), "{replayed:?}");
}

#[test]
fn a_dropped_note_changes_nothing() {
    let mut circle = Circle::new(2, Suite::Classical);
    circle.people[1].key_package(Suite::Classical);
    circle.people[1].storage.commit();
    for writes in 0.. {
        circle.people[1].storage.writes_left = Some(writes);
        let noted = note_rollback(&mut circle.people[1].cx());
        circle.people[1].storage.writes_left = None;
        if noted.is_ok() {
            break;
        }
        circle.people[1].storage.abort();
        reload(&mut circle, 1);
        assert!(!circle.groups[1].is_sending_refused());
    }
    reload(&mut circle, 1);
    assert_refuses(&mut circle, 1);
}
