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
}
