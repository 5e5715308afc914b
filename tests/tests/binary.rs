//! The command `countersign` as an operator meets it: flags, environment, file, log, signals, TLS.

use countersign_protocol::{AckOutcome, ServerFrame};
use countersign_server::http::Tokens;
use countersign_tests::{Backend, ServerProcess, TestWallet, within};
use http_body_util::{BodyExt, Empty};
use hyper::{Request, body::Bytes, client::conn::http1::handshake};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    process::Output,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring::default_provider, pki_types::ServerName},
};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

/// A folder that is removed at the end of its test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("countersign-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, content: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn run(arguments: &[&str]) -> (Output, String) {
    let output = within("the command's end", ServerProcess::command(arguments).output()).await.unwrap();
    let error = String::from_utf8(output.stderr.clone()).unwrap();
    (output, error)
}

#[tokio::test]
async fn help_explains_every_setting_in_a_line() {
    let (output, _) = run(&["--help"]).await;
    let help = String::from_utf8(output.stdout).unwrap();
    for flag in [
        "--listen",
        "--audience",
        "--web-root",
        "--config",
        "--allow-unproven",
        "--no-rate-limit",
        "--tls-cert",
        "--log-format",
    ] {
        assert!(help.contains(flag), "{flag}");
    }
    assert!(help.contains("COUNTERSIGN_LISTEN"));
}

#[tokio::test]
async fn a_wrong_setting_ends_with_its_name() {
    let folder = Folder::new("settings");
    let config = folder.file("countersign.toml", "lisen = '127.0.0.1:0'");
    let token = folder.file("token.toml", "[[token]]\nname = 'a'\nsha256 = 'b'");
    let (_, entry) = Tokens::generate("a", None).unwrap();
    let known = folder.file("known.toml", &format!("[[token]]\nname = 'a'\nsha256 = '{}'", entry.sha256));
    let cases: [(&[&str], &str); 11] = [
        (&["--listen", "nowhere"], "--listen"),
        (&["--listen", "192.0.2.1:1"], "--listen 192.0.2.1:1"),
        (&["--listen", "0.0.0.0:0"], "countersign token"),
        (&["--listen", "127.0.0.1:0", "--audience", "http://x"], "--audience http://x"),
        (&["--listen", "127.0.0.1:0", "--audience", "wss://sign.example/ws"], "countersign token"),
        (&["--listen", "127.0.0.1:0", "--web-root", "/nowhere"], "--web-root /nowhere"),
        (&["--listen", "127.0.0.1:0", "--max-inflight", "0"], "--max-inflight"),
        (&["--listen", "127.0.0.1:0", "--tls-cert", "a.pem"], "--tls-key"),
        (&["--listen", "127.0.0.1:0", "--demo", "--audience", "wss://sign.example/ws", "--config", &known], "--demo"),
        (&["--config", &config], "lisen"),
        (&["--listen", "127.0.0.1:0", "--config", &token], "token \"a\""),
    ];
    for (arguments, named) in cases {
        let (output, error) = run(arguments).await;
        assert!(!output.status.success() && error.contains(named), "{arguments:?}: {error}");
        assert!(!error.contains("panicked"), "{error}");
    }
}

#[tokio::test]
async fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let folder = Folder::new("order");
    let (token, entry) = Tokens::generate("From the file", None).unwrap();
    let text = format!(
        "max_message_bytes = 10\nheartbeat_ms = 1111\nmax_inflight = 3\n[[token]]\nname = \"{}\"\nsha256 = \"{}\"\n",
        entry.name, entry.sha256
    );
    let config = folder.file("countersign.toml", &text);
    let mut command = ServerProcess::command(&["--config", &config, "--max-inflight", "5"]);
    command.env("COUNTERSIGN_HEARTBEAT_MS", "2222").env("COUNTERSIGN_MAX_INFLIGHT", "4");
    let server = ServerProcess::spawn(command).await;

    let url = format!("ws://{}/ws", server.address);
    let mut wallet = TestWallet::dial(&url, 1).await;
    let welcome = wallet.introduce().await;
    assert_eq!((welcome.heartbeat_ms, welcome.limits.max_inflight), (2222, 5));
    // What may be allowed while it is connected; what is allowed now is seen below.
    assert_eq!(welcome.limits.max_message_bytes, 65_536);

    let mut backend = Backend::connect(server.address).await.with_token(&token);
    let key = wallet.public_key();
    assert_eq!(backend.ask(&key, b"eleven bytes").await.code(), (413, "message_too_long"));
    let (reply, ()) = tokio::join!(backend.ask(&key, b"ten bytes."), async {
        let request = wallet.expect_request().await;
        assert_eq!(request.requester.name.as_str(), "From the file");
        wallet.send(&wallet.answer(&request)).await;
        assert_eq!(wallet.expect_ack(request.request_id).await, AckOutcome::Accepted);
    });
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn the_token_command_prints_what_the_file_takes() {
    let (output, _) = run(&["token", "Example \"Bank\""]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    let token = text.lines().find_map(|line| line.trim().strip_prefix("cs_")).expect("a token");
    let folder = Folder::new("token");
    let config = folder.file("countersign.toml", &text[text.find("[[token]]").unwrap()..]);
    let server = ServerProcess::start(&["--config", &config]).await;
    let mut backend = Backend::connect(server.address).await.with_token(&format!("cs_{token}"));
    let unknown = countersign_protocol::PublicKey::of(&ed25519_dalek::SigningKey::from_bytes(&[9; 32])).to_bytes();
    assert_eq!(backend.ask(&unknown, b"hello").await.code(), (404, "signer_not_connected"));
}

#[tokio::test]
async fn a_signal_stops_it_in_good_order_and_the_log_holds_no_secret() {
    for signal in ["TERM", "INT"] {
        let server = ServerProcess::start(&["--log", "trace", "--log-format", "json"]).await;
        let mut wallet = TestWallet::introduced(&format!("ws://{}/ws", server.address), 2).await;
        let mut backend = Backend::connect(server.address).await.with_token("cs_not-a-token-but-secret");
        let key = wallet.public_key();
        let message = b"a message for two pairs of eyes";
        let (reply, _) = tokio::join!(backend.ask(&key, message), wallet.sign_next());
        assert_eq!(reply.status, 200);
        let hex: String = key.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(backend.get(&format!("/v1/signers/{hex}")).await.json["connected"], true);

        server.signal(signal).await;
        assert!(matches!(wallet.next().await, ServerFrame::Goodbye(_)));
        assert!(matches!(wallet.next().await, ServerFrame::Goodbye(_)));
        assert_eq!(wallet.expect_close().await, CloseCode::Restart);
        drop(wallet);
        let log = server.wait().await;
        for line in log.lines() {
            serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        }
        assert!(log.contains(&key.fingerprint()), "the fingerprint is for telling keys apart");
        let signature = reply.json["signature"].as_str().unwrap();
        for secret in [
            std::str::from_utf8(message).unwrap(),
            reply.json["message"].as_str().unwrap(),
            "cs_not-a-token-but-secret",
            &key.to_string(),
            &hex,
            &signature[..20],
        ] {
            assert!(!log.contains(secret), "{secret} in the log");
        }
    }
}

#[tokio::test]
async fn a_second_signal_stops_it_at_once() {
    let server = ServerProcess::start(&["--drain-timeout-ms", "600000"]).await;
    let mut wallet = TestWallet::introduced(&format!("ws://{}/ws", server.address), 3).await;
    let mut backend = Backend::connect(server.address).await;
    let key = wallet.public_key();
    let asking = tokio::spawn(async move { backend.ask(&key, b"hello").await });
    wallet.expect_request().await;
    server.signal("INT").await;
    assert!(matches!(wallet.next().await, ServerFrame::Goodbye(_)));
    server.signal("INT").await;
    let (status, log) = server.end().await;
    assert!(!status.success() && log.contains("second signal"), "{status}: {log}");
    asking.abort();
}

#[tokio::test]
async fn the_demo_page_and_nobody_else_has_the_process_start_anew() {
    let folder = Folder::new("demo");
    let data = folder.0.join("data");
    let server = ServerProcess::start(&["--demo", "--data-dir", data.to_str().unwrap()]).await;
    let (own, process) = (format!("http://{}", server.address), server.id());
    let mut page = Backend::connect(server.address).await;
    let instance = page.get("/demo").await.json["instance"].clone();
    assert!(instance.is_string());

    let mut wallet = TestWallet::introduced(&format!("ws://{}/ws", server.address), 4).await;
    let body = json!({ "public_key": wallet.public_key().to_string(), "message": "aGk=", "queue": true });
    let accepted = page.post_with(&body, &[("prefer", "respond-async")]).await;
    assert_eq!(accepted.status, 202);
    let asked = wallet.expect_request().await;
    let json_type = ("content-type", "application/json");
    for (headers, refusal) in [
        (&[json_type][..], (403, "host_not_allowed")),
        (&[json_type, ("origin", "http://evil.example")], (403, "host_not_allowed")),
        (&[("content-type", "text/plain"), ("origin", &own)], (415, "unsupported_media_type")),
    ] {
        assert_eq!(page.post_to("/demo/restart", &json!({}), headers).await.code(), refusal, "{headers:?}");
    }
    assert_eq!(page.get("/demo/restart").await.code(), (405, "method_not_allowed"));
    let own = [json_type, ("origin", own.as_str())];
    assert_eq!(page.post_to("/demo/restart", &json!({ "down_ms": 60_001 }), &own).await.code(), (400, "malformed"));
    assert_eq!(page.get("/demo").await.json, json!({ "instance": instance }));
    // Of one server none has a name; and a name that was rebound to this machine is told nothing.
    let wallets = format!("/demo/wallets/{}", wallet.public_key().to_string().replace('/', "%2F"));
    assert_eq!(page.get(&wallets).await.json["nodes"], json!([]));
    let mut rebound = Backend::connect(server.address).await.with_host("evil.example");
    assert_eq!(rebound.get(&wallets).await.code(), (403, "host_not_allowed"));

    let began = Instant::now();
    let answer = page.post_to("/demo/restart", &json!({ "down_ms": 300 }), &own).await;
    assert_eq!((answer.status.as_u16(), &answer.json["instance"]), (202, &instance));
    let mut connection = wallet.into_stream();
    within("the connection's end", async { while connection.read_u8().await.is_ok() {} }).await;
    // While the process is replaced, its listener may take a connection that nobody serves any more.
    let gone = instance.as_str().unwrap();
    within("the next process", async {
        while !ask_bluntly(server.address, "/demo")
            .await
            .is_ok_and(|answer| answer.contains("200") && !answer.contains(gone))
        {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(began.elapsed() >= Duration::from_millis(300), "it was away for a while");
    let mut page = Backend::connect(server.address).await;
    assert_ne!(page.get("/demo").await.json["instance"], instance);
    assert_eq!(server.id(), process);

    let mut wallet = TestWallet::introduced(&format!("ws://{}/ws", server.address), 4).await;
    let again = wallet.expect_request().await;
    assert_eq!((again.request_id, again.attempt), (asked.request_id, 2));
    server.signal("TERM").await;
    server.wait().await;
}

/// Gets a path from a server that may be about to end.
async fn ask_bluntly(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn without_demo_nobody_has_it_start_anew() {
    let server = ServerProcess::start(&[]).await;
    let mut page = Backend::connect(server.address).await;
    assert_eq!(page.get("/demo").await.code(), (404, "not_found"));
    let own = [("content-type", "application/json"), ("origin", &*format!("http://{}", server.address))];
    assert_eq!(page.post_to("/demo/restart", &json!({}), &own).await.status.as_u16() / 100, 4);
    assert_eq!(page.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn the_page_is_served_confined_and_nothing_beside_it() {
    let folder = Folder::new("page");
    folder.file("index.html", "<!doctype html><title>demo</title>");
    std::fs::write(folder.0.join("x.wasm"), b"\0asm").unwrap();
    let server = ServerProcess::start(&["--web-root", folder.0.to_str().unwrap()]).await;
    let mut browser = Backend::connect(server.address).await;
    let page = browser.get("/").await;
    assert_eq!((page.status.as_u16(), page.text.as_str()), (200, "<!doctype html><title>demo</title>"));
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe-inline"), "{policy}");
    assert_eq!(page.headers["x-content-type-options"], "nosniff");
    assert_eq!(browser.get("/x.wasm").await.headers["content-type"], "application/wasm");
    let too_long = format!("/{}", "x".repeat(300));
    for odd in ["/%00", &too_long, "/index.html/x", "/%ff"] {
        assert_eq!(browser.get(odd).await.code(), (404, "not_found"), "{odd}");
    }
    for outside in ["/../Cargo.toml", "/%2e%2e/Cargo.toml", "/..%2fCargo.toml", "//etc/passwd"] {
        assert_eq!(browser.get(outside).await.status.as_u16(), 404, "{outside}");
    }
}

#[tokio::test]
async fn tls_is_served_with_http_1_1() {
    let folder = Folder::new("tls");
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = folder.file("cert.pem", &issued.cert.pem());
    let key = folder.file("key.pem", &issued.signing_key.serialize_pem());
    let server = ServerProcess::start(&["--tls-cert", &certificate, "--tls-key", &key]).await;

    let mut roots = RootCertStore::empty();
    roots.add(issued.cert.der().clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = TcpStream::connect(server.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = within("the handshake", TlsConnector::from(Arc::new(config)).connect(name, stream)).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));

    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("/healthz").header("host", "localhost").body(Empty::<Bytes>::new()).unwrap();
    let response = within("an answer", sender.send_request(request)).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "ok\n");

    // A client that speaks no TLS gets nothing and holds nothing.
    let mut plain = TcpStream::connect(server.address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut plain, b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = within("a close", tokio::io::AsyncReadExt::read_to_end(&mut plain, &mut answer)).await;
    assert!(!answer.starts_with(b"HTTP"));

    let (output, error) = run(&["--listen", "127.0.0.1:0", "--tls-cert", "missing.pem", "--tls-key", &key]).await;
    assert!(!output.status.success() && error.contains("missing.pem"), "{error}");
}
