use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn pause() -> Pause {
    Pause::new(&Limits::ROUTER)
}

async fn waited(pause: &mut Pause, wake: &Notify) -> Duration {
    let before = Instant::now();
    pause.wait(wake).await;
    before.elapsed()
}

#[tokio::test(start_paused = true)]
async fn pauses_grow_from_nothing_to_the_longest() {
    let (mut pause, wake) = (pause(), Notify::new());
    assert_eq!(waited(&mut pause, &wake).await, Duration::ZERO);
    let mut expected = Duration::from_millis(250);
    for _ in 0..12 {
        let waited = waited(&mut pause, &wake).await;
        let shortest = (expected / 2).max(Duration::from_millis(250));
        assert!(
            waited >= shortest && waited <= expected + Duration::from_millis(2),
            "{waited:?} {expected:?}"
        );
        expected = (2 * expected).min(Duration::from_secs(60));
    }
    assert_eq!(expected, Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn an_address_that_changes_shortens_the_pause_but_not_to_nothing() {
    let (mut pause, wake) = (pause(), Notify::new());
    for _ in 0..10 {
        pause.wait(&wake).await;
    }
    for _ in 0..3 {
        wake.notify_one();
        assert_eq!(waited(&mut pause, &wake).await, Duration::from_millis(250));
    }
}

#[tokio::test(start_paused = true)]
async fn after_success_the_next_dial_is_not_put_off() {
    let (mut pause, wake) = (pause(), Notify::new());
    pause.wait(&wake).await;
    pause.wait(&wake).await;
    pause.reset();
    assert_eq!(waited(&mut pause, &wake).await, Duration::ZERO);
}

#[test]
fn jitter_takes_away_half_at_most() {
    for pause in [Duration::ZERO, Duration::from_millis(250), Duration::from_secs(60)] {
        for _ in 0..200 {
            let cut = jittered(pause);
            assert!(cut >= pause / 2 && cut <= pause + Duration::from_micros(1), "{cut:?} of {pause:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever wakes the dialler, and whenever: between two dials there is the shortest pause at least, and the longest
    /// at most; after a success, and at first, there is none.
    #[test]
    fn pauses_stay_between_their_bounds(events in vec(prop_oneof![
        4 => Just(None),
        2 => Just(Some(true)),
        1 => Just(Some(false)),
    ], 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (mut pause, wake, mut is_first) = (pause(), Notify::new(), true);
            for event in events {
                match event {
                    // An address changes.
                    Some(true) => wake.notify_one(),
                    // A connection lasted.
                    Some(false) => {
                        pause.reset();
                        is_first = true;
                    }
                    None => {}
                }
                let waited = waited(&mut pause, &wake).await;
                if std::mem::take(&mut is_first) {
                    assert_eq!(waited, Duration::ZERO);
                } else {
                    let longest = pause.max + Duration::from_millis(2);
                    assert!(waited >= pause.min && waited <= longest, "{waited:?}");
                }
                if event == Some(true) && waited > Duration::ZERO {
                    assert_eq!(waited, pause.min, "news are not put off longer");
                }
            }
        });
    }
}
