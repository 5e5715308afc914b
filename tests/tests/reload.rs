//! Settings taken anew while the server runs: each has its effect, all or none, and what is open goes on.

use countersign_protocol::{AckOutcome, ClientFrame, ErrorCode, PingPong, ServerFrame};
use countersign_server::http::{Reply as Answer, Revocation, Settings, SettingsError, Taken, TokenEntry, Tokens, ask};
use countersign_tests::{
    Backend, ServerProcess, ServiceManager, TestServer, TestWallet, WebhookReceiver,
    tls::{Authority, TlsPipe},
    within,
};
use serde_json::json;
use std::{
    collections::BTreeSet,
    fs,
    num::NonZeroU32,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Output,
    sync::{Arc, Mutex},
};
use tokio::{io::AsyncReadExt, net::TcpStream};

/// The settings that these tests see the effect of, from outside. The two about the store have theirs in the store's own tests: they count in hours,
/// and in a full disk.
const SEEN: [&str; 32] = [
    "token",
    "webhook_target",
    "webhook",
    "webhook_key",
    "tls_cert",
    "tls_key",
    "trusted_proxy",
    "no_rate_limit",
    "requests_per_second",
    "connects_per_second",
    "failures_per_second",
    "frames_per_second",
    "max_connections",
    "max_connections_per_ip",
    "max_connections_per_key",
    "max_inflight",
    "max_pending",
    "max_pending_per_key",
    "max_pending_bytes",
    "max_share_percent",
    "max_message_bytes",
    "heartbeat_ms",
    "write_timeout_ms",
    "reconnect_after_ms",
    "read_timeout_ms",
    "keep_alive_timeout_ms",
    "drain_timeout_ms",
    "log",
    "retention_hours",
    "max_store_bytes",
    "tokens_file",
    "control_socket",
];

#[test]
fn no_setting_is_left_out() {
    let anew: BTreeSet<_> =
        Settings::taken().filter(|(_, taken)| *taken == Taken::Anew).map(|(name, _)| name).collect();
    let seen: BTreeSet<_> = SEEN.into_iter().filter(|name| *name != "control_socket").collect();
    assert_eq!(anew, seen);
}

fn token(id: &str) -> (String, TokenEntry) {
    Tokens::generate("A name", Some(id)).unwrap()
}

fn rate(per_second: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(per_second)
}

const SIGNER: &str = "/v1/signers/11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

/// How many of so many calls are answered so before another answer comes.
async fn calls_until(backend: &mut Backend, most: usize, status: u16) -> usize {
    for call in 0..most {
        if backend.get(SIGNER).await.status != status {
            return call;
        }
    }
    most
}

async fn metric(backend: &mut Backend, name: &str) -> f64 {
    let text = backend.get("/metrics").await.text;
    let sample = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
    sample.unwrap_or_else(|| panic!("no {name}"))
}

#[tokio::test]
async fn tokens_come_and_go_on_connections_that_stay() {
    let ((old, old_entry), (new, new_entry)) = (token("a"), token("b"));
    let server = TestServer::with(|settings| settings.token = vec![old_entry.clone()]).await;
    let (mut with_old, mut with_new) =
        (server.backend().await.with_token(&old), server.backend().await.with_token(&new));
    assert_eq!(
        (with_old.get(SIGNER).await.status, with_new.get(SIGNER).await.status),
        (200.try_into().unwrap(), 401.try_into().unwrap())
    );

    let both = vec![old_entry, new_entry.clone()];
    let report = server.reload(|settings| settings.token = both).await.unwrap();
    assert_eq!((report.changed(), report.added, report.removed), (vec!["token"], vec!["b".to_owned()], vec![]));
    assert_eq!(
        (with_old.get(SIGNER).await.status, with_new.get(SIGNER).await.status),
        (200.try_into().unwrap(), 200.try_into().unwrap())
    );

    // A call that waits under a token that goes has its answer; the next one has none.
    let mut wallet = server.wallet(1).await;
    let key = wallet.public_key();
    let waiting = tokio::spawn(async move { (with_old.ask(&key, b"hello").await, with_old) });
    let request = wallet.expect_request().await;
    let report = server.reload(|settings| settings.token = vec![new_entry]).await.unwrap();
    assert_eq!((report.removed, report.open_without_token), (vec!["a".to_owned()], 1));
    wallet.send(&wallet.answer(&request)).await;
    assert_eq!(wallet.expect_ack(request.request_id).await, AckOutcome::Accepted);
    let (reply, mut with_old) = within("the answer", waiting).await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(with_old.get(SIGNER).await.code(), (401, "unauthorized"));
    let text = with_new.get("/metrics").await.text;
    assert!(text.contains("countersign_requester_requests_total{requester=\"b\"} 0"), "a new one counts by itself");
    server.finish((wallet, with_old, with_new)).await;
}

#[tokio::test]
async fn a_token_is_good_for_what_its_entry_says() {
    let hook = WebhookReceiver::start(&[]).await;
    let ((secret, entry), (reader, reading), (over, ended)) = (token("a"), token("a"), token("b"));
    let scoped = TokenEntry {
        keys: vec![key_text(1)[..6].to_owned()],
        webhook_targets: Some(Vec::new()),
        requests_per_second: rate(1_000_000),
        ..entry
    };
    let reading = TokenEntry { read_only: true, requests_per_second: rate(1), ..reading };
    let ended = TokenEntry { expires: Some("2001-01-01T00:00:00Z".into()), ..ended };
    let server = TestServer::durable(|settings| {
        settings.token = vec![scoped, reading, ended];
        settings.webhook_target = vec![hook.url()];
    })
    .await;
    let (mut wallet, other) = (server.wallet(1).await, server.wallet(2).await);
    let (key, other_key) = (wallet.public_key(), other.public_key());
    let mut backend = server.backend().await.with_token(&secret);
    let (reply, _) = tokio::join!(backend.ask(&key, b"hello"), wallet.sign_next());
    assert_eq!(reply.status, 200);
    assert_eq!(backend.ask(&other_key, b"hello").await.code(), (403, "key_not_allowed"));
    assert_eq!(backend.get(SIGNER).await.code(), (403, "key_not_allowed"));
    let body = json!({ "public_key": key.to_string(), "message": "aGk=", "webhook": hook.url() });
    let prefer = [("prefer", "respond-async")];
    assert_eq!(backend.post_with(&body, &prefer).await.code(), (403, "webhook_not_allowed"));
    let body = json!({ "public_key": key.to_string(), "message": "aGk=", "queue": true });
    let accepted = backend.post_with(&body, &prefer).await;
    let path = accepted.headers["location"].to_str().unwrap().to_owned();
    wallet.expect_request().await;

    let mut reader = server.backend().await.with_token(&reader);
    assert_eq!(reader.get(&path).await.status, 200);
    assert_eq!(reader.post(&body).await.code(), (403, "read_only"));
    assert_eq!(reader.call(hyper::Method::DELETE, &path).await.code(), (403, "read_only"));
    assert!(calls_until(&mut reader, 1000, 200).await < 20, "a rate of its own");
    let mut late = server.backend().await.with_token(&over);
    let reply = late.get(SIGNER).await;
    assert_eq!((reply.code(), reply.json["detail"].as_str()), ((401, "unauthorized"), Some("the token has expired")));

    // Kept, though no token of the requester holds; then ended, as asked.
    let revoke = async |revocation| {
        server
            .reload(|settings| {
                settings.token[..2].iter_mut().for_each(|entry| entry.revoked = Some(revocation));
            })
            .await
            .unwrap()
    };
    let report = revoke(Revocation::Keep).await;
    assert_eq!((report.ended, report.open_without_token, report.removed.len()), (0, 1, 2));
    assert_eq!(backend.get(SIGNER).await.json["detail"], "the token has been revoked");
    let report = revoke(Revocation::End).await;
    assert_eq!((report.ended, report.open_without_token), (1, 0));
    wallet.expect_cancel().await;
    server.reload(|settings| settings.token[0].revoked = None).await.unwrap();
    let resource = backend.get(&path).await.json;
    assert_eq!(
        (resource["state"].as_str(), resource["error"]["code"].as_str()),
        (Some("cancelled"), Some("cancelled"))
    );
    assert!(hook.is_quiet());
    server.finish((wallet, other, backend)).await;
}

#[tokio::test]
async fn an_administrator_has_settings_taken_anew_and_is_told_why_they_are_not() {
    let ((_, old), (_, new)) = (token("a"), token("b"));
    let server = TestServer::with(|settings| {
        settings.token = vec![old];
        settings.admin_listen = Some("127.0.0.1:0".parse().unwrap());
    })
    .await;
    let mut admin = server.administrator().await;
    let post = hyper::Method::POST;
    server.set(|settings| settings.token = vec![new]);
    let told = admin.call(post.clone(), "/admin/v1/reload").await.json;
    let expected = json!({
        "reloaded": true, "changed": ["token"], "tokens_added": ["b"], "tokens_removed": ["a"],
        "ended": 0, "open_without_token": 0
    });
    assert_eq!(told, expected);
    server.set(|settings| (settings.token[0].sha256, settings.demo) = ("x".into(), Some(true)));
    let told = admin.call(post, "/admin/v1/reload").await.json;
    let mistakes = told["mistakes"].as_array().unwrap();
    assert!(told["reloaded"] == false && mistakes.len() == 2, "{told}");
    assert_eq!(admin.get("/admin/v1/reload").await.code(), (405, "method_not_allowed"));
    let text = admin.get("/metrics").await.text;
    assert!(text.contains("countersign_admin_actions_total{action=\"reload\"} 2\n"), "{text}");
    server.finish(admin).await;
}

/// The key of a wallet with this seed, in base64url.
fn key_text(seed: u8) -> String {
    let key = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]).verifying_key().to_bytes();
    base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, key)
}

#[tokio::test]
async fn rates_and_proxies_hold_for_the_next_call() {
    let (_, entry) = token("a");
    let server = TestServer::with(|settings| {
        settings.token = vec![entry];
        settings.failures_per_second = rate(1_000_000);
    })
    .await;
    let mut stranger = server.backend().await;
    assert_eq!(calls_until(&mut stranger, 20, 401).await, 20);
    server.reload(|settings| settings.failures_per_second = rate(1)).await.unwrap();
    let refused = calls_until(&mut stranger, 1000, 401).await;
    assert!((4..20).contains(&refused), "{refused}");

    // Nobody is believed who they come from, and then this machine is.
    let from = [("x-forwarded-for", "192.0.2.7")];
    assert_eq!(stranger.get_with(SIGNER, &from).await.status, 429);
    server.reload(|settings| settings.trusted_proxy = vec!["127.0.0.1".parse().unwrap()]).await.unwrap();
    assert_eq!(stranger.get_with(SIGNER, &from).await.status, 401);

    // What was counted under a rate that stays goes on to count.
    assert!(calls_until(&mut stranger, 1000, 401).await < 20);
    server.reload(|settings| settings.max_pending = Some(7)).await.unwrap();
    assert!(calls_until(&mut stranger, 1000, 401).await < 4);
    server.reload(|settings| settings.no_rate_limit = Some(true)).await.unwrap();
    assert_eq!(calls_until(&mut stranger, 20, 401).await, 20);

    let open = TestServer::with(|settings| settings.requests_per_second = rate(1)).await;
    let mut backend = open.backend().await;
    assert!(calls_until(&mut backend, 1000, 200).await < 20);
    open.reload(|settings| settings.requests_per_second = rate(1_000_000)).await.unwrap();
    assert_eq!(calls_until(&mut backend, 20, 200).await, 20);
    open.finish(backend).await;
    server.finish(stranger).await;
}

#[tokio::test]
async fn limits_on_wallets_hold_for_the_next_connection() {
    let server = TestServer::with(|settings| {
        settings.max_connections_per_key = Some(1);
        settings.connects_per_second = rate(1_000_000);
        settings.heartbeat_ms = Some(30_000);
        settings.max_inflight = Some(2);
        settings.frames_per_second = rate(1);
    })
    .await;
    let mut first = TestWallet::dial(&server.url(), 1).await;
    let welcome = first.introduce().await;
    assert_eq!((welcome.heartbeat_ms, welcome.limits.max_inflight), (30_000, 2));
    let mut second = TestWallet::dial(&server.url(), 1).await;
    let challenge = second.challenge().await;
    let proof = second.prove(&challenge);
    second.send(&second.introduction(Some(proof))).await;
    assert_eq!(second.expect_error().await, ErrorCode::TooManyConnections);

    server
        .reload(|settings| {
            settings.max_connections_per_key = Some(2);
            settings.heartbeat_ms = Some(40_000);
            settings.max_inflight = Some(3);
            settings.frames_per_second = rate(1_000_000);
        })
        .await
        .unwrap();
    let mut second = TestWallet::dial(&server.url(), 1).await;
    let welcome = second.introduce().await;
    assert_eq!((welcome.heartbeat_ms, welcome.limits.max_inflight), (40_000, 3));
    // Under the rate of before this would take longer than anybody waits.
    for t in 0..200 {
        second.send(&ClientFrame::Ping(PingPong { t })).await;
    }
    for t in 0..200 {
        assert!(matches!(second.next().await, ServerFrame::Pong(pong) if pong.t == t));
    }

    server.reload(|settings| settings.connects_per_second = rate(1)).await.unwrap();
    let refused = async {
        let mut backend = server.backend().await;
        let headers = [("upgrade", "websocket"), ("connection", "upgrade"), ("sec-websocket-version", "13")];
        backend.get_with("/ws", &headers).await.status == 429
    };
    assert!(!refused.await);
    let mut tries = 0;
    while server.backend().await.get("/ws").await.status != 429 {
        tries += 1;
        assert!(tries < 20);
    }
    server.finish((first, second)).await;
}

/// The wallet has been told how many requests there may be, and holds the server to it.
#[tokio::test]
async fn a_connection_has_as_many_requests_as_it_was_told_and_no_more_than_now() {
    let server = TestServer::with(|settings| settings.max_inflight = Some(2)).await;
    let mut wallet = server.wallet(1).await;
    let key = wallet.public_key();
    let ask = |mut backend: Backend| tokio::spawn(async move { backend.ask(&key, b"hello").await });
    let mut open = vec![ask(server.backend().await), ask(server.backend().await)];
    let requests = [wallet.expect_request().await, wallet.expect_request().await];
    server.reload(|settings| settings.max_inflight = Some(3)).await.unwrap();
    assert_eq!(ask(server.backend().await).await.unwrap().code(), (429, "too_many_inflight"), "it was told 2");
    server.reload(|settings| settings.max_inflight = Some(1)).await.unwrap();
    for request in &requests[..1] {
        wallet.send(&wallet.answer(request)).await;
        assert_eq!(wallet.expect_ack(request.request_id).await, AckOutcome::Accepted);
    }
    assert_eq!(
        ask(server.backend().await).await.unwrap().code(),
        (429, "too_many_inflight"),
        "one is open, and one may be"
    );
    wallet.send(&wallet.answer(&requests[1])).await;
    assert_eq!(wallet.expect_ack(requests[1].request_id).await, AckOutcome::Accepted);
    open.push(ask(server.backend().await));
    wallet.sign_next().await;
    for open in open {
        assert_eq!(within("an answer", open).await.unwrap().status, 200);
    }
    server.finish(wallet).await;
}

#[tokio::test]
async fn limits_on_requests_hold_for_the_next_one_and_touch_none_that_is_open() {
    let ((one, of_one), (_, of_other)) = (token("a"), token("b"));
    let server = TestServer::with(|settings| settings.token = vec![of_one, of_other]).await;
    let mut wallet = server.wallet(1).await;
    let key = wallet.public_key();
    let mut backend = server.backend().await.with_token(&one);
    let mut waiting = server.backend().await.with_token(&one);
    let open = tokio::spawn(async move { waiting.ask(&key, b"hello").await });
    let request = wallet.expect_request().await;

    type Change = fn(&mut Settings);
    let refused: [(Change, Change, (u16, &str)); 5] = [
        (|s| s.max_pending = Some(1), |s| s.max_pending = None, (503, "overloaded")),
        (|s| s.max_pending_per_key = Some(1), |s| s.max_pending_per_key = None, (429, "too_many_inflight")),
        (|s| s.max_pending_bytes = Some(8), |s| s.max_pending_bytes = None, (503, "overloaded")),
        (
            |s| (s.max_share_percent, s.max_pending) = (Some(1), Some(100)),
            |s| (s.max_share_percent, s.max_pending) = (None, None),
            (429, "requester_limit"),
        ),
        (|s| s.max_message_bytes = Some(3), |s| s.max_message_bytes = None, (413, "message_too_long")),
    ];
    for (lower, back, code) in refused {
        server.reload(lower).await.unwrap();
        assert_eq!(backend.ask(&key, b"world").await.code(), code);
        server.reload(back).await.unwrap();
        let (reply, acknowledged) = tokio::join!(backend.ask(&key, b"world"), wallet.sign_next());
        assert_eq!((reply.status.as_u16(), acknowledged), (200, AckOutcome::Accepted), "{}", reply.text);
    }
    // Shares count what was open before there were any.
    server.reload(|s| s.max_share_percent = Some(100)).await.unwrap();
    server.reload(|s| (s.max_share_percent, s.max_pending) = (Some(1), Some(100))).await.unwrap();
    assert_eq!(backend.ask(&key, b"world").await.code(), (429, "requester_limit"));

    // What a token lets its requester have open, whatever the server's limits.
    let limit = |most| move |s: &mut Settings| s.token[0].max_pending = NonZeroU32::new(most);
    server.reload(|s| (s.max_share_percent, s.max_pending) = (None, None)).await.unwrap();
    server.reload(limit(1)).await.unwrap();
    assert_eq!(backend.ask(&key, b"world").await.code(), (429, "requester_limit"));
    server.reload(limit(2)).await.unwrap();
    let (reply, _) = tokio::join!(backend.ask(&key, b"world"), wallet.sign_next());
    assert_eq!(reply.status, 200, "{}", reply.text);

    // A wallet that was there when messages were short answers a long one.
    server.reload(|s| (s.max_share_percent, s.max_message_bytes) = (None, Some(5))).await.unwrap();
    wallet.send(&wallet.answer(&request)).await;
    assert_eq!(wallet.expect_ack(request.request_id).await, AckOutcome::Accepted);
    assert_eq!(within("the answer", open).await.unwrap().status, 200);
    let mut late = server.wallet(2).await;
    server.reload(|s| s.max_message_bytes = None).await.unwrap();
    let (long, key) = (vec![7; 60_000], late.public_key());
    let (reply, acknowledged) = tokio::join!(backend.ask(&key, &long), late.sign_next());
    assert_eq!((reply.status.as_u16(), acknowledged), (200, AckOutcome::Accepted), "{}", reply.text);
    server.finish((wallet, late, backend)).await;
}

#[tokio::test]
async fn limits_and_times_of_connections_hold_for_the_next_one() {
    let server = TestServer::with(|settings| {
        settings.max_connections = Some(2);
        settings.read_timeout_ms = Some(3_600_000);
        settings.keep_alive_timeout_ms = Some(3_600_000);
    })
    .await;
    let mut held = [server.backend().await, server.backend().await];
    for backend in &mut held {
        assert_eq!(backend.get(SIGNER).await.status, 200);
    }
    let beyond = async || server.backend().await.get(SIGNER).await.status.as_u16();
    assert_eq!(beyond().await, 503);
    server.reload(|settings| settings.max_connections = Some(10)).await.unwrap();
    assert_eq!(beyond().await, 200);
    assert_eq!(metric(&mut held[0], "countersign_tcp_connections_limit").await, 10.0);
    server.reload(|settings| settings.max_connections_per_ip = Some(1)).await.unwrap();
    assert_eq!(beyond().await, 503);
    server.reload(|settings| settings.max_connections_per_ip = None).await.unwrap();

    // One that says nothing, and one that says nothing more, each within its new time.
    server.reload(|settings| settings.read_timeout_ms = Some(20)).await.unwrap();
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let mut rest = Vec::new();
    within("a close", silent.read_to_end(&mut rest)).await.unwrap();
    server
        .reload(|settings| (settings.read_timeout_ms, settings.keep_alive_timeout_ms) = (None, Some(20)))
        .await
        .unwrap();
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut idle, b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    within("a close", idle.read_to_end(&mut rest)).await.unwrap();
    assert!(rest.starts_with(b"HTTP/1.1 200"));
    assert_eq!(held[1].get(SIGNER).await.status, 200, "who was there before has the time of before");
    server.finish(held).await;
}

#[tokio::test]
async fn what_the_server_says_when_it_stops_is_as_it_was_taken_last() {
    let server = TestServer::with(|settings| settings.reconnect_after_ms = Some(1_000)).await;
    let mut wallet = server.wallet(1).await;
    server.reload(|settings| settings.reconnect_after_ms = Some(7_000)).await.unwrap();
    let stopped = server.stop();
    match wallet.next().await {
        ServerFrame::Goodbye(goodbye) => assert_eq!(goodbye.reconnect_after_ms, 7_000),
        other => panic!("{other:?}"),
    }
    drop(wallet);
    within("the end", stopped).await.unwrap();
}

#[tokio::test]
async fn webhook_targets_and_the_room_in_the_store_are_taken_anew() {
    let mut hook = WebhookReceiver::start(&[]).await;
    let server = TestServer::durable(|_| {}).await;
    let mut backend = server.backend().await;
    let mut wallet = server.wallet(1).await;
    let body = json!({ "public_key": wallet.public_key().to_string(), "message": "aGk=", "webhook": hook.url() });
    let prefer = [("prefer", "respond-async")];
    assert_eq!(backend.post_with(&body, &prefer).await.code(), (403, "webhook_not_allowed"));
    server.reload(|settings| settings.webhook_target = vec![hook.url()]).await.unwrap();
    assert_eq!(backend.post_with(&body, &prefer).await.status, 202);
    // One that is not allowed when the request ends is told once it is again.
    server.reload(|settings| settings.webhook_target = Vec::new()).await.unwrap();
    assert_eq!(wallet.sign_next().await, AckOutcome::Accepted);
    assert!(hook.is_quiet());
    server.reload(|settings| settings.webhook_target = vec![hook.url()]).await.unwrap();
    assert_eq!(within("the notice", hook.next()).await.json()["data"]["state"], "signed");

    server
        .reload(|settings| (settings.max_store_bytes, settings.retention_hours) = (Some(1_000_000), Some(1)))
        .await
        .unwrap();
    assert_eq!(metric(&mut backend, "countersign_store_limit_bytes").await, 1_000_000.0);
    server.finish((wallet, backend)).await;
}

#[tokio::test]
async fn the_log_goes_by_another_filter() {
    let server = TestServer::start().await;
    server.reload(|settings| settings.log = Some("debug".parse().unwrap())).await.unwrap();
    assert_eq!(server.log_filters(), ["debug".parse().unwrap()]);
    server.finish(()).await;
}

#[tokio::test]
async fn all_is_taken_or_nothing() {
    let ((old, old_entry), (new, new_entry)) = (token("a"), token("b"));
    let server = TestServer::with(|settings| settings.token = vec![old_entry]).await;
    let mut backend = server.backend().await;
    let before = metric(&mut backend, "countersign_config_last_reload_success_timestamp_seconds").await;
    let refused = server
        .reload(|settings| {
            settings.token = vec![new_entry];
            settings.max_inflight = Some(0);
            settings.listen = Some("127.0.0.1:1".parse().unwrap());
            settings.audit_full = Some(countersign_server::audit::OnFull::Continue);
            settings.tls_cert = Some("missing.pem".into());
            settings.tls_key = Some("missing.key".into());
        })
        .await
        .unwrap_err();
    let said: Vec<_> = refused.iter().map(ToString::to_string).collect();
    for part in [
        "--listen has changed",
        "--audit-full has changed",
        "--tls-cert has changed",
        "--max-inflight: 0",
        "--audit-full and",
        "missing.pem",
        "missing.key",
    ] {
        assert!(said.iter().any(|line| line.contains(part)), "{part}: {said:?}");
    }
    assert!(refused.iter().any(|error| matches!(error, SettingsError::NeedsRestart(name) if name == "listen")));
    assert_eq!(backend.with_token(&new).get(SIGNER).await.status, 401, "nothing of it holds");
    let mut backend = server.backend().await.with_token(&old);
    assert_eq!(backend.get(SIGNER).await.status, 200);
    assert_eq!(metric(&mut backend, "countersign_config_last_reload_successful").await, 0.0);

    // Put right, it is taken, and what was refused before is forgotten.
    let right = server
        .reload(|settings| {
            let token = settings.token.clone();
            *settings = Settings::default();
            settings.token = token;
        })
        .await
        .unwrap();
    assert_eq!(right.changed(), ["token"]);
    assert_eq!(metric(&mut backend, "countersign_config_last_reload_successful").await, 1.0);
    assert!(metric(&mut backend, "countersign_config_last_reload_success_timestamp_seconds").await >= before);
    assert_eq!(server.reload(|_| {}).await.unwrap().to_string(), "nothing has changed");
    server.finish(backend).await;
}

/// Where nobody could be told from strangers any more, in the same words as at a start.
#[tokio::test]
async fn the_last_token_stays_where_strangers_come_by() {
    let (_, entry) = token("a");
    let server = TestServer::with(|settings| {
        settings.token = vec![entry];
        settings.audience = vec!["wss://sign.example/ws".into()];
    })
    .await;
    let refused = server.reload(|settings| settings.token = Vec::new()).await.unwrap_err();
    let mut at_a_start = Settings::default();
    at_a_start.audience = vec!["wss://sign.example/ws".into()];
    let expected = at_a_start.verify(server.address).unwrap_err();
    assert_eq!(refused.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected[0].to_string()]);
    server.finish(()).await;
}

/// A folder with a settings file and what it names.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn set(&self, settings: &str) {
        fs::write(self.path("countersign.toml"), settings).unwrap();
    }

    fn arguments(&self) -> [String; 4] {
        let text = |name| self.path(name).to_str().unwrap().to_owned();
        ["--config".into(), text("countersign.toml"), "--control-socket".into(), text("control.sock")]
    }

    async fn start(&self) -> ServerProcess {
        let arguments = self.arguments();
        ServerProcess::start(&arguments.each_ref().map(String::as_str)).await
    }

    /// What a command says, and whether it went well.
    async fn run(&self, command: &str) -> (bool, String) {
        let mut arguments = vec![command.to_owned()];
        arguments.extend(self.arguments());
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let Output { status, stdout, stderr } =
            within(command, ServerProcess::command(&arguments).output()).await.unwrap();
        (status.success(), String::from_utf8([stdout, stderr].concat()).unwrap())
    }

    async fn reload(&self) -> Answer {
        let socket = self.path("control.sock");
        within("a reload", tokio::task::spawn_blocking(move || ask(&socket))).await.unwrap().unwrap()
    }
}

fn tls(place: &Place) -> String {
    format!("tls_cert = '{}'\ntls_key = '{}'\n", place.path("cert.pem").display(), place.path("key.pem").display())
}

#[tokio::test]
async fn a_command_reloads_and_says_what_came_of_it() {
    let place = Place::new();
    place.set("max_pending = 5\n");
    let mut server = place.start().await;
    let mut backend = Backend::connect(server.address).await;
    let limit = async |backend: &mut Backend| metric(backend, "countersign_pending_requests_limit").await;
    assert_eq!(limit(&mut backend).await, 5.0);
    place.set("max_pending = 6\nlog = 'debug'\n");
    assert_eq!(place.run("reload").await, (true, "reloaded; changed: max_pending, log\n".into()));
    assert_eq!(limit(&mut backend).await, 6.0);
    // The log says more from now on.
    let wallet = TestWallet::introduced(&format!("ws://{}/ws", server.address), 1).await;
    wallet.close().await;

    place.set("max_pending = 0\nweb_root = '/'\nlisen = 1\nheartbeat_ms = 'x'\n");
    let (went_well, said) = place.run("reload").await;
    assert!(!went_well && said.contains("lisen") && said.contains("line 4"), "{said}");
    place.set("max_pending = 0\nweb_root = '/'\n");
    let (went_well, said) = place.run("reload").await;
    assert!(!went_well && said.contains("--web-root has changed") && said.contains("--max-pending: 0"), "{said}");
    fs::remove_file(place.path("countersign.toml")).unwrap();
    let (went_well, said) = place.run("reload").await;
    assert!(!went_well && said.contains("countersign.toml"), "{said}");
    assert_eq!(limit(&mut backend).await, 6.0);

    // Two servers do not share a socket, and one that is gone leaves none in the way.
    place.set("");
    let arguments = place.arguments();
    let mut second = vec!["--listen", "127.0.0.1:0"];
    second.extend(arguments.iter().map(String::as_str));
    let output = within("its end", ServerProcess::command(&second).output()).await.unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("another process listens there"));
    server.signal("TERM").await;
    let log = server.wait().await;
    assert!(log.contains("wallet introduced") && log.contains("settings taken anew"), "{log}");
    assert!(!place.path("control.sock").exists());
    let (went_well, said) = place.run("reload").await;
    assert!(!went_well && said.contains("--control-socket"), "{said}");
    server = place.start().await;
    server.kill().await;
    server = place.start().await;
    assert_eq!(place.reload().await, Answer::Reloaded("nothing has changed".into()));
    server.kill().await;
}

#[tokio::test]
async fn signals_are_reloads_and_many_at_once_are_few() {
    let place = Place::new();
    place.set("");
    let manager = ServiceManager::new();
    let arguments = place.arguments();
    let server = manager.start(&arguments.each_ref().map(String::as_str)).await;
    place.set("drain_timeout_ms = 60000\nwrite_timeout_ms = 30000\n");
    server.signal("HUP").await;
    let reloading = manager.told("RELOADING=1").await;
    assert!(reloading.iter().any(|line| line.starts_with("MONOTONIC_USEC=")), "{reloading:?}");
    manager.told("READY=1").await;

    place.set("max_pending = 0\n");
    server.signal("HUP").await;
    manager.told("STATUS=Serving; wallets: 0, open requests: 0; the last reload was refused, see the log").await;
    place.set("drain_timeout_ms = 60000\nwrite_timeout_ms = 30000\n");
    for _ in 0..100 {
        server.signal("HUP").await;
    }
    manager.told("STATUS=Serving; wallets: 0, open requests: 0").await;
    assert_eq!(Backend::connect(server.address).await.get("/healthz").await.status, 200);
    server.signal("TERM").await;
    // The time to drain, that of a wallet to take its last frame, and that of connections to close, as taken by the reload.
    let stopping = manager.told("STOPPING=1").await;
    assert!(stopping.contains(&"EXTEND_TIMEOUT_USEC=93000000".to_owned()), "{stopping:?}");
    let log = server.wait().await;
    let taken = log.matches("settings taken anew").count();
    assert!((2..=101).contains(&taken) && log.contains("--max-pending: 0"), "{log}");
}

#[tokio::test]
async fn a_certificate_takes_the_place_of_another_by_files_or_by_a_link() {
    let (place, authority) = (Place::new(), Authority::new());
    let write = |folder: &str, issued: countersign_tests::tls::Issued| {
        fs::create_dir_all(place.path(folder)).unwrap();
        issued.write(&place.path(folder).join("cert.pem"), &place.path(folder).join("key.pem"));
    };
    write("1", authority.issue());
    // As certbot has it: a link that comes to point elsewhere.
    let point_to = |folder: &str| {
        let (live, next) = (place.path("live"), place.path("next"));
        symlink(place.path(folder), &next).unwrap();
        fs::rename(&next, &live).unwrap();
    };
    point_to("1");
    let settings = |certificate: &Path| {
        let (certificate, key) = (certificate.join("cert.pem"), certificate.join("key.pem"));
        format!("tls_cert = '{}'\ntls_key = '{}'\n", certificate.display(), key.display())
    };
    place.set(&settings(&place.path("live")));
    let server = place.start().await;
    let pipe = TlsPipe::bind(&authority, Arc::new(Mutex::new(Some(server.address)))).await;
    let mut held = Backend::connect(pipe.address).await;
    let healthy = async || Backend::connect(pipe.address).await.get("/healthz").await.status == 200;
    assert!(held.get("/healthz").await.status == 200 && healthy().await);
    let expiry = metric(&mut held, "countersign_tls_certificate_expiry_timestamp_seconds").await;
    assert!(expiry > 3e10, "{expiry}");

    write("2", authority.issue());
    point_to("2");
    assert!(healthy().await);
    assert_eq!(pipe.certificates(), 1, "certificates are not watched");
    assert_eq!(place.reload().await, Answer::Reloaded("changed: certificate".into()));
    assert!(healthy().await && held.get("/healthz").await.status == 200);
    assert_eq!(pipe.certificates(), 2);

    // None that nobody would accept, or that is another key's.
    for (year, mismatched, expected) in
        [(2001, false, "the certificate ended 2001-01-01"), (2999, true, "certificate and key")]
    {
        write("3", authority.issue_until(year));
        if mismatched {
            fs::copy(place.path("2/key.pem"), place.path("3/key.pem")).unwrap();
        }
        place.set(&settings(&place.path("3")));
        match place.reload().await {
            Answer::Refused(mistakes) => assert!(mistakes[0].contains(expected), "{mistakes:?}"),
            other => panic!("{other:?}"),
        }
        let (went_well, said) = place.run("check").await;
        assert!(!went_well && said.contains(expected), "{said}");
        assert!(healthy().await);
    }
    assert_eq!(pipe.certificates(), 2);
    server.kill().await;
}

/// An outage is not made worse: a start with a certificate that has ended is loud, and a start.
#[tokio::test]
async fn a_certificate_that_has_ended_or_soon_does_is_spoken_of() {
    let (place, authority) = (Place::new(), Authority::new());
    authority.issue_until(2001).write(&place.path("cert.pem"), &place.path("key.pem"));
    place.set(&tls(&place));
    let server = place.start().await;
    // Something else is taken all the same.
    place.set(&format!("{}max_pending = 7\n", tls(&place)));
    assert_eq!(place.reload().await, Answer::Reloaded("changed: max_pending".into()));
    server.signal("TERM").await;
    assert!(server.wait().await.contains("the certificate has ended"));
}

#[tokio::test]
async fn check_says_everything_at_once() {
    let place = Place::new();
    place.set("max_pending = 5\n");
    assert_eq!(place.run("check").await, (true, "ok: nothing is wrong with the settings\n".into()));
    place.set(
        "max_inflight = 0\nmax_pending = 'many'\nlisen = 1\naudience = ['http://x', 'wss://sign.example/ws']\n\
         trusted_proxy = ['nowhere']\nwebhook_target = ['http://hooks.example/']\nheartbeat_ms = 0\n\
         tls_cert = 'missing.pem'\ntls_key = 'missing.key'\nwebhook_key = ['missing.key']\ndemo = true\nweb_root = '/nowhere'\naudit_full = 'continue'\n\
         server_key = 'x'\nretention_hours = 0\n[[token]]\nname = 'a'\nsha256 = 'b'\n[[token]]\nname = ''\nsha256 = 'c'\n\
         [[webhook]]\nurl = 'https://a.example/'\nsecrets_file = 'missing.secrets'\n[[webhook]]\nurl = 'http://a.example/'\n\
         [[webhook]]\nurl = 'https://a.example/'\n[[webhook]]\nurl = 'https://a.example/'\n",
    );
    let (went_well, said) = place.run("check").await;
    assert!(!went_well);
    for part in [
        "line 2",
        "lisen",
        "line 5",
        "--max-inflight: 0",
        "--audience http://x",
        "--webhook-target http://hooks.example/",
        "--webhook-target and [[webhook]] need",
        "[[webhook]] number 1: secrets_file missing.secrets",
        "--webhook-key: the key missing.key",
        "[[webhook]] number 2: it has to be https",
        "[[webhook]] number 4: another one",
        "--heartbeat-ms: 0",
        "missing.pem",
        "missing.key",
        "--demo is",
        "--web-root /nowhere",
        "--audit-full and",
        "--server-key",
        "--retention-hours: 0",
        "token \"a\"",
        "token name \"\"",
    ] {
        assert!(said.lines().any(|line| line.starts_with("countersign: ") && line.contains(part)), "{part}: {said}");
    }
    assert_eq!(said.lines().filter(|line| line.contains("--retention-hours")).count(), 1);
    // A start says the same.
    let arguments = place.arguments();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let output = within("its end", ServerProcess::command(&arguments).output()).await.unwrap();
    let at_the_start = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && at_the_start.contains("line 2") && at_the_start.contains("lisen"));
    // A flag before the command's name is one as well.
    let flags = ["--max-inflight", "0", "check", "--max-pending", "0"];
    let output = within("its end", ServerProcess::command(&flags).output()).await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("--max-inflight: 0") && said.contains("--max-pending: 0"), "{said}");
}

/// A wallet and a request stay what they are, through anything that may be taken anew.
#[tokio::test]
async fn what_is_open_goes_on_through_ten_reloads() {
    let place = Place::new();
    let tokens: Vec<_> = (0..11).map(|_| token("a")).collect();
    let settings = |n: usize| {
        let (_, entry) = &tokens[n];
        format!(
            "data_dir = '{}'\nmax_pending = {}\nmax_share_percent = {}\nheartbeat_ms = {}\n[[token]]\nid = 'a'\nname = '{}'\nsha256 = '{}'\n",
            place.path("data").display(),
            10 + n,
            100 - n % 2,
            20_000 + n,
            entry.name,
            entry.sha256
        )
    };
    place.set(&settings(0));
    let server = place.start().await;
    let url = format!("ws://{}/ws", server.address);
    let mut wallet = TestWallet::introduced(&url, 3).await;
    let key = wallet.public_key();
    let mut waiting = Backend::connect(server.address).await.with_token(&tokens[0].0);
    let open = tokio::spawn(async move { waiting.ask(&key, b"first").await });
    let first = wallet.expect_request().await;
    let mut backend = Backend::connect(server.address).await.with_token(&tokens[0].0);
    let body = json!({ "public_key": key.to_string(), "message": "c2Vjb25k", "queue": true });
    let accepted = backend.post_with(&body, &[("prefer", "respond-async")]).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    let path = accepted.headers["location"].to_str().unwrap().to_owned();
    let second = wallet.expect_request().await;
    let mut follower = Backend::connect(server.address).await.with_token(&tokens[0].0);
    let mut events = follower.events(path.rsplit('/').next().unwrap()).await;

    for n in 1..tokens.len() {
        place.set(&settings(n));
        assert!(matches!(place.reload().await, Answer::Reloaded(_)));
    }
    assert_eq!(backend.get(&path).await.status, 401, "its token is gone");
    for request in [&first, &second] {
        wallet.send(&wallet.answer(request)).await;
        assert_eq!(wallet.expect_ack(request.request_id).await, AckOutcome::Accepted);
    }
    assert_eq!(within("the answer", open).await.unwrap().status, 200);
    let mut backend = Backend::connect(server.address).await.with_token(&tokens[10].0);
    assert_eq!(backend.get(&path).await.json["state"], "signed");
    let mut states = Vec::new();
    while let Some(event) = events.next().await {
        states.push(event);
    }
    assert!(format!("{:?}", states.last()).contains("signed"), "{states:?}");
    assert_eq!(metric(&mut backend, "countersign_connections").await, 1.0);
    server.kill().await;
}
