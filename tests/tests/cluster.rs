//! Several real servers on one real PostgreSQL.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_protocol::{
    AckOutcome, CancelCause, ClientFrame, PublicKeyBytes, RequestStatus, ServerFrame, SignRequest, WalletState,
};
use countersign_tests::{Backend, ServerProcess, TestWallet, postgres::fresh_database, within};
use hyper::Method;
use serde_json::{Value, json};
use std::time::Duration;

const ASYNC: [(&str, &str); 1] = [("prefer", "respond-async")];

/// Servers with the same database.
async fn nodes(n: usize) -> Vec<ServerProcess> {
    let url = fresh_database().await.expect("run by make postgres-tests");
    let mut nodes = Vec::new();
    for _ in 0..n {
        nodes.push(node(&url).await);
    }
    for node in &nodes {
        ready(node).await;
    }
    nodes
}

async fn node(url: &str) -> ServerProcess {
    let log = std::env::var("COUNTERSIGN_TEST_LOG").unwrap_or_else(|_| "error".into());
    let database = format!("--database-url={url}");
    ServerProcess::start(&[&database, &format!("--log={log}")]).await
}

async fn ready(node: &ServerProcess) {
    let mut backend = Backend::connect(node.address).await;
    within("readiness", async {
        while backend.get("/readyz").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

async fn wallet(node: &ServerProcess, n: u8) -> TestWallet {
    TestWallet::introduced(&format!("ws://{}/ws", node.address), n).await
}

fn queued(key: &PublicKeyBytes, message: &str) -> Value {
    json!({ "public_key": key.to_string(), "message": STANDARD.encode(message), "queue": true })
}

fn shown(request: &SignRequest) -> ClientFrame {
    ClientFrame::RequestStatus(RequestStatus { request_id: request.request_id, state: WalletState::Displayed })
}

/// Until all nodes find so many connections of a key.
async fn until_connected(nodes: &[ServerProcess], key: &PublicKeyBytes, connections: u64) {
    for node in nodes {
        let mut backend = Backend::connect(node.address).await;
        within("connections", async {
            let path = format!("/v1/signers/{}", key.to_string().replace('/', "%2F").replace('+', "%2B"));
            while backend.get(&path).await.json["connections"] != connections {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
async fn any_node_takes_the_call_and_any_node_has_the_wallet() {
    let nodes = nodes(3).await;
    let mut wallet = wallet(&nodes[1], 1).await;
    let key = wallet.public_key();
    until_connected(&nodes, &key, 1).await;
    for node in &nodes {
        let mut backend = Backend::connect(node.address).await;
        for message in ["one", "two"] {
            let (reply, outcome) = tokio::join!(backend.ask(&key, message.as_bytes()), wallet.sign_next());
            assert_eq!((reply.status.as_u16(), outcome), (200, AckOutcome::Accepted), "{}", reply.text);
        }
        let long = vec![7; 65_536];
        let (reply, outcome) = tokio::join!(backend.ask(&key, &long), wallet.sign_next());
        assert_eq!((reply.status.as_u16(), outcome), (200, AckOutcome::Accepted), "{}", reply.text);
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
async fn every_device_is_asked_and_the_first_answer_is_everybody_s() {
    let nodes = nodes(3).await;
    let mut wallets = [wallet(&nodes[0], 1).await, wallet(&nodes[1], 1).await, wallet(&nodes[2], 1).await];
    let key = wallets[0].public_key();
    until_connected(&nodes, &key, 3).await;
    let mut backend = Backend::connect(nodes[2].address).await;
    let answer = tokio::spawn(async move { backend.ask(&key, b"one of us").await });
    let mut requests = Vec::new();
    for wallet in &mut wallets {
        requests.push(wallet.expect_request().await);
    }
    let signed = wallets[1].answer(&requests[1]);
    wallets[1].send(&signed).await;
    assert_eq!(wallets[1].expect_ack(requests[1].request_id).await, AckOutcome::Accepted);
    for n in [0, 2] {
        assert_eq!(wallets[n].expect_cancel().await.cause, CancelCause::AnsweredElsewhere);
    }
    assert_eq!(answer.await.unwrap().status, 200);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
async fn any_node_answers_for_a_request() {
    let nodes = nodes(3).await;
    let mut wallet = wallet(&nodes[1], 1).await;
    let key = wallet.public_key();
    let mut owner = Backend::connect(nodes[0].address).await;
    let mut other = Backend::connect(nodes[2].address).await;
    let mut watcher = Backend::connect(nodes[1].address).await;

    let accepted = owner.post_with(&queued(&key, "signed"), &ASYNC).await;
    let id = accepted.json["request_id"].as_str().unwrap().to_owned();
    let request = wallet.expect_request().await;
    let mut events = watcher.events(&id).await;
    let path = format!("/v1/requests/{id}");
    // How far it has come may be on disk a little later.
    assert!(["queued", "delivered"].contains(&other.get(&path).await.json["state"].as_str().unwrap()));
    wallet.send(&shown(&request)).await;
    wallet.send(&wallet.answer(&request)).await;
    let waited = other.get(&format!("{path}?wait=10")).await;
    assert_eq!(waited.json["state"], "signed", "{}", waited.text);
    assert_eq!(wallet.expect_ack(request.request_id).await, AckOutcome::Accepted);
    let last = within("the last event", async {
        let mut last = None;
        while let Some(event) = events.next().await {
            last = Some(event);
        }
        last
    })
    .await;
    assert!(format!("{last:?}").contains("signed"), "{last:?}");
    let receipt = other.get(&format!("{path}/receipt")).await;
    assert_eq!(receipt.status, 200, "{}", receipt.text);

    let accepted = owner.post_with(&queued(&key, "cancelled"), &ASYNC).await;
    let id = accepted.json["request_id"].as_str().unwrap().to_owned();
    let request = wallet.expect_request().await;
    let cancelled = other.call(Method::DELETE, &format!("/v1/requests/{id}")).await;
    assert_eq!(cancelled.json["state"], "cancelled", "{}", cancelled.text);
    let cancel = wallet.expect_cancel().await;
    assert_eq!((cancel.request_id, cancel.cause), (request.request_id, CancelCause::Cancelled));
}

#[tokio::test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
async fn one_idempotency_key_at_two_nodes_is_one_request() {
    let nodes = nodes(2).await;
    let mut wallet = wallet(&nodes[0], 1).await;
    let key = wallet.public_key();
    let mut backends = [Backend::connect(nodes[0].address).await, Backend::connect(nodes[1].address).await];
    for n in 0..20 {
        let headers = [("prefer", "respond-async"), ("idempotency-key", &*format!("order-{n}"))];
        let body = queued(&key, &format!("order {n}"));
        let [one, two] = &mut backends;
        let (one, two) = tokio::join!(one.post_with(&body, &headers), two.post_with(&body, &headers));
        assert_eq!(one.json["request_id"], two.json["request_id"], "{} {}", one.text, two.text);
        assert_eq!(wallet.sign_next().await, AckOutcome::Accepted);
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
async fn a_request_outlives_the_node_that_took_it() {
    let mut nodes = nodes(2).await;
    let mut wallet = wallet(&nodes[1], 1).await;
    let key = wallet.public_key();
    let mut backend = Backend::connect(nodes[0].address).await;
    let accepted = backend.post_with(&queued(&key, "hello"), &ASYNC).await;
    let id = accepted.json["request_id"].as_str().unwrap().to_owned();
    let request = wallet.expect_request().await;
    wallet.send(&shown(&request)).await;
    nodes.remove(0).kill().await;
    wallet.send(&wallet.answer(&request)).await;
    // It is put to the wallet again by its new owner, perhaps, and its answer counts.
    loop {
        match wallet.next().await {
            ServerFrame::SignRequest(again) => assert_eq!(again.request_id, request.request_id),
            ServerFrame::ResponseAck(ack) => break assert_eq!(ack.outcome, AckOutcome::Accepted),
            ServerFrame::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
    let mut backend = Backend::connect(nodes[0].address).await;
    assert_eq!(backend.get(&format!("/v1/requests/{id}")).await.json["state"], "signed");
}

#[tokio::test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
async fn a_node_that_stops_leaves_everything_to_the_others() {
    let mut nodes = nodes(2).await;
    let mut wallet = wallet(&nodes[1], 1).await;
    let key = wallet.public_key();
    let mut backend = Backend::connect(nodes[0].address).await;
    backend.post_with(&queued(&key, "hello"), &ASYNC).await;
    let request = wallet.expect_request().await;
    let stopping = nodes.remove(0);
    stopping.signal("TERM").await;
    stopping.wait().await;
    wallet.send(&wallet.answer(&request)).await;
    loop {
        match wallet.next().await {
            ServerFrame::SignRequest(again) => assert_eq!(again.request_id, request.request_id),
            ServerFrame::ResponseAck(ack) => break assert_eq!(ack.outcome, AckOutcome::Accepted),
            ServerFrame::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
async fn the_key_set_lists_every_node_s_key() {
    let nodes = nodes(3).await;
    let mut sets = Vec::new();
    for node in &nodes {
        let mut backend = Backend::connect(node.address).await;
        let keys = backend.get("/.well-known/jwks.json").await.json["keys"].as_array().unwrap().clone();
        let mut ids: Vec<_> = keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        sets.push(ids);
    }
    assert_eq!(sets[0].len(), 3);
    assert!(sets.iter().all(|set| *set == sets[0]), "{sets:?}");
}
