//! What a backend and a wallet are promised, over real sockets.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_protocol::{
    AckOutcome, CancelCause, ClientFrame, ErrorCode, GoodbyeReason, PublicKey, RejectCode, RejectScope, RequestStatus,
    ServerFrame, SignReject, Signable, Signature, WalletState,
};
use countersign_server::{SigningError, protocol::Message};
use countersign_tests::{TestServer, TestWallet, eventually, within};
use ed25519_dalek::SigningKey;
use serde_json::json;
use std::time::Duration;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

fn reject(wallet_request: &countersign_protocol::SignRequest, scope: RejectScope) -> ClientFrame {
    ClientFrame::SignReject(SignReject {
        request_id: wallet_request.request_id,
        code: RejectCode::UserRejected,
        reason: Some("I did not order this".parse().unwrap()),
        scope,
    })
}

#[tokio::test]
async fn a_backend_gets_a_verified_signature() {
    let server = TestServer::start().await;
    let mut wallet = server.wallet(1).await;
    let mut backend = server.backend().await;
    let key = wallet.public_key();
    let body = json!({
        "public_key": key.to_string(), "message": STANDARD.encode("hello"), "purpose": "Sign in", "timeout_ms": 5000
    });

    let (reply, request) = tokio::join!(backend.post(&body), async {
        let request = wallet.expect_request().await;
        wallet.send(&wallet.answer(&request)).await;
        assert_eq!(wallet.expect_ack(request.request_id).await, AckOutcome::Accepted);
        request
    });
    assert_eq!(request.purpose.unwrap().as_str(), "Sign in");
    assert_eq!((request.attempt, request.requester.name.as_str()), (1, "local backend"));
    assert!((1..=5000).contains(&request.expires_in_ms));

    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.json["message"], STANDARD.encode("hello"));
    assert_eq!(reply.json["public_key"], key.to_string());
    assert_eq!(reply.json["request_id"], request.request_id.to_string());
    assert_eq!(reply.json["approved_by"], "human");
    let signature: Signature = reply.json["signature"].as_str().unwrap().parse().unwrap();
    let message = Message::try_from(&b"hello"[..]).unwrap();
    Signable::Message(&message).verify(&PublicKey::admit(key).unwrap(), &signature).unwrap();
    server.finish((wallet, backend)).await;
}

#[tokio::test]
async fn the_key_may_be_written_in_any_of_the_accepted_ways() {
    let server = TestServer::start().await;
    let mut wallet = server.wallet(2).await;
    let mut backend = server.backend().await;
    let bytes = *wallet.public_key().as_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let base64url = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    for text in [hex, base64url] {
        let body = json!({ "public_key": text, "message": "aGk=" });
        let (reply, _) = tokio::join!(backend.post(&body), wallet.sign_next());
        assert_eq!((reply.status.as_u16(), &reply.json["public_key"]), (200, &json!(wallet.public_key().to_string())));

        let signer = backend.get(&format!("/v1/signers/{text}")).await;
        assert_eq!(
            signer.json,
            json!({ "public_key": wallet.public_key().to_string(), "connected": true, "connections": 1 })
        );
    }
    let encoded = wallet.public_key().to_string().replace('/', "%2F").replace('+', "%2B").replace('=', "%3D");
    assert_eq!(backend.get(&format!("/v1/signers/{encoded}")).await.json["connected"], true);
    server.finish((wallet, backend)).await;
}

#[tokio::test]
async fn many_requests_to_one_wallet_are_told_apart() {
    let server = TestServer::start().await;
    let mut wallet = server.wallet(3).await;
    let key = PublicKey::admit(wallet.public_key()).unwrap();
    let asking: Vec<_> = (0..40u8)
        .map(|n| {
            let (service, key) = (server.service.clone(), key.clone());
            tokio::spawn(async move { (n, service.send_to_sign(&key, &[n]).await) })
        })
        .collect();
    // Answered in the reverse order of their arrival.
    let mut requests = Vec::new();
    for _ in 0..asking.len() {
        requests.push(wallet.expect_request().await);
    }
    for request in requests.iter().rev() {
        wallet.send(&wallet.answer(request)).await;
        assert_eq!(wallet.expect_ack(request.request_id).await, AckOutcome::Accepted);
    }
    for asking in asking {
        let (n, signed) = asking.await.unwrap();
        assert_eq!(signed.unwrap().message.as_bytes(), [n]);
    }
    server.finish(wallet).await;
}

#[tokio::test]
async fn a_refusal_reaches_the_backend_with_its_reason() {
    let server = TestServer::start().await;
    let mut wallet = server.wallet(4).await;
    let mut backend = server.backend().await;
    let key = wallet.public_key();
    let (reply, ()) = tokio::join!(backend.ask(&key, b"pay"), async {
        let request = wallet.expect_request().await;
        wallet.send(&reject(&request, RejectScope::Key)).await;
        assert_eq!(wallet.expect_ack(request.request_id).await, AckOutcome::Accepted);
    });
    assert_eq!(reply.code(), (403, "rejected"));
    assert_eq!(reply.json["reject_code"], "user_rejected");
    assert_eq!(reply.json["reason"], "I did not order this");
    assert_eq!(reply.headers["content-type"], "application/problem+json");
    server.finish((wallet, backend)).await;
}

#[tokio::test]
async fn no_answer_in_time_is_a_timeout_that_says_how_far_it_came() {
    let server = TestServer::start().await;
    let mut wallet = server.wallet(5).await;
    let mut backend = server.backend().await;
    let body = json!({ "public_key": wallet.public_key().to_string(), "message": "aGk=", "timeout_ms": 1000 });
    let (reply, ()) = tokio::join!(backend.post(&body), async {
        let request = wallet.expect_request().await;
        for state in [WalletState::Received, WalletState::Displayed] {
            wallet.send(&ClientFrame::RequestStatus(RequestStatus { request_id: request.request_id, state })).await;
        }
        let cancel = wallet.expect_cancel().await;
        assert_eq!((cancel.request_id, cancel.cause), (request.request_id, CancelCause::Expired));
        wallet.send(&wallet.answer(&request)).await;
        assert_eq!(wallet.expect_ack(request.request_id).await, AckOutcome::Late);
    });
    assert_eq!(reply.code(), (504, "timeout"));
    assert_eq!(reply.json["phase"], "displayed");
    assert!(reply.json["request_id"].is_string());
    server.finish((wallet, backend)).await;
}

#[tokio::test]
async fn a_backend_that_hangs_up_withdraws_its_request() {
    let server = TestServer::start().await;
    let mut wallet = server.wallet(6).await;
    let mut backend = server.backend().await;
    let key = wallet.public_key();
    let asking = tokio::spawn(async move { backend.ask(&key, b"hello").await });
    let request = wallet.expect_request().await;
    asking.abort();
    let cancel = wallet.expect_cancel().await;
    assert_eq!((cancel.request_id, cancel.cause), (request.request_id, CancelCause::Cancelled));
    wallet.send(&wallet.answer(&request)).await;
    assert_eq!(wallet.expect_ack(request.request_id).await, AckOutcome::Late);
    server.finish(wallet).await;
}

#[tokio::test]
async fn without_a_wallet_the_answer_is_immediate() {
    let server = TestServer::start().await;
    let mut backend = server.backend().await;
    let wallet = server.wallet(7).await;
    let key = wallet.public_key();
    wallet.close().await;
    eventually("the wallet is gone", || server.service.connections_of(&key) == 0).await;
    assert_eq!(backend.ask(&key, b"hello").await.code(), (404, "signer_not_connected"));
    let signer = backend.get(&format!("/v1/signers/{}", key.to_string().replace('/', "%2F"))).await;
    assert_eq!((signer.status.as_u16(), &signer.json["connected"]), (200, &json!(false)));
    server.finish(backend).await;
}

#[tokio::test]
async fn a_wallet_that_leaves_mid_request_and_comes_back_is_asked_again() {
    let server = TestServer::start().await;
    let mut wallet = server.wallet(8).await;
    let mut backend = server.backend().await;
    let key = wallet.public_key();
    let (reply, wallet) = tokio::join!(backend.ask(&key, b"hello"), async {
        let first = wallet.expect_request().await;
        drop(wallet);
        eventually("the wallet is gone", || server.service.connections_of(&key) == 0).await;
        let mut wallet = server.wallet(8).await;
        let again = wallet.expect_request().await;
        assert_eq!((again.request_id, again.attempt), (first.request_id, 2));
        wallet.send(&wallet.answer(&again)).await;
        assert_eq!(wallet.expect_ack(again.request_id).await, AckOutcome::Accepted);
        wallet
    });
    assert_eq!(reply.status, 200);
    server.finish((wallet, backend)).await;
}

#[tokio::test]
async fn a_wallet_that_leaves_for_good_ends_it_at_the_deadline() {
    let server = TestServer::start().await;
    let mut wallet = server.wallet(8).await;
    let mut backend = server.backend().await;
    let key = wallet.public_key();
    let body = json!({ "public_key": key.to_string(), "message": "aGk=", "timeout_ms": 1000 });
    let (reply, ()) = tokio::join!(backend.post(&body), async {
        wallet.expect_request().await;
        drop(wallet);
    });
    assert_eq!(reply.code(), (502, "signer_disconnected"));
    assert_eq!(reply.json["phase"], "delivered");
    server.finish(backend).await;
}

#[tokio::test]
async fn a_second_tab_closed_again_leaves_the_first_served() {
    let server = TestServer::start().await;
    let mut first = server.wallet(9).await;
    let second = server.wallet(9).await;
    let key = first.public_key();
    assert_eq!(server.service.connections_of(&key), 2);
    second.close().await;
    eventually("one tab is left", || server.service.connections_of(&key) == 1).await;
    let mut backend = server.backend().await;
    let (reply, outcome) = tokio::join!(backend.ask(&key, b"hello"), first.sign_next());
    assert_eq!((reply.status.as_u16(), outcome), (200, AckOutcome::Accepted));
    server.finish((first, backend)).await;
}

#[tokio::test]
async fn of_several_devices_the_first_signature_wins() {
    let server = TestServer::start().await;
    let mut devices = [server.wallet(10).await, server.wallet(10).await, server.wallet(10).await];
    let mut backend = server.backend().await;
    let key = devices[0].public_key();
    let (reply, ()) = tokio::join!(backend.ask(&key, b"hello"), async {
        let [first, second, third] = &mut devices;
        let request = first.expect_request().await;
        let same = [second.expect_request().await.request_id, third.expect_request().await.request_id];
        assert_eq!(same, [request.request_id; 2]);
        // One device will not; that is no answer for the key.
        third.send(&reject(&request, RejectScope::Device)).await;
        assert_eq!(third.expect_ack(request.request_id).await, AckOutcome::Accepted);
        second.send(&second.answer(&request)).await;
        assert_eq!(second.expect_ack(request.request_id).await, AckOutcome::Accepted);
        assert_eq!(first.expect_cancel().await.cause, CancelCause::AnsweredElsewhere);
        // Of one key and message there is one signature, whoever makes it: it is the one that was taken.
        for device in [first, second] {
            device.send(&device.answer(&request)).await;
            assert_eq!(device.expect_ack(request.request_id).await, AckOutcome::Accepted);
        }
        third.send(&reject(&request, RejectScope::Key)).await;
        assert_eq!(third.expect_ack(request.request_id).await, AckOutcome::Duplicate);
    });
    assert_eq!(reply.status, 200);
    server.finish((devices, backend)).await;
}

#[tokio::test]
async fn a_silent_wallet_is_pinged_and_then_told_goodbye() {
    let server = TestServer::with(|settings| settings.heartbeat_ms = Some(50)).await;
    let wallet = server.wallet(11).await;
    assert_eq!(server.service.connections(), 1);
    // Reading is what answers pings, so a wallet that only holds its socket is silent.
    eventually("the silent wallet is gone", || server.service.connections() == 0).await;
    drop(wallet);

    let mut wallet = TestWallet::dial(&server.url(), 11).await;
    let challenge = wallet.challenge().await;
    let frame = wallet.introduction(Some(wallet.prove(&challenge)));
    wallet.send(&frame).await;
    assert!(matches!(wallet.next().await, ServerFrame::Welcome(welcome) if welcome.heartbeat_ms == 50));
    // Reading now and then is enough to stay.
    let stays = tokio::time::timeout(Duration::from_millis(500), wallet.next()).await;
    assert!(stays.is_err(), "{stays:?}");
    server.finish(wallet).await;
}

#[tokio::test]
async fn a_stopping_server_lets_open_requests_finish() {
    let server = TestServer::start().await;
    let mut wallet = server.wallet(12).await;
    let mut backend = server.backend().await;
    // Each answer is the last one on its connection by then.
    let (mut probe, mut latecomer) = (server.backend().await, server.backend().await);
    let key = wallet.public_key();
    let asking = tokio::spawn(async move { backend.ask(&key, b"hello").await });
    let request = wallet.expect_request().await;
    let (service, url) = (server.service.clone(), server.url());
    let stopped = server.stop();
    assert!(matches!(wallet.next().await, ServerFrame::Goodbye(goodbye) if goodbye.reason == GoodbyeReason::Shutdown));
    assert_eq!(probe.get("/readyz").await.code(), (503, "draining"));
    assert_eq!(latecomer.ask(&key, b"late").await.code(), (503, "draining"));
    assert!(TestWallet::dial(&url, 13).await.expect_goodbye().await);
    wallet.send(&wallet.answer(&request)).await;
    assert_eq!(wallet.expect_ack(request.request_id).await, AckOutcome::Accepted);
    assert_eq!(asking.await.unwrap().status, 200);
    assert!(matches!(wallet.next().await, ServerFrame::Goodbye(_)));
    assert_eq!(wallet.expect_close().await, CloseCode::Restart);
    drop(wallet);
    within("the server's end", stopped).await.unwrap();
    assert_eq!((service.pending(), service.connections()), (0, 0));
}

#[tokio::test]
async fn a_request_still_open_at_the_end_of_draining_is_told_so() {
    let server = TestServer::with(|settings| settings.drain_timeout_ms = Some(50)).await;
    let mut wallet = server.wallet(14).await;
    let mut backend = server.backend().await;
    let key = wallet.public_key();
    let asking = tokio::spawn(async move { backend.ask(&key, b"hello").await });
    wallet.expect_request().await;
    let stopped = server.stop();
    assert_eq!(asking.await.unwrap().code(), (503, "draining"));
    assert!(matches!(wallet.next().await, ServerFrame::Goodbye(_)));
    assert!(matches!(wallet.next().await, ServerFrame::RequestCancel(_)));
    drop(wallet);
    within("the server's end", stopped).await.unwrap();
}

#[tokio::test]
async fn a_dropped_future_leaves_nothing_behind() {
    let server = TestServer::start().await;
    let mut wallet = server.wallet(15).await;
    let key = PublicKey::admit(wallet.public_key()).unwrap();
    let service = server.service.clone();
    let asking = tokio::spawn(async move { service.send_to_sign(&key, b"hello").await });
    wallet.expect_request().await;
    assert_eq!(server.service.pending(), 1);
    asking.abort();
    assert_eq!(wallet.expect_cancel().await.cause, CancelCause::Cancelled);
    assert_eq!(server.service.pending(), 0);
    server.finish(wallet).await;
}

#[tokio::test]
async fn the_metrics_count_what_happened() {
    let server = TestServer::start().await;
    let mut wallet = server.wallet(16).await;
    let mut backend = server.backend().await;
    let key = wallet.public_key();
    let (reply, _) = tokio::join!(backend.ask(&key, b"hello"), wallet.sign_next());
    assert_eq!(reply.status, 200);
    assert_eq!(backend.ask(&[1; 32].into(), b"hello").await.status, 400);
    wallet.send_text("{").await;
    assert_eq!(wallet.expect_error().await, ErrorCode::Malformed);
    let metrics = backend.get("/metrics").await;
    assert_eq!(metrics.headers["content-type"], "application/openmetrics-text; version=1.0.0; charset=utf-8");
    for line in [
        "countersign_connections 1",
        "countersign_pending_requests 0",
        "countersign_requests_total{outcome=\"signed\"} 1",
        "countersign_requests_total{outcome=\"invalid_public_key\"} 1",
        "countersign_answers_total{outcome=\"accepted\"} 1",
        "countersign_protocol_errors_total{code=\"malformed\"} 1",
        "countersign_request_duration_seconds_count{outcome=\"signed\"} 1",
    ] {
        assert!(metrics.text.contains(line), "{line} not in\n{}", metrics.text);
    }
    assert!(!metrics.text.contains(&key.to_string()), "no key in the metrics");
    assert_eq!(backend.get("/healthz").await.text, "ok\n");
    assert_eq!(backend.get("/readyz").await.text, "ready\n");
    server.finish((wallet, backend)).await;
}

#[tokio::test]
async fn the_library_says_what_the_api_says() {
    let server = TestServer::start().await;
    let key = PublicKey::of(&ed25519_dalek::SigningKey::from_bytes(&[17; 32]));
    let error = server.service.send_to_sign(&key, b"hello").await.unwrap_err();
    assert_eq!((&error, error.code()), (&SigningError::SignerNotConnected, "signer_not_connected"));
    let message = Message::try_from(&b"hello"[..]).unwrap();
    let request = server.service.request(key.to_bytes(), message).timeout(Duration::from_millis(999));
    assert_eq!(request.send().await.unwrap_err().code(), "invalid_timeout");
    server.finish(()).await;
}

#[tokio::test]
async fn a_wallet_that_comes_back_is_told_what_it_shows_in_vain() {
    let server = TestServer::start().await;
    let key = SigningKey::from_bytes(&[77; 32]);
    let dial = async || {
        let mut wallet = TestWallet::dial_from(&server.url(), "", key.clone()).await;
        wallet.introduce().await;
        wallet
    };
    let mut wallet = dial().await;
    let mut backend = server.backend().await;
    let body = json!({ "public_key": wallet.public_key().to_string(), "message": "aGVsbG8=" });
    let calling = tokio::spawn(async move { backend.post(&body).await });
    let shown = wallet.expect_request().await;
    // Both are gone before either hears of the other.
    drop(wallet);
    eventually("no connection", || server.service.connections() == 0).await;
    calling.abort();
    eventually("no request", || server.service.pending() == 0).await;
    let mut wallet = dial().await;
    wallet
        .send(&ClientFrame::RequestStatus(RequestStatus {
            request_id: shown.request_id,
            state: WalletState::Displayed,
        }))
        .await;
    let taken_back = wallet.expect_cancel().await;
    assert_eq!((taken_back.request_id, taken_back.cause), (shown.request_id, CancelCause::Cancelled));
    server.finish(wallet).await;
}
