//! What one request allocates on its way through the service, counted: a guard against creeping costs that no clock can disturb.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use countersign_protocol::{ClientFrame, Introduction, Message, Origin, PublicKey, ServerFrame, Signable};
use countersign_server::{
    Config, SigningService,
    connection::{Halves, Incoming, Outgoing, drive},
};
use ed25519_dalek::SigningKey;
use futures_util::{StreamExt, sink, stream};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::{alloc::System, convert::Infallible};
use tokio::sync::mpsc;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Enough that what is allocated once, or now and then, does not count.
const REQUESTS: usize = 2_000;

/// The most allocations and bytes of one request with 256 bytes to sign, the wallet's one reply included. It was 20 and 3,480
/// when this was written; the head-room is for other versions of dependencies.
const MOST_ALLOCATIONS: f64 = 26.0;
const MOST_BYTES: f64 = 4_500.0;

const AUDIENCE: &str = "wss://sign.example/ws";

#[tokio::test]
async fn a_request_allocates_little() {
    let mut config = Config::new(vec![AUDIENCE.parse().unwrap()]);
    config.frames_per_second = None;
    let service = SigningService::new(config);
    let key = SigningKey::from_bytes(&[1; 32]);
    let message = Message::try_from(vec![b'm'; 256]).unwrap();
    let (incoming, mut from_wallet) = mpsc::channel::<Incoming<String>>(4);
    let (to_wallet, outgoing) = mpsc::channel(4);
    let driver = tokio::spawn({
        let service = service.clone();
        async move {
            let incoming = stream::poll_fn(move |cx| from_wallet.poll_recv(cx)).map(Ok::<_, Infallible>);
            let outgoing = Box::pin(sink::unfold(to_wallet, |to: mpsc::Sender<_>, frame| async move {
                to.send(frame).await.map(|()| to)
            }));
            drive(&service, Halves { incoming, outgoing }, Origin::default()).await
        }
    });
    let wallet = tokio::spawn(wallet(key.clone(), message.clone(), incoming, outgoing));

    let public_key = PublicKey::of(&key);
    while service.connections_of(&public_key.to_bytes()) == 0 {
        tokio::task::yield_now().await;
    }
    let ask = || service.send_to_sign(&public_key, message.as_bytes());
    ask().await.unwrap();
    let region = Region::new(ALLOCATOR);
    for _ in 0..REQUESTS {
        ask().await.unwrap();
    }
    let change = region.change();
    let each = |count: usize| count as f64 / REQUESTS as f64;
    let (allocations, bytes) = (each(change.allocations + change.reallocations), each(change.bytes_allocated));
    println!("one request: {allocations:.1} allocations, {bytes:.0} bytes");
    assert!(allocations <= MOST_ALLOCATIONS, "{allocations:.1} allocations a request");
    assert!(bytes <= MOST_BYTES, "{bytes:.0} bytes a request");
    driver.abort();
    wallet.abort();
}

/// Answers every request with a signature made once: what is counted is the service's work.
async fn wallet(
    key: SigningKey,
    message: Message,
    to_server: mpsc::Sender<Incoming<String>>,
    mut frames: mpsc::Receiver<Outgoing>,
) {
    let signature = Signable::Message(&message).sign(&key);
    let answer = format!(
        r#"","message":"{}","signature":"{signature}"}}"#,
        serde_json::to_value(&message).unwrap().as_str().unwrap()
    );
    while let Some(frame) = frames.recv().await {
        let Outgoing::Text(text) = frame else { continue };
        let reply = if let Some(rest) = text.strip_prefix(r#"{"type":"sign_request","request_id":""#) {
            [r#"{"type":"sign_response","request_id":""#, &rest[..36], &answer].concat()
        } else if let Ok(ServerFrame::Challenge(frame)) = ServerFrame::parse(&text) {
            let (public_key, audience, origin) =
                (PublicKey::of(&key).to_bytes(), AUDIENCE.parse().unwrap(), Origin::default());
            let signable = Signable::Introduction {
                challenge: &frame.challenge,
                public_key: &public_key,
                audience: &audience,
                origin: &origin,
            };
            let proof = Some(signable.sign(&key));
            ClientFrame::Introduction(Introduction { public_key, proof, device: None }).to_json()
        } else {
            continue;
        };
        to_server.send(Incoming::Text(reply)).await.unwrap();
    }
}
