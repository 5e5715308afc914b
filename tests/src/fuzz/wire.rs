//! What comes over a wire.

use crate::{TestServer, documents::read, within};
use countersign_protocol::{ClientFrame, ServerFrame};
use serde::de::IgnoredAny;
use serde_json::Value;
use std::{net::SocketAddr, sync::OnceLock};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    runtime::{Builder, Runtime},
};

const HANDSHAKE: &[u8] = b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";

/// Every text that occurs in the vectors.
pub(super) fn frame_seeds() -> Vec<Vec<u8>> {
    fn texts(value: &Value, found: &mut Vec<Vec<u8>>) {
        match value {
            Value::String(text) => found.push(text.clone().into_bytes()),
            Value::Array(values) => values.iter().for_each(|value| texts(value, found)),
            Value::Object(fields) => fields.values().for_each(|value| texts(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut found = Vec::new();
    for file in ["frames", "refused"] {
        texts(&serde_json::from_str(&read(&format!("protocol/vectors/{file}.json"))).unwrap(), &mut found);
    }
    found
}

/// What is read as a frame is JSON, and the same frame when it has been written and is read again.
pub(super) fn frames(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(frame) = ClientFrame::parse(text) {
        assert!(serde_json::from_str::<IgnoredAny>(text).is_ok(), "no JSON: {text}");
        assert_eq!(ClientFrame::parse(&frame.to_json()).as_ref(), Ok(&frame));
    }
    if let Ok(frame) = ServerFrame::parse(text) {
        assert!(serde_json::from_str::<IgnoredAny>(text).is_ok(), "no JSON: {text}");
        assert_eq!(ServerFrame::parse(&frame.to_json()).as_ref(), Ok(&frame));
    }
}

/// Calls of every kind, with and without their tokens.
pub(super) fn http_seeds() -> Vec<Vec<u8>> {
    let body = r#"{"public_key":"iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=","message":"aGk=","purpose":"Order 1042","timeout_ms":1000,"queue":true}"#;
    let post = |headers: &str, body: &str| {
        format!(
            "POST /v1/send_to_sign HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let get = |path: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer cs_00\r\n\r\n")
    };
    let mut seeds = vec![
        post("", body),
        post(
            "Prefer: respond-async, wait=1\r\nIdempotency-Key: \"order-1042\"\r\nAuthorization: Bearer cs_00\r\n",
            body,
        ),
        post(
            "",
            r#"{"public_key":"8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c","messages":["aGk=","aG8="]}"#,
        ),
        post(
            "",
            r#"{"public_key":"GLzSyTsrnXd8TqWsKJ5xtwvcyHdTHDPrDnmPnQCLyDZ7","message":"","webhook":"http://127.0.0.1:9/"}"#,
        ),
        "POST /v1/send_to_sign HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
            .into(),
        "DELETE /v1/requests/01a221d4-fa9f-77fc-92bc-521439319005 HTTP/1.1\r\nHost: localhost\r\n\r\n".into(),
    ];
    for path in [
        "/v1/requests/01a221d4-fa9f-77fc-92bc-521439319005?wait=1",
        "/v1/signers/iojj",
        "/openapi.json",
        "/metrics",
        "/readyz",
    ] {
        seeds.push(get(path));
    }
    seeds.push(String::from_utf8_lossy(HANDSHAKE).into_owned());
    seeds.into_iter().map(String::into_bytes).collect()
}

/// The server answers or closes, whatever it is sent, and is there for the next.
pub(super) fn http(input: &[u8]) {
    let (runtime, server) = server();
    runtime.block_on(async {
        let answer = exchange(server.address, &[input]).await;
        let is_http = answer.is_empty() || answer.starts_with(b"HTTP/1.");
        assert!(is_http, "{}", String::from_utf8_lossy(&answer));
        assert!(!answer.starts_with(b"HTTP/1.1 500"), "{}", String::from_utf8_lossy(&answer));
    });
}

/// Frames of WebSocket, masked by zeros: texts, pings, fragments, a close.
pub(super) fn websocket_seeds() -> Vec<Vec<u8>> {
    let frame = |first: u8, payload: &[u8]| {
        let length = match u8::try_from(payload.len()) {
            Ok(short) if short < 126 => vec![0x80 | short],
            _ => [&[0x80 | 126][..], &u16::try_from(payload.len()).unwrap().to_be_bytes()].concat(),
        };
        [&[first][..], &length, &[0; 4], payload].concat()
    };
    let texts = frame_seeds().into_iter().filter(|text| text.len() < 60_000);
    let mut seeds: Vec<_> = texts.map(|text| frame(0x81, &text)).collect();
    seeds.push(
        [frame(0x89, b"ping"), frame(0x01, b"{\"type\""), frame(0x80, b":\"ping\"}"), frame(0x88, b"\x03\xe8")]
            .concat(),
    );
    seeds
}

/// A stranger's frames bring down nothing.
pub(super) fn websocket(input: &[u8]) {
    let (runtime, server) = server();
    runtime.block_on(async {
        let answer = exchange(server.address, &[HANDSHAKE, input]).await;
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    });
}

/// Sends it all, says that there is no more, and reads to the end.
async fn exchange(server: SocketAddr, parts: &[&[u8]]) -> Vec<u8> {
    within("the end of a connection", async {
        let mut stream = TcpStream::connect(server).await.expect("the server is there");
        // It may have closed before it has all.
        for part in parts {
            let _ = stream.write_all(part).await;
        }
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        answer
    })
    .await
}

/// One for all inputs, on a runtime of its own.
fn server() -> &'static (Runtime, TestServer) {
    static SERVER: OnceLock<(Runtime, TestServer)> = OnceLock::new();
    SERVER.get_or_init(|| {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = runtime.block_on(TestServer::durable(|settings| settings.no_rate_limit = Some(true)));
        (runtime, server)
    })
}
