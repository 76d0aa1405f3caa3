//! What was aimed at, and whether it was reached.

use super::Figures;
use super::comparison::{Comparison, Contender, mean};
use crate::routers::RouterKind;

/// Ours delivers at least this part of what the oracle delivers.
const RATIO_OF_ORACLE: f64 = 0.98;
/// Ours sends at most this part of what epidemic sends.
const BYTES_OF_EPIDEMIC: f64 = 0.25;
/// What was aimed at on top: this ratio at this overhead.
const RATIO_AIM: f64 = 0.95;
const OVERHEAD_AIM: f64 = 5.0;
/// Ratios that are no further apart are called equal.
const RATIO_GRAIN: f64 = 0.0005;
/// Medians that are no further apart, as a part, are called equal.
const MEDIAN_GRAIN: f64 = 0.005;

/// How a target came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Reached.
    Met,
    /// Neither better nor worse than who was to be beaten.
    Equal,
    /// Not reached.
    Missed,
}

/// A target, on the means of all seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// What was aimed at.
    pub aim: String,
    /// What came out.
    pub found: String,
    /// How that is to be judged.
    pub verdict: Verdict,
}

impl Verdict {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Equal => "equal",
            Self::Missed => "missed",
        }
    }

    fn of(is_met: bool) -> Self {
        if is_met { Self::Met } else { Self::Missed }
    }
}

/// The targets of ours in a comparison: those whose contenders took part.
pub fn targets(comparison: &Comparison) -> Vec<Target> {
    let of = |router| comparison.of(Contender::Router(router));
    let ours = of(RouterKind::Ours);
    let mut targets = Vec::new();
    targets.extend(of_oracle(ours, comparison.of(Contender::Oracle)));
    targets.extend(of_epidemic(ours, of(RouterKind::Epidemic)));
    for router in [RouterKind::Spray, RouterKind::Prophet] {
        targets.extend(higher_ratio(ours, of(router), router.name()));
        targets.extend(lower_median(ours, of(router), router.name()));
    }
    targets.extend(low_overhead(ours));
    targets
}

fn ratio(rows: &[Figures]) -> Option<f64> {
    mean(rows, |row| Some(row.ratio))
}

fn of_oracle(ours: &[Figures], oracle: &[Figures]) -> Option<Target> {
    let (ours, oracle) = (ratio(ours)?, ratio(oracle)?);
    let part = ours / oracle;
    Some(Target {
        aim: format!("ratio at least {:.0} % of the oracle's", RATIO_OF_ORACLE * 100.0),
        found: format!("{:.1} % ({ours:.4} of {oracle:.4})", part * 100.0),
        verdict: Verdict::of(part >= RATIO_OF_ORACLE),
    })
}

fn of_epidemic(ours: &[Figures], epidemic: &[Figures]) -> Option<Target> {
    let bytes = |rows: &[Figures]| mean(rows, |row| Some(row.bytes as f64));
    let part = bytes(ours)? / bytes(epidemic)?;
    Some(Target {
        aim: format!("at most {:.0} % of epidemic's bytes", BYTES_OF_EPIDEMIC * 100.0),
        found: format!("{:.1} %", part * 100.0),
        verdict: Verdict::of(part <= BYTES_OF_EPIDEMIC),
    })
}

fn low_overhead(ours: &[Figures]) -> Option<Target> {
    let (ratio, overhead) = (ratio(ours)?, mean(ours, |row| row.overhead)?);
    Some(Target {
        aim: format!("aim: ratio {RATIO_AIM} at an overhead of {OVERHEAD_AIM}"),
        found: format!("{ratio:.4} at {overhead:.1}"),
        verdict: Verdict::of(ratio >= RATIO_AIM && overhead <= OVERHEAD_AIM),
    })
}

fn higher_ratio(ours: &[Figures], other: &[Figures], name: &str) -> Option<Target> {
    let (ours, other) = (ratio(ours)?, ratio(other)?);
    let verdict = if (ours - other).abs() < RATIO_GRAIN { Verdict::Equal } else { Verdict::of(ours > other) };
    let found = format!("{ours:.4} against {other:.4}");
    Some(Target { aim: format!("ratio above that of {name}"), found, verdict })
}

fn lower_median(ours: &[Figures], other: &[Figures], name: &str) -> Option<Target> {
    let median = |rows: &[Figures]| mean(rows, |row| row.median_delay_s.map(|delay| delay / 60.0));
    let (ours, other) = (median(ours)?, median(other)?);
    let is_equal = (ours - other).abs() < MEDIAN_GRAIN * other;
    let verdict = if is_equal { Verdict::Equal } else { Verdict::of(ours < other) };
    let found = format!("{ours:.1} min against {other:.1} min");
    Some(Target { aim: format!("median delay below that of {name}"), found, verdict })
}
