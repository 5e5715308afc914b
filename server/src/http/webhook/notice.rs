//! What is sent: the body, and the headers by which it is known and verified.

use crate::{
    Record,
    http::api::{Resource, WebhookSecrets},
    store::ServerKey,
    time::Timestamp,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use hyper::http::request;
use serde::Serialize;
use std::time::{Duration, UNIX_EPOCH};

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    /// When it ended.
    timestamp: String,
    data: Resource<'a>,
}

/// The call that tells how a request ended: every attempt the same, but for its time and hence its signature.
pub(super) fn notice(
    record: &Record,
    key: &ServerKey,
    secrets: &WebhookSecrets,
    now: Timestamp,
) -> (request::Builder, Bytes) {
    let ended = UNIX_EPOCH + Duration::from_millis(record.times.ended.unwrap_or(now).as_millis());
    let timestamp = humantime::format_rfc3339_millis(ended).to_string();
    // Nothing in here has a form that JSON lacks.
    let body = serde_json::to_vec(&Body { kind: "request.ended", timestamp, data: record.into() }).unwrap_or_default();
    let id = format!("evt_{}", record.id);
    let seconds = now.as_millis() / 1000;
    let signed = [format!("{id}.{seconds}.").as_bytes(), &body].concat();
    let head = hyper::Request::post("/")
        .header("content-type", "application/json")
        .header("user-agent", concat!("countersign/", env!("CARGO_PKG_VERSION")))
        .header("webhook-id", id)
        .header("webhook-timestamp", seconds)
        .header("webhook-signature", signatures(&signed, key, secrets));
    (head, body.into())
}

/// Whatever a receiver may verify with. The asymmetric one comes first: there are receivers that know of no other.
fn signatures(signed: &[u8], key: &ServerKey, secrets: &WebhookSecrets) -> String {
    let asymmetric = format!("v1a,{}", STANDARD.encode(key.sign(signed)));
    let symmetric = secrets.sign(signed).map(|signature| format!("v1,{}", STANDARD.encode(signature)));
    [asymmetric].into_iter().chain(symmetric).collect::<Vec<_>>().join(" ")
}
