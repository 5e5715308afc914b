//! `/metrics`: what is counted, and what is read now.
//!
//! Gauges of the state and the store are read when somebody asks: they are right whatever happened before, and cost no request anything.

use super::{LogWriter, process::process};
use crate::{
    audit::AuditLog,
    http::api::App,
    service::Snapshot,
    store::{DurableStore, HubState, Usage},
    time::Timestamp,
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::{ConstGauge, Gauge},
        info::Info,
    },
    registry::{Registry, Unit},
};
use std::{collections::HashMap, fmt::Write as _, sync::Arc};
use tokio::task;
use warp::{Reply, http::header, reply::Response, reply::with_header};

/// The label of requesters that are not counted by themselves.
const OTHER: &str = "other";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequesterLabel {
    requester: String,
}

/// The metrics, in the OpenMetrics text format 1.0, or in the older one for those who name that alone.
pub(in crate::http) async fn metrics(app: Arc<App>, accept: Option<String>) -> Response {
    let stored = match &app.store {
        Some(store) => Some((store.clone(), store.usage().await)),
        None => None,
    };
    // It counts descriptors, of which there may be many.
    let process = task::spawn_blocking(process).await.ok();
    let snapshot = app.service.snapshot();
    let metrics = app.service.metrics();
    metrics.now(snapshot.connections, snapshot.pending);
    metrics.log_lost(app.log.as_ref().map_or(0, LogWriter::lost));
    metrics.audit_lost(app.audit.as_ref().map_or(0, AuditLog::lost));
    let spans = app.traces.counts();
    for (outcome, count) in [("exported", spans.exported), ("dropped", spans.dropped), ("failed", spans.failed)] {
        metrics.traced(outcome, count);
    }
    let mut registries = vec![server(&app, &snapshot)];
    if let Some((store, usage)) = stored {
        metrics.stored(store.counts());
        registries.push(durable(&store, usage));
        registries.extend(store.hub_state().map(|hub| shared(&store, hub)));
    }
    registries.extend(process);
    let text = metrics.to_text_with(&registries);
    let wants_older = accept.is_some_and(|accept| accept.contains("text/plain") && !accept.contains("openmetrics"));
    let (text, content_type) = if wants_older {
        (older(&text), "text/plain; version=0.0.4; charset=utf-8")
    } else {
        (text, "application/openmetrics-text; version=1.0.0; charset=utf-8")
    };
    with_header(text, header::CONTENT_TYPE, content_type).into_response()
}

fn server(app: &App, snapshot: &Snapshot) -> Registry {
    let mut registry = Registry::with_prefix("countersign");
    let version = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("build", "What this server was built from", version);
    let (connections, most) = app.connections.taken();
    gauge(&mut registry, "tcp_connections", "TCP connections, of whomever", connections);
    gauge(&mut registry, "tcp_connections_limit", "The most TCP connections", most);
    gauge(
        &mut registry,
        "introduced_connections",
        "Wallet connections that have introduced themselves",
        snapshot.introduced,
    );
    let most = app.service.config().max_pending;
    gauge(&mut registry, "pending_requests_limit", "The most requests that may be open", most);
    registry.register_with_unit(
        "oldest_request_age",
        "How long the request has been open that has been so longest; 0 without any",
        Unit::Seconds,
        ConstGauge::new(snapshot.oldest.as_secs_f64()),
    );
    let waiting = number(app.log.as_ref().map_or(0, LogWriter::waiting_bytes));
    registry.register_with_unit(
        "log_queue",
        "Lines of the log that wait to be written",
        Unit::Bytes,
        ConstGauge::new(waiting),
    );
    of_settings(&mut registry, app);
    of_requesters(&mut registry, app, snapshot);
    registry
}

fn of_settings(registry: &mut Registry, app: &App) {
    let last = app.reloads.last();
    let help = "1 if the settings, and the tokens in the database, were taken the last time they were read, at the start or since";
    gauge(registry, "config_last_reload_successful", help, usize::from(last.is_good && last.are_tokens_good));
    registry.register_with_unit(
        "config_last_reload_success_timestamp",
        "When settings were taken last, since the Unix epoch",
        Unit::Seconds,
        ConstGauge::new(whole(last.good_at.as_millis() / 1000)),
    );
    if let Some(tls) = &app.live().tls {
        registry.register_with_unit(
            "tls_certificate_expiry_timestamp",
            "When the first certificate of the chain ends, since the Unix epoch",
            Unit::Seconds,
            ConstGauge::new(whole(tls.expiry().as_secs())),
        );
    }
}

fn of_requesters(registry: &mut Registry, app: &App, snapshot: &Snapshot) {
    let (known, other) = app.requesters.all();
    let (asked, refused) = (Family::<_, Counter>::default(), Family::<_, Counter>::default());
    let open = Family::<_, Gauge>::default();
    let mut rest = snapshot.of_requester.clone();
    for (id, calls) in &known {
        let label = RequesterLabel { requester: id.as_str().to_owned() };
        let (of_asked, of_refused) = calls.counts();
        asked.get_or_create(&label).inc_by(of_asked);
        refused.get_or_create(&label).inc_by(of_refused);
        open.get_or_create(&label).inc_by(number(rest.remove(id).unwrap_or(0)));
    }
    // One may be called so.
    let label = RequesterLabel { requester: OTHER.to_owned() };
    let (of_asked, of_refused) = other.counts();
    asked.get_or_create(&label).inc_by(of_asked);
    refused.get_or_create(&label).inc_by(of_refused);
    open.get_or_create(&label).inc_by(number(rest.values().sum()));
    registry.register("requester_requests", "Calls that asked for signatures, by requester", asked);
    registry.register("requester_refusals", "Calls that came too fast or to no request, by requester", refused);
    registry.register("requester_open_requests", "Requests that are open, by requester", open);
}

fn durable(store: &DurableStore, usage: Usage) -> Registry {
    let mut registry = Registry::with_prefix("countersign");
    let bytes = |registry: &mut Registry, name, help, value| {
        registry.register_with_unit(name, help, Unit::Bytes, ConstGauge::new(whole(value)));
    };
    bytes(
        &mut registry,
        "store_used",
        "Taken in the store, room for the ends of open requests included",
        usage.used_bytes,
    );
    bytes(&mut registry, "store_limit", "The most that may be taken in the store", store.max_bytes());
    gauge(&mut registry, "store_full", "1 while the last writes found no room", usize::from(store.is_full()));
    registry.register(
        "store_writes_waiting",
        "Writes that have been submitted to the store and are not certain yet",
        ConstGauge::new(whole(store.writes_waiting())),
    );
    registry.register_with_unit(
        "store_commit_duration",
        "How long transactions of the store took",
        Unit::Seconds,
        store.commit_durations(),
    );
    registry.register(
        "webhook_backlog",
        "Webhook events that are still to be told",
        ConstGauge::new(whole(usage.events)),
    );
    let age = usage.oldest_event.map_or(0.0, |ended| Timestamp::of_the_system().since(ended).as_secs_f64());
    registry.register_with_unit(
        "webhook_backlog_age",
        "How long ago the request ended whose event has waited longest; 0 without any",
        Unit::Seconds,
        ConstGauge::new(age),
    );
    registry
}

/// Of what several servers may share.
fn shared(store: &DurableStore, hub: HubState) -> Registry {
    let mut registry = Registry::with_prefix("countersign");
    let is_connected = hub.is_connected && !store.counts().2;
    let help = "1 while both connections to the database are there";
    gauge(&mut registry, "database_connected", help, usize::from(is_connected));
    registry.register_with_unit(
        "lease_age",
        "How long ago the lease was renewed by which others know that this server is there",
        Unit::Seconds,
        ConstGauge::new(hub.lease_age.as_secs_f64()),
    );
    let queued = ConstGauge::new(number(hub.queued_bytes));
    registry.register_with_unit("mail_queue", "Mail to other servers that waits to be sent", Unit::Bytes, queued);
    registry
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: usize) {
    registry.register(name, help, ConstGauge::new(number(value)));
}

fn number(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The same in the text format 0.0.4, in which a counter has one name.
fn older(text: &str) -> String {
    let kinds: HashMap<_, _> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    let named = |name: &str| match kinds.get(name).copied() {
        Some("counter") => format!("{name}_total"),
        Some("info") => format!("{name}_info"),
        Some(_) | None => name.to_owned(),
    };
    let mut older = String::with_capacity(text.len());
    for line in text.lines() {
        let comment = |word: &str| line.strip_prefix("# ")?.strip_prefix(word)?.strip_prefix(' ')?.split_once(' ');
        // Writing to a string cannot fail.
        let _ = if let Some((name, help)) = comment("HELP") {
            writeln!(older, "# HELP {} {help}", named(name))
        } else if let Some((name, kind)) = comment("TYPE") {
            writeln!(older, "# TYPE {} {}", named(name), kind.replace("info", "gauge"))
        } else if line.starts_with('#') {
            Ok(())
        } else {
            writeln!(older, "{line}")
        };
    }
    older
}
