//! Backends on HTTP/1.1 connections that stay open.

use super::{Ask, Asks, Requester};
use crate::{Fallible, fixture::Wallet, text::field};
use bytes::BytesMut;
use serde_json::json;
use std::{net::SocketAddr, sync::Arc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Room for any answer.
const BUFFER_BYTES: usize = 4096;

/// One backend.
pub(crate) struct Backend {
    stream: TcpStream,
    inbox: BytesMut,
}

/// So many backends, each with a connection of its own.
pub(crate) async fn connect(count: usize, address: SocketAddr) -> Fallible<Vec<Backend>> {
    let mut backends = Vec::with_capacity(count);
    for _ in 0..count {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        backends.push(Backend { stream, inbox: BytesMut::with_capacity(BUFFER_BYTES) });
    }
    Ok(backends)
}

/// A backend that does not wait for the signature, only for the word that its request is on disk.
pub(crate) struct Submitter(pub(crate) Backend);

/// Every request a backend will send.
pub(crate) fn asks(wallets: &[Arc<Wallet>], address: SocketAddr, path: &str) -> Arc<Asks> {
    Asks::new(wallets, |wallet, message| {
        post(address, path, "", &json!({ "public_key": wallet.name, "message": message }))
    })
}

/// Every request a submitter will send.
pub(crate) fn submissions(wallets: &[Arc<Wallet>], address: SocketAddr) -> Arc<Asks> {
    Asks::new(wallets, |wallet, message| {
        let body = json!({ "public_key": wallet.name, "message": message, "queue": true, "timeout_ms": 600_000 });
        post(address, crate::countersign::PATH, "prefer: respond-async\r\n", &body)
    })
}

fn post(address: SocketAddr, path: &str, headers: &str, body: &serde_json::Value) -> Vec<u8> {
    let body = body.to_string();
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\n{headers}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

impl Requester for Backend {
    async fn ask(&mut self, ask: &Ask) -> Fallible<()> {
        let body = self.call(&ask.request, 200).await?;
        match field(body, "signature") {
            Some(signature) if signature == ask.signature => Ok(()),
            _ => Err(format!("not the signature: {body}").into()),
        }
    }
}

impl Requester for Submitter {
    async fn ask(&mut self, ask: &Ask) -> Fallible<()> {
        self.0.call(&ask.request, 202).await?;
        Ok(())
    }
}

impl Backend {
    /// Sends a request, and gives the body of the answer, whose status has to be this one.
    async fn call(&mut self, request: &[u8], status: u16) -> Fallible<&str> {
        self.stream.write_all(request).await?;
        self.inbox.clear();
        while body(&self.inbox, status)?.is_none() {
            if self.stream.read_buf(&mut self.inbox).await? == 0 {
                return Err("the server hung up".into());
            }
        }
        body(&self.inbox, status)?.ok_or_else(|| "no answer".into())
    }
}

/// The body of an answer of this status, once it is there in full.
fn body(inbox: &[u8], status: u16) -> Fallible<Option<&str>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(inbox)? else { return Ok(None) };
    let length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length: usize = std::str::from_utf8(length.ok_or("an answer without a length")?.value)?.parse()?;
    let Some(body) = inbox.get(head..head + length) else { return Ok(None) };
    let body = std::str::from_utf8(body)?;
    match response.code {
        Some(code) if code == status => Ok(Some(body)),
        code => Err(format!("{}: {body}", code.unwrap_or_default()).into()),
    }
}
