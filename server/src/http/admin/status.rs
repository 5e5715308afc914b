//! `GET status`: how this node is.

use super::state::Admin;
use crate::{http::api::json, store::DurableStore};
use serde::Serialize;
use warp::reply::Response;

#[derive(Serialize)]
struct Status {
    version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    uptime_s: u64,
    draining: bool,
    tcp_connections: usize,
    connections: usize,
    introduced: usize,
    open_requests: usize,
    oldest_request_s: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<Store>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<Cluster>,
}

#[derive(Serialize)]
struct Store {
    kind: &'static str,
    failed: bool,
    full: bool,
    used_bytes: u64,
    max_bytes: u64,
    writes_waiting: u64,
    webhook_backlog: u64,
}

#[derive(Serialize)]
struct Cluster {
    other_nodes: i64,
    database_connected: bool,
    lease_age_ms: u64,
}

pub(super) async fn status(admin: &Admin) -> Response {
    let app = &admin.app;
    let snapshot = app.service.snapshot();
    let store = match &app.store {
        Some(store) => Some(of_store(store).await),
        None => None,
    };
    let cluster = app.store.as_ref().and_then(DurableStore::hub_state).map(|hub| Cluster {
        other_nodes: app.service.metrics().other_nodes.get(),
        database_connected: hub.is_connected,
        lease_age_ms: u64::try_from(hub.lease_age.as_millis()).unwrap_or(u64::MAX),
    });
    json(&Status {
        version: env!("CARGO_PKG_VERSION"),
        node: app.service.node().map(|node| node.to_string()),
        uptime_s: admin.started.elapsed().as_secs(),
        draining: app.service.is_draining(),
        tcp_connections: app.connections.taken().0,
        connections: snapshot.connections,
        introduced: snapshot.introduced,
        open_requests: snapshot.pending,
        oldest_request_s: snapshot.oldest.as_secs(),
        store,
        cluster,
    })
}

async fn of_store(store: &DurableStore) -> Store {
    let usage = store.usage().await;
    let (_, _, failed) = store.counts();
    Store {
        kind: if store.hub().is_some() { "postgresql" } else { "sqlite" },
        failed,
        full: store.is_full(),
        used_bytes: usage.used_bytes,
        max_bytes: store.max_bytes(),
        writes_waiting: store.writes_waiting(),
        webhook_backlog: usage.events,
    }
}
