//! What groups write, and what is left when a transaction is dropped.

#![allow(clippy::unwrap_used, reason = "what cannot be set up here has failed")]

mod mls_support;

use mls_support::{Circle, Person, allow_all, plaintext, welcome_all};
use qpq_crypto::mls::{Changes, Group, MlsError, Opened, PAST_EPOCHS_MAX, Suite};

/// Bytes written per message: by who seals and by who opens, the first of a sender and later ones.
#[derive(Debug, Default)]
struct Written {
    first_seal: usize,
    seal: usize,
    first_open: usize,
    open: usize,
    commit: usize,
    process_commit: usize,
}

impl Written {
    fn largest_message(&self) -> usize {
        self.first_seal.max(self.seal).max(self.first_open).max(self.open)
    }
}

fn measure(size: usize, past_epochs: usize) -> Written {
    let mut circle = Circle::pair_of(size, Suite::Hybrid);
    let record = vec![7; 200];
    for epoch in 0..past_epochs {
        circle.commit(epoch % 2, Changes { record: Some(&record), ..Changes::default() });
        let message = circle.seal(0, b"in a past epoch");
        plaintext(circle.open(1, &message));
    }
    let written = |circle: &Circle| [0, 1].map(|person: usize| circle.people[person].storage.bytes_put);
    let before = written(&circle);
    circle.commit(0, Changes::default());
    let after = written(&circle);
    let mut result =
        Written { commit: after[0] - before[0], process_commit: after[1] - before[1], ..Written::default() };
    for number in 0..4 {
        let before = written(&circle);
        let message = circle.seal(0, b"hello");
        plaintext(circle.open(1, &message));
        let after = written(&circle);
        let [seal, open] = [0, 1].map(|person: usize| after[person] - before[person]);
        match number {
            0 => (result.first_seal, result.first_open) = (seal, open),
            _ => (result.seal, result.open) = (seal, open),
        }
    }
    result
}

#[test]
fn a_message_writes_little_whatever_the_size_of_the_group() {
    for (size, limit) in [(2, 2), (10, 2), (100, 4)] {
        let written = measure(size, PAST_EPOCHS_MAX);
        println!("{size} members: {written:?}");
        assert!(written.largest_message() < limit * 1024, "{size} members: {written:?}");
        assert!(written.commit.max(written.process_commit) < 64 * 1024, "{size} members: {written:?}");
    }
}

/// The benchmark prints the same for 1,000 members, which take a minute to bring together without optimization.
#[test]
fn a_message_writes_little_in_a_large_group() {
    let written = measure(300, 3);
    println!("300 members: {written:?}");
    assert!(written.largest_message() < 4 * 1024, "{written:?}");
    assert!(written.commit.max(written.process_commit) < 64 * 1024, "{written:?}");
}

/// OpenMLS derives a sender's ratchets before it decrypts, and a message that fails is not stored. What is
/// stored for others meanwhile must fit what was stored before.
#[test]
fn a_message_that_fails_does_not_spoil_what_others_write() {
    for is_past in [false, true] {
        let mut circle = Circle::new(8, Suite::Classical);
        let opening = circle.seal(3, b"opening");
        plaintext(circle.open(0, &opening));
        let [next, last] = [b"next", b"last"].map(|text| circle.seal(3, text));
        let first: Vec<_> = (0..8).map(|sender| circle.seal(sender, b"first")).collect();
        if is_past {
            circle.commit(0, Changes::default());
        }
        for sender in [2, 7] {
            let mut tampered = first[sender].clone();
            *tampered.last_mut().unwrap() ^= 1;
            let refused = circle.open(0, &tampered);
            assert!(matches!(refused, Err(MlsError::Undecryptable)), "{refused:?}");
        }
        let before = circle.people[0].storage.puts;
        assert_eq!(plaintext(circle.open(0, &next)), b"next");
        assert_eq!(circle.people[0].storage.puts, before + 1, "one ratchet");
        let id = circle.groups[0].id();
        circle.groups[0] = circle.people[0].load(id);
        for sender in [2, 1, 7, 6, 4, 5] {
            assert_eq!(plaintext(circle.open(0, &first[sender])), b"first");
        }
        circle.groups[0] = circle.people[0].load(id);
        assert_eq!(plaintext(circle.open(0, &last)), b"last");
        for repeated in first[1..].iter().filter(|message| **message != first[3]).chain([&next, &opening]) {
            assert!(matches!(circle.open(0, repeated), Ok(Opened::Duplicate)));
        }
    }
}

/// A message that comes after 256 missing ones makes the largest ratchet.
#[test]
fn gaps_write_little_too() {
    let mut circle = Circle::new(2, Suite::Hybrid);
    let messages: Vec<_> = (0..300).map(|_| circle.seal(0, b"hello")).collect();
    for message in messages.iter().rev().take(256) {
        let before = circle.people[1].storage.bytes_put;
        plaintext(circle.open(1, message));
        let written = circle.people[1].storage.bytes_put - before;
        assert!(written < 16 * 1024, "{written}");
    }
}

/// Runs an operation with storage that fails after so many writes, drops the transaction, and checks that the
/// group is as it was; until the operation succeeds.
fn fail_everywhere(
    circle: &mut Circle,
    index: usize,
    mut operate: impl FnMut(&mut Person, &mut Group) -> Result<(), MlsError>,
) {
    circle.people[index].storage.commit();
    let id = circle.groups[index].id();
    let before = circle.people[index].storage.records().clone();
    let expected = (circle.groups[index].epoch_id(), circle.groups[index].members());
    for writes in 0.. {
        let mut group = circle.people[index].load(id);
        circle.people[index].storage.writes_left = Some(writes);
        let result = operate(&mut circle.people[index], &mut group);
        circle.people[index].storage.writes_left = None;
        match result {
            Ok(()) => {
                assert!(writes > 0, "nothing was written");
                circle.people[index].storage.commit();
                circle.groups[index] = group;
                return;
            }
            Err(error) => assert!(matches!(error, MlsError::Storage(_)), "after {writes} writes: {error:?}"),
        }
        let torn = group.seal(&mut circle.people[index].cx(), b"");
        assert!(matches!(torn, Err(MlsError::Torn)), "after {writes} writes");
        circle.people[index].storage.abort();
        assert_eq!(*circle.people[index].storage.records(), before);
        let loaded = circle.people[index].load(id);
        assert_eq!((loaded.epoch_id(), loaded.members()), expected);
    }
}

#[test]
fn a_dropped_transaction_leaves_the_group_as_it_was() {
    let mut circle = Circle::new(3, Suite::Classical);
    fail_everywhere(&mut circle, 0, |person, group| group.seal(&mut person.cx(), b"hello").map(drop));
    let message = circle.seal(0, b"hello");
    fail_everywhere(&mut circle, 1, |person, group| {
        group.open(&mut person.cx(), &message, &mut allow_all).map(drop)
    });
    let mut commit = Vec::new();
    let add = [Person::new(9).key_package(Suite::Classical)];
    fail_everywhere(&mut circle, 0, |person, group| {
        let changes = Changes { add: &add, remove: &[2], record: Some(b"new"), ..Changes::default() };
        commit = group.commit(&mut person.cx(), changes)?.commit;
        Ok(())
    });
    fail_everywhere(&mut circle, 1, |person, group| {
        group.open(&mut person.cx(), &commit, &mut allow_all).map(drop)
    });
    assert_eq!(circle.groups[0].epoch_id(), circle.groups[1].epoch_id());
    let message = circle.seal(1, b"we go on");
    assert_eq!(plaintext(circle.open(0, &message)), b"we go on");
}

#[test]
fn a_dropped_join_can_be_repeated() {
    let mut founder = Person::new(0);
    let mut group = founder.create(Suite::Classical);
    let mut guest = Person::new(1);
    let add = [guest.key_package(Suite::Classical)];
    guest.storage.commit();
    let welcome = founder.commit(&mut group, Changes { add: &add, ..Changes::default() }).welcome.unwrap();
    for writes in 0.. {
        guest.storage.writes_left = Some(writes);
        let joined = Group::join(&mut guest.cx(), &welcome, &mut welcome_all);
        guest.storage.writes_left = None;
        match joined {
            Ok(joined) => {
                assert_eq!(joined.epoch_id(), group.epoch_id());
                return;
            }
            Err(error) => assert!(matches!(error, MlsError::Storage(_)), "after {writes} writes: {error:?}"),
        }
        guest.storage.abort();
        assert!(Group::load(&mut guest.cx(), &group.id()).unwrap().is_none());
    }
}

/// Records that are missing or cut off are noticed, and nothing panics.
#[test]
fn damaged_storage_is_noticed() {
    let mut circle = Circle::new(2, Suite::Classical);
    circle.commit(0, Changes::default());
    let id = circle.groups[1].id();
    let person = &mut circle.people[1];
    person.storage.commit();
    let keys: Vec<_> = person.storage.records().keys().cloned().collect();
    let mut noticed = 0;
    for (namespace, name) in &keys {
        for damage in 0..3 {
            person.storage.damage(namespace, name, damage);
            let loaded = Group::load(&mut person.cx(), &id);
            noticed += usize::from(!matches!(loaded, Ok(Some(_))));
            person.storage.abort();
        }
    }
    // What a load does not need is not looked at: key pairs of the epoch, mostly.
    assert!(noticed > 2 * keys.len(), "{noticed} of {}", 3 * keys.len());
}
