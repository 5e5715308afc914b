//! The server under a service manager: what it says of itself, and a restart that refuses nobody.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_protocol::{PublicKey, ServerFrame};
use countersign_tests::{Backend, ServerProcess, ServiceManager, TestWallet, eventually, within};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request,
    body::Bytes,
    client::conn::http1::{SendRequest, handshake},
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs::File,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};

/// How often the server is restarted under load.
const RESTARTS: usize = 10;

/// Backends of each kind.
const BACKENDS: usize = 4;

const WALLET: u8 = 1;

#[tokio::test]
async fn a_service_manager_is_told_how_the_server_is() {
    let manager = ServiceManager::new();
    let mut command = manager.command(&["--drain-timeout-ms", "2000"]);
    command.env("WATCHDOG_USEC", "300000");
    let server = manager.spawn(command).await;
    manager.told("STATUS=Serving; wallets: 0, open requests: 0").await;
    manager.told("WATCHDOG=1").await;

    let wallet = TestWallet::introduced(&format!("ws://{}/ws", server.address), WALLET).await;
    manager.told("STATUS=Serving; wallets: 1, open requests: 0").await;
    let mut backend = Backend::connect(server.address).await;
    let asking = tokio::spawn(async move { backend.ask(&wallet.public_key(), b"hello").await.status });
    manager.told("STATUS=Serving; wallets: 1, open requests: 1").await;

    server.signal("STOP").await;
    // What was said before.
    while !manager.hears_nothing_for(Duration::from_millis(300)).await {}
    assert!(manager.hears_nothing_for(Duration::from_secs(1)).await, "a process that hangs says nothing");
    server.signal("CONT").await;
    manager.told("WATCHDOG=1").await;

    server.signal("TERM").await;
    // The time to drain, that of a wallet to take its last frame, and that of connections to close.
    let stopping = manager.told("STOPPING=1").await;
    assert!(stopping.contains(&"EXTEND_TIMEOUT_USEC=15000000".to_owned()), "{stopping:?}");
    manager.told("STATUS=Draining; wallets: 1, open requests: 1").await;
    manager.told("WATCHDOG=1").await;
    server.wait().await;
    assert_eq!(within("the call's end", asking).await.unwrap(), 503);
}

#[tokio::test]
async fn a_service_manager_that_does_not_listen_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = ServerProcess::command(&[]);
    command.env("NOTIFY_SOCKET", folder.path().join("nobody")).env("WATCHDOG_USEC", "1000");
    let server = ServerProcess::spawn(command).await;
    assert_eq!(Backend::connect(server.address).await.get("/healthz").await.status, 200);
    server.signal("TERM").await;
    assert!(server.wait().await.contains("NOTIFY_SOCKET"));
}

#[tokio::test]
async fn a_socket_that_does_not_fit_ends_the_start_with_the_reason() {
    let manager = ServiceManager::new();
    let elsewhere = format!("127.0.0.1:{}", manager.address().port().wrapping_add(1));
    let mut several = manager.command(&[]);
    several.env("LISTEN_FDS", "2");
    let file = File::open("/dev/null").unwrap();
    for (mut command, reason) in [
        (manager.command(&["--listen", &elsewhere]), "contradicts the socket that was handed over"),
        (manager.command(&["--demo"]), "--demo starts the process anew"),
        (several, "2 sockets were handed over"),
        (ServiceManager::handing_over(file.into(), ServerProcess::binary()), "is not one to listen on by TCP"),
    ] {
        let output = within("its end", command.output()).await.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(reason), "{reason}: {said}");
    }
}

/// A connection that says nothing by itself.
async fn connect(address: SocketAddr) -> TcpStream {
    within("a connection", TcpStream::connect(address)).await.unwrap()
}

async fn ask_for_health(stream: &mut TcpStream) {
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
}

/// All that comes until the server closes; fails where it resets.
async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    within("the close", stream.read_to_string(&mut text)).await.expect("an end and no reset");
    text
}

#[tokio::test]
async fn what_was_accepted_is_answered_and_what_was_not_waits_for_the_next_process() {
    let manager = ServiceManager::new();
    let server = manager.start(&[]).await;
    let mut wallet = TestWallet::introduced(&format!("ws://{}/ws", server.address), WALLET).await;
    let key = wallet.public_key();
    let mut backend = Backend::connect(server.address).await;
    let asking = tokio::spawn(async move { backend.ask(&key, b"hello").await });
    let request = wallet.expect_request().await;

    // One that has said nothing yet, one that has been asked before, one that is about to be used as the process ends.
    let (mut fresh, mut used, mut late) =
        (connect(server.address).await, connect(server.address).await, connect(server.address).await);
    for stream in [&mut used, &mut late] {
        ask_for_health(stream).await;
        let mut answer = [0; 512];
        let length = within("an answer", stream.read(&mut answer)).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..length]).to_lowercase();
        assert!(answer.starts_with("http/1.1 200") && !answer.contains("connection: close"), "{answer}");
    }
    server.signal("TERM").await;
    manager.told("STOPPING=1").await;
    let mut queued = connect(server.address).await;
    ask_for_health(&mut queued).await;
    for stream in [&mut fresh, &mut used] {
        ask_for_health(stream).await;
        let answer = read_to_end(stream).await.to_lowercase();
        assert!(answer.starts_with("http/1.1 503") && answer.contains("connection: close"), "{answer}");
        assert!(answer.contains("\"draining\""), "{answer}");
    }
    // The last request that is open has its answer; from here on the process only closes.
    wallet.send(&wallet.answer(&request)).await;
    assert_eq!(within("the call", asking).await.unwrap().status, 200);
    ask_for_health(&mut late).await;
    assert!(read_to_end(&mut late).await.starts_with("HTTP/1.1 503"));
    server.wait().await;

    let mut nobody = connect(manager.address()).await;
    ask_for_health(&mut nobody).await;
    let next = manager.start(&[]).await;
    for stream in [&mut queued, &mut nobody] {
        let mut answer = [0; 12];
        within("an answer", stream.read_exact(&mut answer)).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200", "by the next process");
    }
    next.kill().await;
}

/// What became of calls, by kind.
type Tally = Arc<Mutex<BTreeMap<String, usize>>>;

fn count(tally: &Tally, what: &str) {
    *tally.lock().unwrap().entry(what.into()).or_default() += 1;
}

fn counted(tally: &Tally, what: &str) -> usize {
    tally.lock().unwrap().get(what).copied().unwrap_or_default()
}

/// Signs whatever it is asked, and comes back whenever it is sent away.
async fn sign_for_ever(address: SocketAddr) {
    loop {
        // A send that fails is a panic of this wallet, and the end of its connection like any other.
        let connection = tokio::spawn(sign_until_sent_away(format!("ws://{address}/ws")));
        let _ = connection.await;
    }
}

async fn sign_until_sent_away(url: String) {
    let mut wallet = TestWallet::introduced(&url, WALLET).await;
    while let Some(frame) = wallet.next_raw().await {
        let Ok(ServerFrame::SignRequest(request)) = ServerFrame::parse(frame.to_text().unwrap_or_default()) else {
            continue;
        };
        wallet.send(&wallet.answer(&request)).await;
    }
}

/// Asks over and over, on one connection for as long as the server lets it, or on one for each call.
async fn ask_for_ever(address: SocketAddr, keeps_alive: bool, pause: Duration, tally: Tally) {
    let key = PublicKey::of(&ed25519_dalek::SigningKey::from_bytes(&[WALLET; 32])).to_bytes();
    let body = json!({ "public_key": key.to_string(), "message": STANDARD.encode("hello") }).to_string();
    let mut open = None;
    loop {
        let outcome = async {
            let mut sender = match open.take() {
                Some(sender) => sender,
                None => dial(address).await?,
            };
            let (what, last) = call(&mut sender, address, &body).await?;
            open = (keeps_alive && !last).then_some(sender);
            Ok(what)
        };
        let outcome: Result<String, String> = outcome.await;
        let kind = if keeps_alive { "keep-alive" } else { "new" };
        count(&tally, &format!("{kind}: {}", outcome.unwrap_or_else(|fault| format!("FAULT {fault}"))));
        sleep(pause).await;
    }
}

async fn dial(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>, String> {
    let connecting = timeout(Duration::from_secs(30), TcpStream::connect(address)).await;
    let stream = connecting.map_err(|_| "no connection")?.map_err(|error| format!("connect: {error}"))?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| format!("{error:?}"))?;
    tokio::spawn(connection);
    Ok(sender)
}

/// The answer, and whether it is the connection's last.
async fn call(
    sender: &mut SendRequest<Full<Bytes>>,
    address: SocketAddr,
    body: &str,
) -> Result<(String, bool), String> {
    let request = Request::post("/v1/send_to_sign")
        .header("host", address.to_string())
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_owned())))
        .map_err(|error| error.to_string())?;
    let answer = async {
        sender.ready().await?;
        let (head, body) = sender.send_request(request).await?.into_parts();
        Ok((head, body.collect().await?.to_bytes()))
    };
    let answer = timeout(Duration::from_secs(60), answer).await.map_err(|_| "no answer")?;
    let (head, body) = answer.map_err(|error: hyper::Error| format!("{error:?}"))?;
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let code = body["code"].as_str().unwrap_or("signed");
    let last = head.headers.get("connection").is_some_and(|value| value == "close");
    if code == "draining" && head.headers.contains_key("retry-after") {
        return Err("draining with a Retry-After that nobody can know".into());
    }
    Ok((format!("{} {code}", head.status.as_u16()), last))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_restarts_under_load_refuse_and_reset_nothing() {
    let arguments = ["--no-rate-limit", "--log", "warn"];
    let manager = ServiceManager::new();
    let address = manager.address();
    let mut server = manager.start(&arguments).await;
    let tally = Tally::default();
    let mut load = JoinSet::new();
    load.spawn(sign_for_ever(address));
    for n in 0..BACKENDS {
        // From one that never rests to one that does between two calls.
        let pause = Duration::from_millis(5 * (1 << (2 * n)));
        load.spawn(ask_for_ever(address, true, pause, Arc::clone(&tally)));
        load.spawn(ask_for_ever(address, false, pause, Arc::clone(&tally)));
    }
    for _ in 0..RESTARTS {
        let before = (counted(&tally, "new: 200 signed"), counted(&tally, "keep-alive: 200 signed"));
        eventually("calls that are answered", || {
            counted(&tally, "new: 200 signed") > before.0 + 10
                && counted(&tally, "keep-alive: 200 signed") > before.1 + 10
        })
        .await;
        server.signal("TERM").await;
        server.wait().await;
        server = manager.start(&arguments).await;
    }
    load.shutdown().await;
    server.kill().await;

    let tally = tally.lock().unwrap();
    println!("{tally:#?}");
    let allowed = ["200 signed", "503 draining", "404 signer_not_connected"];
    let strange: Vec<_> = tally.keys().filter(|kind| !allowed.iter().any(|allowed| kind.ends_with(allowed))).collect();
    assert!(strange.is_empty(), "{tally:#?}");
}
