//! The documents say what the program does: each table here is compared with its source, in both directions.

use countersign_protocol::{
    ApprovedBy, ClientFrame, Device, Introduction, PublicKeyBytes, RejectCode, RejectScope, RequestStatus, ServerFrame,
    SignReject, SignResponse, WalletState,
};
use countersign_server::http::{Settings, Taken, Tokens};
use countersign_tests::{
    Backend, ServerProcess, TestServer, TestWallet,
    documents::{between, blocks, codes_of_the_api, read, table},
    within,
};
use hyper::Method;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

/// The environment variable in a flag's help; the value of one that is secret is not shown there.
fn variable(help: &str) -> String {
    let name = between(help, "[env: ", "]").unwrap();
    name.split('=').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_settings_are_those_of_the_help() {
    let output = within("the help", ServerProcess::command(&["--help"]).output()).await.unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let flags = help.split("\n      --").skip(1).filter(|flag| flag.contains("[env: "));
    let helped: BTreeMap<_, _> = flags
        .map(|text| {
            let (head, rest) = text.split_once('\n').unwrap();
            let default = between(rest, "[default: ", "]").map(str::to_owned);
            (format!("--{}", head.replace(['<', '>'], "")), (variable(rest), default))
        })
        .collect();
    let rows = table("docs/operating/settings.md", "| flag | environment |");
    let documented: BTreeMap<_, _> = rows
        .iter()
        .map(|row| {
            // The help gives no default where there is none, or where it goes without saying.
            let default = Some(row[3].clone()).filter(|default| default != "none" && default != "false");
            (row[0].clone(), (row[1].clone(), default))
        })
        .collect();
    assert_eq!(helped, documented);
}

#[test]
fn the_example_file_has_every_setting_and_is_read() {
    let [example]: [String; 1] = blocks("docs/operating/settings.md", "toml").try_into().unwrap();
    let path = std::env::temp_dir().join(format!("countersign-documents-{}.toml", std::process::id()));
    fs::write(&path, &example).unwrap();
    let settings = Settings::from_file(&path);
    fs::remove_file(&path).unwrap();
    let settings = settings.unwrap();
    Tokens::from_entries(&settings.token).unwrap();
    assert_eq!(settings.webhook.len(), 1);

    let set: BTreeSet<_> = example
        .lines()
        .take_while(|line| *line != "[[token]]")
        // What excludes another stands there as a comment.
        .filter_map(|line| line.trim_start_matches("# ").split_once(" = ").map(|(key, _)| key.trim().to_owned()))
        .collect();
    let rows = table("docs/operating/settings.md", "| flag | environment |");
    let keys: BTreeSet<_> = rows.iter().map(|row| row[2].clone()).filter(|key| !key.is_empty()).collect();
    assert_eq!(set, keys);
    for row in rows.iter().filter(|row| !row[2].is_empty()) {
        let flag = row[0].split([' ', '[']).next().unwrap().trim_start_matches("--");
        assert_eq!(flag.replace('-', "_"), row[2], "a setting has one name");
    }
    // Whether each is taken anew is said of each, and so.
    let documented: BTreeSet<_> = rows.iter().map(|row| (row[2].as_str(), row[4].as_str())).collect();
    let words = |taken| if taken == Taken::Anew { "anew" } else { "at a start" };
    let tables = ["token", "admin_token", "webhook"];
    let of_the_code =
        Settings::taken().filter(|(name, _)| !tables.contains(name)).map(|(name, taken)| (name, words(taken)));
    assert_eq!(documented, of_the_code.chain([("", "at a start")]).collect());
}

/// A device, named as no other.
fn device() -> Device {
    Device { id: "tablet".parse().unwrap(), label: "secret label".parse().unwrap() }
}

/// Each line about a request, a wallet or a call, after everything has happened that has a line.
async fn lines_of_everything() -> (Vec<Value>, String, PublicKeyBytes) {
    let data = tempfile::tempdir().unwrap();
    let log = ["--log-format", "json", "--log", "countersign_server=debug"];
    let command = ServerProcess::command(&[&log[..], &["--data-dir", data.path().to_str().unwrap()]].concat());
    let server = ServerProcess::spawn(command).await;
    let mut wallet = TestWallet::dial(&format!("ws://{}/ws", server.address), 81).await;
    let challenge = wallet.challenge().await;
    let proof = Some(wallet.prove(&challenge));
    let introduction = Introduction { public_key: wallet.public_key(), proof, device: Some(device()) };
    wallet.send(&ClientFrame::Introduction(introduction)).await;
    assert!(matches!(wallet.next().await, ServerFrame::Welcome(_)));
    let key = wallet.public_key();
    let mut backend = Backend::connect(server.address).await;
    let body = json!({
        "public_key": key.to_string(), "messages": ["c2VjcmV0IG1lc3NhZ2U=", "c2VjcmV0IHR3bw=="], "purpose": "secret purpose", "queue": true,
    });
    let call = [
        ("prefer", "respond-async"),
        ("x-request-id", "order-4711"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ];
    let reply = backend.post_with(&body, &call).await;
    assert_eq!((reply.status.as_u16(), &reply.headers["x-request-id"]), (202, &"order-4711".parse().unwrap()));
    let (first, second) = (wallet.expect_request().await, wallet.expect_request().await);
    let status = |state| ClientFrame::RequestStatus(RequestStatus { request_id: first.request_id, state });
    wallet.send(&status(WalletState::Received)).await;
    wallet.send(&status(WalletState::Displayed)).await;
    let ClientFrame::SignResponse(answer) = wallet.answer(&first) else { panic!("no answer") };
    let answer = ClientFrame::SignResponse(SignResponse { approved_by: Some(ApprovedBy::Human), ..answer });
    for _ in 0..2 {
        wallet.send(&answer).await;
        wallet.expect_ack(first.request_id).await;
    }
    let (reason, code) = (Some("secret reason".parse().unwrap()), RejectCode::UserRejected);
    let reject = SignReject { request_id: second.request_id, code, reason, scope: RejectScope::Key };
    wallet.send(&ClientFrame::SignReject(reject)).await;
    wallet.expect_ack(second.request_id).await;
    wallet.close().await;
    let nobody = TestWallet::dial(&format!("ws://{}/ws", server.address), 82).await.public_key();
    assert_eq!(backend.ask(&nobody, b"x").await.code(), (404, "signer_not_connected"));
    let mut stranger = Backend::connect(server.address).await.with_host("evil.example");
    for _ in 0..3 {
        let reply = stranger.get("/v1/signers/11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").await;
        assert_eq!(reply.code(), (403, "host_not_allowed"));
        assert_eq!(reply.headers["x-request-id"].len(), 32);
    }
    server.signal("TERM").await;
    let log = server.wait().await;
    let targets = ["request", "wallet", "call"].map(|target| format!("countersign_server::{target}"));
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    (lines.filter(|line| targets.iter().any(|target| line["target"] == **target)).collect(), log, key)
}

#[tokio::test]
async fn the_fields_of_the_log_are_those_of_its_lines() {
    let (lines, log, key) = lines_of_everything().await;
    let kind = |value: &Value| match value {
        Value::String(_) => "string",
        Value::Number(_) => "number",
        Value::Bool(_) => "boolean",
        Value::Null | Value::Array(_) | Value::Object(_) => "none",
    };
    let fields: BTreeSet<_> = lines
        .iter()
        .flat_map(|line| line.as_object().unwrap())
        .filter(|(name, _)| !["timestamp", "level", "message", "target"].contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), kind(value).to_owned()))
        .collect();
    let rows = table("docs/operating/observing.md", "| field | JSON type |");
    assert_eq!(fields, rows.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect());

    // At the level that is documented.
    let levels = table("docs/operating/observing.md", "| level | what |");
    for line in &lines {
        let (level, message) = (line["level"].as_str().unwrap().to_lowercase(), line["message"].as_str().unwrap());
        let row = levels.iter().find(|row| row[0] == level).unwrap();
        assert!(row[1].contains(message), "{level}: {message}");
    }
    assert_eq!(lines.iter().filter(|line| line["message"] == "call refused").count(), 1, "one a second: {log}");
    for line in lines.iter().filter(|line| line["message"] == "request ended") {
        assert_eq!(line["call_id"], "order-4711");
        assert_eq!(line["trace_id"], "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(line["device"], "tablet");
    }
    for secret in ["secret", "c2VjcmV0", &key.to_string()] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

#[test]
fn the_errors_are_those_of_the_source() {
    let codes = codes_of_the_api();
    let rows = table("docs/http-api.md", "| status | `code` |");
    let documented: Vec<_> = rows.iter().map(|row| row[1].clone()).collect();
    assert_eq!(documented.len(), codes.len(), "each code once: {documented:?}");
    assert_eq!(documented.into_iter().collect::<BTreeSet<_>>(), codes);
}

#[tokio::test]
async fn an_error_has_the_status_that_is_documented() {
    let server = TestServer::start().await;
    let mut wallet = server.wallet(2).await;
    let (held, stranger) = (wallet.public_key(), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    let key = held.to_string();
    let mut replies = Vec::new();
    for body in [
        json!({}),
        json!({ "public_key": "x", "message": "aGk=" }),
        json!({ "public_key": key, "message": "" }),
        json!({ "public_key": key, "message": "/2NvdW50ZXJzaWduLw==" }),
        json!({ "public_key": key, "message": "aGk=", "purpose": "" }),
        json!({ "public_key": key, "message": "aGk=", "timeout_ms": 1 }),
        json!({ "public_key": stranger, "message": "aGk=" }),
        json!({ "public_key": key, "message": "A".repeat(100_000) }),
    ] {
        replies.push(server.backend().await.post(&body).await);
    }
    let mut backend = server.backend().await;
    replies.push(backend.post_text("text/plain", "").await);
    replies.push(backend.get("/nothing").await);
    replies.push(backend.get("/ws").await);
    replies.push(backend.call(Method::DELETE, "/v1/send_to_sign").await);
    replies.push(server.backend().await.with_host("elsewhere.example").ask(&held, b"x").await);
    let (reply, ()) = tokio::join!(backend.ask(&held, b"x"), async {
        let request = wallet.expect_request().await;
        let other = b"y".to_vec().try_into().unwrap();
        wallet.send(&wallet.answer_with(request.request_id, &other)).await;
        wallet.expect_ack(request.request_id).await;
    });
    replies.push(reply);
    let brief = json!({ "public_key": key, "message": "aGk=", "timeout_ms": 1000 });
    replies.push(backend.post(&brief).await);
    wallet.expect_request().await;
    wallet.close().await;

    let rows = table("docs/http-api.md", "| status | `code` |");
    for reply in replies {
        let (status, code) = reply.code();
        assert!(rows.iter().any(|row| row[0] == status.to_string() && row[1] == code), "{status} {code:?}");
    }
    server.finish(backend).await;
}

#[test]
fn the_embedding_guide_quotes_the_application_that_is_tested() {
    let application = read("tests/src/actix.rs");
    let quoted = blocks("docs/embedding.md", "rust");
    assert!(quoted.len() >= 5);
    for block in quoted {
        assert!(application.contains(&block), "not in tests/src/actix.rs:\n{block}");
    }
}
