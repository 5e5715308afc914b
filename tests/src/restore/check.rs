//! What has to be true of a server that was started on a backup.

use super::{
    load::{Load, Moment},
    receipt::verify_receipt,
    wallet::answer_again,
};
use crate::{Backend, outage::caller::body};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_protocol::{AckOutcome, PublicKey, RequestId};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

/// How many calls are repeated, and wallets' answers said again, beside those that are open: each of these is looked at one by one.
const SAMPLE: usize = 40;

/// What a restored server had.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// Requests that were accepted before the backup began.
    pub known: usize,
    /// Requests with an end.
    pub ended: usize,
    /// Those that were open again.
    pub open: usize,
    /// Requests that were accepted since, and are unknown.
    pub unknown: usize,
}

/// Checks a restored server. `outcome` is how all requests stood at last on the one that the backup was made of. What was known before the
/// backup is there, nothing has two ends, receipts verify, calls that are repeated make nothing new, and wallets that answer again are told
/// what is documented.
pub async fn check(restored: SocketAddr, outcome: &BTreeMap<String, Value>, before: &Moment, load: &Load) -> Found {
    let mut backend = Backend::connect(restored).await;
    let keys = backend.get("/.well-known/jwks.json").await.json;
    let accepted: BTreeSet<_> = before.accepted.iter().map(|(_, request)| request).collect();
    let known_ends: BTreeSet<_> = before.ended.iter().map(|(request, _)| request).collect();
    let (mut open, mut ended, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for (request, last) in outcome {
        let reply = backend.get(&format!("/v1/requests/{request}")).await;
        if reply.code() == (404, "unknown_request") {
            assert!(!accepted.contains(request), "accepted before the backup began: {last}");
            unknown.push(last.clone());
            continue;
        }
        assert_eq!(reply.status, 200, "{}", reply.text);
        let resource = reply.json;
        if !is_over(&resource) {
            assert!(!known_ends.contains(request), "it had ended before the backup began: {resource}");
            open.push(resource);
            continue;
        }
        // What is over has one end, and it is the one that everybody was told.
        assert_eq!((&resource["state"], &resource["signature"]), (&last["state"], &last["signature"]), "{resource}");
        let receipt = backend.get(&format!("/v1/requests/{request}/receipt")).await;
        let claims = verify_receipt(&receipt.text, &keys);
        assert_eq!((&claims["jti"], &claims["state"]), (&resource["request_id"], &resource["state"]));
        ended.push(resource);
    }
    repeat_calls(&mut backend, before, load).await;
    let found = Found { known: before.accepted.len(), ended: ended.len(), open: open.len(), unknown: unknown.len() };
    answer_all(restored, load, &open, &ended, &unknown).await;
    found
}

/// Every call that is sent again makes what it made.
async fn repeat_calls(backend: &mut Backend, before: &Moment, load: &Load) {
    let keys: Vec<_> = load.keys.iter().map(|key| PublicKey::of(key).to_bytes()).collect();
    for (wish, request) in before.accepted.iter().take(SAMPLE) {
        let numbers: Vec<usize> = wish.split('-').filter_map(|part| part.parse().ok()).collect();
        let key = &keys[numbers.iter().sum::<usize>() % keys.len()];
        let headers = [("prefer", "respond-async"), ("idempotency-key", wish.as_str())];
        let reply = backend.post_with(&body(key, wish), &headers).await;
        assert_eq!(reply.json["request_id"].as_str(), Some(request.as_str()), "{}", reply.text);
    }
}

/// Whoever answers what is open ends it; whoever answers again what was signed has its signature taken; what the backup does not know is unknown.
async fn answer_all(at: SocketAddr, load: &Load, open: &[Value], ended: &[Value], unknown: &[Value]) {
    let id = |resource: &Value| resource["request_id"].as_str().unwrap().parse::<RequestId>().unwrap();
    let expected = |resource: &Value| match resource["state"].as_str().unwrap() {
        "signed" => AckOutcome::Accepted,
        _ => AckOutcome::Late,
    };
    for key in &load.keys {
        let public = STANDARD.encode(PublicKey::of(key).to_bytes().as_bytes());
        let of_key = |resources: &[Value]| -> Vec<Value> {
            resources.iter().filter(|resource| resource["public_key"] == public.as_str()).cloned().collect()
        };
        let (open, mut ended, mut unknown) = (of_key(open), of_key(ended), of_key(unknown));
        // The latest: of these the wallets may not have heard.
        ended.reverse();
        ended.truncate(SAMPLE);
        unknown.truncate(SAMPLE);
        let again: Vec<Value> = ended.iter().chain(&unknown).cloned().collect();
        let open_ids = open.iter().map(id).collect();
        let told = answer_again(at, key, &again, &open_ids).await;
        for resource in &ended {
            assert_eq!(told[&id(resource)], expected(resource), "{resource}");
        }
        for resource in &unknown {
            assert_eq!(told[&id(resource)], AckOutcome::Unknown, "{resource}");
        }
        for id in &open_ids {
            assert_eq!(told[id], AckOutcome::Accepted);
        }
    }
    let mut backend = Backend::connect(at).await;
    for resource in open {
        let now = backend.get(&format!("/v1/requests/{}", id(resource))).await.json;
        assert_eq!(now["state"], "signed", "{now}");
    }
}

/// Whether a request is over, as the API shows it.
fn is_over(resource: &Value) -> bool {
    ["signed", "rejected", "expired", "cancelled"].iter().any(|state| resource["state"] == *state)
}
