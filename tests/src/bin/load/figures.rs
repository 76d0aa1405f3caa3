//! What was measured.

use serde_json::{Value, json};

/// The figures of a run.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// Deliveries put into mailboxes in a second, each durable.
    pub(crate) enqueue_per_s: f64,
    /// Time of one such call, microseconds.
    pub enqueue_p50_us: u64,
    /// The same that 99 of 100 stay below.
    pub enqueue_p99_us: u64,
    /// Deliveries fetched and acknowledged in a second.
    pub(crate) fetch_ack_per_s: f64,
    /// From the call that sends to the answer of the one who waits, microseconds.
    pub online_p50_us: u64,
    /// The same that 99 of 100 stay below.
    pub online_p99_us: u64,
    /// Resident memory of the relay for a connection on which nothing happens.
    pub(crate) bytes_per_idle_connection: Option<u64>,
    /// Bytes that the relay handed to the files of its store for each delivery while they were put in.
    pub(crate) written_bytes_per_message: Option<u64>,
    /// How often a second the relay forced a file of its store to disk meanwhile.
    pub(crate) fsync_per_s: Option<f64>,
}

impl Figures {
    /// One object.
    pub(crate) fn json(&self) -> Value {
        json!({
            "schema": "qpq.load/1",
            "enqueue_per_s": self.enqueue_per_s.round(),
            "enqueue_p50_us": self.enqueue_p50_us,
            "enqueue_p99_us": self.enqueue_p99_us,
            "fetch_ack_per_s": self.fetch_ack_per_s.round(),
            "online_p50_us": self.online_p50_us,
            "online_p99_us": self.online_p99_us,
            "bytes_per_idle_connection": self.bytes_per_idle_connection,
            "written_bytes_per_message": self.written_bytes_per_message,
            "fsync_per_s": self.fsync_per_s.map(f64::round),
        })
    }

    /// A table for a person.
    pub(crate) fn table(&self) -> String {
        let known = |figure: Option<u64>| figure.map_or_else(|| "-".to_owned(), |figure| figure.to_string());
        [
            ("enqueue, a second", format!("{:.0}", self.enqueue_per_s)),
            ("enqueue, p50 / p99", format!("{} / {} us", self.enqueue_p50_us, self.enqueue_p99_us)),
            ("fetch and acknowledge, a second", format!("{:.0}", self.fetch_ack_per_s)),
            ("online delivery, p50 / p99", format!("{} / {} us", self.online_p50_us, self.online_p99_us)),
            ("bytes an idle connection", known(self.bytes_per_idle_connection)),
            ("bytes written a message", known(self.written_bytes_per_message)),
            (
                "syncs a second",
                self.fsync_per_s.map_or_else(|| "-".to_owned(), |syncs| format!("{syncs:.0}")),
            ),
        ]
        .map(|(what, figure)| format!("{what:<34}{figure}"))
        .join("\n")
    }
}

/// The time that a share of all stays below.
pub(crate) fn percentile(times_us: &mut [u64], share: f64) -> u64 {
    times_us.sort_unstable();
    let last = times_us.len().saturating_sub(1);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let index = (last as f64 * share).round() as usize;
    times_us.get(index).copied().unwrap_or_default()
}
