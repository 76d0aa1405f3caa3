//! Doubting whether a connection is still alive.

use std::sync::Arc;
use std::time::Duration;

use qpq_proto::CallError;

use super::Shared;
use super::link::Link;
use crate::streams::code;

/// How long a connection may take to show a sign of life when there is reason to doubt it: so many round trips, within
/// bounds. What waits for the peer waits as long, so that it should not be longer than needed.
const SIGN_OF_LIFE_ROUND_TRIPS: u32 = 10;
const SIGN_OF_LIFE_MIN: Duration = Duration::from_millis(500);
const SIGN_OF_LIFE_MAX: Duration = Duration::from_secs(2);

/// Has a connection show a sign of life, and ends it if there is none. Its challengers retire or take over.
pub(super) async fn verify(shared: Arc<Shared>, link: Arc<Link>) {
    match link.calls.health(shared.wire_versions, sign_of_life(link.path().rtt)).await {
        // A peer that is too busy to answer is alive.
        Ok(()) | Err(CallError::Failure(_)) => {
            let challengers = shared.table().confirmed(link.node, &link);
            for challenger in challengers {
                challenger.retire();
            }
        }
        Err(error) => {
            tracing::debug!(node = %link.node, %error, "a connection shows no sign of life");
            link.close(code::TIMED_OUT, "no sign of life");
        }
    }
}

fn sign_of_life(rtt: Option<Duration>) -> Duration {
    let patience = rtt.map(|rtt| rtt.saturating_mul(SIGN_OF_LIFE_ROUND_TRIPS));
    patience.unwrap_or(SIGN_OF_LIFE_MAX).clamp(SIGN_OF_LIFE_MIN, SIGN_OF_LIFE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_with_a_doubtful_connection_follows_its_round_trip_within_bounds() {
        for (rtt_ms, expected_ms) in [(0, 500), (50, 500), (80, 800), (200, 2_000), (60_000, 2_000)] {
            let patience = sign_of_life(Some(Duration::from_millis(rtt_ms)));
            assert_eq!(patience, Duration::from_millis(expected_ms), "{rtt_ms} ms");
        }
        assert_eq!(sign_of_life(None), SIGN_OF_LIFE_MAX);
        assert_eq!(sign_of_life(Some(Duration::MAX)), SIGN_OF_LIFE_MAX);
    }
}
