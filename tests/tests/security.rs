//! What a hostile wallet, backend or network gets: a named error or a close, and never somebody else's signature.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_protocol::{
    AckOutcome, ClientFrame, ErrorCode, Message, PingPong, PublicKey, RequestId, ServerFrame, SignResponse, Signable,
    limits::MAX_MESSAGE_BYTES,
};
use countersign_server::http::{TokenEntry, Tokens};
use countersign_tests::{Backend, Reply, TestServer, TestWallet, within};
use ed25519_dalek::SigningKey;
use hyper::Method;
use serde_json::{Value, json};
use std::num::NonZeroU32;
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

/// Sends text over a bare TCP connection and returns all that comes back until the server closes.
async fn raw(server: &TestServer, text: &str) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A reset is a close too.
    let _ = within("the server's close", stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

// Introductions.

#[tokio::test]
async fn a_proof_of_anything_else_is_refused() {
    let server = TestServer::start().await;
    let elsewhere = TestServer::start().await;
    for case in 0..5 {
        let mut wallet = TestWallet::dial(&server.url(), 1).await;
        let challenge = wallet.challenge().await;
        let proof = match case {
            // A proof made for another server, passed on by it.
            0 => TestWallet::dial(&elsewhere.url(), 1).await.prove(&challenge),
            // Another page's.
            1 => {
                let key = wallet.key.clone();
                TestWallet::dial_from(&server.url(), "https://evil.example", key).await.prove(&challenge)
            }
            // Over another connection's challenge: a replay.
            2 => wallet.prove(&TestWallet::dial(&server.url(), 1).await.challenge().await),
            // By another key.
            3 => TestWallet::dial(&server.url(), 2).await.prove(&challenge),
            _ => {
                let mut bytes = *wallet.prove(&challenge).as_bytes();
                bytes[40] ^= 1;
                bytes.into()
            }
        };
        wallet.send(&wallet.introduction(Some(proof))).await;
        assert_eq!(wallet.expect_error().await, ErrorCode::ProofInvalid, "case {case}");
        assert_eq!(wallet.expect_close().await, CloseCode::Policy);
    }
    elsewhere.finish(()).await;
    server.finish(()).await;
}

#[tokio::test]
async fn a_browser_s_origin_is_part_of_the_proof() {
    let server = TestServer::start().await;
    let key = SigningKey::from_bytes(&[3; 32]);
    let mut wallet = TestWallet::dial_from(&server.url(), "https://wallet.example", key).await;
    wallet.introduce().await;
    assert_eq!(server.service.connections_of(&wallet.public_key()), 1);
    server.finish(wallet).await;
}

#[tokio::test]
async fn a_bare_introduction_is_told_what_it_lacks() {
    let server = TestServer::start().await;
    let mut wallet = TestWallet::dial(&server.url(), 4).await;
    wallet.challenge().await;
    wallet.send(&wallet.introduction(None)).await;
    assert_eq!(wallet.expect_error().await, ErrorCode::ProofRequired);
    assert_eq!(wallet.expect_close().await, CloseCode::Policy);
    server.finish(wallet).await;
}

#[tokio::test]
async fn where_allowed_a_bare_introduction_yields_to_a_proven_one() {
    let server = TestServer::with(|settings| settings.allow_unproven = Some(true)).await;
    let mut squatter = TestWallet::dial(&server.url(), 5).await;
    squatter.challenge().await;
    squatter.send(&squatter.introduction(None)).await;
    assert!(matches!(squatter.next().await, countersign_protocol::ServerFrame::Welcome(_)));

    let mut owner = server.wallet(5).await;
    assert!(matches!(squatter.next().await, countersign_protocol::ServerFrame::Goodbye(_)));
    assert_eq!(squatter.expect_close().await, CloseCode::Normal);

    let mut late = TestWallet::dial(&server.url(), 5).await;
    late.challenge().await;
    late.send(&late.introduction(None)).await;
    assert_eq!(late.expect_error().await, ErrorCode::ProofRequired);

    let (mut backend, key) = (server.backend().await, owner.public_key());
    let (reply, outcome) = tokio::join!(backend.ask(&key, b"hello"), owner.sign_next());
    assert_eq!((reply.status.as_u16(), outcome), (200, AckOutcome::Accepted));
    server.finish((squatter, owner, late, backend)).await;
}

#[tokio::test]
async fn a_key_that_would_be_a_weakness_is_refused() {
    let server = TestServer::start().await;
    // The neutral point, the point of order two, and one that is no point at all.
    let keys = [
        "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "7P///////////////////////////////////////38=",
        "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    ];
    for key in keys {
        let mut wallet = TestWallet::dial(&server.url(), 6).await;
        wallet.challenge().await;
        let proof = STANDARD.encode([0; 64]);
        wallet.send_text(&json!({ "type": "introduction", "public_key": key, "proof": proof }).to_string()).await;
        assert_eq!(wallet.expect_error().await, ErrorCode::KeyRefused, "{key}");
        assert_eq!(wallet.expect_close().await, CloseCode::Policy);

        let mut backend = server.backend().await;
        let reply = backend.post(&json!({ "public_key": key, "message": "aGk=" })).await;
        assert_eq!(reply.code(), (400, "invalid_public_key"));
    }
    server.finish(()).await;
}

// Frames.

#[tokio::test]
async fn broken_frames_get_named_errors() {
    let server = TestServer::with(|settings| settings.frames_per_second = NonZeroU32::new(1000)).await;
    let deep = format!(r#"{{"type":"ping","t":1,"x":{}}}"#, "[".repeat(20_000));
    let id = "07070707-0707-4707-8707-070707070707";
    let cases = [
        ("{".to_owned(), ErrorCode::Malformed),
        ("[1]".to_owned(), ErrorCode::Malformed),
        (deep, ErrorCode::Malformed),
        (r#"{"type":"ping","t":1,"t":1}"#.to_owned(), ErrorCode::Malformed),
        (r#"{"type":"ping","type":"pong","t":1}"#.to_owned(), ErrorCode::Malformed),
        (r#"{"type":"ping","t":-1}"#.to_owned(), ErrorCode::Malformed),
        (format!(r#"{{"type":"request_status","request_id":"{id}","state":"signed"}}"#), ErrorCode::Malformed),
        (
            format!(r#"{{"type":"sign_response","request_id":"{id}","message":"aGk","signature":""}}"#),
            ErrorCode::Malformed,
        ),
        (r#"{"type":"nonsense"}"#.to_owned(), ErrorCode::UnknownType),
        (format!(r#"{{"type":"response_ack","request_id":"{id}","outcome":"accepted"}}"#), ErrorCode::WrongDirection),
    ];
    let mut wallet = server.wallet(7).await;
    for (text, code) in &cases {
        wallet.send_text(text).await;
        assert_eq!(wallet.expect_error().await, *code, "{text:.60}");
    }
    let frame = wallet.introduction(None);
    wallet.send(&frame).await;
    assert_eq!(wallet.expect_error().await, ErrorCode::AlreadyIntroduced);

    // After all that the connection still serves.
    let (mut backend, key) = (server.backend().await, wallet.public_key());
    let (reply, _) = tokio::join!(backend.ask(&key, b"hello"), wallet.sign_next());
    assert_eq!(reply.status, 200);
    server.finish((wallet, backend)).await;
}

#[tokio::test]
async fn before_its_introduction_a_wallet_can_do_nothing() {
    let server = TestServer::start().await;
    let mut stranger = TestWallet::dial(&server.url(), 8).await;
    stranger.challenge().await;
    let message = Message::try_from(&b"x"[..]).unwrap();
    let frame = stranger.answer_with(RequestId::from_random_bytes([1; 16]), &message);
    stranger.send(&frame).await;
    assert_eq!(stranger.expect_error().await, ErrorCode::IntroductionRequired);
    stranger.send_text(&format!(r#"{{"type":"introduction","x":"{}"}}"#, "x".repeat(5000))).await;
    assert_eq!(stranger.expect_error().await, ErrorCode::FrameTooLarge);
    assert_eq!(stranger.expect_close().await, CloseCode::Size);
    server.finish(stranger).await;
}

#[tokio::test]
async fn binary_oversized_and_fragmented_floods_close() {
    let server = TestServer::start().await;
    let mut wallet = server.wallet(9).await;
    wallet.send_raw(tungstenite::Message::binary(vec![0; 10])).await;
    assert_eq!(wallet.expect_error().await, ErrorCode::BinaryFrame);
    assert_eq!(wallet.expect_close().await, CloseCode::Unsupported);

    let mut wallet = server.wallet(9).await;
    wallet.send_text(&"x".repeat(MAX_MESSAGE_BYTES * 2)).await;
    assert_eq!(wallet.expect_error().await, ErrorCode::FrameTooLarge);
    assert_eq!(wallet.expect_close().await, CloseCode::Size);

    let mut wallet = server.wallet(9).await;
    let fragment = |opcode| Frame::message(vec![b'x'; 1000], OpCode::Data(opcode), false);
    wallet.send_raw(tungstenite::Message::Frame(fragment(Data::Text))).await;
    for _ in 0..100 {
        wallet.send_raw(tungstenite::Message::Frame(fragment(Data::Continue))).await;
    }
    assert_eq!(wallet.expect_error().await, ErrorCode::FrameTooLarge);
    server.finish(wallet).await;
}

#[tokio::test]
async fn endless_empty_fragments_close() {
    let server = TestServer::start().await;
    let mut wallet = server.wallet(10).await;
    // An opening fragment, then continuations that never finish: masked, empty.
    wallet.send_bytes(&[0x01, 0x80, 1, 2, 3, 4]).await;
    wallet.send_bytes(&[0x00, 0x80, 1, 2, 3, 4].repeat(1024)).await;
    assert_eq!(wallet.expect_error().await, ErrorCode::FrameTooLarge);
    assert_eq!(wallet.expect_close().await, CloseCode::Size);
    server.finish(wallet).await;
}

/// What is put together before the introduction is bounded where it is put together, finished or not.
#[tokio::test]
async fn a_stranger_s_unfinished_frame_is_short() {
    let server = TestServer::start().await;
    let mut stranger = TestWallet::dial(&server.url(), 10).await;
    stranger.challenge().await;
    // The head of a text frame of 60,000 bytes, of which no more comes.
    stranger.send_bytes(&[0x81, 0xfe, 0xea, 0x60, 1, 2, 3, 4, 0x20]).await;
    assert_eq!(stranger.expect_error().await, ErrorCode::FrameTooLarge);
    assert_eq!(stranger.expect_close().await, CloseCode::Size);
    server.finish(stranger).await;
}

#[tokio::test]
async fn what_comes_fast_is_read_later_and_nothing_is_dropped() {
    let server = TestServer::with(|settings| settings.frames_per_second = NonZeroU32::new(20)).await;
    let mut wallet = server.wallet(11).await;
    const PINGS: usize = 100;
    let started = std::time::Instant::now();
    for _ in 0..PINGS {
        wallet.send_text(r#"{"type":"ping","t":1}"#).await;
    }
    for _ in 0..PINGS {
        let pong = ServerFrame::Pong(PingPong { t: 1 });
        assert_eq!(wallet.next().await, pong);
    }
    // A burst of eighty, less the introduction, and then no more than twenty a second.
    assert!(started.elapsed() >= std::time::Duration::from_millis(900), "{:?}", started.elapsed());
    assert!(!server.service.metrics().to_text().contains("countersign_rate_limited_total{scope=\"connection\"} 0\n"));
    server.finish(wallet).await;
}

// Answers.

#[tokio::test]
async fn no_false_answer_ever_reaches_the_backend() {
    let server = TestServer::start().await;
    let mut wallet = server.wallet(12).await;
    let mut backend = server.backend().await;
    let key = wallet.public_key();
    let other_message = Message::try_from(&b"pay 1000"[..]).unwrap();

    // A signature that does not hold.
    let (reply, ()) = tokio::join!(backend.ask(&key, b"pay 1"), async {
        let request = wallet.expect_request().await;
        let (request_id, message) = (request.request_id, request.message.clone());
        let signature = Signable::Message(&other_message).sign(&wallet.key);
        wallet
            .send(&ClientFrame::SignResponse(SignResponse { request_id, message, signature, approved_by: None }))
            .await;
        assert_eq!(wallet.expect_ack(request_id).await, AckOutcome::BadSignature);
        // Having answered, it does not get a second try.
        wallet.send(&wallet.answer(&request)).await;
        assert_eq!(wallet.expect_ack(request_id).await, AckOutcome::Duplicate);
    });
    assert_eq!(reply.code(), (502, "invalid_signature"));

    // A valid signature over another message.
    let (reply, ()) = tokio::join!(backend.ask(&key, b"pay 1"), async {
        let request = wallet.expect_request().await;
        wallet.send(&wallet.answer_with(request.request_id, &other_message)).await;
        assert_eq!(wallet.expect_ack(request.request_id).await, AckOutcome::MessageMismatch);
    });
    assert_eq!(reply.code(), (502, "message_mismatch"));

    // A valid signature by another key, over the right message.
    let stranger = SigningKey::from_bytes(&[99; 32]);
    let (reply, ()) = tokio::join!(backend.ask(&key, b"pay 1"), async {
        let SignRequestParts { request_id, message } = wallet.expect_request().await.into();
        let signature = Signable::Message(&message).sign(&stranger);
        wallet
            .send(&ClientFrame::SignResponse(SignResponse { request_id, message, signature, approved_by: None }))
            .await;
        assert_eq!(wallet.expect_ack(request_id).await, AckOutcome::BadSignature);
    });
    assert_eq!(reply.code(), (502, "invalid_signature"));
    server.finish((wallet, backend)).await;
}

struct SignRequestParts {
    request_id: RequestId,
    message: Message,
}

impl From<countersign_protocol::SignRequest> for SignRequestParts {
    fn from(request: countersign_protocol::SignRequest) -> Self {
        Self { request_id: request.request_id, message: request.message }
    }
}

#[tokio::test]
async fn another_wallet_s_request_is_as_unknown_as_none() {
    let server = TestServer::start().await;
    let mut wallet = server.wallet(13).await;
    let mut thief = server.wallet(14).await;
    let mut backend = server.backend().await;
    let key = wallet.public_key();
    let (reply, ()) = tokio::join!(backend.ask(&key, b"hello"), async {
        let request = wallet.expect_request().await;
        thief.send(&thief.answer(&request)).await;
        assert_eq!(thief.expect_ack(request.request_id).await, AckOutcome::Unknown);
        let nowhere = RequestId::from_random_bytes([7; 16]);
        thief.send(&thief.answer_with(nowhere, &request.message)).await;
        assert_eq!(thief.expect_ack(nowhere).await, AckOutcome::Unknown);
        wallet.send(&wallet.answer(&request)).await;
        assert_eq!(wallet.expect_ack(request.request_id).await, AckOutcome::Accepted);
    });
    assert_eq!(reply.json["public_key"], key.to_string());
    server.finish((wallet, thief, backend)).await;
}

// The API.

/// Places and codes of what is said to be wrong: pointers, and names of headers.
fn mistakes(reply: &Reply) -> Vec<(&str, &str)> {
    let errors = reply.json["errors"].as_array().unwrap_or_else(|| panic!("{}", reply.text));
    errors.iter().map(|error| (place(error), error["code"].as_str().unwrap())).collect()
}

fn place(error: &Value) -> &str {
    error.get("pointer").or(error.get("header")).and_then(Value::as_str).unwrap()
}

#[tokio::test]
async fn every_mistake_of_a_call_is_told_at_once_and_with_its_place() {
    let server = TestServer::with(|settings| settings.no_rate_limit = Some(true)).await;
    let mut backend = server.backend().await;
    let key = PublicKey::of(&SigningKey::from_bytes(&[15; 32])).to_string();
    let long = STANDARD.encode(vec![0; MAX_MESSAGE_BYTES + 1]);
    let metadata = json!({ "a": 1, "a b": "", "c": "x".repeat(257), "d": "right", "e\u{202e}": null });
    for (body, code, expected) in [
        (json!({}), "malformed", &[("/public_key", "required"), ("/message", "required")][..]),
        (
            json!({ "public_key": null, "message": null }),
            "malformed",
            &[("/public_key", "required"), ("/message", "required")],
        ),
        (json!([key, "aGk="]), "malformed", &[("", "type")]),
        (
            json!({ "public_key": 1, "message": ["aGk="], "timeout_ms": "1000", "queue": 1, "purpose": " ", "more": {} }),
            "malformed",
            &[
                ("/message", "type"),
                ("/more", "unknown"),
                ("/public_key", "type"),
                ("/queue", "type"),
                ("/timeout_ms", "type"),
                ("/purpose", "format"),
            ],
        ),
        (
            json!({ "public_key": key, "messages": ["aGk=", "aGk", "", 5, long] }),
            "malformed",
            &[
                ("/messages/3", "type"),
                ("/messages/1", "format"),
                ("/messages/2", "format"),
                ("/messages/4", "too_long"),
            ],
        ),
        (
            json!({ "public_key": key, "messages": ["aGk=", "aGk", "", long] }),
            "invalid_message",
            &[("/messages/1", "format"), ("/messages/2", "format"), ("/messages/3", "too_long")],
        ),
        (json!({ "public_key": key, "messages": [] }), "invalid_batch", &[("/messages", "range")]),
        (json!({ "public_key": key, "messages": vec!["aGk="; 17] }), "invalid_batch", &[("/messages", "range")]),
        (
            json!({ "public_key": key, "message": "aGk=", "messages": ["aGk="] }),
            "malformed",
            &[("/messages", "conflict")],
        ),
        (
            json!({
                "public_key": "x", "message": "aGk", "purpose": "x".repeat(257), "reference": "a\n", "metadata": metadata,
                "timeout_ms": 999, "delivery_timeout_ms": 999,
            }),
            "invalid_public_key",
            &[
                ("/public_key", "format"),
                ("/message", "format"),
                ("/purpose", "too_long"),
                ("/reference", "format"),
                ("/metadata/a", "type"),
                ("/metadata/a b", "format"),
                ("/metadata/c", "too_long"),
                ("/metadata", "type"),
                ("/timeout_ms", "range"),
                ("/delivery_timeout_ms", "range"),
            ],
        ),
        (json!({ "public_key": key, "message": "aGk=", "timeout_ms": -5 }), "malformed", &[("/timeout_ms", "range")]),
        (
            json!({ "public_key": key, "message": "aGk=", "timeout_ms": 604_800_001 }),
            "invalid_timeout",
            &[("/timeout_ms", "range")],
        ),
        (
            json!({ "public_key": key, "message": "aGk=", "timeout_ms": 2000, "delivery_timeout_ms": 2001 }),
            "invalid_delivery_timeout",
            &[("/delivery_timeout_ms", "range")],
        ),
    ] {
        let reply = backend.post(&body).await;
        assert_eq!(
            (reply.json["code"].as_str(), mistakes(&reply)),
            (Some(code), expected.to_vec()),
            "{:.200}",
            body.to_string()
        );
    }
    let several = json!({ "public_key": key, "message": "aGk=" });
    let reply = backend.post_to("/v1/batches", &several, &[("content-type", "application/json")]).await;
    assert_eq!(mistakes(&reply), [("/message", "conflict")]);
    let twice = format!(r#"{{"public_key":"{key}","message":"aGk=","message":"aGk="}}"#);
    assert_eq!(mistakes(&backend.post_text("application/json", twice).await), [("/message", "conflict")]);
    server.finish(backend).await;
}

#[tokio::test]
async fn what_is_wrong_beside_the_values_is_told_with_them_and_its_place() {
    let server = TestServer::with(|settings| settings.no_rate_limit = Some(true)).await;
    let mut backend = server.backend().await;
    let key = PublicKey::of(&SigningKey::from_bytes(&[15; 32])).to_string();
    let (header, long) = ("idempotency-key", "k".repeat(256));
    let hook = ("/webhook", "not_allowed");
    let name = |code| ("Idempotency-Key", code);
    let one = json!({ "public_key": key, "message": "aGk=" });
    let with = |name: &str, value: Value| {
        let mut body = one.clone();
        body["webhook"] = json!("https://hooks.example/");
        body[name] = value;
        body
    };
    for (path, body, keys, code, expected) in [
        ("send_to_sign", one.clone(), &["a b"][..], "invalid_idempotency_key", &[name("format")][..]),
        ("send_to_sign", one.clone(), &[""], "invalid_idempotency_key", &[name("format")]),
        ("send_to_sign", one.clone(), &["a", "a"], "invalid_idempotency_key", &[name("conflict")]),
        ("send_to_sign", one.clone(), &[&long], "invalid_idempotency_key", &[name("too_long")]),
        ("send_to_sign", with("queue", json!(true)), &[], "webhook_not_allowed", &[hook]),
        ("send_to_sign", with("timeout_ms", json!(1)), &[], "webhook_not_allowed", &[hook, ("/timeout_ms", "range")]),
        ("send_to_sign", with("purpose", json!("")), &[], "invalid_purpose", &[hook, ("/purpose", "format")]),
        (
            "send_to_sign",
            with("message", json!("x")),
            &["a", "b"],
            "invalid_message",
            &[hook, name("conflict"), ("/message", "format")],
        ),
        (
            "send_to_sign",
            with("public_key", json!("x")),
            &["a b"],
            "invalid_public_key",
            &[hook, name("format"), ("/public_key", "format")],
        ),
        ("send_to_sign", with("queue", json!(1)), &["a b"], "malformed", &[("/queue", "type"), hook, name("format")]),
        (
            "batches",
            with("queue", json!(true)),
            &["a b"],
            "malformed",
            &[("/message", "conflict"), hook, name("format")],
        ),
    ] {
        let keys_of_call = keys.iter().map(|key| (header, *key));
        let headers: Vec<_> = [("content-type", "application/json")].into_iter().chain(keys_of_call).collect();
        let reply = backend.post_to(&format!("/v1/{path}"), &body, &headers).await;
        assert_eq!((reply.json["code"].as_str(), mistakes(&reply)), (Some(code), expected.to_vec()), "{body} {keys:?}");
    }
    for text in
        ["", " ", "{", "{\"message\":\"c2VjcmV0\"", "{\"message\":\"c2VjcmV0\"}}", "{c2VjcmV0}", "{\"message\":1e}"]
    {
        let reply = backend.post_text("application/json", text).await;
        assert_eq!((reply.code(), mistakes(&reply)), ((400, "malformed"), vec![("", "format")]), "{text}");
        let (detail, error) = (&reply.json["detail"], &reply.json["errors"][0]["detail"]);
        assert!(detail == error && detail.as_str().unwrap().starts_with("the body is no JSON: "), "{}", reply.text);
        assert!(!reply.text.contains("c2VjcmV0") && reply.text.contains(" at line 1 column "), "{}", reply.text);
    }
    server.finish(backend).await;
}

/// Whatever is wrong, what was to be signed is nobody's business but the wallet's.
#[tokio::test]
async fn no_error_quotes_what_the_body_had_in_it() {
    let server = TestServer::durable(|settings| settings.no_rate_limit = Some(true)).await;
    let mut backend = server.backend().await;
    let key = PublicKey::of(&SigningKey::from_bytes(&[15; 32])).to_string();
    let secret = "c2VjcmV0";
    let right = json!({
        "public_key": key, "message": "aGk=", "messages": ["aGk="], "purpose": "x", "reference": "x", "metadata": { "a": "x" },
        "timeout_ms": 1000, "delivery_timeout_ms": 1000, "queue": true, "webhook": "x",
    });
    for name in right.as_object().unwrap().keys() {
        for wrong in [
            json!(format!("{secret}\n")),
            json!([format!("{secret}!")]),
            json!({ "a b": secret }),
            json!({ "a": [secret] }),
        ] {
            let mut body = right.clone();
            body[name] = wrong;
            for absent in ["message", "messages"].into_iter().filter(|absent| absent != name) {
                body.as_object_mut().unwrap().remove(absent);
            }
            let reply = backend.post(&body).await;
            assert!(reply.status.is_client_error(), "{body}: {}", reply.text);
            assert!(!reply.text.contains(secret), "{body}: {}", reply.text);
        }
    }
    // A name is shown as far as that does no harm.
    for name in ["x".repeat(1_000_000), "\u{1b}[2J".into(), "\u{202e}".into(), "\0".into()] {
        let mut body = json!({ "public_key": key, "message": "aGk=" });
        body[&name] = json!(1);
        let reply = backend.post(&body).await;
        assert_eq!((reply.code(), mistakes(&reply)), ((400, "malformed"), vec![("", "unknown")]));
        assert!(reply.text.len() < 500 && !reply.text.contains(&name), "{}", reply.text);
    }
    let reply = backend.post(&json!({ "public_key": key, "message": "aGk=", "a/b~c \"d\"": 1 })).await;
    assert_eq!(mistakes(&reply), [("/a~1b~0c \"d\"", "unknown")]);
    let many: serde_json::Map<_, _> = (0..10_000).map(|n| (format!("n{n}"), json!(secret))).collect();
    let reply = backend.post(&Value::Object(many)).await;
    assert_eq!(mistakes(&reply).len(), 48);
    server.finish(backend).await;
}

#[tokio::test]
async fn every_bad_body_gets_its_code() {
    let server = TestServer::start().await;
    let mut backend = server.backend().await;
    let key = PublicKey::of(&SigningKey::from_bytes(&[15; 32])).to_string();
    let reserved = STANDARD.encode(b"\xFFcountersign/v1/introduction\0");
    let too_long = STANDARD.encode(vec![0; MAX_MESSAGE_BYTES + 1]);
    let cases = [
        (json!({}), 400, "malformed"),
        (json!({ "public_key": key }), 400, "malformed"),
        (json!({ "public_key": key, "message": 5 }), 400, "malformed"),
        (json!({ "public_key": key, "message": "aGk=", "timeout": 5 }), 400, "malformed"),
        (json!({ "public_key": key, "message": "aGk=", "timeout_ms": -5 }), 400, "malformed"),
        (json!({ "public_key": "x", "message": "aGk=" }), 400, "invalid_public_key"),
        (json!({ "public_key": key, "message": "aGk" }), 400, "invalid_message"),
        (json!({ "public_key": key, "message": "" }), 400, "invalid_message"),
        (json!({ "public_key": key, "message": reserved }), 400, "reserved_prefix"),
        (json!({ "public_key": key, "message": too_long }), 413, "message_too_long"),
        (json!({ "public_key": key, "message": "x".repeat(2_000_000) }), 413, "payload_too_large"),
        (json!({ "public_key": key, "message": "aGk=", "timeout_ms": 999 }), 400, "invalid_timeout"),
        (json!({ "public_key": key, "message": "aGk=", "timeout_ms": 604_800_001 }), 400, "invalid_timeout"),
        (json!({ "public_key": key, "message": "aGk=", "purpose": "" }), 400, "invalid_purpose"),
        (json!({ "public_key": key, "message": "aGk=", "purpose": "a\nb" }), 400, "invalid_purpose"),
        (json!({ "public_key": key, "message": "aGk=", "purpose": "x".repeat(257) }), 400, "invalid_purpose"),
        (json!({ "public_key": key, "message": "aGk=", "reference": "" }), 400, "invalid_reference"),
        (json!({ "public_key": key, "message": "aGk=", "reference": "a\u{85}" }), 400, "invalid_reference"),
        (json!({ "public_key": key, "message": "aGk=", "reference": "x".repeat(129) }), 400, "invalid_reference"),
        (json!({ "public_key": key, "message": "aGk=", "reference": 1 }), 400, "malformed"),
        (json!({ "public_key": key, "message": "aGk=", "metadata": "x" }), 400, "malformed"),
        (json!({ "public_key": key, "message": "aGk=", "metadata": { "a": 1 } }), 400, "invalid_metadata"),
        (json!({ "public_key": key, "message": "aGk=", "metadata": { "a b": "" } }), 400, "invalid_metadata"),
        (
            json!({ "public_key": key, "message": "aGk=", "metadata": { "a": "x".repeat(257) } }),
            400,
            "invalid_metadata",
        ),
        (json!({ "public_key": key, "message": "aGk=" }), 404, "signer_not_connected"),
    ];
    for (body, status, code) in cases {
        let reply = backend.post(&body).await;
        assert_eq!(reply.code(), (status, code), "{:.100}", body.to_string());
        assert_eq!(reply.json["status"], status);
        assert_eq!(reply.json["type"], format!("urn:countersign:error:{code}"));
        // A server closes after a body it did not read to its end.
        backend = server.backend().await;
    }
    for (content_type, body, expected) in [
        ("text/plain", "{}".to_owned(), (415, "unsupported_media_type")),
        ("application/json", "{".to_owned(), (400, "malformed")),
        ("application/json", format!(r#"["{key}", "aGk="]"#), (400, "malformed")),
        ("application/json; charset=utf-8", format!(r#"{{"x":{}}}"#, "[".repeat(50_000)), (400, "malformed")),
    ] {
        assert_eq!(backend.post_text(content_type, body).await.code(), expected);
    }
    let reply = backend.call(Method::DELETE, "/v1/send_to_sign").await;
    assert_eq!((reply.code(), reply.headers["allow"].to_str().unwrap()), ((405, "method_not_allowed"), "POST"));
    assert_eq!(backend.call(Method::HEAD, "/healthz").await.status, 200);
    assert_eq!(backend.call(Method::OPTIONS, "/v1/send_to_sign").await.code(), (405, "method_not_allowed"));
    assert_eq!(backend.get("/nothing").await.code(), (404, "not_found"));
    assert_eq!(backend.get("/v1/signers/nobody").await.code(), (400, "invalid_public_key"));
    let reply = backend.get("/ws").await;
    assert_eq!(reply.code(), (426, "upgrade_required"));
    assert_eq!(
        (&reply.headers["upgrade"], &reply.headers["connection"]),
        (&"websocket".parse().unwrap(), &"upgrade".parse().unwrap())
    );
    server.finish(backend).await;
}

#[tokio::test]
async fn tokens_name_the_requester_and_nothing_goes_without() {
    let (token, entry) = Tokens::generate("Example Bank", None).unwrap();
    let server = TestServer::with(|settings| settings.token = vec![entry]).await;
    let mut wallet = server.wallet(16).await;
    let key = wallet.public_key();
    for backend in [server.backend().await, server.backend().await.with_token("cs_wrong")] {
        let mut backend = backend;
        let reply = backend.ask(&key, b"hello").await;
        assert_eq!(reply.code(), (401, "unauthorized"));
        assert_eq!(reply.headers["www-authenticate"], "Bearer");
        assert_eq!(backend.get(&format!("/v1/signers/{}", "00".repeat(32))).await.code(), (401, "unauthorized"));
    }
    let mut backend = server.backend().await.with_token(&token);
    let (reply, name) = tokio::join!(backend.ask(&key, b"hello"), async {
        let request = wallet.expect_request().await;
        wallet.send(&wallet.answer(&request)).await;
        wallet.expect_ack(request.request_id).await;
        request.requester.name
    });
    assert_eq!((reply.status.as_u16(), name.as_str()), (200, "Example Bank"));
    server.finish((wallet, backend)).await;
}

#[tokio::test]
async fn guessing_tokens_and_asking_too_fast_is_slowed_down() {
    let (token, entry): (String, TokenEntry) = Tokens::generate("a", None).unwrap();
    let server = TestServer::with(|settings| {
        settings.token = vec![entry];
        settings.requests_per_second = NonZeroU32::new(1);
    })
    .await;
    let mut guesser = server.backend().await.with_token("cs_guess");
    let mut codes = Vec::new();
    for _ in 0..40 {
        codes.push(guesser.ask(&[1; 32].into(), b"x").await.status.as_u16());
    }
    assert_eq!((codes.first(), codes.last()), (Some(&401), Some(&429)));

    let mut hasty = server.backend().await.with_token(&token);
    let reply = loop {
        let reply = hasty.ask(&[3; 32].into(), b"x").await;
        if reply.code() == (429, "rate_limited") {
            break reply;
        }
    };
    assert!(reply.headers["retry-after"].to_str().unwrap().parse::<u32>().unwrap() >= 1);
    server.finish((guesser, hasty)).await;
}

#[tokio::test]
async fn a_web_page_cannot_reach_an_open_api_by_rebinding_its_name() {
    let server = TestServer::start().await;
    let mut page = Backend::connect(server.address).await.with_host("evil.example");
    assert_eq!(page.ask(&[1; 32].into(), b"x").await.code(), (403, "host_not_allowed"));
    server.finish(page).await;
}

// The transport.

#[tokio::test]
async fn half_sent_requests_and_silent_sockets_are_closed() {
    let server = TestServer::with(|settings| settings.read_timeout_ms = Some(100)).await;
    assert_eq!(raw(&server, "").await, "", "a silent socket");
    raw(&server, "GET / HTTP/1.1\r\nHost: localhost\r\nX-Half: ").await;
    let half = "POST /v1/send_to_sign HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{";
    let answer = raw(&server, half).await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("request_timeout"), "{answer}");

    let mut wallet = TestWallet::dial(&server.url(), 17).await;
    wallet.challenge().await;
    assert_eq!(wallet.expect_error().await, ErrorCode::IntroductionTimeout);
    assert_eq!(wallet.expect_close().await, CloseCode::Policy);
    server.finish(wallet).await;
}

#[tokio::test]
async fn odd_request_lines_get_an_answer() {
    let server = TestServer::start().await;
    for (line, status) in [
        ("CONNECT example.com:443 HTTP/1.1", "405"),
        ("OPTIONS * HTTP/1.1", "405"),
        ("GET http://example.com/healthz HTTP/1.1", "200"),
        ("GET /../../etc/passwd HTTP/1.1", "404"),
        ("GET /v1/signers/%ff HTTP/1.1", "400"),
        ("GET /v1/signers/%zz HTTP/1.1", "400"),
        ("GET /v1/signers/11qYAYKxCrfVS%2f7TyWQHOg7hcvPapiMlrwIaaPcHURo%3D HTTP/1.1", "200"),
        ("BREW / HTTP/1.1", "404"),
        ("nonsense", "400"),
    ] {
        let answer = raw(&server, &format!("{line}\r\nHost: localhost\r\nConnection: close\r\n\r\n")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{line}: {answer}");
    }
    let huge = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Huge: {}\r\n\r\n", "x".repeat(100_000));
    assert!(raw(&server, &huge).await.starts_with("HTTP/1.1 431 "));
    server.finish(()).await;
}

#[tokio::test]
async fn a_chunked_body_is_read_and_bounded() {
    let server = TestServer::start().await;
    let head = "POST /v1/send_to_sign HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    let answer = raw(&server, &format!("{head}2\r\n{{}}\r\n0\r\n\r\n")).await;
    assert!(answer.contains("/public_key: has to be there"), "{answer}");
    let endless = format!("{head}{}", format!("1000\r\n{}\r\n", "x".repeat(0x1000)).repeat(512));
    let answer = raw(&server, &endless).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413 "), "{answer}");
    server.finish(()).await;
}

#[tokio::test]
async fn connections_are_capped_in_all_and_told_so() {
    let server = TestServer::with(|settings| settings.max_connections_per_ip = Some(2)).await;
    let held = (server.wallet(18).await, server.wallet(19).await);
    let refused = raw(&server, "GET /v1/signers/x HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("\"code\":\"overloaded\""), "{refused}");
    assert!(!refused.contains("retry-after"), "nobody knows when a place will be free: {refused}");
    // Machines that ask how the server is are not to take it for dead.
    for path in ["/healthz", "/readyz", "/metrics"] {
        let answer = raw(&server, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
    }
    drop(held);
    within("a free place", async {
        while raw(&server, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.starts_with("HTTP/1.1 503 ")
        {
        }
    })
    .await;
    server.finish(()).await;
}

#[tokio::test]
async fn handshakes_come_no_faster_than_allowed() {
    let server = TestServer::with(|settings| settings.connects_per_second = NonZeroU32::new(1)).await;
    let handshake = "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    let mut held = Vec::new();
    let status = within("the limit", async {
        loop {
            let mut stream = TcpStream::connect(server.address).await.unwrap();
            stream.write_all(handshake.as_bytes()).await.unwrap();
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).await.unwrap();
            match std::str::from_utf8(&answer).unwrap() {
                "HTTP/1.1 101" => held.push(stream),
                other => break other.to_owned(),
            }
        }
    })
    .await;
    assert_eq!(status, "HTTP/1.1 429");
    assert!(held.len() >= 4);
    server.finish(held).await;
}
