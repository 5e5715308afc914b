//! An address that is told ends: it notes what it is told and answers as a test wants it to.

use crate::within;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, VerifyingKey};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Request, Response, body::Bytes, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use sha2::Sha256;
use std::{
    collections::VecDeque,
    convert::Infallible,
    future::pending,
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{
    net::TcpListener,
    sync::mpsc::{self, UnboundedReceiver},
    task::JoinSet,
};

/// A server that is told ends. It stops when dropped.
#[derive(Debug)]
pub struct WebhookReceiver {
    address: SocketAddr,
    deliveries: UnboundedReceiver<Delivery>,
    _serving: JoinSet<()>,
}

/// What it was told.
#[derive(Debug)]
pub struct Delivery {
    /// The path that was called.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl WebhookReceiver {
    /// Starts one that gives these answers, one after the other, and 204 after that. 0 is no answer at all.
    pub async fn start(answers: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, deliveries) = mpsc::unbounded_channel();
        let answers = Arc::new(Mutex::new(answers.iter().copied().collect::<VecDeque<_>>()));
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (sender, answers) = (sender.clone(), Arc::clone(&answers));
                let service = service_fn(move |request: Request<Incoming>| {
                    let (sender, answers) = (sender.clone(), Arc::clone(&answers));
                    async move {
                        let (head, body) = request.into_parts();
                        let body = body.collect().await.unwrap().to_bytes();
                        // The test may have seen enough.
                        let _ = sender.send(Delivery { path: head.uri.path().into(), headers: head.headers, body });
                        let status = answers.lock().unwrap().pop_front().unwrap_or(204);
                        if status == 0 {
                            pending::<()>().await;
                        }
                        let answer = Response::builder().status(status).header("location", "/elsewhere");
                        Ok::<_, Infallible>(answer.body(Full::<Bytes>::default()).unwrap())
                    }
                });
                connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, deliveries, _serving: serving }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// The next that it is told.
    pub async fn next(&mut self) -> Delivery {
        within("a delivery", self.deliveries.recv()).await.unwrap()
    }

    /// Whether it has been told nothing more so far.
    pub fn is_quiet(&self) -> bool {
        self.deliveries.is_empty()
    }
}

impl Delivery {
    /// One header.
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    /// The signatures of one version of Standard Webhooks.
    pub fn signatures(&self, version: &str) -> Vec<Vec<u8>> {
        let all = self.header("webhook-signature").split(' ').map(|one| one.split_once(',').unwrap());
        all.filter(|(of, _)| *of == version).map(|(_, signature)| STANDARD.decode(signature).unwrap()).collect()
    }

    /// Whether a receiver that knows this secret takes it.
    pub fn verifies_by(&self, secret: &str) -> bool {
        let secret = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap().chain_update(self.signed());
        self.signatures("v1").iter().any(|signature| mac.clone().verify_slice(signature).is_ok())
    }

    /// Whether one that knows this key does.
    pub fn verifies_by_key(&self, key: &VerifyingKey) -> bool {
        let signatures = self.signatures("v1a");
        let mut signatures = signatures.iter().map(|signature| Signature::from_slice(signature).unwrap());
        signatures.any(|signature| key.verify_strict(&self.signed(), &signature).is_ok())
    }

    fn signed(&self) -> Vec<u8> {
        let head = format!("{}.{}.", self.header("webhook-id"), self.header("webhook-timestamp"));
        [head.as_bytes(), &self.body].concat()
    }

    /// The body, as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}
