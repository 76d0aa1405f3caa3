//! What was measured of a mailbox with very much in it.

use serde_json::{Value, json};

/// How long messages between others took.
#[derive(Debug, Default)]
pub(crate) struct Times {
    /// How many there were.
    pub(crate) messages: usize,
    /// From the call that sends to the answer of the one who waits, microseconds.
    pub p50_us: u64,
    /// The same that 99 of 100 stay below.
    pub p99_us: u64,
    /// The longest.
    pub longest_us: u64,
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
            "empty_s": self.empty_s,
            "fetch_front_us": self.fetch_front_us,
            "others": others,
            "resident_mib": [self.resident_before, self.resident_full, self.resident_after],
        })
    }

    /// A table for a person.
    pub(crate) fn table(&self) -> String {
        let mib = |figure: Option<u64>| figure.map_or_else(|| "-".to_owned(), |figure| figure.to_string());
        let rate = |seconds: f64| self.queued as f64 / seconds.max(f64::MIN_POSITIVE);
        let resident = [self.resident_before, self.resident_full, self.resident_after].map(mib).join(" / ");
        let mut rows = vec![
            ("queued".to_owned(), self.queued.to_string()),
            ("refused then".to_owned(), self.refusal.clone().unwrap_or_else(|| "-".to_owned())),
            ("filled in".to_owned(), format!("{:.1} s, {:.0} a second", self.fill_s, rate(self.fill_s))),
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
    fn json(&self) -> Value {
        let Self { messages, p50_us, p99_us, longest_us } = self;
        json!({ "messages": messages, "p50_us": p50_us, "p99_us": p99_us, "longest_us": longest_us })
    }

    fn text(&self) -> String {
        let Self { messages, p50_us, p99_us, longest_us } = self;
        format!("{p50_us} / {p99_us} / {longest_us} us (p50 / p99 / longest of {messages})")
    }
}
