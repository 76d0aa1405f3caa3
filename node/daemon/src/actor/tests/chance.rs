//! Random words in random groups under random limits, against what must come of them.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const WORDS: [&str; 8] = ["a", "b", "c", "d", "e", "fail", "refuse", "rotate"];

fn word() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(&WORDS[..])
}

fn expected(word: &'static str) -> Result<Bytes, Failure> {
    match word {
        "fail" => Err(Failure::internal()),
        "refuse" => Err(Failure::conflict("refused")),
        word => Ok(Bytes::from_static(word.as_bytes())),
    }
}

async fn check(limits: Limits, groups: Vec<Vec<&'static str>>) {
    let stage = Stage::new(limits.clone()).await;
    let mut effects = stage.take_effects();
    let mut committed: BTreeSet<&str> = BTreeSet::new();
    for words in &groups {
        let answers = stage.together(words).await;
        let wanted: Vec<_> = words.iter().map(|word| expected(word)).collect();
        assert_eq!(answers, wanted);
        let kept = words.iter().copied().filter(|word| expected(word).is_ok());
        committed.extend(kept.clone());
        // What was committed tells of itself, in the order in which it was asked for.
        for word in kept.filter(|word| *word != "rotate") {
            let newest = u64::from(word.as_bytes()[0]);
            assert_eq!(effects.recv().await, Some(Effect::Events { newest }));
        }
    }
    for word in WORDS {
        assert_eq!(stage.has(word).await, committed.contains(word), "{word}");
    }
    assert!(effects.try_recv().is_err(), "nothing else goes out");
    let inputs: usize = groups.iter().map(Vec::len).sum();
    assert!(stage.commits() <= inputs);
    stage.handle.stop();
    assert!(matches!(stage.end.await, Ok(ActorEnd::Stopped)));
    let seen = stage.seen.lock().unwrap();
    assert!(seen.is_closed && (seen.rotations > 0) == committed.contains("rotate"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Everybody gets the answer to their own call, what was refused leaves nothing behind, what was kept is committed,
    /// and effects go out once and in order, however the calls are grouped and whatever the limits are.
    #[test]
    fn answers_writes_and_effects_are_those_of_one_after_another(
        groups in vec(vec(word(), 0..7), 1..6),
        write_queue_max in 1_usize..9,
        batch_inputs_max in 1_usize..5,
        batch_bytes_max in prop_oneof![Just(1_usize), Just(1 << 20)],
    ) {
        let limits = Limits { write_queue_max, batch_inputs_max, batch_bytes_max, ..Limits::SERVER };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(limits, groups));
    }
}
