//! What a run is told with: one JSON object, a table, curves.

pub mod bound;
pub mod comparison;
pub mod curves;
pub mod kept;
pub mod markdown;
pub mod svg;
pub mod table;
pub mod targets;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::book::Sample;
use crate::checkers::FloodFigures;
use crate::routers::RouterKind;
use crate::run::Buffers;
use crate::scenario::Scenario;
use crate::world::Outcome;

/// A run with a flood beside the same run without it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flooded {
    /// What the flood did.
    #[serde(flatten)]
    pub figures: FloodFigures,
    /// `ratio` without it.
    pub calm_ratio: f64,
    /// `median_delay_s` without it.
    pub calm_median_delay_s: Option<f64>,
    /// What was dropped for want of room without it.
    pub calm_evicted: u64,
}

/// How much of the ratio without it a flood may take.
const FLOOD_COSTS_MAX: f64 = 0.05;

/// The figures of one run. Fields are only ever added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// `qpq-sim.run/1`.
    pub schema: String,
    /// The scenario's name.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// The router.
    pub router: RouterKind,
    /// How many nodes there were.
    pub nodes: usize,
    /// How much they could keep.
    pub buffers: Buffers,
    /// Pairs of a message and a recipient.
    pub created: u64,
    /// Pairs of which the recipient got the message.
    pub delivered: u64,
    /// `delivered / created`.
    pub ratio: f64,
    /// Half of the deliveries took no longer; null if there were none.
    pub median_delay_s: Option<f64>,
    /// 95 of 100 deliveries took no longer.
    pub p95_delay_s: Option<f64>,
    /// Messages that crossed a link with their body.
    pub transmissions: u64,
    /// Everything sent, summaries and answers included.
    pub bytes: u64,
    /// What of it were bodies of messages.
    pub body_bytes: u64,
    /// `(transmissions - delivered) / delivered`; null if nothing was delivered.
    pub overhead: Option<f64>,
    /// `bytes / delivered`.
    pub bytes_per_delivered: Option<f64>,
    /// How often a node came up again after a crash.
    pub restarts: u64,
    /// The most that a node held, in bytes.
    pub peak_bytes: u64,
    /// What a node held, in bytes, on the mean of all nodes and of the whole run.
    #[serde(default)]
    pub held_mean_bytes: u64,
    /// What the checkers found.
    pub violations: u64,
    /// The first of it in words.
    pub first_violations: Vec<String>,
    /// What came of a flood, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flood: Option<Flooded>,
    /// The hash of everything that happened.
    pub trace_hash: String,
    /// How long the run took on this machine, in seconds.
    pub wall_s: f64,
    /// Delays at each hundredth of the deliveries, in seconds.
    #[serde(skip)]
    pub delay_percentiles_s: Vec<f64>,
    /// Points over time.
    #[serde(skip)]
    pub samples: Vec<Sample>,
    /// What the checker of floods saw.
    #[serde(skip)]
    pub flood_seen: FloodFigures,
}

impl Figures {
    /// The figures of an outcome.
    pub fn new(
        scenario: &Scenario,
        seed: u64,
        router: RouterKind,
        buffers: Buffers,
        outcome: Outcome,
        wall_s: f64,
    ) -> Self {
        let book = outcome.book;
        let mut delays = book.delays_s;
        delays.sort_by(f64::total_cmp);
        let (created, delivered) = (book.created, book.delivered);
        let each = |value: f64| (delivered > 0).then(|| value / delivered as f64);
        let violations = outcome.checkers.violations();
        Self {
            schema: "qpq-sim.run/1".into(),
            scenario: scenario.name.clone(),
            seed,
            router,
            nodes: scenario.node_count(),
            buffers,
            created,
            delivered,
            ratio: share(delivered, created),
            median_delay_s: percentile(&delays, 50),
            p95_delay_s: percentile(&delays, 95),
            transmissions: book.transmissions,
            bytes: book.bytes,
            body_bytes: book.body_bytes,
            overhead: each(book.transmissions as f64 - delivered as f64),
            bytes_per_delivered: each(book.bytes as f64),
            restarts: book.restarts,
            peak_bytes: book.peak_bytes,
            held_mean_bytes: held_mean_bytes(&book.samples),
            violations: violations.count(),
            first_violations: violations.first().to_vec(),
            flood: None,
            trace_hash: outcome.hash,
            wall_s,
            delay_percentiles_s: (0..=100).filter_map(|part| percentile(&delays, part)).collect(),
            samples: book.samples,
            flood_seen: outcome.checkers.flood(),
        }
    }
}

impl Figures {
    /// Adds the figures of the same run without a flood; a ratio that is too far below is a violation.
    #[must_use]
    pub fn compared_with_calm(mut self, calm: &Self) -> Self {
        if self.ratio < calm.ratio * (1.0 - FLOOD_COSTS_MAX) {
            self.violations += 1;
            let found =
                format!("the flood leaves a ratio of {:.4} where it was {:.4}", self.ratio, calm.ratio);
            self.first_violations.push(found);
        }
        self.flood = Some(Flooded {
            figures: self.flood_seen.clone(),
            calm_ratio: calm.ratio,
            calm_median_delay_s: calm.median_delay_s,
            calm_evicted: calm.flood_seen.honest_evicted,
        });
        self
    }
}

fn held_mean_bytes(samples: &[Sample]) -> u64 {
    let sum: u64 = samples.iter().map(|sample| sample.held_bytes).sum();
    sum / (samples.len() as u64).max(1)
}

/// A part of a whole; 0 of nothing.
pub fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The value that so many of a hundred do not exceed, of values in order: nearest rank.
pub fn percentile(sorted: &[f64], percent: usize) -> Option<f64> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}
