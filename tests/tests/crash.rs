//! Power cuts: daemons are killed at random moments while messages flow.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use chacha20::ChaCha20Rng;
use qpq_tests::{Person, befriend, group_of};
use rand_core::{Rng, SeedableRng};

/// How often somebody is killed.
const CUTS: u32 = 100;
/// Messages that each of the two sends around each cut.
const BURST: u32 = 3;
/// The longest time between a burst's start and the cut.
const LATEST_CUT: Duration = Duration::from_millis(150);
/// Says which moments are chosen; `QPQ_TEST_SEED` takes another.
const SEED: u64 = 20;

/// One message that somebody tried to send.
struct Attempt {
    conversation: &'static str,
    text: String,
    /// The daemon said that it is in the durable outbox.
    acknowledged: bool,
}

#[test]
fn power_cuts_lose_nothing_acknowledged_and_repeat_nothing() {
    let seed = std::env::var("QPQ_TEST_SEED").map_or(SEED, |seed| seed.parse().unwrap());
    eprintln!("seed {seed}");
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    let (mut alice, mut bob) = (Person::new("alice"), Person::new("bob"));
    befriend(&alice, &bob);
    group_of("crew", &alice, &[&bob]);

    let (mut by_alice, mut by_bob) = (Vec::new(), Vec::new());
    for cut in 0..CUTS {
        let whom = random.next_u32() % 3;
        let after = LATEST_CUT * (random.next_u32() % 1000) / 1000;
        let rotates = random.next_u32().is_multiple_of(8);
        let [from_alice, from_bob] = burst(&alice, &bob, cut, rotates, after, |alice, bob| match whom {
            0 => alice.strike(),
            1 => bob.strike(),
            _ => [alice, bob].into_iter().for_each(|person| person.strike()),
        });
        by_alice.extend(from_alice);
        by_bob.extend(from_bob);
        if whom != 1 {
            alice.kill9();
        }
        if whom != 0 {
            bob.kill9();
        }
        for person in [&mut alice, &mut bob].into_iter().filter(|person| !person.runs()) {
            person.run_again();
        }
    }

    check(&by_alice, &alice, &bob);
    check(&by_bob, &bob, &alice);
    alice.deliver("#crew", "all hands");
    bob.deliver("#crew", "all here");
    alice.deliver("@bob", "the end");
}

/// Both send at the same time; somewhere in the middle of it the lightning strikes.
fn burst(
    alice: &Person,
    bob: &Person,
    cut: u32,
    rotates: bool,
    after: Duration,
    strike: impl FnOnce(&Person, &Person),
) -> [Vec<Attempt>; 2] {
    let (ended, end): (Sender<()>, Receiver<()>) = channel();
    thread::scope(|scope| {
        let senders = [(alice, "@bob"), (bob, "@alice")].map(|(person, contact)| {
            let ended = ended.clone();
            scope.spawn(move || {
                let attempts = (0..BURST).map(|number| attempt(person, contact, cut, number)).collect();
                drop(ended);
                attempts
            })
        });
        if rotates {
            // Whether it is carried out does not matter, only that it happens around the cut.
            scope.spawn(|| bob.qpq(&["group", "rotate", "crew"]));
        }
        drop(ended);
        // Nothing is ever sent: this ends when the time is up, or when there is nothing left to interrupt.
        let _ = end.recv_timeout(after);
        strike(alice, bob);
        senders.map(|sender| sender.join().unwrap())
    })
}

fn attempt(person: &Person, contact: &'static str, cut: u32, number: u32) -> Attempt {
    let conversation = if number.is_multiple_of(2) { contact } else { "#crew" };
    let text = format!("{} {cut}.{number}", person.name());
    let sent = person.qpq(&["send", conversation, &text]);
    assert!(matches!(sent.status, 0 | 3), "{sent:?}");
    Attempt { conversation, text, acknowledged: sent.status == 0 }
}

/// Everything acknowledged is there on both sides, nothing is there twice, and nothing was invented.
#[track_caller]
fn check(attempts: &[Attempt], sender: &Person, recipient: &Person) {
    for (at_sender, at_recipient) in
        [(format!("@{}", recipient.name()), format!("@{}", sender.name())), both("#crew")]
    {
        let sent: Vec<&Attempt> =
            attempts.iter().filter(|attempt| attempt.conversation == at_sender).collect();
        let arrived =
            recipient.eventually(|| missing(&sent, recipient, &at_recipient).is_empty().then_some(()));
        if arrived.is_none() {
            let lost = missing(&sent, recipient, &at_recipient);
            panic!("acknowledged and lost:\n{}", traces(&lost, sender, &at_sender));
        }
        for (person, conversation) in [(recipient, &at_recipient), (sender, &at_sender)] {
            let shown = count(person.texts(conversation));
            for Attempt { text, acknowledged, .. } in &sent {
                let times = shown.get(text.as_str()).copied().unwrap_or_default();
                let least = u32::from(*acknowledged);
                assert!((least..=1).contains(&times), "{} shows \"{text}\" {times} times", person.name());
            }
        }
    }
}

/// What was acknowledged to the sender and is not with the recipient.
fn missing<'a>(sent: &[&'a Attempt], recipient: &Person, conversation: &str) -> Vec<&'a str> {
    let shown = recipient.texts(conversation);
    let is_missing = |attempt: &&&Attempt| attempt.acknowledged && !shown.contains(&attempt.text);
    sent.iter().filter(is_missing).map(|attempt| attempt.text.as_str()).collect()
}

/// What the sender knows of these messages.
fn traces(texts: &[&str], sender: &Person, conversation: &str) -> String {
    let history = sender.ok_lines(&["read", conversation, "--since", "0"]);
    let trace = |text: &&str| {
        let message = history.iter().find(|message| message["text"] == *text);
        let id = message.and_then(|message| message["id"].as_str());
        id.map_or_else(|| format!("{text}: not in the history"), |id| sender.ok(&["trace", id]).to_string())
    };
    texts.iter().map(trace).collect::<Vec<_>>().join("\n")
}

fn both(conversation: &str) -> (String, String) {
    (conversation.to_owned(), conversation.to_owned())
}

fn count(texts: Vec<String>) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for text in texts {
        *counts.entry(text).or_default() += 1;
    }
    counts
}
