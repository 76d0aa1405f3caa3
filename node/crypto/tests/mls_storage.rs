//! What groups write, and what is left when a transaction is dropped.

mod mls_support;

use mls_support::{Circle, plaintext};
use qpq_crypto::mls::{Changes, PAST_EPOCHS_MAX, Suite};

/// Bytes written per message: sealed and opened, the first of a sender and later ones.
#[derive(Debug, Default)]
struct Written {
    first_seal: usize,
    seal: usize,
    first_open: usize,
    open: usize,
    commit: usize,
    largest_message: usize,
}

fn measure(size: usize, past_epochs: usize) -> Written {
    let mut circle = Circle::new(size, Suite::Hybrid);
    // Two views are enough to measure; the others need not follow.
    circle.people.truncate(2);
    circle.groups.truncate(2);
    for epoch in 0..past_epochs {
        circle.commit(epoch % 2, Changes { record: Some(&[epoch as u8]), ..Changes::default() });
        let message = circle.seal(0, b"in a past epoch");
        plaintext(circle.open(1, &message));
    }
    let mut written = Written::default();
    let before = circle.people[0].storage.bytes_put;
    circle.commit(0, Changes::default());
    written.commit = circle.people[0].storage.bytes_put - before;
    for number in 0..4 {
        let before = [0, 1].map(|person| circle.people[person].storage.bytes_put);
        let message = circle.seal(0, b"hello");
        plaintext(circle.open(1, &message));
        let after = [0, 1].map(|person: usize| circle.people[person].storage.bytes_put - before[person]);
        match number {
            0 => (written.first_seal, written.first_open) = (after[0], after[1]),
            _ => (written.seal, written.open) = (after[0], after[1]),
        }
        written.largest_message = written.largest_message.max(after[0]).max(after[1]);
    }
    written
}

#[test]
fn a_message_writes_little_whatever_the_size_of_the_group() {
    for (size, limit) in [(2, 4 * 1024), (10, 4 * 1024), (100, 8 * 1024)] {
        let written = measure(size, PAST_EPOCHS_MAX);
        println!("{size} members: {written:?}");
        assert!(written.largest_message < limit, "{size} members: {written:?}");
    }
}
