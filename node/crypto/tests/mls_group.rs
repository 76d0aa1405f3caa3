//! Groups through the public interface: what they do, and what they refuse.

#![allow(clippy::unwrap_used, reason = "what cannot be set up here has failed")]

mod mls_support;

use mls_support::{Circle, Person, plaintext, welcome_all};
use qpq_crypto::certificate::DeviceCertificate;
use qpq_crypto::identity::{DeviceSecret, IdentityKey};
use qpq_crypto::ids::NodeKey;
use qpq_crypto::mls::{
    CLASSICAL, Changes, CommitView, Context, CredentialError, EpochId, Group, GroupId, HYBRID, JoinView,
    KEY_PACKAGE_BYTES_MAX, KeyPackage, MlsError, Opened, PAST_EPOCHS_MAX, Refusal, Suite, peek,
};

const REFUSAL: Refusal = Refusal("not today");

fn refuse_commit(_: &CommitView<'_>) -> Result<(), Refusal> {
    Err(REFUSAL)
}

fn refuse_welcome(_: &JoinView<'_>) -> Result<(), Refusal> {
    Err(REFUSAL)
}

#[test]
fn a_conversation_of_three() {
    for suite in Suite::ALL {
        let mut circle = Circle::new(3, suite);
        let epoch = circle.groups[0].epoch_id();
        assert!(circle.groups.iter().all(|group| group.epoch_id() == epoch && group.suite() == suite));
        for sender in 0..3 {
            let message = circle.seal(sender, b"hello");
            for receiver in (0..3).filter(|receiver| *receiver != sender) {
                assert_eq!(plaintext(circle.open(receiver, &message)), b"hello");
                assert!(matches!(circle.open(receiver, &message), Ok(Opened::Duplicate)));
            }
            assert!(matches!(circle.open(sender, &message), Ok(Opened::OwnEcho)));
        }
        circle.commit(1, Changes::default());
        circle.commit(2, Changes { remove: &[0], ..Changes::default() });
        assert!(!circle.groups[0].is_active());
        assert_eq!(circle.groups[1].members(), circle.groups[2].members());
        assert_eq!(circle.groups[1].epoch_id(), circle.groups[2].epoch_id());
    }
}

#[test]
fn a_loaded_group_is_the_same_group() {
    let mut circle = Circle::new(3, Suite::Hybrid);
    let message = circle.seal(0, b"before");
    circle.commit(1, Changes { record: Some(b"new record"), ..Changes::default() });
    for index in 0..3 {
        let group = &circle.groups[index];
        let expected = (
            group.id(),
            group.epoch_id(),
            group.epoch_number(),
            group.own_leaf(),
            group.members(),
            group.suite(),
        );
        let group = circle.people[index].load(expected.0);
        let found = (
            group.id(),
            group.epoch_id(),
            group.epoch_number(),
            group.own_leaf(),
            group.members(),
            group.suite(),
        );
        assert_eq!(found, expected);
        assert_eq!(group.record(), b"new record");
        circle.groups[index] = group;
    }
    assert_eq!(plaintext(circle.open(2, &message)), b"before");
    let message = circle.seal(1, b"after");
    assert_eq!(plaintext(circle.open(2, &message)), b"after");
    assert!(Group::load(&mut circle.people[0].cx(), &GroupId([0; 32])).unwrap().is_none());
}

#[test]
fn whoever_is_added_sees_what_they_enter() {
    let mut circle = Circle::new(2, Suite::Hybrid);
    let mut late = Person::new(9);
    let add = [late.key_package(Suite::Hybrid)];
    let committed = circle.commit(1, Changes { add: &add, ..Changes::default() });
    let mut seen = None;
    let group = Group::join(&mut late.cx(), &committed.welcome.unwrap(), &mut |view| {
        seen = Some((view.group, view.suite, view.record.to_vec(), view.members.to_vec(), view.own_leaf));
        assert_eq!(view.sender.leaf, 1);
        assert!(!view.is_known);
        Ok(())
    })
    .unwrap();
    let expected = (group.id(), Suite::Hybrid, b"record".to_vec(), circle.groups[0].members(), 2);
    assert_eq!(seen.unwrap(), expected);
    assert_eq!(group.epoch_id(), committed.epoch);
    assert_eq!(group.member(2).unwrap().certificate, late.certificate);
    assert_eq!(group.member(3), None);
}

#[test]
fn a_commit_shows_what_it_does_before_it_does_it() {
    let mut circle = Circle::new(4, Suite::Classical);
    let mut late = Person::new(9);
    let add = [late.key_package(Suite::Classical)];
    let changes =
        Changes { add: &add, remove: &[2], record: Some(b"new"), annotation: b"why", force_path: false };
    let committed = circle.people[0].commit(&mut circle.groups[0], changes);
    let mut seen = false;
    let opened = circle.groups[1]
        .open(&mut circle.people[1].cx(), &committed.commit, &mut |view| {
            assert_eq!(view.committer.leaf, 0);
            assert_eq!(view.removed.iter().map(|member| member.leaf).collect::<Vec<_>>(), [2]);
            // The new member takes the place that the removed one leaves.
            assert_eq!(view.added.iter().map(|member| member.leaf).collect::<Vec<_>>(), [2]);
            assert_eq!(view.added[0].certificate, late.certificate);
            assert_eq!((view.record, view.annotation), (Some(b"new".as_slice()), b"why".as_slice()));
            assert_eq!((view.parent, view.epoch), (committed.parent, Some(committed.epoch)));
            assert!(view.has_path);
            seen = true;
            Ok(())
        })
        .unwrap();
    assert!(seen);
    let Opened::Committed { committer, added, removed, annotation, epoch, removed_us } = opened else {
        panic!("not a commit: {opened:?}")
    };
    assert_eq!((committer.leaf, added.len(), removed.len(), removed_us), (0, 1, 1, false));
    assert_eq!((annotation.as_slice(), epoch), (b"why".as_slice(), Some(committed.epoch)));
    assert_eq!(circle.groups[1].record(), b"new");
    assert_eq!(circle.groups[1].members(), circle.groups[0].members());

    let opened = circle.open(2, &committed.commit).unwrap();
    assert!(matches!(opened, Opened::Committed { removed_us: true, epoch: None, .. }));
    assert!(matches!(circle.groups[2].seal(&mut circle.people[2].cx(), b""), Err(MlsError::NotAMember)));
    assert!(matches!(circle.open(2, &committed.commit), Err(MlsError::NotAMember)));
}

#[test]
fn messages_of_past_epochs_are_opened_with_their_epochs_members() {
    let mut circle = Circle::new(3, Suite::Classical);
    let epoch = circle.groups[2].epoch_id();
    let message = circle.seal(2, b"my last words");
    let gone = circle.people[2].certificate.clone();
    circle.commit(0, Changes { remove: &[2], ..Changes::default() });
    for round in 0..3 {
        circle.commit(round % 2, Changes::default());
    }
    let id = circle.groups[1].id();
    circle.groups[1] = circle.people[1].load(id);
    let Opened::Application { sender, epoch_id, plaintext } = circle.open(1, &message).unwrap() else {
        panic!("not an application message")
    };
    assert_eq!((sender.leaf, sender.certificate, epoch_id), (2, gone, epoch));
    assert_eq!(plaintext.as_slice(), b"my last words");
}

#[test]
fn epochs_end_at_both_ends() {
    let mut circle = Circle::new(2, Suite::Classical);
    let early = circle.seal(0, b"early");
    let commits: Vec<_> = (0..=PAST_EPOCHS_MAX)
        .map(|_| circle.people[0].commit(&mut circle.groups[0], Changes::default()).commit)
        .collect();
    let ours = circle.groups[1].epoch_number();
    let late = circle.seal(0, b"late");
    let epoch = circle.groups[0].epoch_number();
    assert!(
        matches!(circle.open(1, &late), Err(MlsError::FutureEpoch { epoch: e, ours: o }) if e == epoch && o == ours)
    );
    assert!(matches!(circle.open(1, &commits[1]), Err(MlsError::FutureEpoch { .. })));
    for commit in &commits {
        circle.open(1, commit).unwrap();
    }
    assert_eq!(plaintext(circle.open(1, &late)), b"late");
    assert!(matches!(circle.open(1, &early), Err(MlsError::PastEpoch { .. })));
    assert!(matches!(circle.open(1, &commits[3]), Err(MlsError::PastEpoch { .. })));
    let again = circle.seal(0, b"none of this did harm");
    assert_eq!(plaintext(circle.open(1, &again)), b"none of this did harm");
}

#[test]
fn messages_may_overtake_one_another() {
    let mut circle = Circle::new(2, Suite::Classical);
    let messages: Vec<_> = (0..400_u16).map(|number| circle.seal(0, &number.to_be_bytes())).collect();
    assert_eq!(plaintext(circle.open(1, &messages[399])), 399_u16.to_be_bytes());
    assert_eq!(plaintext(circle.open(1, &messages[150])), 150_u16.to_be_bytes());
    assert!(matches!(circle.open(1, &messages[0]), Err(MlsError::GenerationTooOld)));
    assert!(matches!(circle.open(1, &messages[150]), Ok(Opened::Duplicate)));
    let mut ahead = Vec::new();
    for _ in 0..=2_001 {
        ahead = circle.seal(0, b"far ahead");
    }
    assert!(matches!(circle.open(1, &ahead), Err(MlsError::GenerationTooFar)));
    assert_eq!(plaintext(circle.open(1, &messages[398])), 398_u16.to_be_bytes());
}

#[test]
fn garbage_leaves_the_group_intact() {
    let mut circle = Circle::new(2, Suite::Classical);
    let message = circle.seal(0, b"hello");
    for position in 0..message.len() {
        let mut tampered = message.clone();
        tampered[position] ^= 1;
        let error = circle.open(1, &tampered).unwrap_err();
        assert!(error.leaves_group_intact(), "{error:?} at {position}");
        assert!(circle.open(1, &message[..position]).unwrap_err().leaves_group_intact());
    }
    let mut other = Circle::new(2, Suite::Classical);
    let foreign = Person::new(7).create(Suite::Classical);
    assert_ne!(foreign.id(), circle.groups[0].id());
    let elsewhere = {
        let mut person = Person::new(7);
        let mut group = person.create(Suite::Classical);
        person.seal(&mut group, b"elsewhere")
    };
    assert!(matches!(circle.open(1, &elsewhere), Err(MlsError::WrongGroup)));
    let welcome = other
        .commit(0, Changes { add: &[Person::new(5).key_package(Suite::Classical)], ..Changes::default() });
    assert!(matches!(circle.open(1, &welcome.welcome.unwrap()), Err(MlsError::Malformed)));
    assert_eq!(plaintext(circle.open(1, &message)), b"hello");
}

#[test]
fn headers_can_be_read_without_a_group() {
    let mut circle = Circle::new(2, Suite::Hybrid);
    let message = circle.seal(0, b"hello");
    let peeked = peek(&message).unwrap();
    assert_eq!((peeked.group, peeked.epoch_number, peeked.is_commit), (circle.groups[0].id(), 1, false));
    let committed = circle.commit(0, Changes::default());
    assert!(peek(&committed.commit).unwrap().is_commit);
    assert!(matches!(peek(b"nothing"), Err(MlsError::Malformed)));
}

#[test]
fn a_refused_commit_leaves_no_trace() {
    let mut circle = Circle::new(2, Suite::Hybrid);
    circle.people[1].storage.commit();
    let records = circle.people[1].storage.records().clone();
    let commit = circle.people[0].commit(&mut circle.groups[0], Changes::default()).commit;
    let refused = circle.groups[1].open(&mut circle.people[1].cx(), &commit, &mut refuse_commit);
    assert!(matches!(refused, Err(MlsError::Refused(REFUSAL))));
    assert_eq!(*circle.people[1].storage.records(), records);
    // The value is torn; what is stored goes on, and may accept the commit later.
    assert!(matches!(circle.open(1, &commit), Err(MlsError::Torn)));
    assert!(matches!(circle.groups[1].seal(&mut circle.people[1].cx(), b""), Err(MlsError::Torn)));
    assert!(matches!(circle.groups[1].checkpoint(&mut circle.people[1].cx()), Err(MlsError::Torn)));
    assert!(matches!(circle.groups[1].export("label", b"", 32), Err(MlsError::Torn)));
    let id = circle.groups[1].id();
    circle.groups[1] = circle.people[1].load(id);
    circle.open(1, &commit).unwrap();
    assert_eq!(circle.groups[0].epoch_id(), circle.groups[1].epoch_id());
}

#[test]
fn a_refused_welcome_uses_up_the_key_package_alone() {
    let mut founder = Person::new(0);
    let mut group = founder.create(Suite::Hybrid);
    let mut guest = Person::new(1);
    let add = [guest.key_package(Suite::Hybrid)];
    let spare = guest.storage.records().clone();
    let welcome = founder.commit(&mut group, Changes { add: &add, ..Changes::default() }).welcome.unwrap();
    let refused = Group::join(&mut guest.cx(), &welcome, &mut refuse_welcome);
    assert!(matches!(refused, Err(MlsError::Refused(REFUSAL))));
    assert_eq!((spare.len(), guest.storage.records().len()), (1, 0));
    let again = Group::join(&mut guest.cx(), &welcome, &mut welcome_all);
    assert!(matches!(again, Err(MlsError::KeyPackageUnknown)));
}

#[test]
fn key_packages_of_last_resort_serve_twice() {
    let mut guest = Person::new(1);
    let (message, reference) = KeyPackage::create(&mut guest.cx(), Suite::Hybrid, true).unwrap();
    let package = KeyPackage::validate(&message).unwrap();
    assert!(package.is_last_resort);
    assert_eq!((package.reference, package.suite), (reference, Suite::Hybrid));
    assert_eq!(package.certificate, guest.certificate);
    for number in 2..4 {
        let mut founder = Person::new(number);
        let mut group = founder.create(Suite::Hybrid);
        let changes = Changes { add: std::slice::from_ref(&package), ..Changes::default() };
        let welcome = founder.commit(&mut group, changes).welcome.unwrap();
        assert_eq!(guest.join(&welcome).epoch_id(), group.epoch_id());
    }
    KeyPackage::delete(&mut guest.cx(), &reference).unwrap();
    assert!(guest.storage.records().keys().all(|(namespace, _)| namespace != b"own"));
}

#[test]
fn a_member_that_is_added_again_replaces_its_old_branch() {
    let mut circle = Circle::new(3, Suite::Classical);
    circle.commit(0, Changes { remove: &[2], ..Changes::default() });
    let add = [circle.people[2].key_package(Suite::Classical)];
    let welcome = circle.people[0].commit(&mut circle.groups[0], Changes { add: &add, ..Changes::default() });
    let joined = Group::join(&mut circle.people[2].cx(), &welcome.welcome.unwrap(), &mut |view| {
        assert!(view.is_known);
        Ok(())
    });
    circle.groups[2] = joined.unwrap();
    circle.open(1, &welcome.commit).unwrap();
    let id = circle.groups[2].id();
    circle.groups[2] = circle.people[2].load(id);
    let message = circle.seal(1, b"welcome back");
    assert_eq!(plaintext(circle.open(2, &message)), b"welcome back");
}

#[test]
fn key_packages_are_validated() {
    let mut person = Person::new(1);
    let (message, _) = KeyPackage::create(&mut person.cx(), Suite::Hybrid, false).unwrap();
    for position in 0..message.len() {
        let mut tampered = message.clone();
        tampered[position] ^= 1;
        assert!(KeyPackage::validate(&tampered).is_err(), "at {position}");
    }
    assert!(matches!(KeyPackage::validate(&message[1..]), Err(MlsError::Malformed)));
    assert!(matches!(KeyPackage::validate(&vec![0; KEY_PACKAGE_BYTES_MAX + 1]), Err(MlsError::Malformed)));
}

#[test]
fn a_classical_package_of_a_hybrid_device_is_a_downgrade() {
    let mut person = Person::new(1);
    let mut old = Person::with_suites(2, &[CLASSICAL]);
    assert!(person.key_package(Suite::Classical).is_downgrade(&person.certificate));
    assert!(!person.key_package(Suite::Hybrid).is_downgrade(&person.certificate));
    assert!(!old.key_package(Suite::Classical).is_downgrade(&old.certificate));
}

#[test]
fn a_suite_that_the_certificate_does_not_name_is_refused() {
    let mut old = Person::with_suites(1, &[CLASSICAL]);
    let expected =
        |error: MlsError| matches!(error, MlsError::Credential(CredentialError::SuiteNotNamed(HYBRID)));
    assert!(expected(KeyPackage::create(&mut old.cx(), Suite::Hybrid, false).unwrap_err()));
    assert!(expected(Group::create(&mut old.cx(), Suite::Hybrid, b"").unwrap_err()));
}

/// What others refuse is not even made.
#[test]
fn a_certificate_of_another_device_is_refused() {
    let mut thief = Person::new(1);
    thief.certificate = Person::new(2).certificate;
    let expected = |error: MlsError| matches!(error, MlsError::Credential(CredentialError::SignatureKey));
    assert!(expected(KeyPackage::create(&mut thief.cx(), Suite::Hybrid, false).unwrap_err()));
    assert!(expected(Group::create(&mut thief.cx(), Suite::Hybrid, b"").unwrap_err()));
}

#[test]
fn changes_that_make_no_sense_are_refused() {
    let mut circle = Circle::new(3, Suite::Hybrid);
    let mut refused = |changes: Changes<'_>| {
        let error = circle.groups[0].commit(&mut circle.people[0].cx(), changes).unwrap_err();
        if !error.leaves_group_intact() {
            let id = circle.groups[0].id();
            circle.groups[0] = circle.people[0].load(id);
        }
        error
    };
    assert!(matches!(refused(Changes { remove: &[0], ..Changes::default() }), MlsError::OwnRemoval));
    assert!(matches!(refused(Changes { remove: &[7], ..Changes::default() }), MlsError::NoSuchMember(7)));
    let classical = [Person::new(9).key_package(Suite::Classical)];
    let error = refused(Changes { add: &classical, ..Changes::default() });
    assert!(matches!(error, MlsError::ChangesInvalid(_)), "{error:?}");
    let twice = [Person::new(1).key_package(Suite::Hybrid)];
    let error = refused(Changes { add: &twice, ..Changes::default() });
    assert!(matches!(error, MlsError::ChangesInvalid(_)), "a member is added again: {error:?}");
    circle.commit(0, Changes { remove: &[1, 2], ..Changes::default() });
}

#[test]
fn a_new_certificate_needs_a_new_leaf() {
    let mut circle = Circle::new(2, Suite::Hybrid);
    let identity = IdentityKey::from_seed(&circle.people[0].identity.seed());
    let node = NodeKey::from_bytes(*DeviceSecret::from_seed(&[77; 32]).public().as_bytes());
    let device = circle.people[0].device.public();
    let moved = DeviceCertificate::issue(&identity, device, node, &[HYBRID, CLASSICAL], 1).unwrap();
    let person = &mut circle.people[0];
    let mut cx = Context {
        storage: &mut person.storage,
        rng: &mut person.rng,
        device: &person.device,
        certificate: &moved,
    };
    // Our own side keeps the leaf's credential whatever the context says.
    let committed = circle.groups[0].commit(&mut cx, Changes::default()).unwrap();
    circle.open(1, &committed.commit).unwrap();
    assert_eq!(circle.groups[1].member(0).unwrap().certificate, circle.people[0].certificate);
}

#[test]
fn exported_secrets_are_shared_and_of_one_epoch() {
    let mut circle = Circle::new(2, Suite::Hybrid);
    let export = |circle: &Circle, index: usize, label: &str, context: &[u8]| {
        circle.groups[index].export(label, context, 32).unwrap().to_vec()
    };
    let before = export(&circle, 0, "label", b"context");
    assert_eq!(before, export(&circle, 1, "label", b"context"));
    assert_ne!(before, export(&circle, 0, "other", b"context"));
    assert_ne!(before, export(&circle, 0, "label", b"other"));
    assert_eq!(export(&circle, 0, "qpq epoch id", b""), circle.groups[0].epoch_id().0);
    circle.commit(0, Changes::default());
    assert_ne!(before, export(&circle, 0, "label", b"context"));
}

#[test]
fn rival_commits_are_rewound_and_replayed() {
    let mut circle = Circle::new(3, Suite::Hybrid);
    let id = circle.groups[0].id();
    let parent: Vec<EpochId> = (0..3)
        .map(|index| circle.groups[index].checkpoint(&mut circle.people[index].cx()).unwrap())
        .collect();
    assert!(parent.iter().all(|epoch| *epoch == parent[0]));
    let winner = circle.people[0]
        .commit(&mut circle.groups[0], Changes { record: Some(b"winner"), ..Changes::default() });
    let loser = circle.people[1]
        .commit(&mut circle.groups[1], Changes { record: Some(b"loser"), ..Changes::default() });
    circle.open(2, &loser.commit).unwrap();
    let on_the_losing_branch = circle.seal(1, b"lost?");
    assert_eq!(plaintext(circle.open(2, &on_the_losing_branch)), b"lost?");
    // Epochs of one number, with names of their own.
    assert_eq!(circle.groups[0].epoch_number(), circle.groups[1].epoch_number());
    assert_ne!(winner.epoch, loser.epoch);
    let error = circle.open(0, &on_the_losing_branch).unwrap_err();
    assert!(matches!(error, MlsError::Undecryptable), "{error:?}");
    for index in [1, 2] {
        let rewound = Group::rewind(&mut circle.people[index].cx(), &id, &parent[0]).unwrap();
        circle.groups[index] = rewound.unwrap();
        assert_eq!(circle.groups[index].epoch_id(), parent[0]);
        circle.open(index, &winner.commit).unwrap();
    }
    assert!(
        circle.groups.iter().all(|group| group.epoch_id() == winner.epoch && group.record() == b"winner")
    );
    let message = circle.seal(1, b"together again");
    assert_eq!(plaintext(circle.open(2, &message)), b"together again");
    for person in &mut circle.people {
        Group::drop_checkpoint(&mut person.cx(), &id, &parent[0]).unwrap();
        assert!(Group::rewind(&mut person.cx(), &id, &parent[0]).unwrap().is_none());
    }
}

#[test]
fn a_deleted_group_leaves_nothing() {
    let mut circle = Circle::new(2, Suite::Hybrid);
    let group = circle.groups.remove(0);
    let id = group.id();
    group.delete(&mut circle.people[0].cx()).unwrap();
    assert!(Group::load(&mut circle.people[0].cx(), &id).unwrap().is_none());
    assert_eq!(circle.people[0].storage.records().len(), 0);
}

/// One seed gives the same bytes, however many threads encrypt.
#[test]
fn the_seed_decides_every_byte() {
    let run = || {
        let mut circle = Circle::new(8, Suite::Hybrid);
        let mut trace = vec![circle.seal(3, b"hello")];
        trace.push(circle.commit(2, Changes::default()).commit);
        let add = [Person::new(99).key_package(Suite::Hybrid)];
        let committed = circle.commit(5, Changes { add: &add, remove: &[1], ..Changes::default() });
        trace.extend([committed.commit, committed.welcome.unwrap()]);
        trace.push(circle.seal(4, b"bye"));
        let records: Vec<_> =
            circle.people.iter().flat_map(|person| person.storage.records().clone()).collect();
        (trace, records)
    };
    assert!(run() == run());
}

#[test]
fn debugging_shows_no_secrets() {
    let mut person = Person::new(1);
    let group = person.create(Suite::Hybrid);
    let secret = group.export("qpq epoch id", b"", 32).unwrap();
    let shown = format!("{group:?} {:?}", person.cx());
    assert!(shown.len() < 2_000 && !shown.contains(&format!("{:?}", &secret[..8])), "{shown}");
}

#[test]
fn a_group_may_move_between_threads() {
    fn assert_send<T: Send>(_: &T) {}
    assert_send(&Person::new(1).create(Suite::Classical));
}
