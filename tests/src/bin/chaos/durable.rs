//! Requests that wait on disk for a wallet that comes later.

use countersign_protocol::PublicKey;
use countersign_tests::{Backend, TestWallet};
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use std::net::SocketAddr;

const ASYNC: (&str, &str) = ("prefer", "respond-async");

/// Those of one key.
pub(crate) struct Durable {
    pub(crate) key: SigningKey,
    pub(crate) ids: Vec<String>,
}

impl Durable {
    /// Has so many taken, each for ten minutes.
    pub(crate) async fn queue(backend: &mut Backend, seed: u8, count: usize) -> Self {
        let mut queued = Self { key: SigningKey::from_bytes(&[seed; 32]), ids: Vec::new() };
        for n in 0..count {
            let reply = backend.post_with(&queued.call(&format!("durable {n}")), &[ASYNC]).await;
            assert_eq!(reply.status, 202, "{}", reply.text);
            queued.ids.push(reply.json["request_id"].as_str().unwrap().to_owned());
        }
        queued
    }

    pub(crate) fn call(&self, message: &str) -> Value {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let key = PublicKey::of(&self.key).to_bytes().to_string();
        json!({ "public_key": key, "message": STANDARD.encode(message), "queue": true, "timeout_ms": 600_000 })
    }

    /// A wallet of the key.
    pub(crate) async fn wallet(&self, server: SocketAddr) -> TestWallet {
        let mut wallet = TestWallet::dial_from(&format!("ws://{server}/ws"), "", self.key.clone()).await;
        wallet.introduce().await;
        wallet
    }

    /// The wallet comes, and signs all of them.
    pub(crate) async fn sign(&self, server: SocketAddr) {
        let mut wallet = self.wallet(server).await;
        let mut requests = Vec::new();
        for _ in &self.ids {
            requests.push(wallet.expect_request().await);
        }
        for request in requests {
            wallet.send(&wallet.answer(&request)).await;
            // What was refused since nobody could know whether it got to the disk may be there all the same.
            wallet.expect_ack_behind_requests(request.request_id).await;
        }
    }

    /// How many of them are signed, as their backend is told.
    pub(crate) async fn signed(&self, backend: &mut Backend) -> usize {
        let mut signed = 0;
        for id in &self.ids {
            signed += usize::from(backend.get(&format!("/v1/requests/{id}")).await.json["state"] == "signed");
        }
        signed
    }
}
