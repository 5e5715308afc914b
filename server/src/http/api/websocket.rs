//! `GET /ws`: the WebSocket handshake (RFC 6455 §4.2), and the socket it leads to.

use super::{app::App, live::Live, problem::Problem};
use crate::{
    call_context::CallContext,
    connection::{Client, Incoming, Outgoing, ReadLimit, drive_within},
    http::listen::{FrameGate, LingeringClose, MaybeTlsStream, MessageTooLong, Peer, WriteTimeout},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_protocol::{
    Origin, SUBPROTOCOL,
    limits::{MAX_MESSAGE_BYTES, frame_bytes},
};
use futures_util::{Sink, SinkExt, Stream, StreamExt, future};
use headers::{Connection, HeaderMapExt, SecWebsocketAccept, SecWebsocketKey, Upgrade};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Bytes, Message, Utf8Bytes,
        error::ProtocolError,
        protocol::{CloseFrame, Role, WebSocketConfig},
    },
};
use warp::{
    Reply,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    reply::Response,
};

/// Room for an acknowledgement, some 110 bytes, to wait for the frame after it. More is written at once.
const WRITE_BUFFER_BYTES: usize = 512;

/// A connection is idle most of its life, so its buffer is small, and the gate before it reads more at once; longer frames make it grow for a while.
const READ_BUFFER_BYTES: usize = 512;

/// Answers the handshake with 101 and serves the wallet on a task of its own.
pub(in crate::http) fn upgrade(
    app: &Arc<App>,
    live: &Live,
    peer: Peer,
    headers: &HeaderMap,
    on_upgrade: Option<OnUpgrade>,
) -> Response {
    if let Err(exceeded) = live.connects.check(&peer.party) {
        app.service.metrics().rate_limited(exceeded.scope);
        app.refusals.note(exceeded.scope, &CallContext::at(peer.client));
        return Problem::from(exceeded).into_response();
    }
    let Some(on_upgrade) = on_upgrade.filter(|_| asks_for_websocket(headers)) else { return upgrade_required() };
    let Some(key) = handshake_key(headers) else {
        return Problem::malformed("the header sec-websocket-key is not 16 bytes in base64").into_response();
    };
    let Some(origin) = origin(headers) else {
        return Problem::malformed("the Origin header is not one printable origin").into_response();
    };
    let client = Client::from(origin).at(peer.client);
    let app = Arc::clone(app);
    tokio::spawn(async move {
        // An upgrade that fails leaves no one to tell.
        let limit = app.service.read_limit();
        let Some(socket) = socket(on_upgrade, limit.clone()).await else { return };
        drive_within(&app.service, socket, client, Some(limit)).await;
        // The place among the connections is given up with the peer, not before.
        drop(peer);
    });
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let answer = response.headers_mut();
    answer.typed_insert(Connection::upgrade());
    answer.typed_insert(Upgrade::websocket());
    answer.typed_insert(SecWebsocketAccept::from(key));
    if offers_subprotocol(headers) {
        answer.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    }
    response
}

/// The socket that the handshake led to, in small buffers.
async fn socket(
    on_upgrade: OnUpgrade,
    limit: ReadLimit,
) -> Option<impl Stream<Item = Result<Incoming<Utf8Bytes>, tungstenite::Error>> + Sink<Outgoing> + Unpin> {
    let parts = on_upgrade.await.ok()?.downcast::<TokioIo<WriteTimeout<LingeringClose<MaybeTlsStream>>>>().ok()?;
    // The driver has time limits of its own, for each frame and for the close.
    let io = parts.io.into_inner().into_inner().into_inner();
    // Copied, because hyper's 8 KiB buffer would otherwise stay for the connection's whole life.
    let mut ahead = parts.read_buf.to_vec();
    let io = FrameGate::new(io, limit, &mut ahead);
    // What may be allowed while the connection lasts; the gate knows what is.
    let longest = frame_bytes(MAX_MESSAGE_BYTES);
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_write_buffer_size(longest * 4)
        .max_message_size(Some(longest))
        .max_frame_size(Some(longest));
    let socket = WebSocketStream::from_partially_read(io, ahead, Role::Server, Some(config)).await;
    Some(socket.with(|outgoing| future::ok::<_, tungstenite::Error>(message(outgoing))).map(incoming))
}

fn incoming(message: Result<Message, tungstenite::Error>) -> Result<Incoming<Utf8Bytes>, tungstenite::Error> {
    match message {
        Ok(Message::Text(text)) => Ok(Incoming::Text(text)),
        Ok(Message::Binary(_)) => Ok(Incoming::Binary),
        Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => Ok(Incoming::Control),
        Ok(Message::Close(_)) => Ok(Incoming::Close),
        Err(tungstenite::Error::Capacity(_)) => Ok(Incoming::TooLarge),
        Err(tungstenite::Error::Io(error)) if error.get_ref().is_some_and(|error| error.is::<MessageTooLong>()) => {
            Ok(Incoming::TooLarge)
        }
        Err(tungstenite::Error::Utf8(_)) => Ok(Incoming::InvalidUtf8),
        // The peer has closed or hung up, which breaks no rule of the frames.
        Err(tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => Ok(Incoming::Close),
        Err(tungstenite::Error::Protocol(_)) => Ok(Incoming::BrokenFrame),
        Err(error) => Err(error),
    }
}

fn message(outgoing: Outgoing) -> Message {
    match outgoing {
        Outgoing::Text(text) => Message::Text(text.into()),
        Outgoing::Ping => Message::Ping(Bytes::new()),
        Outgoing::Close { code, reason } => {
            Message::Close(Some(CloseFrame { code: code.into(), reason: Utf8Bytes::from_static(reason) }))
        }
    }
}

fn asks_for_websocket(headers: &HeaderMap) -> bool {
    let is = |name, value: &str| headers.get(name).is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(value.as_bytes()));
    headers.typed_get::<Connection>().is_some_and(|connection| connection.contains("upgrade"))
        && is(header::UPGRADE, "websocket")
        && is(header::SEC_WEBSOCKET_VERSION, "13")
}

/// The key, if it is one (RFC 6455 §4.2.1, item 5).
fn handshake_key(headers: &HeaderMap) -> Option<SecWebsocketKey> {
    let text = headers.get(header::SEC_WEBSOCKET_KEY)?;
    STANDARD.decode(text).ok().filter(|nonce| nonce.len() == 16)?;
    headers.typed_get()
}

fn upgrade_required() -> Response {
    let detail = "this is a WebSocket endpoint: version 13, by GET with Upgrade: websocket";
    let mut response = Problem::new(StatusCode::UPGRADE_REQUIRED, "upgrade_required", detail).into_response();
    let answer = response.headers_mut();
    // Whoever sends Upgrade names it as an option of the connection (RFC 9110 §7.8).
    answer.typed_insert(Connection::upgrade());
    answer.typed_insert(Upgrade::websocket());
    answer.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    response
}

/// The one origin the browser states, or the empty one; `None` where there are several or it makes no sense.
fn origin(headers: &HeaderMap) -> Option<Origin> {
    let mut values = headers.get_all(header::ORIGIN).iter();
    match (values.next(), values.next()) {
        (None, _) => Some(Origin::default()),
        (Some(origin), None) => origin.to_str().ok()?.parse().ok(),
        (Some(_), Some(_)) => None,
    }
}

fn offers_subprotocol(headers: &HeaderMap) -> bool {
    let offers = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    offers.flat_map(|offers| offers.split(',')).any(|offer| offer.trim() == SUBPROTOCOL)
}
