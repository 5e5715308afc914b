//! What a backend calls its requests, and finding them by it, over real sockets.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_protocol::{AckOutcome, CancelCause, PublicKeyBytes};
use countersign_server::http::{TokenEntry, Tokens};
use countersign_tests::{Backend, Reply, ServerProcess, TestServer, TestWallet, WebhookReceiver};
use hyper::Method;
use serde_json::{Value, json};
use std::process::Stdio;

const ASYNC: (&str, &str) = ("prefer", "respond-async");

/// A body that may wait for its wallet, with more members.
fn body(key: &PublicKeyBytes, more: Value) -> Value {
    let mut body = json!({ "public_key": key.to_string(), "message": STANDARD.encode("hello"), "queue": true });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn called() -> Value {
    json!({ "reference": "Auftrag № 1042", "metadata": { "shop": "Göteborg", "cart": "\"7\"\u{0}" } })
}

/// Whether this shows what a request is called.
fn shows(resource: &Value) -> bool {
    let (reference, metadata) = (resource.get("reference"), resource.get("metadata"));
    assert_eq!(reference.is_some(), metadata.is_some());
    reference.is_some_and(|reference| *reference == called()["reference"] && *metadata.unwrap() == called()["metadata"])
}

/// Signs the next ones, which all come before the first is answered.
async fn sign(wallet: &mut TestWallet, count: usize) {
    let mut requests = Vec::new();
    for _ in 0..count {
        requests.push(wallet.expect_request().await);
    }
    for request in requests {
        wallet.send(&wallet.answer(&request)).await;
        assert_eq!(wallet.expect_ack(request.request_id).await, AckOutcome::Accepted);
    }
}

/// Withdraws all that is open.
async fn withdraw(backend: &mut Backend) {
    let withdrawn = backend.call(Method::DELETE, "/v1/requests?created_after_ms=0").await;
    assert!(withdrawn.json["cancelled"].as_u64() > Some(0), "{}", withdrawn.text);
}

fn id(reply: &Reply) -> String {
    reply.json["request_id"].as_str().unwrap_or_else(|| panic!("{}", reply.text)).to_owned()
}

#[tokio::test]
async fn what_a_request_is_called_is_shown_to_its_requester_wherever_it_is_and_to_nobody_else() {
    let mut hook = WebhookReceiver::start(&[]).await;
    let data = tempfile::tempdir().unwrap();
    let (target, data) = (format!("--webhook-target={}", hook.url()), data.path().to_str().unwrap());
    let mut command = ServerProcess::command(&["--log=trace", "--log-format=json", "--data-dir", data]);
    let log = tempfile::NamedTempFile::new().unwrap();
    command.arg(&target);
    let server = ServerProcess::spawn_logging_to(command, Stdio::from(log.reopen().unwrap())).await;
    let mut wallet = TestWallet::introduced(&format!("ws://{}/ws", server.address), 1).await;
    let mut backend = Backend::connect(server.address).await;
    let key = wallet.public_key();

    let mut more = called();
    more["webhook"] = hook.url().into();
    let accepted = backend.post_with(&body(&key, more), &[ASYNC]).await;
    assert!(accepted.status == 202 && shows(&accepted.json), "{}", accepted.text);
    let mut follower = Backend::connect(server.address).await;
    let mut events = follower.events(&id(&accepted)).await;
    let frame = wallet.next_raw().await.unwrap().into_text().unwrap();
    assert!(frame.contains("sign_request") && !frame.contains("Auftrag") && !frame.contains("teborg"), "{frame}");
    let path = format!("/v1/requests/{}", id(&accepted));
    assert!(shows(&backend.get(&path).await.json));
    let first = events.next().await.unwrap();
    assert!(first.name == "delivered" && shows(&first.data), "{}", first.name);
    assert!(shows(&backend.call(Method::DELETE, &path).await.json));
    let last = events.next().await.unwrap();
    assert!(last.name == "cancelled" && shows(&last.data), "{}", last.name);
    assert!(shows(&hook.next().await.json()["data"]));
    let receipt = backend.get(&format!("{path}/receipt")).await.text;
    let claims = receipt.split('.').nth(1).unwrap();
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!((claims.get("reference"), claims.get("metadata")), (None, None));

    // A waiting call that is written nowhere has them too, as has each of several.
    wallet.expect_cancel().await;
    let mut waiting = body(&key, called());
    waiting["queue"] = false.into();
    let (signed, outcome) = tokio::join!(backend.post(&waiting), wallet.sign_next());
    assert!(outcome == AckOutcome::Accepted && shows(&signed.json), "{}", signed.text);
    waiting.as_object_mut().unwrap().remove("message");
    waiting["messages"] = json!(["YQ==", "Yg=="]);
    let (signed, ()) = tokio::join!(backend.post(&waiting), sign(&mut wallet, 2));
    assert!(signed.json["requests"].as_array().unwrap().iter().all(shows), "{}", signed.text);
    // It writes its log to the end, which a killed one would not.
    server.signal("TERM").await;
    server.wait().await;
    let log = std::fs::read_to_string(log.path()).unwrap();
    assert!(log.contains(&id(&accepted)) && !log.contains("Auftrag") && !log.contains("teborg"));
}

#[tokio::test]
async fn a_restart_keeps_what_a_request_is_called_and_a_repeated_call_has_to_say_the_same() {
    let server = TestServer::durable(|_| {}).await;
    let mut backend = server.backend().await;
    let key = key(9);
    let headers = [ASYNC, ("idempotency-key", "k")];
    let accepted = backend.post_with(&body(&key, called()), &headers).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    drop(backend);
    let server = server.restart().await;
    let mut backend = server.backend().await;
    assert!(shows(&backend.get(&format!("/v1/requests/{}", id(&accepted))).await.json));

    // The order is nothing.
    let text = body(&key, called()).to_string();
    let (shop, cart) = (r#""shop":"Göteborg""#, r#""cart":"\"7\"\u0000""#);
    assert!(text.contains(shop) && text.contains(cart), "{text}");
    let swapped = text.replace(cart, "?").replace(shop, cart).replace('?', shop);
    assert_ne!(text, swapped);
    let again = backend.post_with(&serde_json::from_str(&swapped).unwrap(), &headers).await;
    assert_eq!(id(&again), id(&accepted));
    for more in [
        json!({}),
        json!({ "reference": called()["reference"] }),
        json!({ "metadata": called()["metadata"] }),
        json!({ "reference": "another", "metadata": called()["metadata"] }),
        json!({ "reference": called()["reference"], "metadata": { "shop": "Göteborg" } }),
    ] {
        let other = backend.post_with(&body(&key, more.clone()), &headers).await;
        assert_eq!(other.code(), (422, "idempotency_key_reused"), "{more}");
    }
    // No metadata at all is the same as none being named.
    let empty = body(&key, json!({ "metadata": {} }));
    let first = backend.post_with(&empty, &[ASYNC, ("idempotency-key", "empty")]).await;
    assert_eq!((first.status.as_u16(), first.json.get("metadata")), (202, None));
    let second = backend.post_with(&body(&key, json!({})), &[ASYNC, ("idempotency-key", "empty")]).await;
    assert_eq!(id(&second), id(&first));
    withdraw(&mut backend).await;
    server.finish(backend).await;
}

#[tokio::test]
async fn what_requests_are_called_counts_in_the_bytes_that_may_be_held() {
    let server = TestServer::durable(|settings| settings.max_pending_bytes = Some(600)).await;
    let mut backend = server.backend().await;
    let key = key(9);
    let large = json!({ "metadata": { "a": "x".repeat(256), "b": "x".repeat(256) }, "reference": "x".repeat(128) });
    assert_eq!(backend.post_with(&body(&key, large.clone()), &[ASYNC]).await.code(), (503, "overloaded"));
    assert_eq!(backend.post_with(&body(&key, json!({})), &[ASYNC]).await.status, 202);
    withdraw(&mut backend).await;
    server.finish(backend).await;
}

fn key(seed: u8) -> PublicKeyBytes {
    (*ed25519_dalek::SigningKey::from_bytes(&[seed; 32]).verifying_key().as_bytes()).into()
}

fn ids(reply: &Reply) -> Vec<String> {
    let requests = reply.json["requests"].as_array().unwrap_or_else(|| panic!("{}", reply.text));
    requests.iter().map(|request| request["request_id"].as_str().unwrap().to_owned()).collect()
}

/// Asks for one that waits for its wallet.
async fn ask(backend: &mut Backend, seed: u8, more: Value) -> String {
    let accepted = backend.post_with(&body(&key(seed), more), &[ASYNC]).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    id(&accepted)
}

/// All pages of a list.
async fn all(backend: &mut Backend, query: &str) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = backend.get(&format!("/v1/requests?{query}{cursor}")).await;
        found.extend(ids(&page));
        match page.json["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

/// A token of this requester, with something more said of it.
fn token(name: &str, change: impl FnOnce(&mut TokenEntry)) -> (String, TokenEntry) {
    let (token, mut entry) = Tokens::generate(name, Some(name)).unwrap();
    change(&mut entry);
    (token, entry)
}

#[tokio::test]
async fn a_requester_finds_its_own_requests_again() {
    let (bank, entry) = token("Bank", |_| {});
    let (looker, reading) = token("Bank", |entry| entry.read_only = true);
    let (narrow, held) = token("Bank", |entry| entry.keys = vec![held_key(2)]);
    let (shop, other) = token("Shop", |_| {});
    let server = TestServer::durable(|settings| {
        settings.token = vec![entry, reading, held, other];
        settings.no_rate_limit = Some(true);
    })
    .await;
    let mut backend = server.backend().await.with_token(&bank);
    let mut asked = Vec::new();
    for n in 0..5 {
        asked.push(ask(&mut backend, 1 + n % 2, json!({ "reference": format!("order {}+", n % 3) })).await);
    }
    let mut wallet = server.wallet(1).await;
    sign(&mut wallet, 3).await;
    asked.reverse();
    for query in ["limit=1", "limit=2", "limit=100", "state=open&limit=1"] {
        let expected: Vec<_> = asked
            .iter()
            .enumerate()
            .filter(|(at, _)| !query.contains("open") || at % 2 == 1)
            .map(|(_, id)| id.clone())
            .collect();
        assert_eq!(all(&mut backend, query).await, expected, "{query}");
    }
    let each = |places: &[usize]| places.iter().map(|at| asked[*at].clone()).collect::<Vec<_>>();
    let hex = key(2).as_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    for (query, expected) in [
        ("reference=order+0%2B".to_owned(), each(&[1, 4])),
        ("reference=order%200%2B&state=signed".to_owned(), each(&[4])),
        ("state=ended".to_owned(), each(&[0, 2, 4])),
        ("state=cancelled".to_owned(), vec![]),
        (format!("public_key={hex}"), each(&[1, 3])),
        (format!("public_key={}", key(2)), each(&[1, 3])),
        ("created_before_ms=1000".to_owned(), vec![]),
        ("created_after_ms=1000".to_owned(), asked.clone()),
        ("idempotency_key=none".to_owned(), vec![]),
    ] {
        assert_eq!(ids(&backend.get(&format!("/v1/requests?{query}")).await), expected, "{query}");
    }
    // As it is shown by itself.
    let listed = backend.get("/v1/requests?limit=1").await;
    assert_eq!(listed.json["requests"][0], backend.get(&format!("/v1/requests/{}", asked[0])).await.json);
    assert_eq!(backend.call(Method::HEAD, "/v1/requests").await.status, 200);

    // Who may only look may, a token for some keys sees those, and another requester none.
    let mut looker = server.backend().await.with_token(&looker);
    assert_eq!(ids(&looker.get("/v1/requests").await), asked);
    assert_eq!(looker.call(Method::DELETE, "/v1/requests?reference=a").await.code(), (403, "read_only"));
    let mut narrow = server.backend().await.with_token(&narrow);
    assert_eq!(all(&mut narrow, "limit=1").await, each(&[1, 3]));
    let foreign = format!("/v1/requests?public_key={}", key(1));
    assert_eq!(narrow.get(&foreign).await.code(), (403, "key_not_allowed"));
    let mut shop = server.backend().await.with_token(&shop);
    assert_eq!(ids(&shop.get("/v1/requests").await), [""; 0]);
    let cursor = listed.json["next_cursor"].as_str().unwrap();
    assert_eq!(shop.get(&format!("/v1/requests?cursor={cursor}")).await.code(), (400, "malformed"));

    for (query, named) in [
        ("x=1", "\"x\""),
        ("state=open&state=open", "\"state\""),
        ("state=received", "state"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("cursor=x", "cursor"),
        ("batch_id=x", "batch_id"),
        ("created_after_ms=-1", "created_after_ms"),
        ("idempotency_key=", "idempotency_key"),
        ("reference=", "reference"),
        ("public_key=x", "key"),
    ] {
        let reply = backend.get(&format!("/v1/requests?{query}")).await;
        let detail = reply.json["detail"].as_str().unwrap_or_default();
        assert!(reply.status == 400 && detail.contains(named), "{query}: {}", reply.text);
        let parameter = query.split('=').next().unwrap();
        assert_eq!(reply.json["errors"][0]["parameter"], parameter, "{query}: {}", reply.text);
    }
    let reply = backend.get("/v1/requests?x=1&limit=0&state=received&created_after_ms=-1").await;
    let errors: Vec<_> =
        reply.json["errors"].as_array().unwrap().iter().map(|error| (&error["parameter"], &error["code"])).collect();
    let told = [("limit", "range"), ("created_after_ms", "format"), ("state", "format"), ("x", "unknown")];
    assert_eq!(
        errors,
        told.map(|(name, code)| (json!(name), json!(code))).iter().map(|(name, code)| (name, code)).collect::<Vec<_>>()
    );
    for (method, path, parameter) in [
        (Method::DELETE, "/v1/requests?reference=a&state=ended", "state"),
        (Method::GET, "/v1/requests/07070707-0707-4707-8707-070707070707?wait=61", "wait"),
        (Method::GET, "/v1/batches/07070707-0707-4707-8707-070707070707?wait=1", "wait"),
    ] {
        let reply = backend.call(method, path).await;
        assert_eq!(
            (reply.code(), &reply.json["errors"][0]["parameter"]),
            ((400, "malformed"), &json!(parameter)),
            "{path}"
        );
    }
    assert_eq!(backend.call(Method::POST, "/v1/requests").await.code(), (405, "method_not_allowed"));
    assert_eq!(backend.get("/v1/requests/").await.code(), (404, "not_found"));
    withdraw(&mut backend).await;
    server.finish((wallet, backend, looker, narrow, shop)).await;
}

/// As the keys that a token is for are written.
fn held_key(seed: u8) -> String {
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(key(seed).as_bytes())
}

#[tokio::test]
async fn a_server_that_keeps_nothing_says_so() {
    let server = TestServer::start().await;
    let mut backend = server.backend().await;
    let batch = "/v1/batches/07070707-0707-4707-8707-070707070707";
    assert_eq!(backend.get("/v1/requests").await.code(), (501, "no_store"));
    assert_eq!(backend.call(Method::DELETE, "/v1/requests?reference=a").await.code(), (501, "no_store"));
    assert_eq!(backend.get(batch).await.code(), (501, "no_store"));
    server.finish(backend).await;
}

#[tokio::test]
async fn a_batch_is_looked_at_and_withdrawn_as_one() {
    let (bank, entry) = token("Bank", |_| {});
    let (looker, reading) = token("Bank", |entry| entry.read_only = true);
    let (shop, other) = token("Shop", |_| {});
    let server = TestServer::durable(|settings| settings.token = vec![entry, reading, other]).await;
    let mut backend = server.backend().await.with_token(&bank);
    let mut wallet = server.wallet(1).await;
    let mut several = body(&key(1), json!({ "messages": ["YQ==", "Yg==", "Yw=="], "reference": "three" }));
    several.as_object_mut().unwrap().remove("message");
    let accepted = backend.post_to("/v1/batches", &several, &[("content-type", "application/json"), ASYNC]).await;
    assert_eq!((accepted.status.as_u16(), &accepted.json["state"]), (202, &json!("open")), "{}", accepted.text);
    let path = format!("/v1/batches/{}", accepted.json["batch_id"].as_str().unwrap());
    assert_eq!(accepted.headers["location"], path.as_str());
    let (first, second, third) =
        (wallet.expect_request().await, wallet.expect_request().await, wallet.expect_request().await);
    wallet.send(&wallet.answer(&first)).await;
    assert_eq!(wallet.expect_ack(first.request_id).await, AckOutcome::Accepted);

    let shown = backend.get(&path).await;
    assert_eq!((ids(&shown), &shown.json["state"]), (ids(&accepted), &json!("open")));
    assert_eq!(shown.json["requests"][0]["state"], "signed");
    let listed = backend.get(&format!("/v1/requests?batch_id={}", accepted.json["batch_id"].as_str().unwrap())).await;
    assert_eq!(listed.json["requests"].as_array().unwrap().len(), 3);
    let mut looker = server.backend().await.with_token(&looker);
    assert_eq!(looker.get(&path).await.status, 200);
    assert_eq!(looker.call(Method::DELETE, &path).await.code(), (403, "read_only"));
    let mut shop = server.backend().await.with_token(&shop);
    assert_eq!(shop.get(&path).await.code(), (404, "unknown_request"));
    assert_eq!(shop.call(Method::DELETE, &path).await.code(), (404, "unknown_request"));

    let withdrawn = backend.call(Method::DELETE, &path).await;
    let states: Vec<_> =
        withdrawn.json["requests"].as_array().unwrap().iter().map(|one| one["state"].clone()).collect();
    assert_eq!(
        (states, &withdrawn.json["state"]),
        (vec!["signed".into(), "cancelled".into(), "cancelled".into()] as Vec<Value>, &json!("ended"))
    );
    let mut told = Vec::new();
    for _ in 0..2 {
        let cancel = wallet.expect_cancel().await;
        assert_eq!(cancel.cause, CancelCause::Cancelled);
        told.push(cancel.request_id);
    }
    told.sort();
    let mut open = [second.request_id, third.request_id];
    open.sort();
    assert_eq!(told, open);
    // Once more changes nothing.
    assert_eq!(backend.call(Method::DELETE, &path).await.json, withdrawn.json);

    // A batch of one is a request.
    several["messages"] = json!(["YQ=="]);
    let one = backend.post_to("/v1/batches", &several, &[("content-type", "application/json"), ASYNC]).await;
    assert_eq!(one.headers["location"], format!("/v1/requests/{}", ids(&one)[0]).as_str());
    withdraw(&mut backend).await;
    for (method, path, expected) in [
        (Method::GET, "/v1/batches".to_owned(), (405, "method_not_allowed")),
        (Method::POST, path.clone(), (405, "method_not_allowed")),
        (Method::GET, format!("{path}/x"), (404, "not_found")),
        (Method::GET, format!("{path}?wait=1"), (400, "malformed")),
        (Method::GET, "/v1/batches/x".to_owned(), (400, "malformed")),
    ] {
        assert_eq!(backend.call(method, &path).await.code(), expected, "{path}");
    }
    server.finish((wallet, backend, looker, shop)).await;
}

#[tokio::test]
async fn what_has_ended_stays_and_what_is_open_of_a_reference_is_withdrawn() {
    let (bank, entry) = token("Bank", |_| {});
    let (narrow, held) = token("Bank", |entry| entry.keys = vec![held_key(2)]);
    let server = TestServer::durable(|settings| settings.token = vec![entry, held]).await;
    let mut backend = server.backend().await.with_token(&bank);
    let mut wallet = server.wallet(1).await;
    let signed = ask(&mut backend, 1, json!({ "reference": "a" })).await;
    assert_eq!(wallet.sign_next().await, AckOutcome::Accepted);
    let path = format!("/v1/requests/{signed}");
    let before = backend.get(&path).await.json;
    let deleted = backend.call(Method::DELETE, &path).await;
    assert_eq!((deleted.status.as_u16(), &deleted.json), (200, &before));

    let other = ask(&mut backend, 2, json!({ "reference": "b" })).await;
    let of_other_key = ask(&mut backend, 2, json!({ "reference": "a" })).await;
    for _ in 0..101 {
        ask(&mut backend, 3, json!({ "reference": "a" })).await;
    }
    let all = "/v1/requests?reference=a";
    let mut narrow = server.backend().await.with_token(&narrow);
    let within = narrow.call(Method::DELETE, all).await;
    assert_eq!(within.json, json!({ "cancelled": 1, "has_more": false }), "{}", within.text);
    assert_eq!(backend.get(&format!("/v1/requests/{of_other_key}")).await.json["state"], "cancelled");
    for expected in [
        json!({ "cancelled": 100, "has_more": true }),
        json!({ "cancelled": 1, "has_more": false }),
        json!({ "cancelled": 0, "has_more": false }),
    ] {
        assert_eq!(backend.call(Method::DELETE, all).await.json, expected);
    }
    assert_eq!(backend.get(&path).await.json, before);
    assert_eq!(backend.get(&format!("/v1/requests/{other}")).await.json["state"], "queued");
    for query in ["", "?state=open", "?state=signed&reference=a", "?limit=5&reference=a", "?refrence=a"] {
        let refused = backend.call(Method::DELETE, &format!("/v1/requests{query}")).await;
        assert_eq!(refused.code(), (400, "malformed"), "{query}");
    }
    assert_eq!(backend.call(Method::DELETE, "/v1/requests?reference=b&state=open").await.json["cancelled"], 1);
    server.finish((wallet, backend, narrow)).await;
}
