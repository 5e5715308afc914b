//! The proxies as docs/operating/network.md and docs/cluster.md have them, in front of the real server: what the API documents is what its callers get.
//!
//! nginx, Caddy and PostgreSQL have to be there: `make proxy-tests` installs them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_protocol::{
    AckOutcome,
    limits::{MAX_BATCH, MAX_MESSAGE_BYTES},
};
use countersign_tests::{Backend, Proxied, within};
use futures_util::future::join_all;
use serde_json::json;

async fn everything_documented_passes(proxied: Proxied) {
    let mut backend = proxied.backend().await;

    // The longest call there is, waited for.
    let mut wallet = proxied.wallet(61).await;
    let key = wallet.public_key().to_string();
    let message = STANDARD.encode(vec![b'x'; MAX_MESSAGE_BYTES]);
    let longest = json!({ "public_key": key, "messages": vec![message; MAX_BATCH] });
    let signing = tokio::spawn(async move {
        let mut requests = Vec::new();
        for _ in 0..MAX_BATCH {
            requests.push(wallet.expect_request().await);
        }
        for request in requests {
            let answer = wallet.answer(&request);
            wallet.send(&answer).await;
            wallet.expect_ack(request.request_id).await;
        }
        wallet
    });
    let reply = backend.post(&longest).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let wallet = signing.await.unwrap();

    // What is refused is refused by the server, and says why, whatever of the body is still on its way. The connection that it is on may end
    // with it.
    let beyond = json!({ "public_key": key, "message": "x".repeat(3_000_000) });
    assert_eq!(proxied.backend().await.post(&beyond).await.code(), (413, "payload_too_large"));
    let text = proxied.backend().await.post_text("text/plain", "x".repeat(1_000_000)).await;
    assert_eq!(text.code(), (415, "unsupported_media_type"));
    // At once, so that there are more of them than are forgotten meanwhile, however slow the machine is.
    let strangers = (0..60).map(async |_| {
        let reply = Backend::connect(proxied.address).await.with_token("cs_wrong").post(&longest).await;
        (reply.status.as_u16(), reply.json["code"].as_str().unwrap_or(&reply.text).to_owned())
    });
    let refusals = join_all(strangers).await;
    assert!(
        refusals.contains(&(401, "unauthorized".into())) && refusals.contains(&(429, "rate_limited".into())),
        "{refusals:?}"
    );
    assert!(refusals.iter().all(|(status, _)| [401, 429].contains(status)), "{refusals:?}");

    // Events arrive when they happen, and not when there are enough of them.
    let reply = backend
        .post_with(
            &json!({ "public_key": key, "message": STANDARD.encode("durable"), "queue": true }),
            &[("prefer", "respond-async")],
        )
        .await;
    assert_eq!(reply.status, 202, "{}", reply.text);
    let id = reply.json["request_id"].as_str().unwrap().to_owned();
    let mut events = proxied.backend().await.events(&id).await;
    within("the first event", events.next()).await.expect("an event");
    let mut wallet = wallet;
    wallet.sign_next().await;
    let mut last = None;
    while let Some(event) = within("the end", events.next()).await {
        last = Some(event);
    }
    assert_eq!(last.unwrap().data["state"], "signed");

    // A caller that hangs up withdraws its request.
    let mut hasty = proxied.backend().await;
    let body = json!({ "public_key": key, "message": STANDARD.encode("never mind") });
    let calling = tokio::spawn(async move { hasty.post(&body).await });
    let request = wallet.expect_request().await;
    calling.abort();
    assert_eq!(wallet.expect_cancel().await.request_id, request.request_id);

    // What verifies and generates is public, and what operators ask is not.
    for path in ["/.well-known/jwks.json", "/openapi.json", &format!("/v1/requests/{id}")] {
        let reply = backend.get(path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text);
    }
    for path in ["/metrics", "/healthz", "/readyz"] {
        assert_eq!(backend.get(path).await.status, 404, "{path}");
    }
    drop(wallet);
    proxied.finish().await;
}

#[tokio::test]
#[ignore = "needs nginx: make proxy-tests"]
async fn behind_nginx_everything_documented_passes() {
    everything_documented_passes(Proxied::by_nginx().await).await;
}

#[tokio::test]
#[ignore = "needs Caddy: make proxy-tests"]
async fn behind_caddy_everything_documented_passes() {
    everything_documented_passes(Proxied::by_caddy().await).await;
}

#[tokio::test]
#[ignore = "needs Caddy and PostgreSQL: make proxy-tests"]
async fn behind_the_balancer_everything_documented_passes() {
    everything_documented_passes(Proxied::balanced().await).await;
}

#[tokio::test]
#[ignore = "needs Caddy and PostgreSQL: make proxy-tests"]
async fn a_server_that_is_killed_fails_the_calls_it_has_and_no_other() {
    let mut proxied = Proxied::balanced().await;
    // The balancer gives each of the servers something.
    let (mut undecided, mut wallet) = (proxied.wallet(62).await, proxied.wallet(63).await);
    let (silent, key) = (undecided.public_key(), wallet.public_key());
    let mut waiting = proxied.backend().await;
    let call = tokio::spawn(async move { waiting.ask(&silent, b"not written down").await });
    undecided.expect_request().await;
    let mut owner = None;
    for (index, server) in proxied.servers.iter().enumerate() {
        let metrics = Backend::connect(server.address).await.get("/metrics").await.text;
        if metrics.contains("\ncountersign_pending_requests 1\n") {
            owner = Some(index);
        }
    }
    proxied.servers.remove(owner.expect("somebody has it")).kill().await;

    // Neither those that come over a connection of before, nor new ones; and the balancer has not asked how it is yet.
    let mut backend = proxied.backend().await;
    for round in 0..10 {
        let (reply, outcome) = tokio::join!(backend.ask(&key, b"afterwards"), wallet.sign_next());
        assert_eq!((reply.status.as_u16(), outcome), (200, AckOutcome::Accepted), "{round}: {}", reply.text);
        let reply = proxied.backend().await.get("/.well-known/jwks.json").await;
        assert_eq!(reply.status, 200, "{round}: {}", reply.text);
    }
    assert_eq!(within("the call that it had", call).await.unwrap().status, 502);
    drop((undecided, wallet));
    proxied.finish().await;
}
