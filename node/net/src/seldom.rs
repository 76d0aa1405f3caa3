//! Saying seldom what others can make happen often.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::lock;

/// How often the same thing is said.
const PAUSE: Duration = Duration::from_secs(60);

/// One thing to log, once a minute however often it happens.
#[derive(Debug, Default)]
pub(crate) struct Seldom(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    said: Option<Instant>,
    /// How often it has happened since without being said.
    unsaid: u64,
}

impl Seldom {
    /// It happened. Returns whether to say so now, with how often it happened since it was last said, now included.
    pub(crate) fn happened(&self) -> Option<u64> {
        let (mut state, now) = (lock(&self.0), Instant::now());
        state.unsaid += 1;
        if state.said.is_some_and(|said| now.saturating_duration_since(said) < PAUSE) {
            return None;
        }
        state.said = Some(now);
        Some(std::mem::take(&mut state.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_is_said_and_then_one_a_minute_with_the_number() {
        let seldom = Seldom::default();
        assert_eq!(seldom.happened(), Some(1));
        for _ in 0..1_000 {
            assert_eq!(seldom.happened(), None);
        }
        tokio::time::advance(PAUSE).await;
        assert_eq!(seldom.happened(), Some(1_001));
        assert_eq!(seldom.happened(), None);
    }

    proptest::proptest! {
        /// However often and whenever it happens: it is said once a minute at most, and nothing is left uncounted.
        #[test]
        fn everything_is_counted(waits_ms in proptest::collection::vec(0_u64..40_000, 1..60)) {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            runtime.block_on(async {
                let (seldom, mut counted, mut last) = (Seldom::default(), 0, None::<Instant>);
                let times = waits_ms.len() as u64;
                for wait_ms in waits_ms {
                    tokio::time::advance(Duration::from_millis(wait_ms)).await;
                    let Some(count) = seldom.happened() else { continue };
                    assert!(last.is_none_or(|last| last.elapsed() >= PAUSE));
                    last = Some(Instant::now());
                    counted += count;
                }
                tokio::time::advance(PAUSE).await;
                assert_eq!(counted + seldom.happened().unwrap(), times + 1);
            });
        }
    }
}
