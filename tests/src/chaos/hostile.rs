//! Those who mean harm, each in one way, for as long as it lives.

use crate::{TestWallet, outage::http::call};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_protocol::limits::{MAX_BATCH, MAX_MESSAGE_BYTES};
use hyper::Method;
use serde_json::json;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
};

const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";

/// A connection from an address of its own, so that limits by address are not the honest ones' to meet.
async fn connect(server: SocketAddr) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().ok()?;
    socket.bind((IpAddr::V4(Ipv4Addr::new(127, 0, 0, 66)), 0).into()).ok()?;
    socket.connect(server).await.ok()
}

async fn shake_hands(server: SocketAddr) -> Option<TcpStream> {
    let mut stream = connect(server).await?;
    stream.write_all(HANDSHAKE.as_bytes()).await.ok()?;
    stream.read_exact(&mut [0; 12]).await.ok()?;
    Some(stream)
}

/// So many connections that say nothing.
pub async fn silence(server: SocketAddr, count: usize) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for _ in 0..count {
        held.extend(connect(server).await);
    }
    held
}

/// So many strangers, each with a frame that is nearly whole.
pub async fn unfinished_frames(server: SocketAddr, count: usize) -> Vec<TcpStream> {
    let mut held = Vec::new();
    let frame = [&[0x81, 0xfe, 0xfd, 0xe8, 0, 0, 0, 0][..], &[b' '; 64_000]].concat();
    for _ in 0..count {
        let Some(mut stream) = shake_hands(server).await else { continue };
        // The server may close before it has taken all of it.
        let _ = stream.write_all(&frame).await;
        held.push(stream);
    }
    held
}

/// So many introduced wallets that write the same bytes for ever, in pieces.
pub async fn writers(server: SocketAddr, count: u8, first: Vec<u8>, again: Vec<u8>) -> JoinSet<()> {
    let mut writing = JoinSet::new();
    for seed in 0..count {
        let wallet = TestWallet::introduced(&format!("ws://{server}/ws"), 100 + seed).await;
        let (first, again) = (first.clone(), again.repeat(512));
        writing.spawn(async move {
            let mut stream = wallet.into_stream();
            let _ = stream.write_all(&first).await;
            while stream.write_all(&again).await.is_ok() {}
        });
    }
    writing
}

/// Wallets of so many keys, so many of each, that take in nothing after their welcome; and a backend that asks them for long messages.
pub async fn deaf_wallets(
    server: SocketAddr,
    keys: u8,
    of_each: usize,
    asked: usize,
) -> (Vec<TestWallet>, JoinSet<()>) {
    let (mut wallets, mut asking) = (Vec::new(), JoinSet::new());
    for seed in 0..keys {
        for _ in 0..of_each {
            wallets.push(TestWallet::introduced(&format!("ws://{server}/ws"), 1 + seed).await);
        }
        let public_key = wallets[wallets.len() - 1].public_key().to_string();
        for n in 0..asked {
            let message = vec![u8::try_from(n % 251).unwrap_or(0); MAX_MESSAGE_BYTES];
            let body = json!({ "public_key": public_key, "message": STANDARD.encode(message), "timeout_ms": 8_000 });
            asking.spawn(async move {
                call(server, Method::POST, "/v1/send_to_sign", &[], Some(&body)).await;
            });
        }
    }
    (wallets, asking)
}

/// Queues as many long batches as it may, for keys that nobody holds, until it has been refused so many times in a row.
pub async fn hoarder(server: SocketAddr, token: &str, keys: &[String]) -> usize {
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.as_str()), ("prefer", "respond-async")];
    let messages = vec![STANDARD.encode(vec![7; MAX_MESSAGE_BYTES]); MAX_BATCH];
    let (mut taken, mut refused) = (0, 0);
    for n in 0.. {
        let key = &keys[n % keys.len()];
        let body = json!({ "public_key": key, "messages": messages, "queue": true, "timeout_ms": 604_800_000 });
        match call(server, Method::POST, "/v1/send_to_sign", &headers, Some(&body)).await {
            Some((status, _)) if status == 202 => (taken, refused) = (taken + 1, 0),
            Some(_) | None => refused += 1,
        }
        if refused == 2 * keys.len() {
            break;
        }
    }
    taken
}
