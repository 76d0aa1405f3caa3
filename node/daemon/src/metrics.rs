//! What the node counts, for Prometheus: of methods and of itself, never of anybody.
//!
//! Declared once, here. The counters of the store and of the relay are kept by them; the writer hands their present
//! values over after each batch.

mod server;

use std::time::Duration;

use bytes::Bytes;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use qpq_proto::{Failure, Method, Status};
use qpq_relay::{Figures, Totals};
use qpq_store::CommitInfo;
use std::sync::atomic::Ordering;

pub(crate) use server::{MetricsError, MetricsServer};

/// The counters.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    calls: Family<CallLabels, Counter>,
    call_seconds: Histogram,
    request_bytes: Counter,
    response_bytes: Counter,
    rate_limited: Counter,
    connections: Gauge,
    uptime_seconds: Gauge,
    batch_inputs: Histogram,
    batches: Counter,
    store_syncs: Counter,
    store_written_bytes: Counter,
    sessions: Gauge,
    waits: Gauge,
    stored: Counter,
    stored_bytes: Counter,
    released: Counter,
    released_bytes: Counter,
    queued: Gauge,
    queued_bytes: Gauge,
    users: Gauge,
    key_packages: Gauge,
    blob_bytes: Gauge,
}

/// Method and status of a call.
type CallLabels = [(&'static str, &'static str); 2];

impl Metrics {
    /// Nothing was counted yet.
    pub(crate) fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("qpq"),
            calls: Family::default(),
            call_seconds: Histogram::new(exponential_buckets(0.000_25, 2.0, 16)),
            request_bytes: Counter::default(),
            response_bytes: Counter::default(),
            rate_limited: Counter::default(),
            connections: Gauge::default(),
            uptime_seconds: Gauge::default(),
            batch_inputs: Histogram::new(exponential_buckets(1.0, 2.0, 11)),
            batches: Counter::default(),
            store_syncs: Counter::default(),
            store_written_bytes: Counter::default(),
            sessions: Gauge::default(),
            waits: Gauge::default(),
            stored: Counter::default(),
            stored_bytes: Counter::default(),
            released: Counter::default(),
            released_bytes: Counter::default(),
            queued: Gauge::default(),
            queued_bytes: Gauge::default(),
            users: Gauge::default(),
            key_packages: Gauge::default(),
            blob_bytes: Gauge::default(),
        };
        metrics.register_calls();
        metrics.register_writer();
        metrics.register_relay();
        metrics.register_totals();
        metrics
    }

    fn register_calls(&mut self) {
        let registry = &mut self.registry;
        registry.register("calls", "Calls that were answered, by method and status", self.calls.clone());
        let help = "Time from a call to its answer, but for calls that wait for something to happen";
        registry.register_with_unit("call", help, Unit::Seconds, self.call_seconds.clone());
        let help = "Calls that were refused because their caller calls too often";
        registry.register("rate_limited_calls", help, self.rate_limited.clone());
        let help = "Payloads of calls";
        registry.register_with_unit("requests", help, Unit::Bytes, self.request_bytes.clone());
        let help = "Payloads of answers";
        registry.register_with_unit("responses", help, Unit::Bytes, self.response_bytes.clone());
        registry.register("connections", "Connections over which calls come", self.connections.clone());
        let help = "Time since the node started";
        registry.register_with_unit("uptime", help, Unit::Seconds, self.uptime_seconds.clone());
    }

    fn register_writer(&mut self) {
        let registry = &mut self.registry;
        registry.register("batches", "Batches that were committed", self.batches.clone());
        registry.register("batch_inputs", "Inputs of a batch", self.batch_inputs.clone());
        registry.register(
            "store_syncs",
            "Times a file of the store was forced to disk",
            self.store_syncs.clone(),
        );
        let help = "Bytes that the store wrote to its files";
        registry.register_with_unit("store_written", help, Unit::Bytes, self.store_written_bytes.clone());
    }

    fn register_relay(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "relay_sessions",
            "Connections on which somebody is logged in",
            self.sessions.clone(),
        );
        registry.register("relay_waits", "Calls that wait for a delivery", self.waits.clone());
        registry.register("relay_stored", "Deliveries that were put into queues", self.stored.clone());
        let help = "Payloads of deliveries that were put into queues";
        registry.register_with_unit("relay_stored", help, Unit::Bytes, self.stored_bytes.clone());
        let help = "Deliveries that every device has, or whose lifetime ended";
        registry.register("relay_released", help, self.released.clone());
        let help = "Payloads of deliveries that every device has, or whose lifetime ended";
        registry.register_with_unit("relay_released", help, Unit::Bytes, self.released_bytes.clone());
    }

    fn register_totals(&mut self) {
        let registry = &mut self.registry;
        registry.register("relay_queued", "Deliveries that wait in queues", self.queued.clone());
        let help = "Payloads of deliveries that wait in queues";
        registry.register_with_unit("relay_queued", help, Unit::Bytes, self.queued_bytes.clone());
        registry.register("relay_users", "Accounts", self.users.clone());
        let help = "Single-use key packages that are held";
        registry.register("relay_key_packages", help, self.key_packages.clone());
        let help = "Blobs that are readable, each once";
        registry.register_with_unit("relay_blobs", help, Unit::Bytes, self.blob_bytes.clone());
    }

    /// A call was answered.
    pub(crate) fn called(
        &self,
        method: Method,
        took: Duration,
        request_bytes: usize,
        answer: &Result<Bytes, Failure>,
    ) {
        let status = answer.as_ref().map_or_else(|failure| failure.status, |_| Status::Ok);
        self.calls.get_or_create(&[("method", method.name()), ("status", status.name())]).inc();
        self.request_bytes.inc_by(request_bytes as u64);
        self.response_bytes.inc_by(answer.as_ref().map_or(0, Bytes::len) as u64);
        if status == Status::RateLimited {
            self.rate_limited.inc();
        }
        if !waits(method) {
            self.call_seconds.observe(took.as_secs_f64());
        }
    }

    /// A batch of so many inputs was committed.
    pub(crate) fn committed(&self, inputs: usize) {
        self.batches.inc();
        #[expect(clippy::cast_precision_loss, reason = "a batch has far fewer inputs")]
        self.batch_inputs.observe(inputs as f64);
    }

    /// What the store has written since it was opened, and what the relay has counted and holds, if there is one.
    pub(crate) fn note(&self, store: CommitInfo, relay: Option<(Figures, Totals)>) {
        let set = |counter: &Counter, total: u64| counter.inner().store(total, Ordering::Relaxed);
        set(&self.store_syncs, store.syncs);
        set(&self.store_written_bytes, store.bytes);
        let (relay, totals) = relay.unwrap_or_default();
        self.note_totals(totals);
        self.sessions.set(gauge(relay.sessions));
        self.waits.set(gauge(relay.waits));
        set(&self.stored, relay.stored);
        set(&self.stored_bytes, relay.stored_bytes);
        set(&self.released, relay.released);
        set(&self.released_bytes, relay.released_bytes);
    }

    fn note_totals(&self, totals: Totals) {
        self.queued.set(totals.deliveries);
        self.queued_bytes.set(totals.delivery_bytes);
        self.users.set(totals.users);
        self.key_packages.set(totals.key_packages);
        self.blob_bytes.set(totals.blob_bytes);
    }

    /// Everything, in the text format of OpenMetrics.
    fn text(&self, connections: usize, uptime_ms: u64) -> String {
        self.connections.set(gauge(connections));
        self.uptime_seconds.set(i64::try_from(uptime_ms / 1_000).unwrap_or(i64::MAX));
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// Whether a method's answer may wait for something to happen.
fn waits(method: Method) -> bool {
    matches!(
        method,
        Method::FetchWait
            | Method::ReadEvents
            | Method::WaitMessage
            | Method::WaitChange
            | Method::WaitMailboxRelay
            | Method::WaitUser
            | Method::WaitRelayErrand
            | Method::ShowRecovery
            | Method::WaitRecoveryUse
    )
}

fn gauge(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, name: &str) -> Option<f64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.trim().parse().ok())
    }

    #[test]
    fn calls_are_counted_by_method_and_status_and_nobody_is_named() {
        let metrics = Metrics::new();
        let took = Duration::from_millis(3);
        metrics.called(Method::Enqueue, took, 100, &Ok(Bytes::from_static(b"answer")));
        metrics.called(Method::Enqueue, took, 10, &Err(Failure::rate_limited(7)));
        metrics.called(Method::FetchWait, Duration::from_secs(60), 1, &Ok(Bytes::new()));
        let text = metrics.text(3, 61_999);
        for (name, expected) in [
            ("qpq_calls_total{method=\"Enqueue\",status=\"Ok\"}", 1.0),
            ("qpq_calls_total{method=\"Enqueue\",status=\"RateLimited\"}", 1.0),
            ("qpq_calls_total{method=\"FetchWait\",status=\"Ok\"}", 1.0),
            ("qpq_call_seconds_count", 2.0),
            ("qpq_requests_bytes_total", 111.0),
            ("qpq_responses_bytes_total", 6.0),
            ("qpq_rate_limited_calls_total", 1.0),
            ("qpq_connections", 3.0),
            ("qpq_uptime_seconds", 61.0),
        ] {
            assert_eq!(value(&text, name), Some(expected), "{name} in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn the_writers_totals_are_those_it_hands_over() {
        let metrics = Metrics::new();
        metrics.committed(3);
        let relay = Figures { sessions: 2, stored: 9, stored_bytes: 90, ..Figures::default() };
        let totals = Totals { deliveries: 3, delivery_bytes: 30, users: 4, key_packages: 5, blob_bytes: 6 };
        metrics.note(CommitInfo { changes: 0, bytes: 4_096, syncs: 5 }, Some((relay, totals)));
        let text = metrics.text(0, 0);
        for (name, expected) in [
            ("qpq_batches_total", 1.0),
            ("qpq_batch_inputs_sum", 3.0),
            ("qpq_store_syncs_total", 5.0),
            ("qpq_store_written_bytes_total", 4_096.0),
            ("qpq_relay_sessions", 2.0),
            ("qpq_relay_stored_total", 9.0),
            ("qpq_relay_stored_bytes_total", 90.0),
            ("qpq_relay_queued", 3.0),
            ("qpq_relay_queued_bytes", 30.0),
            ("qpq_relay_users", 4.0),
            ("qpq_relay_key_packages", 5.0),
            ("qpq_relay_blobs_bytes", 6.0),
        ] {
            assert_eq!(value(&text, name), Some(expected), "{name} in\n{text}");
        }
        metrics.note(CommitInfo::default(), None);
        assert_eq!(value(&metrics.text(0, 0), "qpq_relay_sessions"), Some(0.0), "it is no relay any more");
    }
}
