//! A backend that keeps asking, and asks again under the same key where it did not hear what became of its call.

use super::{Address, http::call, ledger::Ledger, up};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_protocol::PublicKeyBytes;
use hyper::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::watch;

/// Asks one wish after the other until told to stop; every call that is begun is carried through.
pub async fn ask_on(
    name: usize,
    keys: Arc<[PublicKeyBytes]>,
    ledger: Arc<Ledger>,
    mut address: Address,
    stop: watch::Receiver<bool>,
) {
    for n in 0_usize.. {
        if *stop.borrow() {
            return;
        }
        let wish = format!("wish-{name}-{n}");
        let Some(key) = keys.get((name + n) % keys.len()) else { return };
        let body = body(key, &wish);
        // Whether it was heard or not, the same call until there is an answer.
        loop {
            let Some(at) = up(&mut address).await else { return };
            let headers = [("prefer", "respond-async"), ("idempotency-key", wish.as_str())];
            match call(at, Method::POST, "/v1/send_to_sign", &headers, Some(&body)).await {
                Some((status, resource)) if status == 202 => {
                    ledger.accepted(&wish, resource["request_id"].as_str().unwrap_or_default());
                    break;
                }
                // No more of this key at present.
                Some((status, _)) if status == 429 => tokio::task::yield_now().await,
                Some((status, problem)) if status != 503 => panic!("{status}: {problem}"),
                Some(_) | None => tokio::task::yield_now().await,
            }
        }
    }
}

/// What is sent for a wish.
pub fn body(key: &PublicKeyBytes, wish: &str) -> Value {
    json!({
        "public_key": key.to_string(),
        "message": STANDARD.encode(wish),
        "queue": true,
        "timeout_ms": 3_600_000,
    })
}
