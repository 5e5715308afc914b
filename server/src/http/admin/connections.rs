//! `GET connections`: the wallets that are connected to this node.

use super::{
    page::{Next, Part},
    path::{Parameters, public_key},
    state::Admin,
};
use crate::{
    http::api::{Problem, json},
    service::ListedConnection,
};
use countersign_protocol::{ConnectionId, Device, PublicKeyBytes};
use serde::Serialize;
use std::net::IpAddr;
use warp::reply::Response;

#[derive(Serialize)]
struct Connections<'a> {
    connections: Vec<Connection<'a>>,
    #[serde(flatten)]
    next: Next<ConnectionId>,
}

#[derive(Serialize)]
struct Connection<'a> {
    connection_id: ConnectionId,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<&'a str>,
    public_key: PublicKeyBytes,
    fingerprint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<&'a Device>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<IpAddr>,
    since_ms: u64,
    inflight: usize,
}

pub(super) fn connections(admin: &Admin, query: Option<&str>) -> Result<Response, Problem> {
    let mut parameters = Parameters::parse(query);
    let key = parameters.take_with("key", public_key);
    let part = Part::take(&mut parameters);
    parameters.end()?;
    let service = &admin.app.service;
    let (listed, has_more) = service.list_connections(key.as_ref(), part.after, part.limit);
    let node = service.node().map(|node| node.to_string());
    let next_cursor = listed.last().filter(|_| has_more).map(|last| last.id);
    let connections = listed.iter().map(|listed| Connection::new(listed, node.as_deref())).collect();
    Ok(json(&Connections { connections, next: Next { next_cursor } }))
}

impl<'a> Connection<'a> {
    fn new(listed: &'a ListedConnection, node: Option<&'a str>) -> Self {
        Self {
            connection_id: listed.id,
            node,
            public_key: listed.public_key,
            fingerprint: listed.public_key.fingerprint(),
            device: listed.device.as_deref(),
            address: listed.address,
            since_ms: listed.since.as_millis(),
            inflight: listed.inflight,
        }
    }
}
