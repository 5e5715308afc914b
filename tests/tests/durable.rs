//! Requests that outlive their call, their connections and the server, over real sockets.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use countersign_protocol::{
    AckOutcome, CancelCause, ClientFrame, ErrorCode, PublicKey, PublicKeyBytes, RejectCode, RejectScope, RequestStatus,
    SignReject, SignRequest, Signable, WalletState,
};
use countersign_server::{
    http::{TokenEntry, Tokens},
    protocol::Message,
};
use countersign_tests::{Backend, Reply, ServerProcess, TestServer, TestWallet, eventually, within};
use ed25519_dalek::{Signature, VerifyingKey};
use hyper::Method;
use serde_json::{Value, json};

const ASYNC: (&str, &str) = ("prefer", "respond-async");

fn body(key: &PublicKeyBytes) -> Value {
    json!({ "public_key": key.to_string(), "message": STANDARD.encode("hello") })
}

fn queued(key: &PublicKeyBytes) -> Value {
    json!({ "public_key": key.to_string(), "message": STANDARD.encode("hello"), "queue": true })
}

fn id(reply: &Reply) -> String {
    reply.json["request_id"].as_str().unwrap_or_else(|| panic!("{}", reply.text)).to_owned()
}

fn path(reply: &Reply) -> String {
    format!("/v1/requests/{}", id(reply))
}

/// Whether it is a signature over "hello".
fn is_signed(key: PublicKeyBytes, resource: &Value) -> bool {
    let signature = resource["signature"].as_str().unwrap_or_default().parse().unwrap();
    let message = Message::try_from(&b"hello"[..]).unwrap();
    Signable::Message(&message).verify(&PublicKey::admit(key).unwrap(), &signature).is_ok()
}

async fn decline(wallet: &mut TestWallet, request: &SignRequest) {
    let frame = ClientFrame::SignReject(SignReject {
        request_id: request.request_id,
        code: RejectCode::UserRejected,
        reason: Some("not this one".parse().unwrap()),
        scope: RejectScope::Key,
    });
    wallet.send(&frame).await;
    assert_eq!(wallet.expect_ack(request.request_id).await, AckOutcome::Accepted);
}

#[tokio::test]
async fn an_answer_now_and_the_signature_later() {
    let server = TestServer::durable(|_| {}).await;
    let mut wallet = server.wallet(1).await;
    let (mut backend, mut other) = (server.backend().await, server.backend().await);
    let key = wallet.public_key();
    let accepted = backend.post_with(&body(&key), &[ASYNC]).await;
    assert_eq!(
        (accepted.status.as_u16(), &accepted.headers["preference-applied"]),
        (202, &"respond-async".parse().unwrap())
    );
    assert_eq!(accepted.headers["location"], path(&accepted).as_str());
    assert_eq!(accepted.json["requester"], json!({ "name": "local backend" }));
    assert_eq!(accepted.headers["cache-control"], "no-store");

    let path = path(&accepted);
    let poll = format!("{path}?wait=60");
    let (waited, request) = tokio::join!(other.get(&poll), async {
        let request = wallet.expect_request().await;
        assert_eq!(request.request_id.to_string(), id(&accepted));
        let open = backend.get(&path).await;
        assert_eq!((&open.json["state"], &open.json["attempt"]), (&json!("delivered"), &json!(1)));
        wallet.send(&wallet.answer(&request)).await;
        wallet.expect_ack(request.request_id).await
    });
    assert_eq!((request, waited.status.as_u16(), &waited.json["state"]), (AckOutcome::Accepted, 200, &json!("signed")));
    assert!(is_signed(key, &waited.json));
    assert_eq!(waited.json["approved_by"], "human");
    assert!(waited.json["times"]["ended_ms"].is_u64() && waited.json.get("error").is_none());
    assert_eq!(backend.get(&path).await.json, waited.json);
    assert_eq!(backend.call(Method::HEAD, &path).await.status, 200);
    server.finish((wallet, backend, other)).await;
}

#[tokio::test]
async fn a_queued_request_waits_for_its_wallet() {
    let server = TestServer::durable(|_| {}).await;
    let mut backend = server.backend().await;
    let wallet = server.wallet(2).await;
    let key = wallet.public_key();
    wallet.close().await;
    eventually("the wallet is gone", || server.service.connections_of(&key) == 0).await;
    assert_eq!(backend.post_with(&body(&key), &[ASYNC]).await.code(), (404, "signer_not_connected"));

    let accepted = backend.post_with(&queued(&key), &[ASYNC]).await;
    assert_eq!((accepted.status.as_u16(), &accepted.json["state"]), (202, &json!("queued")));
    assert_eq!(accepted.json["deliver_by_ms"], accepted.json["expires_at_ms"]);
    let mut wallet = server.wallet(2).await;
    assert_eq!(wallet.sign_next().await, AckOutcome::Accepted);
    let ended = backend.get(&path(&accepted)).await;
    assert_eq!((&ended.json["state"], &ended.json["attempt"]), (&json!("signed"), &json!(1)));
    server.finish((wallet, backend)).await;
}

#[tokio::test]
async fn a_caller_waits_for_as_long_as_it_prefers() {
    let server = TestServer::durable(|_| {}).await;
    let mut wallet = server.wallet(3).await;
    let mut backend = server.backend().await;
    let key = wallet.public_key();
    let body = body(&key);
    let wait = [("prefer", "respond-async"), ("prefer", "wait=60")];
    let (in_time, _) = tokio::join!(backend.post_with(&body, &wait), wallet.sign_next());
    assert_eq!((in_time.status.as_u16(), &in_time.headers["preference-applied"]), (200, &"wait=60".parse().unwrap()));
    assert!(is_signed(key, &in_time.json) && in_time.json["state"] == "signed", "{}", in_time.text);

    let later = backend.post_with(&body, &[("prefer", "respond-async, wait=1")]).await;
    assert_eq!(
        (later.status.as_u16(), &later.headers["preference-applied"]),
        (202, &"respond-async, wait=1".parse().unwrap())
    );
    assert_eq!(wallet.sign_next().await, AckOutcome::Accepted);
    server.finish((wallet, backend)).await;
}

#[tokio::test]
async fn the_same_call_again_makes_no_second_prompt() {
    let server = TestServer::durable(|_| {}).await;
    let mut wallet = server.wallet(4).await;
    let (mut backend, mut other) = (server.backend().await, server.backend().await);
    let key = wallet.public_key();
    let (bare, quoted) = ([("idempotency-key", "order-1042")], [("idempotency-key", "\"order-1042\"")]);
    let call = body(&key);
    let (first, second, outcome) =
        tokio::join!(backend.post_with(&call, &bare), other.post_with(&call, &quoted), wallet.sign_next());
    assert_eq!((first.status.as_u16(), outcome), (200, AckOutcome::Accepted));
    assert!(is_signed(key, &first.json));
    assert_eq!(first.json, second.json, "one request, one answer");

    let mut changed = call.clone();
    changed["purpose"] = json!("something else");
    assert_eq!(backend.post_with(&changed, &bare).await.code(), (422, "idempotency_key_reused"));
    assert_eq!(backend.post_with(&call, &bare).await.json, first.json, "after the end");
    let shown = backend.post_with(&call, &[bare[0], ASYNC]).await;
    assert_eq!((shown.status.as_u16(), id(&shown), &shown.json["state"]), (202, id(&first), &json!("signed")));

    drop((wallet, backend, other));
    let server = server.restart().await;
    let mut backend = server.backend().await;
    let again = backend.post_with(&call, &bare).await;
    assert_eq!((again.status.as_u16(), again.json), (200, first.json), "after a restart, and with no wallet there");
    server.finish(backend).await;
}

#[tokio::test]
async fn a_refusal_is_repeated_as_it_was() {
    let server = TestServer::durable(|_| {}).await;
    let mut wallet = server.wallet(5).await;
    let mut backend = server.backend().await;
    let call = body(&wallet.public_key());
    let key = [("idempotency-key", "a")];
    let (first, ()) = tokio::join!(backend.post_with(&call, &key), async {
        let request = wallet.expect_request().await;
        decline(&mut wallet, &request).await;
    });
    assert_eq!((first.code(), &first.json["reason"]), ((403, "rejected"), &json!("not this one")));
    let again = backend.post_with(&call, &key).await.json;
    assert_ne!(again["call_id"], first.json["call_id"], "it is another call");
    let without_call = |json: &Value| {
        let mut json = json.clone();
        json.as_object_mut().unwrap().remove("call_id");
        json
    };
    assert_eq!(without_call(&again), without_call(&first.json));
    let resource = backend.get(&path(&first)).await.json;
    assert_eq!((&resource["state"], &resource["error"]["code"]), (&json!("rejected"), &json!("rejected")));
    server.finish((wallet, backend)).await;
}

#[tokio::test]
async fn a_caller_that_hangs_up_leaves_a_durable_request_open() {
    let server = TestServer::durable(|_| {}).await;
    let mut wallet = server.wallet(6).await;
    let (mut backend, mut gone) = (server.backend().await, server.backend().await);
    let call = body(&wallet.public_key());
    let key = [("idempotency-key", "a")];
    let asking = tokio::spawn({
        let call = call.clone();
        async move { gone.post_with(&call, &key).await }
    });
    let request = wallet.expect_request().await;
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    wallet.send(&wallet.answer(&request)).await;
    assert_eq!(wallet.expect_ack(request.request_id).await, AckOutcome::Accepted);
    assert_eq!(id(&backend.post_with(&call, &key).await), request.request_id.to_string());
    server.finish((wallet, backend)).await;
}

#[tokio::test]
async fn a_withdrawn_request_closes_its_prompt() {
    let server = TestServer::durable(|_| {}).await;
    let mut wallet = server.wallet(7).await;
    let mut backend = server.backend().await;
    let accepted = backend.post_with(&body(&wallet.public_key()), &[ASYNC]).await;
    let request = wallet.expect_request().await;
    let withdrawn = backend.call(Method::DELETE, &path(&accepted)).await;
    assert_eq!((withdrawn.status.as_u16(), &withdrawn.json["state"]), (200, &json!("cancelled")));
    assert_eq!(withdrawn.json["error"]["code"], "cancelled");
    let cancel = wallet.expect_cancel().await;
    assert_eq!((cancel.request_id, cancel.cause), (request.request_id, CancelCause::Cancelled));
    assert_eq!(backend.call(Method::DELETE, &path(&accepted)).await.json, withdrawn.json, "what has ended stays");
    server.finish((wallet, backend)).await;
}

#[tokio::test]
async fn a_stream_tells_each_state_and_ends() {
    let server = TestServer::durable(|_| {}).await;
    let mut wallet = server.wallet(8).await;
    let (mut backend, mut other) = (server.backend().await, server.backend().await);
    let accepted = backend.post_with(&body(&wallet.public_key()), &[ASYNC]).await;
    let mut events = other.events(&id(&accepted)).await;
    assert_eq!(events.headers["x-accel-buffering"], "no", "for nginx");
    let request = wallet.expect_request().await;
    let first = events.next().await.unwrap();
    assert_eq!((first.name.as_str(), first.retry.as_deref()), ("delivered", Some("2000")));
    for (state, name) in [(WalletState::Received, "received"), (WalletState::Displayed, "displayed")] {
        wallet.send(&ClientFrame::RequestStatus(RequestStatus { request_id: request.request_id, state })).await;
        let event = events.next().await.unwrap();
        assert_eq!((event.name.as_str(), &event.data["state"]), (name, &json!(name)));
        assert_eq!((event.id.as_deref(), event.retry), (Some(name), None));
        assert_eq!(event.data["request_id"], id(&accepted));
    }
    wallet.send(&wallet.answer(&request)).await;
    let last = events.next().await.unwrap();
    assert_eq!((last.name.as_str(), last.id.as_deref()), ("signed", Some("signed")));
    assert!(events.next().await.is_none(), "the stream ends with the request");
    assert_eq!(wallet.expect_ack(request.request_id).await, AckOutcome::Accepted);

    let mut late = backend.events(&id(&accepted)).await;
    assert_eq!(late.next().await.unwrap().data, last.data);
    assert!(late.next().await.is_none());
    server.finish((wallet, backend, other)).await;
}

#[tokio::test]
async fn a_follower_that_comes_back_hears_only_what_is_new_and_then_to_stop() {
    let server = TestServer::durable(|_| {}).await;
    let mut wallet = server.wallet(8).await;
    let (mut backend, mut other) = (server.backend().await, server.backend().await);
    let accepted = backend.post_with(&body(&wallet.public_key()), &[ASYNC]).await;
    let request = wallet.expect_request().await;
    let mut events = other.events_after(&id(&accepted), Some("delivered")).await;
    let status = RequestStatus { request_id: request.request_id, state: WalletState::Displayed };
    wallet.send(&ClientFrame::RequestStatus(status)).await;
    assert_eq!(events.next().await.unwrap().name, "displayed", "what came before was seen");
    wallet.send(&wallet.answer(&request)).await;
    assert_eq!(events.next().await.unwrap().name, "signed");
    assert!(events.next().await.is_none());
    assert_eq!(wallet.expect_ack(request.request_id).await, AckOutcome::Accepted);

    let path = format!("{}/events", path(&accepted));
    let over = backend.get_with(&path, &[("last-event-id", "signed")]).await;
    assert_eq!((over.status.as_u16(), over.text.as_str()), (204, ""));
    for id in ["displayed", "expired", "4", "\u{e9}"] {
        let answer = backend.get_with(&path, &[("last-event-id", id)]).await;
        assert_eq!(answer.status, 200, "{id}");
        assert!(answer.text.contains("event:signed\n"), "{id}: {}", answer.text);
    }
    server.finish((wallet, backend, other)).await;
}

#[tokio::test]
async fn a_stopping_server_lets_go_of_those_who_only_watch() {
    let server = TestServer::durable(|settings| settings.drain_timeout_ms = Some(600_000)).await;
    let mut wallet = server.wallet(9).await;
    let (mut backend, mut other) = (server.backend().await, server.backend().await);
    let accepted = backend.post_with(&body(&wallet.public_key()), &[ASYNC]).await;
    wallet.expect_request().await;
    let mut events = other.events(&id(&accepted)).await;
    assert_eq!(events.next().await.unwrap().name, "delivered");
    let polling = tokio::spawn(async move { backend.get(&format!("{}?wait=60", path(&accepted))).await });
    let stopped = server.stop();
    let event = events.next().await.unwrap();
    assert_eq!((event.name.as_str(), &event.data["code"]), ("problem", &json!("draining")));
    assert!(events.next().await.is_none());
    let polled = within("the poll", polling).await.unwrap();
    assert_eq!((polled.status.as_u16(), &polled.json["state"]), (200, &json!("delivered")));
    drop(wallet);
    within("the server's end, without its patience", stopped).await.unwrap();
}

#[tokio::test]
async fn several_messages_are_one_prompt_and_as_many_ends() {
    let server = TestServer::durable(|_| {}).await;
    let mut wallet = server.wallet(10).await;
    let mut backend = server.backend().await;
    let key = wallet.public_key();
    let call = json!({
        "public_key": key.to_string(), "messages": [STANDARD.encode("hello"), STANDARD.encode("goodbye")]
    });
    // Waiting, with nothing on disk; then with a key, so that all is.
    for headers in [&[][..], &[("idempotency-key", "a")]] {
        let (reply, batch) = tokio::join!(backend.post_with(&call, headers), async {
            let requests = [wallet.expect_request().await, wallet.expect_request().await];
            let batch = requests[0].batch.unwrap();
            assert_eq!((batch.index, batch.size, requests[1].batch.unwrap().id), (0, 2, batch.id));
            wallet.send(&wallet.answer(&requests[0])).await;
            assert_eq!(wallet.expect_ack(requests[0].request_id).await, AckOutcome::Accepted);
            decline(&mut wallet, &requests[1]).await;
            batch.id
        });
        assert_eq!((reply.status.as_u16(), &reply.json["batch_id"]), (200, &json!(batch.to_string())));
        let [signed, declined] = &reply.json["requests"].as_array().unwrap()[..] else { panic!("{}", reply.text) };
        assert!(is_signed(key, signed));
        assert_eq!((&signed["batch"]["index"], &declined["batch"]["index"]), (&json!(0), &json!(1)));
        assert_eq!((&declined["state"], &declined["error"]["code"]), (&json!("rejected"), &json!("rejected")));
    }
    let accepted = backend.post_with(&call, &[ASYNC]).await;
    let location = format!("/v1/batches/{}", accepted.json["batch_id"].as_str().unwrap());
    assert_eq!((accepted.status.as_u16(), accepted.headers["location"].to_str().unwrap()), (202, location.as_str()));
    assert_eq!(accepted.json["requests"].as_array().unwrap().len(), 2);
    let requests = [wallet.expect_request().await, wallet.expect_request().await];
    for (request, resource) in requests.iter().zip(accepted.json["requests"].as_array().unwrap()) {
        wallet.send(&wallet.answer(request)).await;
        assert_eq!(wallet.expect_ack(request.request_id).await, AckOutcome::Accepted);
        let ended = backend.get(&format!("/v1/requests/{}", request.request_id)).await.json;
        assert_eq!((&ended["state"], &ended["batch"]), (&json!("signed"), &resource["batch"]));
    }
    server.finish((wallet, backend)).await;
}

#[tokio::test]
async fn a_request_is_its_requester_s_alone() {
    let (one, one_entry) = Tokens::generate("One", None).unwrap();
    let (two, two_entry) = Tokens::generate("Two", None).unwrap();
    let server = TestServer::durable(|settings| settings.token = vec![one_entry, two_entry]).await;
    let mut wallet = server.wallet(11).await;
    let (mut owner, mut other) = (server.backend().await.with_token(&one), server.backend().await.with_token(&two));
    let call = body(&wallet.public_key());
    let key = ("idempotency-key", "a");
    let accepted = owner.post_with(&call, &[ASYNC, key]).await;
    let request = wallet.expect_request().await;
    let path = path(&accepted);
    for path in [path.clone(), format!("{path}?wait=60"), format!("{path}/events"), format!("{path}/receipt")] {
        assert_eq!(other.get(&path).await.code(), (404, "unknown_request"), "{path}");
        assert_eq!(server.backend().await.get(&path).await.code(), (401, "unauthorized"));
    }
    assert_eq!(other.call(Method::DELETE, &path).await.code(), (404, "unknown_request"));
    let own = other.post_with(&call, &[ASYNC, key]).await;
    assert_ne!(id(&own), id(&accepted), "another requester's key is another key");
    let own_request = wallet.expect_request().await;
    for request in [request, own_request] {
        wallet.send(&wallet.answer(&request)).await;
        assert_eq!(wallet.expect_ack(request.request_id).await, AckOutcome::Accepted);
    }
    assert_eq!(owner.get(&path).await.json["state"], "signed");
    server.finish((wallet, owner, other)).await;
}

#[tokio::test]
async fn a_requester_may_change_its_name_and_its_token() {
    // As it stood in a file before there were ids.
    let (token, entry) = Tokens::generate("Exmaple Bank", None).unwrap();
    let server = TestServer::durable(|settings| settings.token = vec![TokenEntry { id: None, ..entry }]).await;
    let mut wallet = server.wallet(21).await;
    let call = body(&wallet.public_key());
    let key = ("idempotency-key", "a");
    let mut backend = server.backend().await.with_token(&token);
    let accepted = backend.post_with(&call, &[ASYNC, key]).await;
    assert_eq!(wallet.expect_request().await.requester.name.as_str(), "Exmaple Bank");
    drop((wallet, backend));

    let (token, entry) = Tokens::generate("Example Bank", Some("Exmaple Bank")).unwrap();
    let server = server.restart_with(|settings| settings.token = vec![entry]).await;
    let mut wallet = server.wallet(21).await;
    let mut backend = server.backend().await.with_token(&token);
    let again = backend.post_with(&call, &[ASYNC, key]).await;
    assert_eq!(id(&again), id(&accepted), "the human is not asked again");
    let request = wallet.expect_request().await;
    assert_eq!(request.requester.name.as_str(), "Exmaple Bank", "as it was when they were asked");
    wallet.send(&wallet.answer(&request)).await;
    wallet.expect_ack(request.request_id).await;
    assert_eq!(backend.get(&path(&accepted)).await.json["state"], "signed");
    let asked = backend.post_with(&call, &[ASYNC]).await;
    let request = wallet.expect_request().await;
    assert_eq!((request.request_id.to_string(), request.requester.name.as_str()), (id(&asked), "Example Bank"));
    wallet.send(&wallet.answer(&request)).await;
    wallet.expect_ack(request.request_id).await;
    server.finish((wallet, backend)).await;
}

#[tokio::test]
async fn one_requester_leaves_room_in_the_store_for_the_others() {
    let (one, one_entry) = Tokens::generate("One", None).unwrap();
    let (two, two_entry) = Tokens::generate("Two", None).unwrap();
    let server = TestServer::durable(|settings| {
        settings.token = vec![one_entry, two_entry];
        settings.max_store_bytes = Some(8 << 20);
    })
    .await;
    let mut wallet = server.wallet(22).await;
    let key = wallet.public_key();
    let long = json!({ "public_key": key, "message": STANDARD.encode(vec![7; 60_000]) });
    let (mut greedy, mut modest) = (server.backend().await.with_token(&one), server.backend().await.with_token(&two));
    let mut taken = 0;
    let refused = loop {
        let reply = greedy.post_with(&long, &[ASYNC]).await;
        if reply.status != 202 {
            break reply;
        }
        wallet.sign_next().await;
        taken += 1;
    };
    // A quarter of 8 MiB, and each counts twice its bytes. What has ended counts for as long as it is kept.
    assert_eq!((refused.code(), taken), ((429, "requester_limit"), 17));
    assert_eq!(modest.post_with(&long, &[ASYNC]).await.status, 202);
    wallet.sign_next().await;
    server.finish((wallet, greedy, modest)).await;
}

#[tokio::test]
async fn an_open_prompt_survives_a_restart() {
    let server = TestServer::durable(|_| {}).await;
    let mut wallet = server.wallet(12).await;
    let mut backend = server.backend().await;
    let key = wallet.public_key();
    let accepted = backend.post_with(&body(&key), &[ASYNC]).await;
    let first = wallet.expect_request().await;
    let received = RequestStatus { request_id: first.request_id, state: WalletState::Received };
    wallet.send(&ClientFrame::RequestStatus(received)).await;
    let path = path(&accepted);
    while backend.get(&path).await.json["state"] != "received" {}
    drop((wallet, backend));

    let server = server.restart().await;
    assert_eq!(server.service.pending(), 1);
    let mut wallet = server.wallet(12).await;
    let again = wallet.expect_request().await;
    assert_eq!((again.request_id, again.attempt, again.message == first.message), (first.request_id, 2, true));
    wallet.send(&wallet.answer(&again)).await;
    assert_eq!(wallet.expect_ack(again.request_id).await, AckOutcome::Accepted);
    let mut backend = server.backend().await;
    let ended = backend.get(&path).await.json;
    assert!(is_signed(key, &ended));
    assert_eq!((&ended["attempt"], ended["times"]["received_ms"].is_u64()), (&json!(2), true));
    server.finish((wallet, backend)).await;
}

#[tokio::test]
async fn a_receipt_is_verified_with_the_published_key_alone() {
    let server = TestServer::durable(|_| {}).await;
    let mut wallet = server.wallet(13).await;
    let mut backend = server.backend().await;
    let key = wallet.public_key();
    let accepted = backend.post_with(&body(&key), &[ASYNC]).await;
    let path = format!("{}/receipt", path(&accepted));
    assert_eq!(backend.get(&path).await.code(), (409, "not_ended"));
    assert_eq!(wallet.sign_next().await, AckOutcome::Accepted);
    let receipt = backend.get(&path).await;
    assert_eq!(
        (receipt.status.as_u16(), &receipt.headers["content-type"]),
        (200, &"application/jose".parse().unwrap())
    );
    let keys = backend.get("/.well-known/jwks.json").await;
    assert_eq!(
        (keys.status.as_u16(), &keys.headers["content-type"]),
        (200, &"application/jwk-set+json".parse().unwrap())
    );
    server.finish((wallet, backend)).await;

    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    let (signed, signature) = receipt.text.rsplit_once('.').unwrap();
    let x: [u8; 32] = decode(keys.json["keys"][0]["x"].as_str().unwrap()).try_into().unwrap();
    let signature = Signature::from_slice(&decode(signature)).unwrap();
    VerifyingKey::from_bytes(&x).unwrap().verify_strict(signed.as_bytes(), &signature).unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let json = |part| serde_json::from_slice::<Value>(&decode(part)).unwrap();
    assert_eq!(json(header)["kid"], keys.json["keys"][0]["kid"]);
    let claims = json(claims);
    assert_eq!((&claims["jti"], &claims["state"]), (&json!(id(&accepted)), &json!("signed")));
    assert!(claims["iss"].as_str().unwrap().starts_with("http://localhost:"));
    assert!(is_signed(key, &claims));
}

#[tokio::test]
async fn without_a_store_nothing_is_promised() {
    let server = TestServer::start().await;
    let mut wallet = server.wallet(14).await;
    let mut backend = server.backend().await;
    let key = wallet.public_key();
    for headers in [ASYNC, ("idempotency-key", "a")] {
        assert_eq!(backend.post_with(&body(&key), &[headers]).await.code(), (501, "no_store"));
    }
    assert_eq!(backend.post(&queued(&key)).await.code(), (501, "no_store"));
    for path in ["/v1/requests/07070707-0707-4707-8707-070707070707", "/.well-known/jwks.json"] {
        assert_eq!(backend.get(path).await.code(), (501, "no_store"));
    }
    let (reply, outcome) = tokio::join!(backend.ask(&key, b"hello"), wallet.sign_next());
    assert_eq!((reply.status.as_u16(), outcome), (200, AckOutcome::Accepted));
    server.finish((wallet, backend)).await;
}

#[tokio::test]
async fn a_full_store_refuses_what_is_durable_and_nothing_else() {
    let server = TestServer::durable(|settings| settings.max_store_bytes = Some(256 * 1024)).await;
    let mut wallet = server.wallet(15).await;
    let mut backend = server.backend().await;
    let key = wallet.public_key();
    let large = json!({ "public_key": key.to_string(), "message": STANDARD.encode([b'm'; 60_000]) });
    let mut accepted = Vec::new();
    let refused = loop {
        let reply = backend.post_with(&large, &[ASYNC]).await;
        if reply.status != 202 {
            break reply;
        }
        accepted.push(wallet.expect_request().await);
    };
    assert_eq!(refused.code(), (503, "storage_unavailable"));
    assert!(!refused.headers.contains_key("retry-after"), "nobody knows when there is room again");
    assert!(!accepted.is_empty());
    let (reply, outcome) = tokio::join!(backend.post(&large), wallet.sign_next());
    assert_eq!((reply.status.as_u16(), outcome), (200, AckOutcome::Accepted));
    for request in accepted {
        wallet.send(&wallet.answer(&request)).await;
        assert_eq!(wallet.expect_ack(request.request_id).await, AckOutcome::Accepted, "what is open can end");
    }
    assert!(backend.get("/metrics").await.text.contains("countersign_store_write_failures_total 1\n"));
    server.finish((wallet, backend)).await;
}

#[tokio::test]
async fn calls_that_make_no_sense_are_named() {
    let server = TestServer::durable(|settings| settings.no_rate_limit = Some(true)).await;
    let mut backend = server.backend().await;
    let unknown = "/v1/requests/07070707-0707-4707-8707-070707070707";
    for (path, expected) in [
        (unknown.to_owned(), (404, "unknown_request")),
        (format!("{unknown}/events"), (404, "unknown_request")),
        (format!("{unknown}/else"), (404, "not_found")),
        (format!("{unknown}/"), (404, "not_found")),
        (format!("{unknown}?wait=61"), (400, "malformed")),
        (format!("{unknown}?wiat=1"), (400, "malformed")),
        (format!("{unknown}/receipt?wait=1"), (400, "malformed")),
        ("/v1/requests/x".into(), (400, "malformed")),
        ("/v1/requests/%30".into(), (400, "malformed")),
        ("/v1/requests/".into(), (404, "not_found")),
        ("/v1/requests?wait=1".into(), (400, "malformed")),
    ] {
        assert_eq!(backend.get(&path).await.code(), expected, "{path}");
    }
    for (path, allowed) in [(unknown.to_owned(), "GET, HEAD, DELETE"), (format!("{unknown}/events"), "GET, HEAD")] {
        let reply = backend.call(Method::PATCH, &path).await;
        assert_eq!((reply.code(), &reply.headers["allow"]), ((405, "method_not_allowed"), &allowed.parse().unwrap()));
    }

    let wallet = server.wallet(16).await;
    let key = wallet.public_key().to_string();
    for (body, expected) in [
        (json!({ "public_key": key }), (400, "malformed")),
        (json!({ "public_key": key, "message": "aGk=", "messages": ["aGk="] }), (400, "malformed")),
        (json!({ "public_key": key, "messages": [] }), (400, "invalid_batch")),
        (json!({ "public_key": key, "messages": vec!["aGk="; 17] }), (400, "invalid_batch")),
        (json!({ "public_key": key, "messages": ["aGk=", "aGk"] }), (400, "invalid_message")),
        (json!({ "public_key": key, "message": "aGk=", "delivery_timeout_ms": 1 }), (400, "invalid_delivery_timeout")),
        (
            json!({ "public_key": key, "message": "aGk=", "webhook": "https://hooks.example/" }),
            (403, "webhook_not_allowed"),
        ),
    ] {
        assert_eq!(backend.post(&body).await.code(), expected, "{body}");
    }
    let hi = json!({ "public_key": key, "message": "aGk=" });
    for keys in [&[("idempotency-key", "")][..], &[("idempotency-key", "a b")], &[("idempotency-key", "a"); 2]] {
        assert_eq!(backend.post_with(&hi, keys).await.code(), (400, "invalid_idempotency_key"), "{keys:?}");
    }
    server.finish((wallet, backend)).await;
}

/// What a field is where it is left out may be spelled out too, in whatever order the two calls come.
#[tokio::test]
async fn a_default_that_is_spelled_out_makes_no_other_call() {
    let server = TestServer::durable(|settings| settings.no_rate_limit = Some(true)).await;
    let mut backend = server.backend().await;
    let wallet = server.wallet(23).await;
    let least = json!({ "public_key": wallet.public_key().to_string(), "message": "aGk=" });
    let said = |fields: Value| {
        let mut body = least.clone();
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        body
    };
    let (absent, spelled) =
        (json!({}), json!({ "timeout_ms": 60_000, "delivery_timeout_ms": 10_000, "queue": false, "metadata": {} }));
    let short = json!({ "timeout_ms": 5_000 });
    let short_spelled = json!({ "timeout_ms": 5_000, "delivery_timeout_ms": 5_000, "purpose": null, "webhook": null });
    let queued = json!({ "queue": true });
    let queued_spelled = json!({ "queue": true, "delivery_timeout_ms": 60_000, "reference": null });
    let pairs = [(&absent, &spelled), (&short, &short_spelled), (&queued, &queued_spelled)];
    for (index, (first, second)) in pairs.into_iter().flat_map(|(a, b)| [(a, b), (b, a)]).enumerate() {
        let key = format!("key-{index}");
        let headers = [("prefer", "respond-async"), ("idempotency-key", key.as_str())];
        let asked = backend.post_with(&said(first.clone()), &headers).await;
        assert_eq!(asked.status, 202, "{}", asked.text);
        for again in [second, first] {
            let reply = backend.post_with(&said(again.clone()), &headers).await;
            assert_eq!(reply.json["request_id"], asked.json["request_id"], "{first} {again}: {}", reply.text);
        }
        let mut other = said(second.clone());
        other["delivery_timeout_ms"] = json!(4_000);
        assert_eq!(backend.post_with(&other, &headers).await.code(), (422, "idempotency_key_reused"));
        backend.call(Method::DELETE, &path(&asked)).await;
    }
    server.finish((wallet, backend)).await;
}

/// In a path, a query and a body; a wallet's frame is held to the spelling of the wire.
#[tokio::test]
async fn an_id_is_read_in_upper_case_wherever_it_comes_in_and_written_in_lower() {
    let server = TestServer::durable(|settings| settings.admin_listen = Some("127.0.0.1:0".parse().unwrap())).await;
    let (mut backend, mut admin) = (server.backend().await, server.administrator().await);
    let mut wallet = server.wallet(24).await;
    let several = json!({ "public_key": wallet.public_key().to_string(), "messages": ["YQ==", "Yg=="] });
    let asked = backend.post_with(&several, &[ASYNC]).await.json;
    let batch = asked["batch_id"].as_str().unwrap();
    let first = asked["requests"][0]["request_id"].as_str().unwrap();
    let second = asked["requests"][1]["request_id"].as_str().unwrap();
    let (batch_upper, first_upper, second_upper) = (batch.to_uppercase(), first.to_uppercase(), second.to_uppercase());
    assert!(batch != batch_upper && first != first_upper && second != second_upper);

    let request = wallet.expect_request().await;
    wallet.expect_request().await;
    assert_eq!(request.request_id.to_string(), first);
    let answer = wallet.answer(&request).to_json();
    wallet.send_text(&answer.replace(first, &first_upper)).await;
    assert_eq!(wallet.expect_error().await, ErrorCode::Malformed);
    wallet.send_text(&answer).await;
    wallet.expect_ack(request.request_id).await;

    let shown = backend.get(&format!("/v1/requests/{first_upper}?wait=10")).await.json;
    assert_eq!(
        (&shown["request_id"], &shown["batch"]["id"], &shown["state"]),
        (&json!(first), &json!(batch), &json!("signed"))
    );
    assert_eq!(backend.get(&format!("/v1/batches/{batch_upper}")).await.json["batch_id"], batch);
    let found = backend.get(&format!("/v1/requests?batch_id={batch_upper}")).await.json;
    assert_eq!(found["requests"].as_array().unwrap().len(), 2);
    assert_eq!(backend.get(&format!("/v1/requests/{first_upper}/receipt")).await.status, 200);
    let ended = admin.call(Method::DELETE, &format!("/admin/v1/requests/{second_upper}")).await.json;
    assert_eq!((&ended["request_id"], &ended["state"]), (&json!(second), &json!("cancelled")));
    wallet.expect_cancel().await;
    let body = json!({ "request_ids": [first_upper] });
    let resent = admin.post_to("/admin/v1/webhooks/resend", &body, &[("content-type", "application/json")]).await.json;
    assert_eq!(resent["unknown"], json!([first]), "it has no webhook");
    server.finish((wallet, backend, admin)).await;
}

#[tokio::test]
async fn a_server_that_is_killed_has_lost_nothing_it_has_promised() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["--data-dir", dir.path().to_str().unwrap()];
    let first = ServerProcess::start(&arguments).await;
    let seed = 17;
    let key = PublicKey::of(&ed25519_dalek::SigningKey::from_bytes(&[seed; 32])).to_bytes();
    let accepted = Backend::connect(first.address).await.post_with(&queued(&key), &[ASYNC]).await;
    assert_eq!(accepted.status, 202);
    first.signal("KILL").await;
    first.end().await;

    let second = ServerProcess::start(&arguments).await;
    let mut wallet = TestWallet::introduced(&format!("ws://{}/ws", second.address), seed).await;
    assert_eq!(wallet.sign_next().await, AckOutcome::Accepted);
    second.signal("KILL").await;
    second.end().await;

    let third = ServerProcess::start(&arguments).await;
    let ended = Backend::connect(third.address).await.get(&path(&accepted)).await;
    assert!(is_signed(key, &ended.json), "what a wallet was told is accepted is on disk");
    third.signal("TERM").await;
    third.wait().await;
}

#[tokio::test]
async fn a_directory_serves_one_server() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data");
    let arguments = ["--data-dir", path.to_str().unwrap()];
    let first = ServerProcess::start(&arguments).await;
    let second = ServerProcess::command(&arguments).args(["--listen", "127.0.0.1:0"]).output();
    let second = within("the second server's end", second).await.unwrap();
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(!second.status.success() && said.contains("is in use by another process"), "{said}");
    assert!(second.stdout.is_empty(), "it never listened");
    first.signal("TERM").await;
    first.wait().await;
}
