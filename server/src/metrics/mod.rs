//! What an operator sees: counters and gauges in the OpenMetrics text format. Never labelled by key.

mod labels;

use labels::{Code, Outcome, Scope};
use prometheus_client::{
    encoding::text::{encode_eof, encode_registry},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
#[cfg(feature = "http")]
use std::sync::atomic::Ordering;
use std::{fmt, sync::Arc, time::Duration};

/// Upper bounds of the duration histogram, in seconds: from a policy's answer to the longest that a request may wait, seven days.
const DURATION_BUCKETS: [f64; 16] =
    [0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 14_400.0, 86_400.0, 604_800.0];

/// Durations, by whether there is a signature: how long somebody thought is one thing, and how long nobody answered another.
type Durations = Family<Outcome, Histogram, fn() -> Histogram>;

const SIGNED: Outcome = Outcome { outcome: "signed" };
const OTHER: Outcome = Outcome { outcome: "other" };

/// The service's counters. Clones share them.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    pub(crate) connections: Gauge,
    pub(crate) pending: Gauge,
    requests: Family<Outcome, Counter>,
    durations: Durations,
    answers: Family<Outcome, Counter>,
    errors: Family<Code, Counter>,
    api_errors: Family<Code, Counter>,
    rate_limited: Family<Scope, Counter>,
    webhooks: Family<Outcome, Counter>,
    #[cfg(feature = "http")]
    admin_actions: Family<labels::AdminAction, Counter>,
    store_commits: Counter,
    store_failures: Counter,
    store_failed: Gauge,
    log_lines_lost: Counter,
    audit_entries_lost: Counter,
    trace_spans: Family<Outcome, Counter>,
    pub(crate) other_nodes: Gauge,
    pub(crate) taken_over: Counter,
    pub(crate) link_resyncs: Counter,
    pub(crate) given_up: Counter,
    pub(crate) proof_failures: Counter,
    pub(crate) received: Counter,
    pub(crate) sent: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Arc::default(),
            connections: Gauge::default(),
            pending: Gauge::default(),
            requests: labels::requests(),
            durations: durations(),
            answers: labels::answers(),
            errors: labels::protocol_errors(),
            api_errors: labels::api_errors(),
            rate_limited: labels::rate_limited(),
            webhooks: labels::webhooks(),
            #[cfg(feature = "http")]
            admin_actions: labels::admin_actions(),
            store_commits: Counter::default(),
            store_failures: Counter::default(),
            store_failed: Gauge::default(),
            log_lines_lost: Counter::default(),
            audit_entries_lost: Counter::default(),
            trace_spans: labels::trace_spans(),
            other_nodes: Gauge::default(),
            taken_over: Counter::default(),
            link_resyncs: Counter::default(),
            given_up: Counter::default(),
            proof_failures: Counter::default(),
            received: Counter::default(),
            sent: Counter::default(),
        };
        metrics.registry = Arc::new(metrics.register());
        metrics
    }
}

impl Metrics {
    fn register(&self) -> Registry {
        let mut registry = Registry::with_prefix("countersign");
        registry.register("connections", "Wallet connections, introduced or not", self.connections.clone());
        registry.register("pending_requests", "Requests that are open", self.pending.clone());
        registry.register("requests", "Requests that ended, by outcome", self.requests.clone());
        registry.register_with_unit(
            "request_duration",
            "From a request's start to its end",
            Unit::Seconds,
            self.durations.clone(),
        );
        registry.register("answers", "Wallets' answers, by what became of them", self.answers.clone());
        registry.register("protocol_errors", "Errors sent to wallets, by code", self.errors.clone());
        registry.register("api_errors", "Errors answered to backends, by code", self.api_errors.clone());
        registry.register("rate_limited", "What came faster than allowed, by scope", self.rate_limited.clone());
        registry.register("webhooks", "Attempts to tell an end to a webhook, by outcome", self.webhooks.clone());
        #[cfg(feature = "http")]
        registry.register("admin_actions", "What administrators did or tried, by action", self.admin_actions.clone());
        registry.register("store_commits", "Transactions the store has committed", self.store_commits.clone());
        registry.register("store_write_failures", "Writes that came to nothing", self.store_failures.clone());
        registry.register(
            "store_failed",
            "1 while nothing can be written, after an error of the disk",
            self.store_failed.clone(),
        );
        registry.register(
            "log_lines_lost",
            "Lines of the log that could not be written in time",
            self.log_lines_lost.clone(),
        );
        registry.register(
            "audit_entries_lost",
            "Entries of the audit log that could not be written in time",
            self.audit_entries_lost.clone(),
        );
        registry.register(
            "trace_spans",
            "Spans of traces that have ended, by what became of them",
            self.trace_spans.clone(),
        );
        registry.register("other_nodes", "Other servers on the same database", self.other_nodes.clone());
        registry.register(
            "requests_taken_over",
            "Requests of servers that are gone, which this one goes on with",
            self.taken_over.clone(),
        );
        registry.register(
            "link_resyncs",
            "How often everything open was said to another server again, which has joined or packets of which were lost",
            self.link_resyncs.clone(),
        );
        registry.register(
            "given_up",
            "How often the other servers have given this one up, since it did not renew its lease",
            self.given_up.clone(),
        );
        registry.register("proof_failures", "Introductions whose proof did not hold", self.proof_failures.clone());
        registry.register_with_unit(
            "websocket_received",
            "Text received from wallets",
            Unit::Bytes,
            self.received.clone(),
        );
        registry.register_with_unit("websocket_sent", "Text sent to wallets", Unit::Bytes, self.sent.clone());
        registry
    }

    /// The metrics in OpenMetrics text.
    pub fn to_text(&self) -> String {
        self.to_text_with(&[])
    }

    /// Likewise, and those of others after them.
    pub(crate) fn to_text_with(&self, others: &[Registry]) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        for registry in [&*self.registry].into_iter().chain(others) {
            let _ = encode_registry(&mut text, registry);
        }
        let _ = encode_eof(&mut text);
        text
    }

    pub(crate) fn request_ended(&self, outcome: &'static str, took: Duration) {
        self.requests.get_or_create(&Outcome { outcome }).inc();
        let kind = if outcome == SIGNED.outcome { &SIGNED } else { &OTHER };
        self.durations.get_or_create(kind).observe(took.as_secs_f64());
    }

    /// Counts a request that was refused before anybody was asked.
    pub(crate) fn request_refused(&self, outcome: &'static str) {
        self.requests.get_or_create(&Outcome { outcome }).inc();
    }

    pub(crate) fn answered(&self, outcome: &'static str) {
        self.answers.get_or_create(&Outcome { outcome }).inc();
    }

    pub(crate) fn protocol_error(&self, code: &'static str) {
        self.errors.get_or_create(&Code { code }).inc();
    }

    #[cfg(feature = "http")]
    pub(crate) fn api_error(&self, code: &'static str) {
        self.api_errors.get_or_create(&Code { code }).inc();
    }

    #[cfg(feature = "http")]
    pub(crate) fn webhook(&self, outcome: &'static str) {
        self.webhooks.get_or_create(&Outcome { outcome }).inc();
    }

    #[cfg(feature = "http")]
    pub(crate) fn admin_action(&self, action: &'static str) {
        self.admin_actions.get_or_create(&labels::AdminAction { action }).inc();
    }

    /// What the store has counted itself: commits, writes that came to nothing, whether it has failed.
    #[cfg(feature = "http")]
    pub(crate) fn stored(&self, (commits, failures, failed): (u64, u64, bool)) {
        self.store_commits.inner().store(commits, Ordering::Relaxed);
        self.store_failures.inner().store(failures, Ordering::Relaxed);
        self.store_failed.set(i64::from(failed));
    }

    /// How many connections and open requests there are at this moment, whatever has been said of them before.
    #[cfg(feature = "http")]
    pub(crate) fn now(&self, connections: usize, pending: usize) {
        self.connections.set(i64::try_from(connections).unwrap_or(i64::MAX));
        self.pending.set(i64::try_from(pending).unwrap_or(i64::MAX));
    }

    #[cfg(feature = "http")]
    pub(crate) fn log_lost(&self, lines: u64) {
        self.log_lines_lost.inner().store(lines, Ordering::Relaxed);
    }

    #[cfg(feature = "http")]
    pub(crate) fn audit_lost(&self, entries: u64) {
        self.audit_entries_lost.inner().store(entries, Ordering::Relaxed);
    }

    #[cfg(feature = "http")]
    pub(crate) fn traced(&self, outcome: &'static str, spans: u64) {
        self.trace_spans.get_or_create(&Outcome { outcome }).inner().store(spans, Ordering::Relaxed);
    }

    pub(crate) fn rate_limited(&self, scope: &'static str) {
        self.rate_limited.get_or_create(&Scope { scope }).inc();
    }
}

fn durations() -> Durations {
    let durations = Durations::new_with_constructor(|| Histogram::new(DURATION_BUCKETS));
    for kind in [SIGNED, OTHER] {
        drop(durations.get_or_create(&kind));
    }
    durations
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_what_was_counted() {
        let metrics = Metrics::default();
        metrics.request_ended("signed", Duration::from_millis(30));
        metrics.request_ended("signed", Duration::from_millis(30));
        metrics.rate_limited("ip");
        metrics.connections.set(3);
        let text = metrics.to_text();
        for line in [
            "countersign_requests_total{outcome=\"signed\"} 2",
            "countersign_request_duration_seconds_bucket{le=\"0.1\",outcome=\"signed\"} 2",
            "countersign_rate_limited_total{scope=\"ip\"} 1",
            "countersign_connections 3",
            // Nothing of it has happened, and it is there.
            "countersign_requests_total{outcome=\"message_mismatch\"} 0",
            "countersign_request_duration_seconds_count{outcome=\"other\"} 0",
        ] {
            assert!(text.contains(line), "{line} not in\n{text}");
        }
    }
}
