//! The curves of a comparison: means over its seeds.

use super::comparison::{Comparison, mean};
use super::svg::{Chart, Curve};
use super::{Figures, share};
use crate::book::Sample;

/// How many points a curve of delays has.
const POINTS: u32 = 120;

/// Every chart, with the word for the name of its file.
pub fn charts(comparison: &Comparison) -> [(&'static str, Chart); 4] {
    let chart = |what: &str, x: &str, y: &str, curves| {
        let title = format!("{}: {what}", comparison.scenario.name);
        Chart { title, x: x.into(), y: y.into(), curves }
    };
    let over_time = |value: fn(&Sample) -> f64| over_time(comparison, value);
    let ratio = over_time(|at| share(at.delivered, at.created));
    let bytes = over_time(|at| at.bytes as f64 / 1e3 / at.delivered.max(1) as f64);
    let held = over_time(|at| at.held_bytes as f64 / 1e6);
    [
        (
            "delay",
            chart("delivered within a time", "hours after it was written", "ratio", delays(comparison)),
        ),
        ("ratio", chart("share of messages delivered so far", "hours", "ratio", ratio)),
        ("bytes", chart("sent for each message delivered so far", "hours", "KB", bytes)),
        ("held", chart("held by a node on the mean", "hours", "MB", held)),
    ]
}

/// Values at the moments of the samples, which are the same in every run of a scenario.
fn over_time(comparison: &Comparison, value: fn(&Sample) -> f64) -> Vec<Curve> {
    let curve = |rows: &[Figures]| -> Vec<(f64, f64)> {
        let samples = rows.iter().map(|row| row.samples.len()).min().unwrap_or(0);
        let at = |place: usize| {
            let mean = mean(rows, |row| Some(value(&row.samples[place])));
            (rows[0].samples[place].at_s / 3600.0, mean.unwrap_or(0.0))
        };
        (0..samples).map(at).collect()
    };
    let runs = comparison.runs.iter();
    runs.map(|(contender, rows)| Curve { name: contender.name().into(), points: curve(rows) }).collect()
}

/// What share of all messages arrives within a time: the distribution of delays.
fn delays(comparison: &Comparison) -> Vec<Curve> {
    let longest = comparison.runs.iter().flat_map(|(_, rows)| rows);
    let longest = longest.filter_map(|row| row.delay_percentiles_s.last()).copied().fold(1.0, f64::max);
    let curve = |rows: &[(f64, &[f64])]| -> Vec<(f64, f64)> {
        let within = |time: f64| mean(rows, |(ratio, delays)| Some(ratio * part_within(delays, time)));
        let times = (0..=POINTS).map(|point| longest * f64::from(point) / f64::from(POINTS));
        times.map(|time| (time / 3600.0, within(time).unwrap_or(0.0))).collect()
    };
    let mut curves = Vec::new();
    for (contender, rows) in &comparison.runs {
        let rows: Vec<_> = rows.iter().map(|row| (row.ratio, &row.delay_percentiles_s[..])).collect();
        curves.push(Curve { name: contender.name().into(), points: curve(&rows) });
    }
    let bounds: Vec<_> =
        comparison.bounds.iter().map(|bound| (bound.ratio, &bound.delay_percentiles_s[..])).collect();
    curves.push(Curve { name: "bound".into(), points: curve(&bounds) });
    curves
}

/// What part of the deliveries took no longer, of delays at each hundredth.
fn part_within(percentiles_s: &[f64], time_s: f64) -> f64 {
    let last = percentiles_s.len().saturating_sub(1);
    let above = percentiles_s.partition_point(|delay| *delay <= time_s);
    match percentiles_s.get(above) {
        _ if percentiles_s.is_empty() || above == 0 => 0.0,
        None => 1.0,
        Some(next) => {
            let before = percentiles_s[above - 1];
            ((above - 1) as f64 + (time_s - before) / (next - before)) / last as f64
        }
    }
}
