//! What is sent: the body, and the headers by which it is known and verified.

use crate::{
    Record,
    http::api::{Live, Resource, WebhookSecrets, WebhookTarget},
    store::{DurableStore, ServerKey},
    time::Timestamp,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use hyper::http::request;
use serde::Serialize;
use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    /// When it ended.
    timestamp: String,
    data: Resource<'a>,
}

/// Whoever signs what is told to one target.
pub(super) struct Signers {
    /// At least one.
    keys: Vec<Arc<ServerKey>>,
    secrets: WebhookSecrets,
}

impl Signers {
    /// Those that the settings have now: the server's own key, where webhooks have none.
    pub(super) fn of(live: &Live, target: &WebhookTarget, store: &DurableStore) -> Self {
        let keys = if live.webhook_keys.is_empty() { vec![store.shared_key()] } else { live.webhook_keys.clone() };
        Self { keys, secrets: target.secrets().clone() }
    }

    /// Whatever a receiver may verify with. The asymmetric ones come first: there are receivers that know of no others.
    fn sign(&self, signed: &[u8]) -> String {
        let asymmetric = self.keys.iter().map(|key| format!("v1a,{}", STANDARD.encode(key.sign(signed))));
        let symmetric = self.secrets.sign(signed).map(|signature| format!("v1,{}", STANDARD.encode(signature)));
        asymmetric.chain(symmetric).collect::<Vec<_>>().join(" ")
    }
}

/// The call that tells how a request ended: every attempt the same, but for its time and hence its signature.
pub(super) fn notice(record: &Record, signers: &Signers, now: Timestamp) -> (request::Builder, Bytes) {
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
        .header("webhook-signature", signers.sign(&signed));
    (head, body.into())
}
