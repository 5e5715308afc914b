//! What HTTP and WebSocket ask of a server whatever the API on top: RFC 9110, 9112 and 6455, as proxies and strict clients see it.

use countersign_server::http::Tokens;
use countersign_tests::{Reply, TestServer, TestWallet, documents::table, within};
use hyper::Method;
use std::{num::NonZeroU32, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::{
    self,
    protocol::frame::{
        Frame,
        coding::{CloseCode, Data, OpCode},
    },
};

const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";

/// One connection on which bytes are written as they are.
struct Raw(TcpStream);

impl Raw {
    async fn connect(server: &TestServer) -> Self {
        Self(TcpStream::connect(server.address).await.unwrap())
    }

    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads one answer, its body by its length, and gives it as text; empty where the server has closed.
    async fn answer(&mut self) -> String {
        let mut answer = Vec::new();
        let head = loop {
            if let Some(at) = answer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            if within("an answer", self.0.read_buf(&mut answer)).await.unwrap_or(0) == 0 {
                return String::new();
            }
        };
        let text = String::from_utf8_lossy(&answer).into_owned();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        while answer.len() < head + length {
            within("the body", self.0.read_buf(&mut answer)).await.unwrap();
        }
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn status(&mut self, text: &str) -> u16 {
        self.send(text).await;
        let answer = self.answer().await;
        answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{text:?}: {answer:?}"))
    }
}

async fn status(server: &TestServer, text: &str) -> u16 {
    Raw::connect(server).await.status(text).await
}

#[tokio::test]
async fn a_request_names_one_host() {
    let server = TestServer::start().await;
    for (head, expected) in [
        ("GET /healthz HTTP/1.1\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: user@localhost\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: localhost:port\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: localhost:80\r\n\r\n", 200),
        ("GET /healthz HTTP/1.0\r\n\r\n", 200),
        ("GET http://localhost/healthz HTTP/1.1\r\n\r\n", 400),
        ("GET http://user@localhost/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ] {
        assert_eq!(status(&server, head).await, expected, "{head:?}");
    }
    server.finish(()).await;
}

/// By it a backend and its operator speak of the same call.
#[tokio::test]
async fn every_problem_says_what_the_log_calls_its_call() {
    let server = TestServer::durable(|settings| settings.no_rate_limit = Some(true)).await;
    let name = "X-Request-Id: order-1042\"\\\r\n";
    let post = |path: &str, kind: &str, body: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{name}\r\n{body}",
            body.len()
        )
    };
    let get = |method: &str, path: &str| format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{name}\r\n");
    let unknown = "/v1/requests/07070707-0707-4707-8707-070707070707";
    for (request, status) in [
        (get("GET", "/nothing"), 404),
        (get("GET", "/v1/nothing"), 404),
        (get("PATCH", "/healthz"), 405),
        (get("GET", "/v1/send_to_sign"), 405),
        (get("GET", unknown), 404),
        (get("GET", "/v1/requests?limit=0"), 400),
        (get("GET", "/ws"), 426),
        (get("GET", "/v1/signers/x"), 400),
        (post("/v1/send_to_sign", "text/plain", "{}"), 415),
        (post("/v1/send_to_sign", "application/json", "{"), 400),
        (post("/v1/batches", "application/json", &" ".repeat(2_000_000)), 413),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n{name}\r\n"), 400),
        (format!("GET /v1/requests HTTP/1.1\r\n{name}\r\n"), 400),
        (format!("GET /v1/requests HTTP/1.1\r\nHost: elsewhere.example\r\n{name}\r\n"), 403),
        (format!("CONNECT localhost:1 HTTP/1.1\r\nHost: localhost:1\r\n{name}\r\n"), 405),
        (format!("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n{name}\r\n"), 405),
    ] {
        for (request, id) in [(request.clone(), Some("order-1042\"\\")), (request.replace(name, ""), None)] {
            let answer = {
                let mut raw = Raw::connect(&server).await;
                raw.send(&request).await;
                raw.answer().await
            };
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{request:.100}: {head}");
            let problem: serde_json::Value = serde_json::from_str(body).unwrap();
            let called = problem["call_id"].as_str().unwrap_or_else(|| panic!("{request:.100}: {body}"));
            assert!(head.contains(&format!("x-request-id: {called}")), "{request:.100}: {head}");
            assert!(id.map_or(called.len() == 32, |id| id == called), "{request:.100}: {called}");
            assert_eq!(problem["status"], status);
        }
    }
    // A machine's question that goes well has no name.
    let mut raw = Raw::connect(&server).await;
    raw.send(&get("GET", "/healthz")).await;
    assert!(!raw.answer().await.contains("x-request-id"));
    server.finish(()).await;
}

/// One rule for all paths, so that none is two for whoever goes by paths.
#[tokio::test]
async fn no_path_is_the_same_with_a_slash_at_its_end() {
    let server = TestServer::durable(|settings| {
        settings.no_rate_limit = Some(true);
        settings.admin_listen = Some("127.0.0.1:0".parse().unwrap());
    })
    .await;
    let (mut backend, mut admin) = (server.backend().await, server.administrator().await);
    let id = "07070707-0707-4707-8707-070707070707";
    let key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let api = backend.get("/openapi.json").await.json;
    let described = api["paths"].as_object().unwrap().keys().cloned();
    let paths: Vec<_> = described.chain(["/healthz", "/readyz", "/metrics"].map(str::to_owned)).collect();
    assert!(paths.len() >= 12, "{paths:?}");
    for path in paths {
        let path = path.replace("{id}", id).replace("{public_key}", key);
        for method in [Method::GET, Method::HEAD, Method::POST, Method::DELETE] {
            for path in [format!("{path}/"), format!("{path}//"), format!("{path}/?limit=1")] {
                assert_is_no_path(&backend.call(method.clone(), &path).await, &method, &path);
            }
            let reply = backend.call(method.clone(), &path).await;
            assert_ne!(reply.json["code"], "not_found", "{method} {path}");
        }
    }
    let rows = table("docs/operating/admin.md", "| call | answer |");
    assert!(rows.len() >= 12);
    for row in rows {
        let (method, path) = row[0].split_once(' ').unwrap();
        let path = format!("/admin/v1/{}", path.replace("{id}", id).replace("{key}", key));
        let method: Method = method.parse().unwrap();
        for path in [format!("{path}/"), format!("{path}//")] {
            assert_is_no_path(&admin.call(method.clone(), &path).await, &method, &path);
        }
        assert_ne!(admin.call(method.clone(), &path).await.json["code"], "not_found", "{method} {path}");
    }
    for path in ["/healthz/", "/readyz/", "/metrics/"] {
        assert_is_no_path(&admin.get(path).await, &Method::GET, path);
    }
    server.finish((backend, admin)).await;
}

fn assert_is_no_path(reply: &Reply, method: &Method, path: &str) {
    assert_eq!(reply.status, 404, "{method} {path}: {}", reply.text);
    let says_why = reply.json["detail"].as_str().is_some_and(|detail| detail.contains("slash"));
    assert!(
        method == Method::HEAD || (says_why && reply.json["code"] == "not_found"),
        "{method} {path}: {}",
        reply.text
    );
}

/// Without a token the API is for this machine, whose name no page of the network may borrow: the target's, where it has one.
#[tokio::test]
async fn an_absolute_target_outranks_the_host() {
    let server = TestServer::start().await;
    let path = "/v1/signers/11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let to = |target: &str, host: &str| format!("GET {target}{path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    assert_eq!(status(&server, &to("", "localhost")).await, 200);
    assert_eq!(status(&server, &to("http://localhost", "evil.example")).await, 200);
    assert_eq!(status(&server, &to("http://evil.example", "localhost")).await, 403);
    server.finish(()).await;
}

#[tokio::test]
async fn what_names_one_thing_stands_once() {
    let (token, entry) = Tokens::generate("a", None).unwrap();
    let server = TestServer::with(|settings| settings.token = vec![entry]).await;
    let with = |headers: &str| format!("GET /v1/signers/x HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
    let right = format!("Authorization: Bearer {token}\r\n");
    assert_eq!(status(&server, &with(&right)).await, 400, "the key is none, the token is right");
    let two = with(&format!("{right}Authorization: Bearer other\r\n"));
    let mut raw = Raw::connect(&server).await;
    raw.send(&two).await;
    assert!(raw.answer().await.contains("authorization stands more than once"));
    server.finish(()).await;
}

#[tokio::test]
async fn a_handshake_is_whole_or_refused() {
    let server = TestServer::start().await;
    let key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    for (headers, expected) in [
        (format!("Sec-WebSocket-Version: 13\r\n{key}"), 101),
        ("Sec-WebSocket-Version: 13\r\n".into(), 400),
        (format!("Sec-WebSocket-Version: 13\r\n{key}{key}"), 400),
        ("Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAA\r\n".into(), 400),
        ("Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: not base64 at all\r\n".into(), 400),
        (format!("Sec-WebSocket-Version: 8\r\n{key}"), 426),
        (format!("Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 8\r\n{key}"), 400),
        (key.into(), 426),
    ] {
        assert_eq!(status(&server, &format!("{HANDSHAKE}{headers}\r\n")).await, expected, "{headers:?}");
    }
    server.finish(()).await;
}

/// RFC 6455 §7.4.1: 1002 for what is no frame, 1007 for text that is no UTF-8.
#[tokio::test]
async fn a_broken_frame_is_told_how_it_is_broken() {
    let server = TestServer::start().await;
    let masked = |first: u8, payload: &[u8]| {
        let length = u8::try_from(payload.len()).unwrap();
        [&[first, 0x80 | length, 0, 0, 0, 0], payload].concat()
    };
    for (bytes, code) in [
        (masked(0x83, b"reserved"), CloseCode::Protocol),
        (masked(0xc1, b"rsv"), CloseCode::Protocol),
        (masked(0x80, b"continues nothing"), CloseCode::Protocol),
        (masked(0x09, b"a fragmented ping"), CloseCode::Protocol),
        (vec![0x81, 2, b'h', b'i'], CloseCode::Protocol),
        (masked(0x81, &[0xff, 0xfe]), CloseCode::Invalid),
        (masked(0x81, &[0xed, 0xa0, 0x80]), CloseCode::Invalid),
    ] {
        let mut wallet = server.wallet(40).await;
        wallet.send_bytes(&bytes).await;
        wallet.expect_error().await;
        assert_eq!(wallet.expect_close().await, code, "{bytes:02x?}");
    }
    server.finish(()).await;
}

#[tokio::test]
async fn a_close_is_answered_with_a_close() {
    let server = TestServer::start().await;
    let mut wallet = server.wallet(41).await;
    wallet.send_raw(tungstenite::Message::Close(None)).await;
    let echoed = within("the close", async {
        loop {
            match wallet.next_raw().await {
                Some(tungstenite::Message::Close(_)) => break true,
                Some(_) => {}
                None => break false,
            }
        }
    });
    assert!(echoed.await);
    server.finish(wallet).await;
}

/// A fragmented message is one, whatever its fragments.
#[tokio::test]
async fn fragments_are_put_together() {
    let server = TestServer::start().await;
    let mut wallet = server.wallet(42).await;
    let ping = br#"{"type":"ping","t":7}"#;
    for (at, byte) in ping.iter().enumerate() {
        let opcode = if at == 0 { Data::Text } else { Data::Continue };
        let fragment = Frame::message(vec![*byte], OpCode::Data(opcode), at == ping.len() - 1);
        wallet.send_raw(tungstenite::Message::Frame(fragment)).await;
    }
    let pong = countersign_protocol::ServerFrame::Pong(countersign_protocol::PingPong { t: 7 });
    assert_eq!(wallet.next().await, pong);
    server.finish(wallet).await;
}

#[tokio::test]
async fn a_range_that_overflows_is_no_range() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("a.txt"), "0123456789").unwrap();
    let server = TestServer::with(|settings| settings.web_root = Some(root.path().into())).await;
    let range = |range: &str| format!("GET /a.txt HTTP/1.1\r\nHost: localhost\r\nRange: {range}\r\n\r\n");
    assert_eq!(status(&server, &range("bytes=2-4")).await, 206);
    for overflowing in ["bytes=0-18446744073709551615", "bytes=18446744073709551615-", "bytes=-18446744073709551616"] {
        assert_eq!(status(&server, &range(overflowing)).await, 200, "{overflowing}");
    }
    server.finish(()).await;
}

/// A proxy that still sends when the answer comes and the connection is reset tells its client 502.
#[tokio::test]
async fn a_refusal_waits_for_the_rest_of_the_body() {
    let (_, entry) = Tokens::generate("a", None).unwrap();
    let server = TestServer::with(|settings| {
        settings.token = vec![entry];
        settings.failures_per_second = NonZeroU32::new(1);
    })
    .await;
    let body = "x".repeat(3_000_000);
    let post = |authorization: &str, kind: &str| {
        format!(
            "POST /v1/send_to_sign HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    // On one connection: an answer that comes before its body is read would leave the body to be taken for the next request.
    let mut raw = Raw::connect(&server).await;
    assert_eq!(raw.status(&post("Bearer wrong", "application/json")).await, 401);
    let limited = async { while raw.status(&post("Bearer wrong", "application/json")).await != 429 {} };
    within("the limit", limited).await;
    let elsewhere =
        format!("POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    assert_eq!(raw.status(&elsewhere).await, 405);
    assert_eq!(raw.status("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await, 200);
    server.finish(()).await;
}

/// Who announces what is refused anyway is told so before sending it; and who sends it all the same is told too.
#[tokio::test]
async fn what_the_head_alone_makes_wrong_is_refused_before_the_body_comes() {
    let server = TestServer::with(|settings| {
        settings.no_rate_limit = Some(true);
        // Nobody waits for as long in this test.
        settings.read_timeout_ms = Some(60_000);
    })
    .await;
    let head = |path: &str, kind: &str, length: usize| {
        format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n")
    };
    let refused = [
        (head("/v1/send_to_sign", "application/json", 3_000_000), 413, 3_000_000),
        (head("/v1/batches", "application/json", 1_000_000_000_000), 413, 3_000_000),
        (head("/v1/send_to_sign", "text/plain", 3_000_000), 415, 3_000_000),
        (head("/v1/send_to_sign", "text/plain", 10), 415, 10),
    ];
    for (head, status, length) in refused {
        // It never sends any of it.
        let mut raw = Raw::connect(&server).await;
        raw.send(&head).await;
        let answer = raw.answer().await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{head}: {answer}");
        assert!(answer.contains("connection: close"), "{head}: {answer}");
        // It sends all of it without a look at the answer, which is there already.
        let mut raw = Raw::connect(&server).await;
        raw.send(&head).await;
        within("an answer", raw.0.readable()).await.unwrap();
        let rest = vec![b' '; length];
        within("the body", raw.0.write_all(&rest)).await.unwrap();
        raw.0.shutdown().await.unwrap();
        let mut answer = Vec::new();
        within("the end", raw.0.read_to_end(&mut answer)).await.unwrap();
        assert!(answer.starts_with(format!("HTTP/1.1 {status} ").as_bytes()), "{head}");
    }
    // A short body that is there costs no connection.
    let mut raw = Raw::connect(&server).await;
    for _ in 0..2 {
        assert_eq!(raw.status(&format!("{}0123456789", head("/v1/send_to_sign", "text/plain", 10))).await, 415);
    }
    server.finish(()).await;
}

/// Who asks before sending a body is told without having to send it.
#[tokio::test]
async fn a_body_that_waits_to_be_asked_for_is_not_waited_for() {
    let (_, entry) = Tokens::generate("a", None).unwrap();
    let server = TestServer::with(|settings| settings.token = vec![entry]).await;
    let head = "POST /v1/send_to_sign HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n";
    assert_eq!(status(&server, head).await, 401);
    server.finish(()).await;
}

#[tokio::test]
async fn a_connection_is_kept_for_the_next_request_and_not_for_ever() {
    let get = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    // What may be read at most is short, and does not count against a connection that is kept.
    let server = TestServer::with(|settings| settings.read_timeout_ms = Some(100)).await;
    let mut raw = Raw::connect(&server).await;
    assert_eq!(raw.status(get).await, 200);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(raw.status(get).await, 200);
    let mut silent = Raw::connect(&server).await;
    assert_eq!(silent.answer().await, "");
    server.finish(()).await;

    let server = TestServer::with(|settings| settings.keep_alive_timeout_ms = Some(50)).await;
    let mut raw = Raw::connect(&server).await;
    assert_eq!(raw.status(get).await, 200);
    assert_eq!(raw.answer().await, "", "the server closes it");
    server.finish(()).await;
}

/// What stands behind the proxies counts, in whatever form they write it.
#[tokio::test]
async fn clients_behind_proxies_of_a_network_have_rates_of_their_own() {
    let (_, entry) = Tokens::generate("a", None).unwrap();
    let server = TestServer::with(|settings| {
        settings.token = vec![entry];
        settings.trusted_proxy = vec!["127.0.0.0/8".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
    })
    .await;
    let guess = |client: &str| {
        format!("GET /v1/signers/x HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {client}\r\nConnection: close\r\n\r\n")
    };
    let guesser = guess("192.0.2.1:4711");
    within("the limit", async { while status(&server, &guesser).await != 429 {} }).await;
    for same in ["192.0.2.1", "192.0.2.1:80", "203.0.113.9, 192.0.2.1:1, 10.1.2.3"] {
        assert_eq!(status(&server, &guess(same)).await, 429, "{same}");
    }
    for other in ["192.0.2.2:4711", "[2001:db8::1]:4711", "192.0.2.1, 192.0.2.3"] {
        assert_eq!(status(&server, &guess(other)).await, 401, "{other}");
    }
    server.finish(()).await;
}

/// The wallet's socket says nothing before the introduction that needs more room than one.
#[tokio::test]
async fn a_stranger_s_first_frame_is_short() {
    let server = TestServer::start().await;
    let mut stranger = TestWallet::dial(&server.url(), 43).await;
    stranger.challenge().await;
    stranger.send_text(&"x".repeat(5_000)).await;
    stranger.expect_error().await;
    assert_eq!(stranger.expect_close().await, CloseCode::Size);
    server.finish(stranger).await;
}
