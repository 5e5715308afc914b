//! Telling ends to the addresses that requests name: signed, again where not taken, and nowhere else.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_protocol::{AckOutcome, PublicKeyBytes};
use countersign_server::{
    http::{BatchEvents, Settings, SettingsError, TokenEntry, Tokens, WebhookEntry},
    store::ServerKey,
};
use countersign_tests::{
    Backend, Reply, ServerProcess, TestServer, TestWallet, WebhookReceiver, webhook_receiver::Delivery, within,
};
use ed25519_dalek::VerifyingKey;
use hyper::Method;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{self, ServerConfig, pki_types::PrivateKeyDer},
};

fn body(key: &PublicKeyBytes, webhook: &str) -> Value {
    json!({ "public_key": key.to_string(), "message": "aGk=", "webhook": webhook })
}

async fn ask(backend: &mut Backend, key: &PublicKeyBytes, webhook: &str) -> Reply {
    let accepted = backend.post_with(&body(key, webhook), &[("prefer", "respond-async")]).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    accepted
}

async fn resource(backend: &mut Backend, accepted: &Reply) -> Value {
    backend.get(accepted.headers["location"].to_str().unwrap()).await.json
}

/// As somebody verifies who has the published key and Standard Webhooks.
async fn verify(backend: &mut Backend, delivery: &Delivery) {
    let keys = backend.get("/.well-known/jwks.json").await.json;
    let key = STANDARD.decode(keys["webhook_public_key"].as_str().unwrap().strip_prefix("whpk_").unwrap()).unwrap();
    let key = VerifyingKey::from_bytes(&key.try_into().unwrap()).unwrap();
    assert!(delivery.verifies_by_key(&key));
    assert_eq!(delivery.signatures("v1a").len(), 1);
}

/// A secret, as operators and receivers know it.
fn secret(byte: u8) -> String {
    format!("whsec_{}", STANDARD.encode([byte; 32]))
}

fn write_secrets(file: &Path, secrets: &[String]) {
    fs::write(file, secrets.join("\n")).unwrap();
    fs::set_permissions(file, PermissionsExt::from_mode(0o600)).unwrap();
}

async fn count(backend: &mut Backend, outcome: &str) -> bool {
    let text = backend.get("/metrics").await.text;
    text.contains(&format!("countersign_webhooks_total{{outcome=\"{outcome}\"}} 1\n"))
}

#[tokio::test]
async fn an_end_is_told_until_it_is_taken() {
    let mut hook = WebhookReceiver::start(&[500, 302]).await;
    let retries = vec![Duration::ZERO; 2];
    let server = TestServer::telling(retries, |settings| settings.webhook_target = vec![hook.url()]).await;
    let mut wallet = server.wallet(1).await;
    let mut backend = server.backend().await;
    let accepted = ask(&mut backend, &wallet.public_key(), &hook.url()).await;
    assert!(hook.is_quiet());
    assert_eq!(wallet.sign_next().await, AckOutcome::Accepted);

    let mut bodies = Vec::new();
    for _ in 0..3 {
        let delivery = hook.next().await;
        verify(&mut backend, &delivery).await;
        assert_eq!((delivery.path.as_str(), delivery.header("content-type")), ("/hook", "application/json"));
        assert_eq!(delivery.header("webhook-id"), format!("evt_{}", accepted.json["request_id"].as_str().unwrap()));
        bodies.push(delivery.body.clone());
        let told = delivery.json();
        assert_eq!((&told["type"], &told["data"]), (&json!("request.ended"), &resource(&mut backend, &accepted).await));
        assert_eq!(told["data"]["state"], "signed");
        let timestamp = told["timestamp"].as_str().unwrap();
        assert!(timestamp.len() == "2026-01-01T00:00:00.000Z".len() && timestamp.ends_with('Z'), "{timestamp}");
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "every attempt says the same");
    while !count(&mut backend, "delivered").await {}
    assert!(hook.is_quiet(), "what was taken is told no more, and a redirect leads nowhere");
    server.finish((wallet, backend)).await;
}

#[tokio::test]
async fn an_address_that_is_gone_or_takes_nothing_is_given_up() {
    for (answers, retries, outcome) in [(&[410][..], 3, "gone"), (&[500, 500], 1, "given_up")] {
        let mut hook = WebhookReceiver::start(answers).await;
        let retries = vec![Duration::ZERO; retries];
        let server = TestServer::telling(retries, |settings| settings.webhook_target = vec![hook.url()]).await;
        let mut wallet = server.wallet(2).await;
        let mut backend = server.backend().await;
        ask(&mut backend, &wallet.public_key(), &hook.url()).await;
        assert_eq!(wallet.sign_next().await, AckOutcome::Accepted);
        for _ in answers {
            hook.next().await;
        }
        while !count(&mut backend, outcome).await {}
        assert!(hook.is_quiet());
        server.finish((wallet, backend)).await;
    }
}

#[tokio::test]
async fn what_was_not_told_is_told_after_a_restart() {
    // It never answers the first attempt.
    let mut hook = WebhookReceiver::start(&[0]).await;
    let server = TestServer::telling(None, |settings| settings.webhook_target = vec![hook.url()]).await;
    let mut wallet = server.wallet(3).await;
    let mut backend = server.backend().await;
    ask(&mut backend, &wallet.public_key(), &hook.url()).await;
    assert_eq!(wallet.sign_next().await, AckOutcome::Accepted);
    let first = hook.next().await;
    drop((wallet, backend));
    let server = server.restart().await;
    let again = hook.next().await;
    assert_eq!((again.header("webhook-id"), &again.body), (first.header("webhook-id"), &first.body));
    let mut backend = server.backend().await;
    verify(&mut backend, &again).await;
    while !count(&mut backend, "delivered").await {}
    server.finish(backend).await;
}

#[tokio::test]
async fn over_https_only_who_is_trusted_is_told() {
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let certificate = dir.path().join("hook.pem");
    std::fs::write(&certificate, issued.cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(issued.signing_key.serialize_der()).unwrap();
    let tls = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![issued.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/hook", listener.local_addr().unwrap().port());
    let data = dir.path().join("data");
    let arguments = ["--data-dir", data.to_str().unwrap(), "--webhook-target", &url];
    let accept = async || {
        let (stream, _) = within("a call", listener.accept()).await.unwrap();
        TlsAcceptor::from(Arc::new(tls.clone())).accept(stream).await
    };

    let strict = ServerProcess::start(&arguments).await;
    let mut wallet = TestWallet::introduced(&format!("ws://{}/ws", strict.address), 5).await;
    let mut backend = Backend::connect(strict.address).await;
    ask(&mut backend, &wallet.public_key(), &url).await;
    assert_eq!(wallet.sign_next().await, AckOutcome::Accepted);
    assert!(within("the handshake", accept()).await.is_err());
    while !count(&mut backend, "failed").await {}
    ask(&mut backend, &wallet.public_key(), &url).await;
    // Before its end, so that the next server has something to tell at once.
    wallet.expect_request().await;
    drop((wallet, backend));
    strict.signal("TERM").await;
    let log = strict.wait().await;
    assert!(log.contains("certificate") && !log.contains(&url), "{log}");

    let mut command = ServerProcess::command(&arguments);
    command.env("SSL_CERT_FILE", &certificate);
    let trusting = ServerProcess::spawn(command).await;
    let mut wallet = TestWallet::introduced(&format!("ws://{}/ws", trusting.address), 5).await;
    assert_eq!(wallet.sign_next().await, AckOutcome::Accepted);
    let mut call = within("the handshake", accept()).await.unwrap();
    let mut head = [0; 21];
    within("the call", call.read_exact(&mut head)).await.unwrap();
    assert_eq!(&head, b"POST /hook HTTP/1.1\r\n");
    drop((wallet, call));
    trusting.signal("TERM").await;
    trusting.wait().await;
}

#[tokio::test]
async fn a_request_can_send_the_server_nowhere_else() {
    let hook = WebhookReceiver::start(&[]).await;
    let server = TestServer::durable(|settings| {
        settings.webhook_target = vec![hook.url(), "https://hooks.example/a".into()];
    })
    .await;
    let wallet = server.wallet(4).await;
    let mut backend = server.backend().await;
    for url in [
        "",
        "https://hooks.example/",
        "https://hooks.example/a/",
        "https://hooks.example/a?x",
        "https://hooks.example/a#x",
        "https://HOOKS.example/a",
        "https://x@hooks.example/a",
        "https://hooks.example:443/a",
        "http://hooks.example/a",
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:22/",
        "file:///etc/passwd",
        &format!("{}/../admin", hook.url()),
    ] {
        assert_eq!(backend.post(&body(&wallet.public_key(), url)).await.code(), (403, "webhook_not_allowed"), "{url}");
    }
    assert!(hook.is_quiet());
    server.finish((wallet, backend)).await;
}

#[test]
fn a_target_that_could_be_read_on_the_way_ends_the_start() {
    let mut settings = Settings::default();
    settings.webhook_target = vec!["http://hooks.example/".into()];
    let at = "127.0.0.1:1".parse().unwrap();
    assert!(matches!(settings.http(at), Err(SettingsError::WebhookWithoutStore)));
    settings.data_dir = Some("/nonexistent".into());
    assert!(matches!(settings.http(at), Err(SettingsError::WebhookTarget { .. })));
}

/// A target that takes calls and never answers keeps nobody else's ends from being told.
#[tokio::test]
async fn a_target_that_hangs_is_in_nobody_s_way() {
    let mut hanging = WebhookReceiver::start(&[0; 100]).await;
    let mut other = WebhookReceiver::start(&[]).await;
    let server = TestServer::telling(None, |settings| settings.webhook_target = vec![hanging.url(), other.url()]).await;
    let mut wallet = server.wallet(5).await;
    let mut backend = server.backend().await;
    for _ in 0..40 {
        ask(&mut backend, &wallet.public_key(), &hanging.url()).await;
        wallet.sign_next().await;
    }
    for _ in 0..16 {
        hanging.next().await;
    }
    let accepted = ask(&mut backend, &wallet.public_key(), &other.url()).await;
    wallet.sign_next().await;
    let delivery = other.next().await;
    assert_eq!(delivery.json()["data"]["request_id"], accepted.json["request_id"]);
    assert!(hanging.is_quiet(), "none of its calls had come to an end");
    server.finish((wallet, backend)).await;
}

/// A status is all that is asked of a target: what comes after it may break off or never end.
#[tokio::test]
async fn whatever_follows_the_status_of_an_answer_it_is_taken() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let server = TestServer::telling(vec![], |settings| settings.webhook_target = vec![url.clone()]).await;
    let mut wallet = server.wallet(6).await;
    let mut backend = server.backend().await;
    ask(&mut backend, &wallet.public_key(), &url).await;
    wallet.sign_next().await;
    let (mut stream, _) = within("the call", listener.accept()).await.unwrap();
    let mut head = [0; 4];
    stream.read_exact(&mut head).await.unwrap();
    stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n").await.unwrap();
    within("the count", async { while !count(&mut backend, "delivered").await {} }).await;
    server.finish((wallet, backend, stream)).await;
}

fn together(url: String) -> WebhookEntry {
    WebhookEntry { url, batches: BatchEvents::Together, ..WebhookEntry::default() }
}

/// Asks for several signatures in one prompt.
async fn ask_several(backend: &mut Backend, key: &PublicKeyBytes, webhook: &str) -> Reply {
    let body = json!({ "public_key": key.to_string(), "messages": ["YQ==", "Yg==", "Yw=="], "webhook": webhook });
    let accepted = backend.post_with(&body, &[("prefer", "respond-async")]).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    accepted
}

/// Not taken twice, once by a server that is started anew since: the same each time, and no event beside it.
#[tokio::test]
async fn a_batch_is_told_once_when_the_last_has_ended() {
    let mut hook = WebhookReceiver::start(&[500, 0]).await;
    let retries = vec![Duration::ZERO; 3];
    let server = TestServer::telling(retries, |settings| settings.webhook = vec![together(hook.url())]).await;
    let mut wallet = server.wallet(31).await;
    let mut backend = server.backend().await;
    let batch = ask_several(&mut backend, &wallet.public_key(), &hook.url()).await;
    let mut requests = Vec::new();
    for _ in 0..3 {
        requests.push(wallet.expect_request().await);
    }
    for request in requests.iter().rev() {
        assert!(hook.is_quiet(), "one is open");
        wallet.send(&wallet.answer(request)).await;
        assert_eq!(wallet.expect_ack(request.request_id).await, AckOutcome::Accepted);
    }
    let mut deliveries = vec![hook.next().await, hook.next().await];
    for delivery in &deliveries {
        verify(&mut backend, delivery).await;
    }
    drop((wallet, backend));
    let server = server.restart().await;
    deliveries.push(hook.next().await);
    let mut backend = server.backend().await;
    // By the key of a server that may have got another one with its start.
    verify(&mut backend, &deliveries[2]).await;
    for delivery in &deliveries {
        assert_eq!(delivery.header("webhook-id"), format!("evt_{}", batch.json["batch_id"].as_str().unwrap()));
        assert_eq!(delivery.body, deliveries[0].body);
    }
    let told = deliveries[0].json();
    assert_eq!((&told["type"], &told["data"]["state"]), (&json!("batch.ended"), &json!("ended")));
    assert_eq!(told["data"], resource(&mut backend, &batch).await);
    while !count(&mut backend, "delivered").await {}
    // What comes next is what is asked next: of a batch of its own, and of one request.
    let mut wallet = server.wallet(31).await;
    let one = ask(&mut backend, &wallet.public_key(), &hook.url()).await;
    wallet.sign_next().await;
    let delivery = hook.next().await;
    assert_eq!(
        (&delivery.json()["type"], &delivery.json()["data"]["request_id"]),
        (&json!("request.ended"), &one.json["request_id"])
    );
    server.finish((wallet, backend)).await;
}

#[tokio::test]
async fn another_target_is_told_of_each_of_a_batch() {
    let (mut hook, other) = (WebhookReceiver::start(&[]).await, WebhookReceiver::start(&[]).await);
    let server = TestServer::durable(|settings| {
        settings.webhook_target = vec![hook.url()];
        settings.webhook = vec![together(other.url())];
    })
    .await;
    let mut wallet = server.wallet(32).await;
    let mut backend = server.backend().await;
    let batch = ask_several(&mut backend, &wallet.public_key(), &hook.url()).await;
    let mut asked = BTreeSet::new();
    for request in batch.json["requests"].as_array().unwrap() {
        asked.insert(request["request_id"].as_str().unwrap().to_owned());
    }
    let mut told = BTreeSet::new();
    let mut requests = Vec::new();
    for _ in 0..3 {
        requests.push(wallet.expect_request().await);
    }
    for request in &requests {
        wallet.send(&wallet.answer(request)).await;
        wallet.expect_ack(request.request_id).await;
        let delivery = hook.next().await.json();
        assert_eq!(delivery["type"], "request.ended");
        told.insert(delivery["data"]["request_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(told, asked);
    assert!(other.is_quiet());
    server.finish((wallet, backend)).await;
}

#[tokio::test]
async fn a_target_with_secrets_is_told_with_a_signature_by_each() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secrets");
    write_secrets(&file, &[secret(1), secret(2)]);
    let (mut hook, mut other) = (WebhookReceiver::start(&[]).await, WebhookReceiver::start(&[]).await);
    let server = TestServer::durable(|settings| {
        // Both with a table and in the list: the table holds.
        settings.webhook_target = vec![other.url(), hook.url()];
        settings.webhook =
            vec![WebhookEntry { url: hook.url(), secrets_file: Some(file.clone()), ..WebhookEntry::default() }];
    })
    .await;
    let mut wallet = server.wallet(7).await;
    let mut backend = server.backend().await;
    ask(&mut backend, &wallet.public_key(), &hook.url()).await;
    wallet.sign_next().await;
    let delivery = hook.next().await;
    verify(&mut backend, &delivery).await;
    assert_eq!((delivery.signatures("v1").len(), delivery.verifies_by(&secret(3))), (2, false));
    assert!(delivery.verifies_by(&secret(1)) && delivery.verifies_by(&secret(2)));
    assert!(
        delivery.header("webhook-signature").starts_with("v1a,"),
        "those who know of no other find it where it was"
    );

    ask(&mut backend, &wallet.public_key(), &other.url()).await;
    wallet.sign_next().await;
    let delivery = other.next().await;
    verify(&mut backend, &delivery).await;
    assert!(delivery.signatures("v1").is_empty(), "another target's secrets are another's");

    // What is in the file is taken by a reload, all or nothing.
    write_secrets(&file, &[secret(3)]);
    let report = server.reload(|_| {}).await.unwrap();
    assert_eq!(report.changed(), ["webhook_secrets"]);
    assert_eq!(server.reload(|_| {}).await.unwrap().changed(), Vec::<&str>::new());
    fs::write(&file, "whsec_bm90IGxvbmc=").unwrap();
    let mistakes = server.reload(|_| {}).await.unwrap_err();
    let said: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
    assert!(said.len() == 1 && said[0].contains("line 1") && !said[0].contains("bm90IGxvbmc"), "{said:?}");
    ask(&mut backend, &wallet.public_key(), &hook.url()).await;
    wallet.sign_next().await;
    let delivery = hook.next().await;
    assert!(delivery.verifies_by(&secret(3)) && !delivery.verifies_by(&secret(1)));
    server.finish((wallet, backend)).await;
}

#[test]
fn secrets_that_are_none_end_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secrets");
    let mut settings = Settings::default();
    settings.data_dir = Some("/nonexistent".into());
    settings.webhook = vec![WebhookEntry {
        url: "https://hooks.example/".into(),
        secrets_file: Some(file.clone()),
        ..WebhookEntry::default()
    }];
    let at = "127.0.0.1:1".parse().unwrap();
    let refused = |settings: &Settings| match settings.http(at) {
        Err(SettingsError::WebhookSecrets { number: 1, source }) => source.to_string(),
        other => panic!("{:?}", other.map(drop)),
    };
    assert!(refused(&settings).starts_with(file.to_str().unwrap()));
    write_secrets(&file, &[secret(1)]);
    assert!(settings.http(at).is_ok());
    fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
    assert!(refused(&settings).contains("has to be 600"));
    settings.webhook.push(settings.webhook[0].clone());
    write_secrets(&file, &[secret(1)]);
    assert!(matches!(settings.http(at), Err(SettingsError::WebhookTwice(2))));
}

/// What signs: secrets, and files of keys.
struct Phase {
    secrets: Vec<u8>,
    keys: Vec<usize>,
}

/// Whatever an operator does on the way, a receiver that knows one of what signs takes each event, and each comes.
#[tokio::test]
async fn secrets_and_keys_are_replaced_while_events_flow_and_none_is_lost() {
    const EVENTS: usize = 120;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secrets");
    let key_files: Vec<PathBuf> = (0..2).map(|index| folder.path().join(format!("{index}.key"))).collect();
    let keys: Vec<_> = key_files
        .iter()
        .zip(1..)
        .map(|(file, seed)| ServerKey::in_file(file, || [seed; 32]).unwrap().public_key())
        .map(|key| VerifyingKey::from_bytes(&key).unwrap())
        .collect();
    let phases = [
        Phase { secrets: vec![1], keys: vec![0] },
        Phase { secrets: vec![2, 1], keys: vec![1, 0] },
        Phase { secrets: vec![2], keys: vec![1] },
    ];
    let texts = |phase: &Phase| phase.secrets.iter().map(|byte| secret(*byte)).collect::<Vec<_>>();
    let files = |phase: &Phase| phase.keys.iter().map(|key| key_files[*key].clone()).collect::<Vec<_>>();
    // Every third attempt is not taken, and made again, maybe after the next change.
    let mut hook = WebhookReceiver::start(&[204, 500, 204].repeat(40)).await;
    write_secrets(&file, &texts(&phases[0]));
    let server = TestServer::telling(vec![Duration::ZERO; 9], |settings| {
        settings.webhook =
            vec![WebhookEntry { url: hook.url(), secrets_file: Some(file.clone()), ..WebhookEntry::default() }];
        settings.webhook_key = files(&phases[0]);
    })
    .await;
    let (mut wallet, mut backend) = (server.wallet(8).await, server.backend().await);
    let url = hook.url();
    let asking = tokio::spawn(async move {
        let mut asked = BTreeSet::new();
        for _ in 0..EVENTS {
            let accepted = ask(&mut backend, &wallet.public_key(), &url).await;
            wallet.sign_next().await;
            asked.insert(format!("evt_{}", accepted.json["request_id"].as_str().unwrap()));
        }
        (wallet, backend, asked)
    });

    let (mut told, mut seen, mut now) = (BTreeSet::new(), BTreeSet::new(), 0);
    for count in 1.. {
        let delivery = hook.next().await;
        let by_secret: Vec<u8> = [2, 1].into_iter().filter(|byte| delivery.verifies_by(&secret(*byte))).collect();
        let by_key: Vec<usize> = [1, 0].into_iter().filter(|key| delivery.verifies_by_key(&keys[*key])).collect();
        // An attempt that had begun is told as it began.
        let phase = phases[..=now].iter().position(|phase| phase.secrets == by_secret && phase.keys == by_key);
        seen.insert(phase.unwrap_or_else(|| panic!("{by_secret:?} {by_key:?} in phase {now}")));
        told.insert(delivery.header("webhook-id").to_owned());
        if count % (EVENTS / 3) == 0 && now + 1 < phases.len() {
            now += 1;
            write_secrets(&file, &texts(&phases[now]));
            let report = server.reload(|settings| settings.webhook_key = files(&phases[now])).await.unwrap();
            assert_eq!(report.changed(), ["webhook_key", "webhook_secrets", "webhook_keys"]);
        }
        if told.len() == EVENTS {
            break;
        }
    }
    let (wallet, mut backend, asked) = within("the last", asking).await.unwrap();
    assert_eq!((told, seen), (asked, BTreeSet::from([0, 1, 2])));
    let all = format!("countersign_webhooks_total{{outcome=\"delivered\"}} {EVENTS}\n");
    within("the last to be taken", async { while !backend.get("/metrics").await.text.contains(&all) {} }).await;
    let set = backend.get("/.well-known/jwks.json").await.json;
    assert_eq!(set["webhook_public_key"], format!("whpk_{}", STANDARD.encode(keys[1])));
    assert_eq!(set["keys"].as_array().unwrap().len(), 2, "the server's own, for receipts, is there too");
    server.finish((wallet, backend)).await;
}

#[test]
fn keys_that_are_none_end_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("webhook.key");
    let mut settings = Settings::default();
    settings.webhook_key = vec![file.clone()];
    let at = "127.0.0.1:1".parse().unwrap();
    assert!(matches!(settings.http(at), Err(SettingsError::WebhookKeyWithoutStore)));
    settings.data_dir = Some("/nonexistent".into());
    assert!(matches!(settings.http(at), Err(SettingsError::WebhookKey(_))));
    assert!(!file.exists(), "none is made");
    ServerKey::in_file(&file, || [1; 32]).unwrap();
    assert!(settings.http(at).is_ok());
    settings.webhook_key = vec![file; 3];
    assert!(matches!(settings.http(at), Err(SettingsError::TooManyWebhookKeys { found: 3, most: 2 })));
}

/// Of each target, who may name it: by the target's word and the token's.
#[tokio::test]
async fn a_target_is_for_those_for_whom_the_operator_has_it() {
    let [open, table, shop, both] = ["open", "table", "shop", "both"].map(|name| format!("https://{name}.example/"));
    let token = |id: &str, targets: Option<Vec<String>>| {
        let (secret, entry) = Tokens::generate("A name", Some(id)).unwrap();
        (secret, TokenEntry { webhook_targets: targets, ..entry })
    };
    let tokens = [
        token("shop", None),
        token("other", None),
        token("shop", Some(vec![table.clone(), open.clone()])),
        token("other", Some(vec![shop.clone(), both.clone()])),
        token("shop", Some(Vec::new())),
    ];
    let entry = |url: &String, requesters: &[&str]| WebhookEntry {
        url: url.clone(),
        requesters: requesters.iter().map(|id| (*id).to_owned()).collect(),
        ..WebhookEntry::default()
    };
    let tables = vec![entry(&table, &[]), entry(&shop, &["shop"]), entry(&both, &["shop", "other"])];
    let server = TestServer::durable(|settings| {
        settings.webhook_target = vec![open.clone()];
        settings.webhook = tables.clone();
        settings.token = tokens.iter().map(|(_, entry)| entry.clone()).collect();
    })
    .await;
    let wallet = server.wallet(9).await;
    let expected = [
        // A token without a scope: the list, and tables that name its requester.
        [true, false, true, true],
        [true, false, false, true],
        // A token with one: nothing else than what it names, of what names its requester, or nobody.
        [true, true, false, false],
        [false, false, false, true],
        [false; 4],
    ];
    for ((secret, _), expected) in tokens.iter().zip(expected) {
        let mut backend = server.backend().await.with_token(secret);
        let mut found = Vec::new();
        for url in [&open, &table, &shop, &both] {
            let reply = backend.post_with(&body(&wallet.public_key(), url), &[("prefer", "respond-async")]).await;
            match reply.status.as_u16() {
                202 => {
                    let location = reply.headers["location"].to_str().unwrap().to_owned();
                    assert_eq!(backend.call(Method::DELETE, &location).await.status, 200);
                    found.push(true);
                }
                _ => {
                    assert_eq!(reply.code(), (403, "webhook_not_allowed"));
                    found.push(false);
                }
            }
        }
        assert_eq!(found, expected);
    }
    // Without tokens nobody is told from anybody else.
    server.reload(|settings| settings.token = Vec::new()).await.unwrap();
    let mut backend = server.backend().await;
    for url in [&open, &table, &shop, &both] {
        let reply = ask(&mut backend, &wallet.public_key(), url).await;
        assert_eq!(backend.call(Method::DELETE, reply.headers["location"].to_str().unwrap()).await.status, 200);
    }
    server.finish((wallet, backend)).await;
}

#[test]
fn what_of_a_table_does_nothing_is_said() {
    let (_, known) = Tokens::generate("A name", Some("shop")).unwrap();
    let entry = |id: &[&str]| WebhookEntry {
        url: format!("https://{}.example/", id.len()),
        requesters: id.iter().map(|id| (*id).to_owned()).collect(),
        ..WebhookEntry::default()
    };
    let mut settings = Settings::default();
    settings.data_dir = Some("data".into());
    settings.webhook = vec![entry(&[]), entry(&["shop"]), entry(&["shop", "nobody"])];
    assert_eq!(settings.check().unwrap(), Vec::<String>::new());
    settings.token = vec![known];
    let hints = settings.check().unwrap();
    assert!(hints.len() == 2 && hints[0].contains("number 1: it has no requesters"), "{hints:?}");
    assert!(hints[1].contains("number 3: no token is of the requester \"nobody\""), "{hints:?}");
    settings.webhook = vec![entry(&[""])];
    assert!(matches!(settings.check().unwrap_err()[..], [SettingsError::WebhookRequester { number: 1, .. }]));
}
