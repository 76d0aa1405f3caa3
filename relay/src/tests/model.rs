//! Whatever happens, in whatever order: every device gets every delivery that lives, once, in order.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::world::{Device, START_MS, World, delivery};
use qpq_proto::Method;
use qpq_proto::v1::{EnqueueRequest, EnqueueResponse};

const SENDER: Device = Device { person: 9, number: 1 };

#[derive(Debug, Clone)]
enum Step {
    /// A text is sent, with a lifetime in minutes.
    Send { text: u8, minutes: u32 },
    /// A device fetches and acknowledges so many of what it found.
    Read { device: u8, acknowledged: usize },
    /// A device is registered, or revoked for good.
    Toggle { device: u8 },
    /// Time passes.
    Pass { minutes: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => (0..40_u8, 1..600_u32).prop_map(|(text, minutes)| Step::Send { text, minutes }),
        4 => (0..6_u8, 0..5_usize).prop_map(|(device, acknowledged)| Step::Read { device, acknowledged }),
        1 => (1..6_u8).prop_map(|device| Step::Toggle { device }),
        2 => (1..200_u64).prop_map(|minutes| Step::Pass { minutes }),
    ];
    vec(step, 1..80)
}

/// What must be found.
#[derive(Default)]
struct Model {
    /// Every delivery by sequence, with its text and the end of its lifetime.
    sent: BTreeMap<u64, (String, u64)>,
    /// How far each registered device is.
    cursors: BTreeMap<u8, u64>,
    /// Devices besides the first that were ever registered.
    registered: BTreeSet<u8>,
}

impl Model {
    fn waiting(&self, device: u8, wall_ms: u64) -> Vec<(u64, String)> {
        let after = self.cursors[&device];
        let waiting = self.sent.range(after + 1..).filter(|(_, (_, end_ms))| *end_ms > wall_ms);
        waiting.map(|(seq, (text, _))| (*seq, text.clone())).collect()
    }

    fn last(&self) -> u64 {
        self.sent.keys().next_back().copied().unwrap_or_default()
    }
}

fn recipient(number: u8) -> Device {
    Device { person: 1, number }
}

fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let (mut world, mut model) = (World::new(), Model::default());
    world.enrol(SENDER);
    world.enrol(recipient(0));
    model.cursors.insert(0, 0);
    for step in steps {
        match step {
            Step::Send { text, minutes } => send(&mut world, &mut model, text, minutes)?,
            Step::Read { device, acknowledged } if model.cursors.contains_key(&device) => {
                let expected = model.waiting(device, world.now.wall_ms);
                let found = world.fetch(recipient(device));
                prop_assert_eq!(&found, &expected);
                if let Some((seq, _)) = found.iter().take(acknowledged).next_back() {
                    world.ack(recipient(device), *seq).unwrap();
                    model.cursors.insert(device, *seq);
                }
            }
            Step::Toggle { device } if model.cursors.remove(&device).is_some() => {
                world.expel(recipient(device));
            }
            Step::Toggle { device } if model.registered.insert(device) => {
                world.enrol(recipient(device));
                model.cursors.insert(device, model.last());
            }
            Step::Pass { minutes } => world.pass(minutes * 60_000),
            Step::Read { .. } | Step::Toggle { .. } => {}
        }
    }
    Ok(())
}

fn send(world: &mut World, model: &mut Model, text: u8, minutes: u32) -> Result<(), TestCaseError> {
    let text = text.to_string();
    let mailbox = recipient(0).identity();
    let request = EnqueueRequest { ttl_secs: minutes * 60, ..delivery(mailbox.as_bytes(), &text) };
    let answer: EnqueueResponse = world.call(SENDER.caller(), Method::Enqueue, &request).unwrap();
    if answer.duplicate {
        // Known as long as its lifetime, and until it is removed.
        prop_assert_eq!(&model.sent[&answer.seq].0, &text);
    } else {
        prop_assert_eq!(answer.seq, model.last() + 1);
        let lives = |(of, end_ms): &(String, u64)| *of == text && *end_ms > world.now.wall_ms;
        prop_assert!(!model.sent.values().any(lives), "stored twice");
        let end_ms = world.now.wall_ms + u64::from(minutes) * 60_000;
        model.sent.insert(answer.seq, (text, end_ms));
    }
    prop_assert!(world.now.wall_ms >= START_MS);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_device_gets_what_lives_once_and_in_order(steps in steps()) {
        run(steps)?;
    }
}
