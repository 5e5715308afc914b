//! What is sent: the body, and the headers by which it is known and verified.

use crate::{
    Record,
    http::api::{BatchAnswer, Live, Resource, WebhookSecrets, WebhookTarget},
    store::{DurableStore, ServerKey},
    time::Timestamp,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use countersign_protocol::BatchId;
use hyper::http::request;
use serde::Serialize;
use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

#[derive(Serialize)]
struct Body<T> {
    #[serde(rename = "type")]
    kind: &'static str,
    /// When it ended.
    timestamp: String,
    data: T,
}

/// What is told.
#[derive(Debug)]
pub(super) enum Content {
    /// How a request ended.
    Request(Box<Record>),
    /// How all of a batch did.
    Batch(BatchId, Vec<Record>),
}

impl Content {
    /// By what a receiver knows it again.
    fn id(&self) -> String {
        match self {
            Self::Request(record) => format!("evt_{}", record.id),
            Self::Batch(id, _) => format!("evt_{id}"),
        }
    }

    fn ended(&self) -> Option<Timestamp> {
        match self {
            Self::Request(record) => record.times.ended,
            Self::Batch(_, members) => members.iter().filter_map(|record| record.times.ended).max(),
        }
    }

    fn body(&self, timestamp: String) -> Vec<u8> {
        let body = match self {
            Self::Request(record) => {
                let data = Resource::from(&**record);
                serde_json::to_vec(&Body { kind: "request.ended", timestamp, data })
            }
            Self::Batch(_, members) => {
                let data = BatchAnswer::from(&members[..]);
                serde_json::to_vec(&Body { kind: "batch.ended", timestamp, data })
            }
        };
        // Nothing in here has a form that JSON lacks.
        body.unwrap_or_default()
    }
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

/// The call that tells it: every attempt the same, but for its time and hence its signature.
pub(super) fn notice(content: &Content, signers: &Signers, now: Timestamp) -> (request::Builder, Bytes) {
    let ended = UNIX_EPOCH + Duration::from_millis(content.ended().unwrap_or(now).as_millis());
    let body = content.body(humantime::format_rfc3339_millis(ended).to_string());
    let id = content.id();
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
