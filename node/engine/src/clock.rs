//! The node's own time, by which lifetimes end.
//!
//! Routers boot in 1970 and clocks jump, so nothing ends by the wall clock: the node's time grows with the
//! monotonic clock while the node runs. The gap between two runs is charged by the wall clock where that can be
//! believed, and as six hours where it cannot (MESH.md, section 1).

use qpq_mesh::lifetime::gap_ms;

use crate::{
    input::{EngineError, Now},
    records::ClockRecord,
    storage::Transaction,
    tables::{self, CLOCK, SINGLE},
};

/// How often the time is written while the node runs, ms.
const SAVE_EVERY_MS: u64 = 600_000;

/// Turns the driver's clocks into the node's time.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    node_ms: u64,
    monotonic_ms: u64,
    saved_node_ms: u64,
}

impl Clock {
    /// Starts the clock of this run, charging the gap since the last one.
    pub(crate) fn start(tx: &mut dyn Transaction, now: Now) -> Result<Self, EngineError> {
        let record: Option<ClockRecord> = tables::load(tx, CLOCK, tables::key(SINGLE))?;
        let node_ms = record.map_or(0, |last| last.node_ms + gap_ms(last.wall_ms, now.wall_ms));
        let mut clock = Self { node_ms, monotonic_ms: now.monotonic_ms, saved_node_ms: 0 };
        clock.save(tx, now)?;
        Ok(clock)
    }

    /// The node's time now, ms.
    pub(crate) fn node_ms(&self, now: Now) -> u64 {
        self.node_ms + now.monotonic_ms.saturating_sub(self.monotonic_ms)
    }

    /// The monotonic time at which the node's time will be this.
    pub(crate) fn monotonic_ms_at(&self, node_ms: u64) -> u64 {
        self.monotonic_ms + node_ms.saturating_sub(self.node_ms)
    }

    /// Writes the time if it was last written a while ago.
    pub(crate) fn save_sometimes(&mut self, tx: &mut dyn Transaction, now: Now) -> Result<(), EngineError> {
        if self.node_ms(now) < self.saved_node_ms + SAVE_EVERY_MS {
            return Ok(());
        }
        self.save(tx, now)
    }

    fn save(&mut self, tx: &mut dyn Transaction, now: Now) -> Result<(), EngineError> {
        self.saved_node_ms = self.node_ms(now);
        let record = ClockRecord { node_ms: self.saved_node_ms, wall_ms: now.wall_ms };
        tables::save(tx, CLOCK, tables::key(SINGLE), &record)
    }
}

#[cfg(test)]
mod tests;
