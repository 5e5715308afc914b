//! Those who mean no harm: wallets that sign what they are asked, and backends that ask and wait. What they see is what counts.

use crate::{TestWallet, outage::http::call};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_protocol::{
    AckOutcome, ClientFrame, PublicKeyBytes, RequestStatus, ServerFrame, Signable, WalletState,
};
use ed25519_dalek::SigningKey;
use hyper::Method;
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite;

const WALLETS: u8 = 8;
const BACKENDS: usize = 8;
/// The time that each call gives its wallet.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How long after that an answer is late: what a caller's own patience would add.
const GRACE: Duration = Duration::from_secs(2);

/// What they have seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// Calls that came to an end.
    pub calls: usize,
    /// Those answered with a signature that holds.
    pub signed: usize,
    /// Signatures that a wallet was told are accepted, and whose caller was told something else.
    pub lost: usize,
    /// Requests that a wallet was asked twice.
    pub doubled: usize,
    /// Calls that were answered after their time, or not at all.
    pub late: usize,
    /// Signatures that do not hold.
    pub false_signatures: usize,
    /// What else they were told, and how often.
    pub noticed: BTreeMap<String, usize>,
    accepted: BTreeSet<Vec<u8>>,
    given: BTreeSet<Vec<u8>>,
    prompts: BTreeMap<String, u32>,
}

/// Their life while something goes wrong.
#[derive(Debug, Clone)]
pub struct Honest {
    seen: Arc<Mutex<Seen>>,
    signed: watch::Sender<usize>,
}

impl Honest {
    /// Has them live while `trouble` goes on, and a little longer, and gives what they have seen.
    pub async fn live_through(server: SocketAddr, token: Option<&str>, trouble: impl AsyncFnOnce(&Self)) -> Seen {
        let honest = Self { seen: Arc::default(), signed: watch::Sender::new(0) };
        let stop = watch::Sender::new(false);
        let keys: Vec<_> = (0..WALLETS).map(|n| SigningKey::from_bytes(&[200 + n; 32])).collect();
        let mut wallets = Vec::new();
        for key in &keys {
            wallets.push(tokio::spawn(honest.clone().sign(server, connected(server, key.clone()).await)));
        }
        let backends: Vec<_> = (0..BACKENDS)
            .map(|n| {
                let (key, token) = (keys[n % keys.len()].clone(), token.map(str::to_owned));
                tokio::spawn(honest.clone().ask(server, n, key, token, stop.subscribe()))
            })
            .collect();
        honest.signatures(BACKENDS).await;
        trouble(&honest).await;
        stop.send_replace(true);
        for backend in backends {
            backend.await.unwrap();
        }
        for wallet in wallets {
            wallet.abort();
        }
        let mut seen = std::mem::take(&mut *honest.seen());
        seen.lost = seen.accepted.difference(&seen.given).count();
        seen.doubled = seen.prompts.values().filter(|times| **times > 1).count();
        seen
    }

    /// Waits until so many more calls have brought a signature.
    pub async fn signatures(&self, more: usize) {
        let mut signed = self.signed.subscribe();
        let wanted = *signed.borrow() + more;
        crate::within("honest calls", signed.wait_for(|signed| *signed >= wanted)).await.unwrap();
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    /// A wallet that comes back whenever it has lost its connection.
    async fn sign(self, server: SocketAddr, mut wallet: TestWallet) {
        loop {
            let mut shown = BTreeMap::new();
            while let Some(message) = wallet.next_raw().await {
                let tungstenite::Message::Text(text) = message else { continue };
                match ServerFrame::parse(&text) {
                    Ok(ServerFrame::SignRequest(request)) => {
                        *self.seen().prompts.entry(request.request_id.to_string()).or_default() += 1;
                        let (request_id, state) = (request.request_id, WalletState::Displayed);
                        wallet.send(&ClientFrame::RequestStatus(RequestStatus { request_id, state })).await;
                        wallet.send(&wallet.answer(&request)).await;
                        shown.insert(request_id, request.message.as_bytes().to_vec());
                    }
                    Ok(ServerFrame::ResponseAck(ack)) if ack.outcome == AckOutcome::Accepted => {
                        self.seen().accepted.extend(shown.remove(&ack.request_id));
                    }
                    Ok(_) | Err(_) => {}
                }
            }
            wallet = connected(server, wallet.key.clone()).await;
        }
    }

    async fn ask(
        self,
        server: SocketAddr,
        name: usize,
        key: SigningKey,
        token: Option<String>,
        stop: watch::Receiver<bool>,
    ) {
        let public_key = PublicKeyBytes::from(key.verifying_key().to_bytes()).to_string();
        let authorization = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = authorization.iter().map(|value| ("authorization", value.as_str())).collect();
        for n in 0_usize.. {
            if *stop.borrow() {
                return;
            }
            let message = format!("honest-{name}-{n}").into_bytes();
            let expected = Signable::Message(&message.clone().try_into().unwrap()).sign(&key);
            let body = json!({
                "public_key": public_key,
                "message": STANDARD.encode(&message),
                "timeout_ms": u64::try_from(TIMEOUT.as_millis()).unwrap(),
            });
            let started = Instant::now();
            let answer = call(server, Method::POST, "/v1/send_to_sign", &headers, Some(&body)).await;
            let took = started.elapsed();
            let mut seen = self.seen();
            seen.calls += 1;
            if took > TIMEOUT + GRACE {
                seen.late += 1;
            }
            match answer {
                Some((status, answer)) if status == 200 => {
                    seen.given.insert(message);
                    seen.signed += 1;
                    if answer["signature"] != STANDARD.encode(expected.as_bytes()) {
                        seen.false_signatures += 1;
                    }
                    drop(seen);
                    self.signed.send_modify(|signed| *signed += 1);
                }
                Some((status, answer)) => {
                    let said = format!("{} {}", status.as_u16(), answer["code"].as_str().unwrap_or("?"));
                    *seen.noticed.entry(said).or_default() += 1;
                }
                None => *seen.noticed.entry("no answer".into()).or_default() += 1,
            }
        }
    }
}

async fn connected(server: SocketAddr, key: SigningKey) -> TestWallet {
    let mut wallet = TestWallet::dial_from(&format!("ws://{server}/ws"), "", key).await;
    wallet.introduce().await;
    wallet
}
