//! A request in the place of another, over real sockets.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_protocol::{AckOutcome, CancelCause, PublicKeyBytes};
use countersign_server::http::Tokens;
use countersign_tests::{Backend, Reply, ServerProcess, TestServer, TestWallet};
use hyper::Method;
use serde_json::{Value, json};

const ASYNC: (&str, &str) = ("prefer", "respond-async");

fn body(key: &PublicKeyBytes, message: &str) -> Value {
    json!({ "public_key": key.to_string(), "message": STANDARD.encode(message) })
}

fn in_place(key: &PublicKeyBytes, message: &str, replaced: &str) -> Value {
    let mut body = body(key, message);
    body["replaces"] = json!(replaced);
    body
}

fn id(reply: &Reply) -> String {
    reply.json["request_id"].as_str().unwrap_or_else(|| panic!("{}", reply.text)).to_owned()
}

/// Asks for a signature, and is told the request's id.
async fn asked(backend: &mut Backend, key: &PublicKeyBytes, message: &str) -> String {
    let accepted = backend.post_with(&body(key, message), &[ASYNC]).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    id(&accepted)
}

async fn state(backend: &mut Backend, id: &str) -> String {
    backend.get(&format!("/v1/requests/{id}")).await.json["state"].as_str().unwrap().to_owned()
}

fn pointers(problem: &Reply) -> Vec<(&str, &str)> {
    let errors = problem.json["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    errors.iter().map(|error| (error["pointer"].as_str().unwrap(), error["code"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn the_old_one_is_taken_back_and_the_new_one_asked() {
    let server = TestServer::durable(|_| {}).await;
    let mut wallet = server.wallet(1).await;
    let (mut backend, mut waiting) = (server.backend().await, server.backend().await);
    let key = wallet.public_key();
    let old = asked(&mut backend, &key, "pay 25").await;
    let shown = wallet.expect_request().await;
    assert_eq!(shown.replaces, None);
    let (path, instead) = (format!("/v1/requests/{old}?wait=60"), in_place(&key, "pay 20", &old.to_uppercase()));
    let (ended, accepted, ()) = tokio::join!(waiting.get(&path), backend.post(&instead), async {
        let cancel = wallet.expect_cancel().await;
        assert_eq!((cancel.request_id, cancel.cause), (shown.request_id, CancelCause::Cancelled));
        let request = wallet.expect_request().await;
        assert_eq!((request.replaces, request.message.as_bytes()), (Some(shown.request_id), &b"pay 20"[..]));
        wallet.send(&wallet.answer(&shown)).await;
        assert_eq!(wallet.expect_ack(shown.request_id).await, AckOutcome::Late);
        wallet.send(&wallet.answer(&request)).await;
        assert_eq!(wallet.expect_ack(request.request_id).await, AckOutcome::Accepted);
    });
    assert_eq!((&ended.json["state"], &ended.json["error"]["code"]), (&json!("cancelled"), &json!("cancelled")));
    assert_eq!((accepted.status.as_u16(), &accepted.json["state"]), (200, &json!("signed")), "it has waited");
    let receipt = backend.get(&format!("/v1/requests/{old}/receipt")).await;
    assert_eq!(receipt.status, 200);
    server.finish((wallet, backend, waiting)).await;
}

#[tokio::test]
async fn whoever_has_decided_is_not_asked_again() {
    let server = TestServer::durable(|_| {}).await;
    let mut wallet = server.wallet(2).await;
    let mut backend = server.backend().await;
    let key = wallet.public_key();
    let old = asked(&mut backend, &key, "pay 25").await;
    assert_eq!(wallet.sign_next().await, AckOutcome::Accepted);
    let refused = backend.post_with(&in_place(&key, "pay 20", &old), &[ASYNC]).await;
    assert_eq!(refused.code(), (409, "replaced_request_ended"), "{}", refused.text);
    assert_eq!(refused.json["replaced"], backend.get(&format!("/v1/requests/{old}")).await.json);
    assert_eq!((&refused.json["replaced"]["state"], pointers(&refused).len()), (&json!("signed"), 0));
    assert_eq!(refused.json.get("request_id"), None, "none was made");
    assert_eq!(server.service.pending(), 0);
    let metrics = backend.get("/metrics").await.text;
    assert!(metrics.contains("countersign_requests_total{outcome=\"replaced_request_ended\"} 1\n"), "{metrics}");
    // Nothing has come to the wallet meanwhile.
    asked(&mut backend, &key, "something else").await;
    assert_eq!(wallet.expect_request().await.message.as_bytes(), b"something else");
    server.finish((wallet, backend)).await;
}

#[tokio::test]
async fn the_same_call_again_finds_the_one_that_it_made() {
    let server = TestServer::durable(|_| {}).await;
    let mut wallet = server.wallet(3).await;
    let mut backend = server.backend().await;
    let key = wallet.public_key();
    let old = asked(&mut backend, &key, "pay 25").await;
    wallet.expect_request().await;
    let call = [ASYNC, ("idempotency-key", "basket-2")];
    let first = backend.post_with(&in_place(&key, "pay 20", &old), &call).await;
    let again = backend.post_with(&in_place(&key, "pay 20", &old), &call).await;
    assert_eq!((first.status.as_u16(), id(&first)), (202, id(&again)));
    assert_eq!(wallet.expect_cancel().await.request_id.to_string(), old);
    assert_eq!(wallet.expect_request().await.request_id.to_string(), id(&first));
    for other in [body(&key, "pay 20"), in_place(&key, "pay 20", &id(&first))] {
        assert_eq!(backend.post_with(&other, &call).await.code(), (422, "idempotency_key_reused"));
    }
    assert_eq!(state(&mut backend, &id(&first)).await, "delivered", "it goes on");
    server.finish((wallet, backend)).await;
}

#[tokio::test]
async fn what_makes_no_sense_is_named_and_the_old_one_goes_on() {
    let (shops, shop) = Tokens::generate("Shop", None).unwrap();
    let (others, other) = Tokens::generate("Other", None).unwrap();
    let server = TestServer::durable(|settings| settings.token = vec![shop, other]).await;
    let (mut wallet, elsewhere) = (server.wallet(4).await, server.wallet(5).await);
    let mut backend = server.backend().await.with_token(&shops);
    let mut other = server.backend().await.with_token(&others);
    let key = wallet.public_key();
    let old = asked(&mut backend, &key, "pay 25").await;
    let shown = wallet.expect_request().await;

    let unknown = [
        backend.post_with(&in_place(&key, "x", "00000000-0000-4000-8000-000000000000"), &[ASYNC]).await,
        backend.post_with(&in_place(&elsewhere.public_key(), "x", &old), &[ASYNC]).await,
        other.post_with(&in_place(&key, "x", &old), &[ASYNC]).await,
    ];
    for refused in &unknown {
        assert_eq!(refused.code(), (404, "unknown_request"), "{}", refused.text);
        assert_eq!(pointers(refused), [("/replaces", "unknown")]);
    }
    let no_id = backend.post_with(&in_place(&key, "x", "order-1042"), &[ASYNC]).await;
    assert_eq!((no_id.code(), pointers(&no_id)), ((400, "malformed"), vec![("/replaces", "format")]));
    let batch = json!({ "public_key": key.to_string(), "messages": ["YQ=="], "replaces": old });
    for path in ["/v1/send_to_sign", "/v1/batches"] {
        let refused = backend.post_to(path, &batch, &[ASYNC, ("content-type", "application/json")]).await;
        assert_eq!(
            (refused.code(), pointers(&refused)),
            ((400, "malformed"), vec![("/replaces", "conflict")]),
            "{path}"
        );
    }
    assert_eq!(state(&mut backend, &old).await, "delivered");
    wallet.send(&wallet.answer(&shown)).await;
    assert_eq!(wallet.expect_ack(shown.request_id).await, AckOutcome::Accepted);
    assert_eq!(state(&mut backend, &old).await, "signed");
    server.finish((wallet, elsewhere, backend, other)).await;
}

#[tokio::test]
async fn a_server_that_keeps_nothing_says_so() {
    let server = TestServer::start().await;
    let wallet = server.wallet(6).await;
    let mut backend = server.backend().await;
    let asked = in_place(&wallet.public_key(), "x", "00000000-0000-4000-8000-000000000000");
    assert_eq!(backend.post(&asked).await.code(), (501, "no_store"));
    server.finish((wallet, backend)).await;
}

/// Killed right after its answer, the server has both on disk; and the wallet that comes back is told of both.
#[tokio::test]
async fn a_killed_server_has_both_or_neither() {
    let data = tempfile::tempdir().unwrap();
    let arguments = ["--data-dir", data.path().to_str().unwrap()];
    let server = ServerProcess::start(&arguments).await;
    let mut wallet = TestWallet::introduced(&format!("ws://{}/ws", server.address), 7).await;
    let key = wallet.public_key();
    let mut backend = Backend::connect(server.address).await;
    let old = asked(&mut backend, &key, "pay 25").await;
    let shown = wallet.expect_request().await;
    let queued = |mut body: Value| {
        body["queue"] = json!(true);
        body
    };
    let instead = backend.post_with(&queued(in_place(&key, "pay 20", &old)), &[ASYNC]).await;
    assert_eq!(instead.status, 202, "{}", instead.text);
    server.signal("KILL").await;
    server.end().await;

    let server = ServerProcess::start(&arguments).await;
    let mut backend = Backend::connect(server.address).await;
    assert_eq!(state(&mut backend, &old).await, "cancelled");
    let mut wallet = TestWallet::introduced(&format!("ws://{}/ws", server.address), 7).await;
    let request = wallet.expect_request().await;
    assert_eq!((request.request_id.to_string(), request.replaces), (id(&instead), None));
    wallet.send(&wallet.answer(&shown)).await;
    assert_eq!(wallet.expect_ack(shown.request_id).await, AckOutcome::Late);
    wallet.send(&wallet.answer(&request)).await;
    assert_eq!(wallet.expect_ack(request.request_id).await, AckOutcome::Accepted);
    assert_eq!(backend.call(Method::DELETE, &format!("/v1/requests/{}", id(&instead))).await.json["state"], "signed");
    server.signal("TERM").await;
    server.wait().await;
}
