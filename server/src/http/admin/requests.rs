//! `GET requests`: what is open on this node. Never a message: what is asked is the requester's and the wallet's business.

use super::{
    page::{Next, Part},
    path::{Parameters, public_key},
    state::Admin,
};
use crate::{
    http::api::{Problem, json},
    service::{ListedRequest, RequestFilter},
};
use countersign_protocol::{ConnectionId, PublicKeyBytes, RequestId, RequesterName};
use serde::Serialize;
use warp::reply::Response;

#[derive(Serialize)]
struct Requests<'a> {
    requests: Vec<Request<'a>>,
    #[serde(flatten)]
    next: Next<RequestId>,
}

#[derive(Serialize)]
struct Request<'a> {
    request_id: RequestId,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<&'a str>,
    requester_id: &'a str,
    requester: &'a RequesterName,
    public_key: PublicKeyBytes,
    fingerprint: String,
    state: &'static str,
    durable: bool,
    created_ms: u64,
    deliver_by_ms: u64,
    expires_at_ms: u64,
    message_bytes: usize,
    connections: &'a [ConnectionId],
}

pub(super) fn requests(admin: &Admin, query: Option<&str>) -> Result<Response, Problem> {
    let mut parameters = Parameters::parse(query);
    let filter =
        RequestFilter { key: parameters.take_with("key", public_key), requester: parameters.take("requester") };
    let part = Part::take(&mut parameters);
    parameters.end()?;
    let service = &admin.app.service;
    let (listed, has_more) = service.list_requests(&filter, part.after, part.limit);
    let node = service.node().map(|node| node.to_string());
    let next_cursor = listed.last().filter(|_| has_more).map(|last| last.record.id);
    let requests = listed.iter().map(|listed| Request::new(listed, node.as_deref())).collect();
    Ok(json(&Requests { requests, next: Next { next_cursor } }))
}

impl<'a> Request<'a> {
    fn new(listed: &'a ListedRequest, node: Option<&'a str>) -> Self {
        let ListedRequest { record, durable, is_ending, connections } = listed;
        Self {
            request_id: record.id,
            node,
            requester_id: record.requester_id.as_str(),
            requester: &record.requester,
            public_key: record.public_key,
            fingerprint: record.public_key.fingerprint(),
            state: if *is_ending { "ending" } else { record.phase().as_str() },
            durable: *durable,
            created_ms: record.times.queued.as_millis(),
            deliver_by_ms: record.deliver_by.as_millis(),
            expires_at_ms: record.expires_at.as_millis(),
            message_bytes: record.message.len(),
            connections,
        }
    }
}
