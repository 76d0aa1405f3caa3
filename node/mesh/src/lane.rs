//! What is said on a link, one call at a time, with pauses after failures.

use crate::effect::CallId;

/// Pause after the first failed call, ms; it doubles with each.
const RETRY_MS_MIN: u64 = 1_000;
/// Longest pause after a failed call, ms.
const RETRY_MS_MAX: u64 = 600_000;

/// One call at a time, with pauses after failures.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lane {
    call: Option<CallId>,
    not_before_ms: u64,
    failures: u32,
}

impl Lane {
    pub(crate) const fn is_free(&self, now_ms: u64) -> bool {
        self.call.is_none() && self.not_before_ms <= now_ms
    }

    pub(crate) const fn start(&mut self, call: CallId) {
        self.call = Some(call);
    }

    pub(crate) const fn succeed(&mut self) {
        self.call = None;
        self.failures = 0;
    }

    /// What it waited for is there.
    pub(crate) const fn resume(&mut self) {
        self.not_before_ms = 0;
        self.failures = 0;
    }

    /// Pauses: as long as the neighbour said, or else longer each time.
    pub(crate) fn fail(&mut self, now_ms: u64, retry_after_ms: u64) {
        self.call = None;
        let pause = RETRY_MS_MIN << self.failures.min(10);
        self.failures += 1;
        let pause = if retry_after_ms > 0 { retry_after_ms } else { pause };
        self.not_before_ms = now_ms + pause.clamp(RETRY_MS_MIN, RETRY_MS_MAX);
    }

    /// When the lane is free again, if it is not waiting for an answer.
    pub(crate) const fn free_at_ms(&self) -> Option<u64> {
        if self.call.is_none() { Some(self.not_before_ms) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_pause_longer_with_each_failure() {
        let mut lane = Lane::default();
        let mut now_ms = 0;
        for pause in [1_000, 2_000, 4_000] {
            lane.start(CallId(1));
            assert!(!lane.is_free(now_ms));
            lane.fail(now_ms, 0);
            assert!(!lane.is_free(now_ms + pause - 1));
            now_ms += pause;
            assert!(lane.is_free(now_ms));
        }
        (0..40).for_each(|_| lane.fail(now_ms, 0));
        assert_eq!(lane.free_at_ms(), Some(now_ms + RETRY_MS_MAX));
        lane.succeed();
        lane.fail(now_ms, 5_000);
        assert_eq!(lane.free_at_ms(), Some(now_ms + 5_000), "as the neighbour said");
        lane.resume();
        assert!(lane.is_free(now_ms), "it waits for nothing any more");
    }
}
