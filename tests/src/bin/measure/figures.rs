//! What was measured, as a table for people and an object for programs.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Map, Value, json};

/// Figures in the order in which they were taken.
#[derive(Debug, Default)]
pub(crate) struct Figures(Vec<Figure>);

#[derive(Debug)]
struct Figure {
    key: &'static str,
    title: &'static str,
    value: f64,
    unit: &'static str,
}

impl Figures {
    /// Notes a time.
    pub(crate) fn time(&mut self, key: &'static str, title: &'static str, time: Duration) {
        self.0.push(Figure { key, title, value: time.as_secs_f64() * 1_000.0, unit: "ms" });
    }

    /// Notes a size.
    pub(crate) fn bytes(&mut self, key: &'static str, title: &'static str, bytes: u64) {
        let kibibytes = u32::try_from(bytes / 1_024).map_or(f64::INFINITY, f64::from);
        self.0.push(Figure { key, title, value: kibibytes / 1_024.0, unit: "MiB" });
    }

    /// Notes a rate.
    pub(crate) fn rate(&mut self, key: &'static str, title: &'static str, count: usize, time: Duration) {
        let count = u32::try_from(count).map_or(f64::INFINITY, f64::from);
        self.0.push(Figure { key, title, value: count / time.as_secs_f64(), unit: "per s" });
    }

    /// One object; each key ends in its unit.
    pub(crate) fn json(&self) -> Value {
        let mut object = Map::from_iter([("schema".to_owned(), json!("qpq.measure/1"))]);
        for Figure { key, value, unit, .. } in &self.0 {
            let suffix = unit.to_lowercase().replace(' ', "_");
            object.insert(format!("{key}_{suffix}"), json!((value * 1_000.0).round() / 1_000.0));
        }
        Value::Object(object)
    }

    /// One line a figure.
    pub(crate) fn table(&self) -> String {
        let mut table = String::new();
        for Figure { title, value, unit, .. } in &self.0 {
            // Writing to a string cannot fail.
            let _ = writeln!(table, "{title:<52} {value:>12.2} {unit}");
        }
        table.trim_end().to_owned()
    }
}

/// The value below which this share of the values lies, in hundredths.
pub(crate) fn percentile(times: &[Duration], hundredths: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let index = (sorted.len() * hundredths).div_ceil(100).saturating_sub(1);
    sorted.get(index).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let times: Vec<Duration> = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&times, 50), Duration::from_millis(50));
        assert_eq!(percentile(&times, 99), Duration::from_millis(99));
        assert_eq!(percentile(&times[..1], 99), Duration::from_millis(100));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }

    #[test]
    fn json_names_units() {
        let mut figures = Figures::default();
        figures.time("start", "start", Duration::from_micros(1_500));
        figures.bytes("idle", "idle", 3 << 20);
        figures.rate("sent", "sent", 10, Duration::from_secs(2));
        let expected =
            json!({"schema": "qpq.measure/1", "start_ms": 1.5, "idle_mib": 3.0, "sent_per_s": 5.0});
        assert_eq!(figures.json(), expected);
        assert_eq!(figures.table().lines().count(), 3);
    }
}
