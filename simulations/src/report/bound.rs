//! The omniscient bound as figures.

use serde::{Deserialize, Serialize};

use super::{percentile, share};

/// The best that any router could do on some contacts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bound {
    /// `qpq-sim.bound/1`.
    pub schema: String,
    /// The seed.
    pub seed: u64,
    /// Pairs of a message and a recipient.
    pub created: u64,
    /// Pairs that contacts allow.
    pub delivered: u64,
    /// `delivered / created`.
    pub ratio: f64,
    /// Half of these deliveries can be no sooner; null if there are none.
    pub median_delay_s: Option<f64>,
    /// 95 of 100 can.
    pub p95_delay_s: Option<f64>,
    /// Delays at each hundredth of the deliveries, in seconds.
    #[serde(skip)]
    pub delay_percentiles_s: Vec<f64>,
}

impl Bound {
    /// The bound, from the least delay in seconds of each pair that can be.
    pub fn new(seed: u64, mut delays_s: Vec<f64>, created: u64) -> Self {
        delays_s.sort_by(f64::total_cmp);
        let delivered = delays_s.len() as u64;
        Self {
            schema: "qpq-sim.bound/1".into(),
            seed,
            created,
            delivered,
            ratio: share(delivered, created),
            median_delay_s: percentile(&delays_s, 50),
            p95_delay_s: percentile(&delays_s, 95),
            delay_percentiles_s: (0..=100).filter_map(|part| percentile(&delays_s, part)).collect(),
        }
    }
}
