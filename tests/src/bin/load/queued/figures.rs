//! What was measured of a mailbox with very much in it.

use serde_json::{Value, json};

use crate::figures::percentile;
use crate::relay::Usage;

/// How long messages between others took, each from the call that sends to the answer of the one who waits, microseconds.
#[derive(Debug, Default, Clone)]
pub(crate) struct Times(pub(super) Vec<u64>);

/// What a stretch of deliveries cost, whichever they are for.
#[derive(Debug, Default)]
pub(crate) struct Stretch {
    /// Time that processors spent for the relay with each, microseconds.
    pub(crate) processor_us: Option<u64>,
    /// Bytes that the relay handed to the files of its store for each.
    pub(crate) written_bytes: Option<u64>,
}

impl Stretch {
    /// So many deliveries, and what the relay had used before and after.
    pub(crate) fn new(messages: usize, before: Option<Usage>, after: Option<Usage>) -> Self {
        let of = |figure: fn(&Usage) -> u64| {
            let used = figure(after.as_ref()?).saturating_sub(figure(before.as_ref()?));
            Some(used / messages.max(1) as u64)
        };
        Self { processor_us: of(|usage| usage.processor_us), written_bytes: of(|usage| usage.written_bytes) }
    }
}

/// The figures of a run.
#[derive(Debug, Default)]
pub(crate) struct QueuedFigures {
    /// Deliveries in the mailbox when it was full.
    pub(crate) queued: usize,
    /// How one more was refused, if the mailbox did not take as many as asked for.
    pub(crate) refusal: Option<String>,
    /// Time in which it was filled, seconds.
    pub(crate) fill_s: f64,
    /// What the first tenth of them cost, those between, and the last tenth.
    pub(crate) stretches: Vec<Stretch>,
    /// Time in which it was fetched and acknowledged whole, seconds.
    pub(crate) empty_s: f64,
    /// The longest of several fetches of what lies in front, microseconds.
    pub(crate) fetch_front_us: u64,
    /// Others, before it was filled.
    pub(crate) before: Times,
    /// Others, while it was filled.
    pub(crate) filling: Times,
    /// Others, when it was full.
    pub(crate) full: Times,
    /// Others, while it was emptied.
    pub(crate) emptying: Times,
    /// Others, after it was emptied.
    pub(crate) after: Times,
    /// Resident memory of the relay before, MiB.
    pub(crate) resident_before: Option<u64>,
    /// The same when the mailbox was full.
    pub(crate) resident_full: Option<u64>,
    /// The same at the end.
    pub(crate) resident_after: Option<u64>,
}

impl QueuedFigures {
    /// One object.
    pub(crate) fn json(&self) -> Value {
        let others: serde_json::Map<_, _> =
            self.others().into_iter().map(|(when, times)| (when.to_owned(), times.json())).collect();
        json!({
            "schema": "qpq.load-queued/1",
            "queued": self.queued,
            "refusal": self.refusal,
            "fill_s": self.fill_s,
            "fill_processor_us": self.stretches.iter().map(|stretch| stretch.processor_us).collect::<Vec<_>>(),
            "fill_written_bytes": self.stretches.iter().map(|stretch| stretch.written_bytes).collect::<Vec<_>>(),
            "empty_s": self.empty_s,
            "fetch_front_us": self.fetch_front_us,
            "others": others,
            "resident_mib": [self.resident_before, self.resident_full, self.resident_after],
        })
    }

    /// A table for a person.
    pub(crate) fn table(&self) -> String {
        let known = |figure: Option<u64>| figure.map_or_else(|| "-".to_owned(), |figure| figure.to_string());
        let stretches = |figure: fn(&Stretch) -> Option<u64>| {
            let known: Vec<_> = self.stretches.iter().map(|stretch| known(figure(stretch))).collect();
            known.join(" / ")
        };
        let rate = |seconds: f64| self.queued as f64 / seconds.max(f64::MIN_POSITIVE);
        let resident = [self.resident_before, self.resident_full, self.resident_after].map(known).join(" / ");
        let mut rows = vec![
            ("queued".to_owned(), self.queued.to_string()),
            ("refused then".to_owned(), self.refusal.clone().unwrap_or_else(|| "-".to_owned())),
            ("filled in".to_owned(), format!("{:.1} s, {:.0} a second", self.fill_s, rate(self.fill_s))),
            ("relay's processor us a message".to_owned(), stretches(|stretch| stretch.processor_us)),
            ("bytes written a message".to_owned(), stretches(|stretch| stretch.written_bytes)),
            ("emptied in".to_owned(), format!("{:.1} s, {:.0} a second", self.empty_s, rate(self.empty_s))),
            ("fetch in front, longest".to_owned(), format!("{} us", self.fetch_front_us)),
            ("resident, before / full / after".to_owned(), format!("{resident} MiB")),
        ];
        rows.extend(self.others().map(|(when, times)| (format!("others, {when}"), times.text())));
        rows.iter().map(|(what, figure)| format!("{what:<34}{figure}")).collect::<Vec<_>>().join("\n")
    }

    fn others(&self) -> [(&'static str, &Times); 5] {
        [
            ("before", &self.before),
            ("filling", &self.filling),
            ("full", &self.full),
            ("emptying", &self.emptying),
            ("after", &self.after),
        ]
    }
}

impl Times {
    /// Others were measured as well.
    pub(crate) fn add(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }

    /// p50, p99 and the longest.
    fn figures(&self) -> [u64; 3] {
        let mut times_us = self.0.clone();
        [0.5, 0.99, 1.0].map(|share| percentile(&mut times_us, share))
    }

    fn json(&self) -> Value {
        let [p50_us, p99_us, longest_us] = self.figures();
        json!({ "messages": self.0.len(), "p50_us": p50_us, "p99_us": p99_us, "longest_us": longest_us })
    }

    fn text(&self) -> String {
        let [p50_us, p99_us, longest_us] = self.figures();
        format!("{p50_us} / {p99_us} / {longest_us} us (p50 / p99 / longest of {})", self.0.len())
    }
}
