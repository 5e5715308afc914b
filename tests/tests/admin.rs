//! What administrators see and do, from outside: by TCP, by a Unix socket, by the command.

use countersign_protocol::{ErrorCode, GoodbyeReason, ServerFrame};
use countersign_server::http::{Settings, SettingsError, TokenEntry, Tokens};
use countersign_tests::{
    Backend, Reply, ServerProcess, TestServer, TestWallet, WebhookReceiver, eventually, postgres::Cluster, within,
};
use hyper::Method;
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt as _, path::Path, process::Output, time::Duration};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

fn local(settings: &mut Settings) {
    settings.admin_listen = Some("127.0.0.1:0".parse().unwrap());
}

fn ids(reply: &Reply, list: &str, id: &str) -> Vec<String> {
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json[list].as_array().unwrap().iter().map(|row| row[id].as_str().unwrap().to_owned()).collect()
}

fn encoded(text: &str) -> String {
    text.replace('%', "%25").replace('+', "%2B").replace('/', "%2F").replace('=', "%3D").replace(' ', "%20")
}

async fn ask_durably(backend: &mut Backend, key: &str, message: &str) -> String {
    let body = json!({ "public_key": key, "message": message, "queue": true });
    let reply = backend.post_with(&body, &[("prefer", "respond-async")]).await;
    assert_eq!(reply.status, 202, "{}", reply.text);
    reply.json["request_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn whoever_is_connected_and_whatever_is_open_is_seen() {
    let (bank, bank_entry) = Tokens::generate("Example Bank", Some("bank")).unwrap();
    let (shop, shop_entry) = Tokens::generate("Example Shop", Some("a shop")).unwrap();
    let server = TestServer::durable(|settings| {
        local(settings);
        settings.token = vec![bank_entry, shop_entry];
    })
    .await;
    let mut admin = server.administrator().await;
    let (mut wallet, other) = (server.wallet(1).await, server.wallet(2).await);
    let (key, others) = (wallet.public_key().to_string(), other.public_key().to_string());

    let all = ids(&admin.get("/admin/v1/connections").await, "connections", "connection_id");
    let first = admin.get("/admin/v1/connections?limit=1").await;
    let next = first.json["next_cursor"].as_str().unwrap().to_owned();
    let second = admin.get(&format!("/admin/v1/connections?limit=1&cursor={next}")).await;
    assert_eq!(second.json.get("next_cursor"), None);
    let pages = [first, second].map(|page| ids(&page, "connections", "connection_id")).concat();
    assert!(all.len() == 2 && pages == all && all.is_sorted(), "{all:?} {pages:?}");
    let reply = admin.get(&format!("/admin/v1/connections?key={}", encoded(&key))).await;
    let [row] = &reply.json["connections"].as_array().unwrap()[..] else { panic!("{}", reply.text) };
    assert_eq!((&row["public_key"], &row["fingerprint"]), (&json!(key), &json!(key[..8])));
    assert_eq!((&row["address"], &row["inflight"]), (&json!("127.0.0.1"), &json!(0)));
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
    assert!(u128::from(row["since_ms"].as_u64().unwrap()).abs_diff(now) < 60_000);

    let (mut banks, mut shops) = (server.backend().await.with_token(&bank), server.backend().await.with_token(&shop));
    let durable = ask_durably(&mut banks, &key, "c2VjcmV0").await;
    let away =
        ask_durably(&mut shops, "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "eA==").await;
    let asking = tokio::spawn(async move { shops.ask(&others.parse().unwrap(), b"secret").await });
    assert_eq!(wallet.expect_request().await.request_id.to_string(), durable);
    let found = within("three requests", async {
        loop {
            let reply = admin.get("/admin/v1/requests").await;
            if reply.json["requests"].as_array().unwrap().len() == 3 {
                return reply;
            }
        }
    })
    .await;
    assert!(!found.text.contains("secret") && !found.text.contains("c2VjcmV0"), "{}", found.text);
    let rows: Vec<Value> = found.json["requests"].as_array().unwrap().clone();
    let row = |id: &str| rows.iter().find(|row| row["request_id"] == id).unwrap();
    let expected = [
        ("requester_id", json!("bank")),
        ("requester", json!("Example Bank")),
        ("public_key", json!(key)),
        ("durable", json!(true)),
        ("message_bytes", json!(6)),
        ("connections", json!([row_connection(&mut admin, &key).await])),
    ];
    for (field, value) in expected {
        assert_eq!(row(&durable)[field], value, "{field}");
    }
    assert!(["delivered", "received"].contains(&row(&durable)["state"].as_str().unwrap()));
    assert_eq!((&row(&away)["state"], &row(&away)["connections"]), (&json!("queued"), &json!([])));
    let of = async |admin: &mut Backend, query: &str| {
        ids(&admin.get(&format!("/admin/v1/requests?{query}")).await, "requests", "request_id")
    };
    assert_eq!(of(&mut admin, &format!("key={}", encoded(&key))).await, [durable.as_str()]);
    assert_eq!(of(&mut admin, "requester=bank").await, [durable.as_str()]);
    assert_eq!(of(&mut admin, "requester=a%20shop").await.len(), 2);
    assert!(of(&mut admin, &format!("requester=a%20shop&key={}", encoded(&key))).await.is_empty());
    let (mut seen, mut cursor) = (BTreeSet::new(), String::new());
    for _ in 0..3 {
        let page = admin.get(&format!("/admin/v1/requests?limit=1{cursor}")).await;
        seen.extend(ids(&page, "requests", "request_id"));
        cursor = page.json["next_cursor"].as_str().map(|next| format!("&cursor={next}")).unwrap_or_default();
    }
    assert!(seen.len() == 3 && cursor.is_empty());

    let status = admin.get("/admin/v1/status").await.json;
    assert_eq!(
        (&status["introduced"], &status["open_requests"], &status["draining"]),
        (&json!(2), &json!(3), &json!(false))
    );
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert!(status["store"]["kind"] == "sqlite" || status["cluster"]["database_connected"] == true, "{status}");

    drop((wallet, other));
    // Nobody waits for its answer any more.
    asking.abort();
    for id in [&durable, &away] {
        let mut backend = server.backend().await.with_token(if id == &durable { &bank } else { &shop });
        assert_eq!(backend.call(Method::DELETE, &format!("/v1/requests/{id}")).await.json["state"], "cancelled");
    }
    server.finish(admin).await;
}

async fn row_connection(admin: &mut Backend, key: &str) -> String {
    let reply = admin.get(&format!("/admin/v1/connections?key={}", encoded(key))).await;
    ids(&reply, "connections", "connection_id").pop().unwrap()
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_its_name() {
    let server = TestServer::with(local).await;
    let mut admin = server.administrator().await;
    for (path, named) in [
        ("connections?limit=0", "limit"),
        ("connections?limit=1001", "limit"),
        ("connections?limit=x", "limit"),
        ("connections?cursor=x", "cursor"),
        ("requests?requester=", "requester"),
        ("requests?requestor=bank", "requestor"),
        ("requests?key=%ff", "UTF-8"),
        ("requests?limit=1&limit=2", "limit"),
        ("status?x", "x"),
    ] {
        let reply = admin.get(&format!("/admin/v1/{path}")).await;
        assert_eq!(reply.code(), (400, "malformed"), "{path}: {}", reply.text);
        assert!(reply.json["detail"].as_str().unwrap().contains(named), "{path}: {}", reply.text);
    }
    assert_eq!(admin.get("/admin/v1/requests?key=x").await.code(), (400, "invalid_public_key"));
    for path in ["/admin/v1/", "/admin/v1/status/", "/admin/v1/connections/x", "/admin", "/", "/ws", "/v1/send_to_sign"]
    {
        assert_eq!(admin.get(path).await.code(), (404, "not_found"), "{path}");
    }
    let reply = admin.call(Method::DELETE, "/admin/v1/status").await;
    assert_eq!((reply.code(), &reply.headers["allow"]), ((405, "method_not_allowed"), &"GET, HEAD".parse().unwrap()));
    assert_eq!(
        server.backend().await.get("/admin/v1/status").await.code(),
        (404, "not_found"),
        "not on the public one"
    );
    server.finish(admin).await;
}

#[tokio::test]
async fn no_page_and_nobody_without_the_token_gets_in() {
    let server = TestServer::with(local).await;
    let reply = server.administrator().await.with_host("evil.example").get("/admin/v1/status").await;
    assert_eq!(reply.code(), (403, "host_not_allowed"));
    let mut admin = server.administrator().await;
    for origin in ["https://evil.example", "null", "http://127.0.0.1:8080"] {
        let reply = admin.get_with("/admin/v1/status", &[("origin", origin)]).await;
        assert_eq!(reply.code(), (403, "host_not_allowed"), "{origin}");
    }
    server.finish(admin).await;

    let ((token, entry), (requesters, other)) = (generated("Ann"), generated("Example Bank"));
    let server = TestServer::with(|settings| {
        local(settings);
        settings.admin_token = vec![entry];
        settings.token = vec![other];
    })
    .await;
    let mut nobody = server.administrator().await;
    assert_eq!(nobody.get("/admin/v1/status").await.code(), (401, "unauthorized"));
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(nobody.get(path).await.status, 200, "{path}");
    }
    let reply = server.administrator().await.with_token(&requesters).get("/admin/v1/status").await;
    assert_eq!(reply.code(), (401, "unauthorized"), "a requester is no administrator");
    let mut ann = server.administrator().await.with_token(&token);
    assert_eq!(ann.get("/admin/v1/status").await.status, 200);
    let reply = server.backend().await.with_token(&token).get("/v1/signers/x").await;
    assert_eq!(reply.code(), (401, "unauthorized"), "and an administrator no requester");
    server.finish(ann).await;
}

fn generated(name: &str) -> (String, TokenEntry) {
    Tokens::generate(name, None).unwrap()
}

#[tokio::test]
async fn a_server_that_would_let_anybody_in_does_not_start() {
    let bound = "127.0.0.1:1".parse().unwrap();
    let (_, entry) = generated("a");
    let assembled = |change: &dyn Fn(&mut Settings)| {
        let mut settings = Settings::default();
        change(&mut settings);
        settings.assemble(bound).map(|_| ())
    };
    let open = assembled(&|settings| settings.admin_listen = Some("0.0.0.0:0".parse().unwrap()));
    assert!(matches!(open, Err(SettingsError::OpenAdmin(_))));
    let closed = assembled(&|settings| {
        settings.admin_listen = Some("0.0.0.0:0".parse().unwrap());
        settings.admin_token = vec![entry.clone()];
    });
    assert!(closed.is_ok());
    let nowhere = assembled(&|settings| settings.admin_token = vec![entry.clone()]);
    assert!(matches!(nowhere, Err(SettingsError::AdminTokenWithoutListen)));
    let both = assembled(&|settings| {
        local(settings);
        (settings.token, settings.admin_token) = (vec![entry.clone()], vec![entry.clone()]);
    });
    assert!(matches!(both, Err(SettingsError::Token(_))));
    let held_back = assembled(&|settings| {
        local(settings);
        settings.admin_token = vec![TokenEntry { read_only: true, ..entry.clone() }];
    });
    assert!(matches!(held_back, Err(SettingsError::ScopedAdminToken(name)) if name == entry.name));
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = folder.path().join("nowhere/admin.sock").to_str().unwrap().to_owned();
    let error =
        assembled(&|settings| settings.admin_listen = Some(elsewhere.parse().unwrap())).unwrap_err().to_string();
    assert!(error.starts_with(&format!("--admin-listen unix:{elsewhere}: ")), "{error}");
}

#[tokio::test]
async fn a_full_house_and_a_stop_lock_no_administrator_out() {
    let server = TestServer::with(|settings| {
        local(settings);
        settings.max_connections = Some(1);
    })
    .await;
    let mut admin = server.administrator().await;
    let wallet = server.wallet(1).await;
    assert_eq!(server.backend().await.get("/v1/signers/x").await.code(), (503, "overloaded"));
    let status = admin.get("/admin/v1/status").await;
    assert_eq!((status.status.as_u16(), &status.json["tcp_connections"]), (200, &json!(1)));
    let metrics = server.administrator().await.get("/metrics").await;
    assert!(metrics.text.contains("\ncountersign_introduced_connections 1\n"), "{}", metrics.text);

    // It waits for a request that somebody waits for.
    drop(wallet);
    eventually("a free place", || server.service.connections() == 0).await;
    let mut wallet = server.wallet(1).await;
    let service = server.service.clone();
    let key = wallet.public_key();
    let asking = tokio::spawn(async move {
        let key = countersign_server::protocol::PublicKey::admit(key).unwrap();
        service.send_to_sign(&key, b"hello").await.map(|_| ())
    });
    let request = wallet.expect_request().await;
    let stopping = server.stop();
    let draining = within("draining", async {
        loop {
            let status = admin.get("/admin/v1/status").await;
            if status.json["draining"] == true {
                return status;
            }
        }
    })
    .await;
    assert_eq!(draining.json["open_requests"], 1);
    assert_eq!(admin.get("/readyz").await.code(), (503, "draining"));
    wallet.send(&wallet.answer(&request)).await;
    assert_eq!(within("the answer", asking).await.unwrap(), Ok(()));
    within("the end", stopping).await.unwrap();
}

/// The command, as an operator runs it.
async fn countersign(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } =
        within("the command's end", ServerProcess::command(arguments).output()).await.unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

async fn admin(socket: &Path, arguments: &[&str]) -> (i32, String, String) {
    countersign(&[&["admin", "--admin", socket.to_str().unwrap()], arguments].concat()).await
}

#[tokio::test]
async fn the_command_speaks_to_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("admin.sock");
    let config = folder.path().join("countersign.toml");
    fs::write(&config, format!("admin_listen = {:?}\n", socket.to_str().unwrap())).unwrap();
    let config = config.to_str().unwrap();
    let server = ServerProcess::start(&["--config", config]).await;
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let wallet = TestWallet::introduced(&format!("ws://{}/ws", server.address), 1).await;
    let key = wallet.public_key().to_string();

    let (status, said, error) = countersign(&["--config", config, "admin", "status"]).await;
    assert!(status == 0 && said.contains("\nintroduced: 1\n"), "{said}{error}");
    let (status, said, error) = admin(&socket, &["connections"]).await;
    assert_eq!(status, 0, "{error}");
    let lines: Vec<_> = said.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("KEY  ") && lines[1].starts_with(&key), "{said}");
    let (_, said, _) = admin(&socket, &["--json", "connections", "--key", &key]).await;
    assert_eq!(serde_json::from_str::<Value>(&said).unwrap()["public_key"], key);
    let (_, said, _) = admin(&socket, &["requests", "--requester", "nobody"]).await;
    assert_eq!(said.lines().count(), 1, "{said}");

    let (status, _, error) = admin(&socket, &["requests", "--requester", ""]).await;
    assert!(status == 1 && error.contains("(malformed)"), "{error}");
    let (status, _, error) = countersign(&["admin", "status"]).await;
    assert!(status == 1 && error.contains("--admin"), "{error}");
    let (status, _, error) = admin(&folder.path().join("other.sock"), &["status"]).await;
    assert!(status == 3 && error.contains("other.sock"), "{error}");
    assert_eq!(admin(&socket, &["unheard-of"]).await.0, 2);
    let public = format!("http://{}", server.address);
    let (status, _, error) = countersign(&["admin", "--admin", &public, "status"]).await;
    assert!(status == 1 && error.contains("(not_found)"), "{error}");

    drop(wallet);
    server.signal("TERM").await;
    let log = server.wait().await;
    assert!(log.contains("administrators may connect address=unix:"), "{log}");
    // What it leaves behind is no obstacle to the next.
    let server = ServerProcess::start(&["--config", config]).await;
    assert_eq!(admin(&socket, &["status"]).await.0, 0);
    server.kill().await;
}

#[tokio::test]
async fn the_command_has_its_token_from_a_file_or_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let (status, said, _) = countersign(&["token", "--admin", "Ann"]).await;
    assert_eq!(status, 0);
    let token = said.lines().find(|line| line.starts_with("  cs_")).unwrap().trim().to_owned();
    let table = said.split_once("[[admin_token]]").unwrap().1;
    assert!(!table.contains("id ="), "{said}");
    let (config, file) = (folder.path().join("countersign.toml"), folder.path().join("token"));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    fs::write(&config, format!("admin_listen = \"{port}\"\n[[admin_token]]{table}")).unwrap();
    fs::write(&file, format!("{token}\n")).unwrap();
    let config = config.to_str().unwrap();
    let server = ServerProcess::start(&["--config", config]).await;
    let status = ["--config", config, "admin", "status"];
    let (code, _, error) = countersign(&status).await;
    assert!(code == 1 && error.contains("(unauthorized)"), "{error}");
    let with_file = ["--config", config, "admin", "--token-file", file.to_str().unwrap(), "status"];
    assert_eq!(countersign(&with_file).await.0, 0);
    let mut command = ServerProcess::command(&status);
    command.env("COUNTERSIGN_ADMIN_TOKEN", &token);
    assert!(within("the command's end", command.status()).await.unwrap().success());
    server.signal("TERM").await;
    let log = server.wait().await;
    assert!(!log.contains(&token), "{log}");
}

#[tokio::test]
async fn an_operator_ends_requests_and_everybody_hears_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let (audit, key_file) = (folder.path().join("audit.jsonl"), folder.path().join("server.key"));
    let (bank, entry) = Tokens::generate("Example Bank", Some("bank")).unwrap();
    let server = TestServer::durable(|settings| {
        local(settings);
        settings.token = vec![entry];
        settings.audit_log = Some(audit.clone());
        settings.server_key = settings.database_url.is_some().then_some(key_file);
    })
    .await;
    let mut admin = server.administrator().await;
    let (mut wallet, mut other) = (server.wallet(1).await, server.wallet(2).await);
    let (key, others) = (wallet.public_key(), other.public_key());
    let mut banks = server.backend().await.with_token(&bank);

    // One that somebody waits for.
    let mut waiting = server.backend().await.with_token(&bank);
    let asking = tokio::spawn(async move { waiting.ask(&key, b"one").await.code().0 });
    let request = wallet.expect_request().await;
    let path = format!("/admin/v1/requests/{}", request.request_id);
    let reply = admin.call(Method::DELETE, &path).await;
    assert_eq!((reply.status.as_u16(), &reply.json["state"]), (200, &json!("cancelled")), "{}", reply.text);
    assert_eq!(within("its end", asking).await.unwrap(), 409);
    wallet.expect_cancel().await;
    assert_eq!(admin.call(Method::DELETE, &path).await.code(), (404, "unknown_request"), "nothing is kept of it");

    // Durable ones, of one key, then of one requester.
    let first = ask_durably(&mut banks, &key.to_string(), "b25l").await;
    wallet.expect_request().await;
    let reply = admin.post_to("/admin/v1/requests/cancel", &json!({ "key": key.to_string() }), &[JSON]).await;
    assert_eq!(reply.json["cancelled"], 1, "{}", reply.text);
    wallet.expect_cancel().await;
    let ended = banks.get(&format!("/v1/requests/{first}?wait=10")).await.json;
    assert_eq!((&ended["state"], &ended["error"]["code"]), (&json!("cancelled"), &json!("cancelled")));
    let reply = admin.call(Method::DELETE, &format!("/admin/v1/requests/{first}")).await;
    assert_eq!(reply.json["state"], "cancelled", "it had ended before");
    let mine = [
        ask_durably(&mut banks, &key.to_string(), "dHdv").await,
        ask_durably(&mut banks, &others.to_string(), "eA==").await,
    ];
    let both = json!({ "key": key.to_string(), "requester": "somebody else" });
    assert_eq!(admin.post_to("/admin/v1/requests/cancel", &both, &[JSON]).await.json["cancelled"], 0);
    let reply = admin.post_to("/admin/v1/requests/cancel", &json!({ "requester": "bank" }), &[JSON]).await;
    assert_eq!(reply.json["cancelled"], 2, "{}", reply.text);
    for (id, wallet) in mine.iter().zip([&mut wallet, &mut other]) {
        let shown = wallet.expect_request().await;
        assert_eq!(shown.request_id.to_string(), *id);
        wallet.expect_cancel().await;
    }

    for (body, named) in
        [(json!({}), "whose"), (json!({ "requestor": "bank" }), "requestor"), (json!({ "requester": "" }), "requester")]
    {
        let reply = admin.post_to("/admin/v1/requests/cancel", &body, &[JSON]).await;
        assert!(reply.code() == (400, "malformed") && reply.text.contains(named), "{}", reply.text);
    }
    let form = [("content-type", "text/plain")];
    let reply = admin.post_to("/admin/v1/requests/cancel", &json!({ "requester": "bank" }), &form).await;
    assert_eq!(reply.code(), (415, "unsupported_media_type"));
    assert_eq!(admin.call(Method::DELETE, "/admin/v1/requests/x").await.code(), (400, "malformed"));
    let reply = admin.get("/admin/v1/requests/cancel").await;
    assert_eq!((reply.code(), &reply.headers["allow"]), ((405, "method_not_allowed"), &"POST".parse().unwrap()));

    let metrics = admin.get("/metrics").await.text;
    for line in [
        "countersign_admin_actions_total{action=\"cancel\"} 3",
        "countersign_admin_actions_total{action=\"cancel_all\"} 3",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    server.finish(admin).await;
    let log = fs::read_to_string(&audit).unwrap();
    assert_eq!(log.matches("\"by\":\"operator\"").count(), 4, "{log}");
    let entry = "\"action\":\"cancel_all\",\"by\":\"local\",\"address\":\"127.0.0.1\",\"subject\":\"bank\",\"outcome\":\"done\",\"count\":2,";
    assert!(log.contains(entry), "{log}");
    assert!(log.contains("\"action\":\"cancel\"") && log.contains("\"outcome\":\"unknown_request\""), "{log}");
}

/// What [`Backend::post_to`] does not send by itself.
const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn an_operator_sends_wallets_away_and_they_come_back() {
    let server = TestServer::durable(local).await;
    let mut admin = server.administrator().await;
    let (mut wallet, other) = (server.wallet(1).await, server.wallet(2).await);
    let key = wallet.public_key();
    let mut backend = server.backend().await;
    let id = ask_durably(&mut backend, &key.to_string(), "eA==").await;
    let request = wallet.expect_request().await;
    let path = format!("/admin/v1/keys/{}/disconnect", encoded(&key.to_string()));
    let reply = admin.call(Method::POST, &path).await;
    assert_eq!((reply.status.as_u16(), &reply.json["disconnected"]), (200, &json!(1)), "{}", reply.text);
    let ServerFrame::Goodbye(goodbye) = wallet.next().await else { panic!("no goodbye") };
    assert_eq!((goodbye.reason, wallet.expect_close().await), (GoodbyeReason::Shutdown, CloseCode::Restart));
    assert_eq!(server.service.connections_of(&other.public_key()), 1, "others stay");
    assert_eq!(admin.call(Method::POST, &path).await.json["disconnected"], 0);

    let mut wallet = server.wallet(1).await;
    assert_eq!(wallet.expect_request().await.request_id, request.request_id, "it is still open");
    wallet.send(&wallet.answer(&request)).await;
    wallet.expect_ack(request.request_id).await;
    assert_eq!(backend.get(&format!("/v1/requests/{id}?wait=10")).await.json["state"], "signed");
    assert_eq!(admin.call(Method::POST, "/admin/v1/keys/x/disconnect").await.code(), (400, "invalid_public_key"));
    drop(other);
    server.finish(admin).await;
}

#[tokio::test]
async fn a_blocked_key_is_held_by_nobody_and_asked_nothing() {
    let server = TestServer::durable(local).await;
    let mut admin = server.administrator().await;
    let (mut wallet, other) = (server.wallet(1).await, server.wallet(2).await);
    let (key, text) = (wallet.public_key(), wallet.public_key().to_string());
    let mut backend = server.backend().await;
    let id = ask_durably(&mut backend, &text, "eA==").await;
    let request = wallet.expect_request().await;
    let mut waiting = server.backend().await;
    let asking = tokio::spawn(async move { waiting.ask(&key, b"one").await.code().0 });
    let second = wallet.expect_request().await;

    let path = format!("/admin/v1/keys/{}/block", encoded(&text));
    let blocked = put(&mut admin, &path, &json!({ "reason": "stolen", "until_ms": 4_102_444_800_000_u64 })).await;
    let expected =
        json!({ "public_key": text, "blocked": true, "was_blocked": false, "disconnected": 1, "durable": true });
    assert_eq!((blocked.status.as_u16(), &blocked.json), (200, &expected), "{}", blocked.text);
    // Both end, and the wallet is sent away for good: what has yet to be written as ended is over for it with that.
    let mut ended = vec![wallet.expect_cancel().await.request_id];
    let refused = loop {
        match wallet.next().await {
            ServerFrame::RequestCancel(cancel) => ended.push(cancel.request_id),
            ServerFrame::Error(error) => break error.code,
            other => panic!("neither an end nor a refusal: {other:?}"),
        }
    };
    assert!(ended.contains(&second.request_id), "{ended:?}");
    assert!(ended.iter().all(|id| [request.request_id, second.request_id].contains(id)), "{ended:?}");
    assert_eq!(refused, ErrorCode::KeyRefused);
    assert_eq!(wallet.expect_close().await, CloseCode::Policy);
    assert_eq!(within("its end", asking).await.unwrap(), 409);
    assert_eq!(backend.get(&format!("/v1/requests/{id}?wait=10")).await.json["state"], "cancelled");

    let mut again = TestWallet::dial(&server.url(), 1).await;
    let challenge = again.challenge().await;
    again.send(&again.introduction(Some(again.prove(&challenge)))).await;
    assert_eq!((again.expect_error().await, again.expect_close().await), (ErrorCode::KeyRefused, CloseCode::Policy));
    let queued = json!({ "public_key": text, "message": "eA==", "queue": true });
    assert_eq!(backend.post(&queued).await.code(), (403, "key_blocked"));
    assert_eq!(backend.ask(&key, b"two").await.code(), (403, "key_blocked"));
    let repeated = [("idempotency-key", "k"), ("prefer", "respond-async")];
    assert_eq!(backend.post_with(&queued, &repeated).await.code(), (403, "key_blocked"));

    let listed = admin.get("/admin/v1/blocks").await.json;
    assert_eq!((&listed["durable"], &listed["blocks"][0]["reason"]), (&json!(true), &json!("stolen")));
    for (body, named) in [
        (json!({ "until_ms": 1 }), "until_ms"),
        (json!({ "reason": "a".repeat(257) }), "reason"),
        (json!({ "why": "x" }), "why"),
    ] {
        let reply = put(&mut admin, &path, &body).await;
        assert!(reply.code() == (400, "malformed") && reply.text.contains(named), "{}", reply.text);
    }
    let reply = admin.get(&path).await;
    assert_eq!((reply.code(), &reply.headers["allow"]), ((405, "method_not_allowed"), &"PUT, DELETE".parse().unwrap()));

    // It outlives the server, whether or not anybody administers the next.
    drop((admin, other));
    let server = server.restart_with(|settings| settings.admin_listen = None).await;
    assert_eq!(server.backend().await.ask(&key, b"three").await.code(), (403, "key_blocked"));
    let server = server.restart_with(local).await;
    let mut admin = server.administrator().await;
    let unblocked = admin.call(Method::DELETE, &path).await;
    assert_eq!((&unblocked.json["blocked"], &unblocked.json["was_blocked"]), (&json!(false), &json!(true)));
    assert_eq!(admin.get("/admin/v1/blocks").await.json["blocks"], json!([]));
    let mut wallet = server.wallet(1).await;
    let mut backend = server.backend().await;
    let (reply, _) = tokio::join!(backend.ask(&key, b"four"), wallet.sign_next());
    assert_eq!(reply.status, 200);
    drop(wallet);
    server.finish(admin).await;
}

#[tokio::test]
async fn a_block_without_a_store_ends_with_the_process_and_one_with_a_time_then() {
    let server = TestServer::with(local).await;
    let mut admin = server.administrator().await;
    let key = TestWallet::dial(&server.url(), 1).await.public_key();
    let path = format!("/admin/v1/keys/{}/block", encoded(&key.to_string()));
    let soon = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() + 400;
    let blocked = put(&mut admin, &path, &json!({ "until_ms": soon })).await;
    assert_eq!((&blocked.json["blocked"], &blocked.json["durable"]), (&json!(true), &json!(false)), "{}", blocked.text);
    let mut backend = server.backend().await;
    within("the block's end", async { while backend.ask(&key, b"x").await.code() != (404, "signer_not_connected") {} })
        .await;
    assert_eq!(admin.get("/admin/v1/blocks").await.json["blocks"], json!([]));
    server.finish(admin).await;
}

async fn put(admin: &mut Backend, path: &str, body: &Value) -> Reply {
    admin.call_with(Method::PUT, path, body).await
}

/// Two servers with one database: a block holds on both, also on one that starts later.
#[tokio::test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
async fn a_block_holds_on_all_servers_with_the_database() {
    let cluster = Cluster::start(&["fsync=off"]).await;
    let folder = tempfile::tempdir().unwrap();
    let database = format!("--database-url={}", cluster.url("postgres"));
    let socket = |n: u32| folder.path().join(format!("{n}.sock"));
    let start = async |n: u32| {
        let listen = format!("--admin-listen={}", socket(n).display());
        ServerProcess::start(&[&database, &listen, "--log=error"]).await
    };
    let (one, two) = (start(1).await, start(2).await);
    let mut wallet = TestWallet::introduced(&format!("ws://{}/ws", two.address), 1).await;
    let (key, text) = (wallet.public_key(), wallet.public_key().to_string());
    let mut backend = Backend::connect(one.address).await;
    let id = within("the wallet, found from the other server", async {
        loop {
            let body = json!({ "public_key": text, "message": "eA==" });
            let reply = backend.post_with(&body, &[("prefer", "respond-async")]).await;
            if reply.status == 202 {
                return reply.json["request_id"].as_str().unwrap().to_owned();
            }
        }
    })
    .await;
    let request = wallet.expect_request().await;
    // Who it is that ends it, is told to its owner.
    let (status, said, error) = admin(&socket(2), &["cancel", &id]).await;
    assert!(status == 0 && said.contains("state: cancelled"), "{said}{error}");
    assert_eq!(wallet.expect_cancel().await.request_id, request.request_id);

    let (status, said, error) = admin(&socket(1), &["block", &text]).await;
    assert!(status == 0 && said.contains("durable: true"), "{said}{error}");
    assert_eq!(wallet.expect_error().await, ErrorCode::KeyRefused);
    for server in [&one, &two] {
        let mut backend = Backend::connect(server.address).await;
        assert_eq!(backend.ask(&key, b"x").await.code(), (403, "key_blocked"));
    }
    two.kill().await;
    let three = start(3).await;
    assert_eq!(Backend::connect(three.address).await.ask(&key, b"x").await.code(), (403, "key_blocked"));
    assert_eq!(admin(&socket(3), &["unblock", &text]).await.0, 0);
    let mut backend = Backend::connect(one.address).await;
    within("the block's end", async { while backend.ask(&key, b"x").await.code().0 == 403 {} }).await;
    one.kill().await;
    three.kill().await;
}

#[tokio::test]
async fn what_has_ended_is_erased_and_that_it_was_stays() {
    let (bank, entry) = Tokens::generate("Example Bank", Some("bank")).unwrap();
    let (shop, other) = Tokens::generate("Example Shop", Some("shop")).unwrap();
    let server = TestServer::durable(|settings| {
        local(settings);
        settings.token = vec![entry, other];
    })
    .await;
    let mut admin = server.administrator().await;
    let mut wallet = server.wallet(1).await;
    let key = wallet.public_key().to_string();
    let (mut banks, mut shops) = (server.backend().await.with_token(&bank), server.backend().await.with_token(&shop));
    let secret = "VGhlIHNlY3JldCBvZiBBbm4=";
    let body = json!({ "public_key": key, "message": secret, "queue": true });
    let call = [("prefer", "respond-async"), ("idempotency-key", "once")];
    let first = banks.post_with(&body, &call).await.json["request_id"].as_str().unwrap().to_owned();
    wallet.sign_next().await;
    let kept = ask_durably(&mut shops, &key, "eA==").await;
    wallet.sign_next().await;
    let open = ask_durably(&mut banks, &key, "eQ==").await;
    let shown = wallet.expect_request().await;

    let mine = json!({ "requester": "bank" });
    assert_eq!(admin.post_to("/admin/v1/purge", &mine, &[JSON]).await.code(), (409, "requests_open"));
    assert_eq!(banks.get(&format!("/v1/requests/{first}")).await.json["state"], "signed", "nothing is erased then");
    let with_cancel = json!({ "requester": "bank", "cancel": true });
    let purged = admin.post_to("/admin/v1/purge", &with_cancel, &[JSON]).await;
    assert_eq!((&purged.json["requests"], &purged.json["cancelled"]), (&json!(2), &json!(1)), "{}", purged.text);
    assert_eq!(wallet.expect_cancel().await.request_id, shown.request_id);
    for id in [&first, &open] {
        assert_eq!(banks.get(&format!("/v1/requests/{id}")).await.code(), (404, "unknown_request"));
    }
    assert_eq!(shops.get(&format!("/v1/requests/{kept}")).await.json["state"], "signed", "others' stay");
    let again = banks.post_with(&body, &call).await;
    assert_ne!(again.json["request_id"], first, "the idempotency key is free: {}", again.text);
    wallet.sign_next().await;

    // Not what ended later than that.
    let early = json!({ "key": key, "ended_before_ms": 1 });
    assert_eq!(admin.post_to("/admin/v1/purge", &early, &[JSON]).await.json["requests"], 0);
    let all = json!({ "key": key });
    assert_eq!(admin.post_to("/admin/v1/purge", &all, &[JSON]).await.json["requests"], 2);
    assert_eq!(admin.post_to("/admin/v1/purge", &json!({}), &[JSON]).await.code(), (400, "malformed"));
    // Nothing of it is in the files any more, but for the record.
    if server.data_dir().join("countersign.db").exists() {
        for name in ["countersign.db", "countersign.db-wal"] {
            let bytes = fs::read(server.data_dir().join(name)).unwrap_or_default();
            assert!(!bytes.windows(17).any(|part| part == b"The secret of Ann"), "{name}");
        }
        let database = rusqlite::Connection::open(server.data_dir().join("countersign.db")).unwrap();
        let counts: Vec<u32> = database
            .prepare("SELECT requests FROM purges ORDER BY rowid")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(counts, [2, 0, 2]);
    }
    server.finish(admin).await;

    let server = TestServer::with(local).await;
    let mut admin = server.administrator().await;
    assert_eq!(admin.post_to("/admin/v1/purge", &mine, &[JSON]).await.code(), (501, "no_store"));
    server.finish(admin).await;
}

#[tokio::test]
async fn what_was_not_taken_is_listed_and_told_once_more() {
    let folder = tempfile::tempdir().unwrap();
    let (audit, key_file) = (folder.path().join("audit.jsonl"), folder.path().join("server.key"));
    let mut hook = WebhookReceiver::start(&[410, 500, 500]).await;
    let mut quiet = WebhookReceiver::start(&[]).await;
    let server = TestServer::telling(vec![Duration::ZERO], |settings| {
        local(settings);
        settings.webhook_target = vec![hook.url(), quiet.url()];
        settings.audit_log = Some(audit.clone());
        settings.server_key = settings.database_url.is_some().then_some(key_file);
    })
    .await;
    let mut admin = server.administrator().await;
    let (mut wallet, mut backend) = (server.wallet(1).await, server.backend().await);
    let mut asked = Vec::new();
    for url in [hook.url(), hook.url(), quiet.url()] {
        let body = json!({ "public_key": wallet.public_key().to_string(), "message": "cGF5", "webhook": url });
        let (reply, _) = tokio::join!(backend.post(&body), wallet.sign_next());
        asked.push(reply.json["request_id"].as_str().unwrap().to_owned());
        if asked.len() == 1 {
            hook.next().await;
        }
    }
    let first = (hook.next().await, hook.next().await).1;
    quiet.next().await;
    let listed = loop {
        let reply = admin.get("/admin/v1/webhooks").await;
        if reply.text.matches("\"given_up\"").count() == 2 && !reply.text.contains(&asked[2]) {
            break reply;
        }
    };
    let rows = listed.json["webhooks"].as_array().unwrap();
    let mut found: Vec<_> = rows.iter().map(|row| (row["request_id"].clone(), row["attempts"].clone())).collect();
    found.sort_by_key(|(id, _)| id != &json!(asked[0]));
    assert_eq!(found, [(json!(asked[0]), json!(1)), (json!(asked[1]), json!(2))]);
    assert!(rows.iter().all(|row| row["target"] == hook.url() && row.get("next_attempt_ms").is_none()), "{rows:?}");
    let metrics = admin.get("/metrics").await.text;
    assert!(metrics.contains("countersign_webhook_backlog 0\n"), "what was given up is not waited for: {metrics}");

    // A page at a time, and of one target.
    let page = admin.get("/admin/v1/webhooks?limit=1&failed=true").await.json;
    let next = admin.get(&format!("/admin/v1/webhooks?limit=1&cursor={}", page["next_cursor"].as_str().unwrap())).await;
    assert!(next.json.get("next_cursor").is_none());
    let paged: BTreeSet<_> = [&page, &next.json].map(|page| page["webhooks"][0]["request_id"].to_string()).into();
    assert_eq!(paged.len(), 2);
    let others = admin.get(&format!("/admin/v1/webhooks?target={}", quiet.url())).await;
    assert_eq!(others.json["webhooks"], json!([]));
    for wrong in ["limit=0", "cursor=x", "failed=maybe", "fialed=true"] {
        assert_eq!(admin.get(&format!("/admin/v1/webhooks?{wrong}")).await.code(), (400, "malformed"), "{wrong}");
    }

    // One that was given up, one that was told, one that there is not.
    let nobody = "00000000-0000-4000-8000-000000000000";
    let body = json!({ "request_ids": [asked[1], asked[2], nobody] });
    let reply = admin.post_to("/admin/v1/webhooks/resend", &body, &[JSON]).await;
    assert_eq!(reply.json, json!({ "resent": 2, "unknown": [nobody], "more": false }), "{}", reply.text);
    let again = hook.next().await;
    assert_eq!((again.header("webhook-id"), &again.body), (first.header("webhook-id"), &first.body));
    assert_eq!(quiet.next().await.header("webhook-id"), format!("evt_{}", asked[2]));
    let body = json!({ "target": hook.url() });
    let reply = admin.post_to("/admin/v1/webhooks/resend", &body, &[JSON]).await;
    assert_eq!(reply.json["resent"], 1, "{}", reply.text);
    assert_eq!(hook.next().await.header("webhook-id"), format!("evt_{}", asked[0]));
    while admin.get("/admin/v1/webhooks").await.json["webhooks"] != json!([]) {}
    let many = vec![nobody; 65];
    for wrong in [
        json!({}),
        json!({ "request_ids": [] }),
        json!({ "request_ids": [nobody], "target": "x" }),
        json!({ "request_ids": many }),
    ] {
        let reply = admin.post_to("/admin/v1/webhooks/resend", &wrong, &[JSON]).await;
        assert_eq!(reply.code(), (400, "malformed"), "{wrong}");
    }
    assert_eq!(admin.get("/admin/v1/webhooks/resend").await.code(), (405, "method_not_allowed"));
    let metrics = admin.get("/metrics").await.text;
    assert!(metrics.contains("countersign_admin_actions_total{action=\"resend\"} 4\n"), "{metrics}");
    server.finish((wallet, backend, admin)).await;
    let log = fs::read_to_string(&audit).unwrap();
    assert_eq!(log.matches("\"action\":\"resend\"").count(), 4, "{log}");
    assert!(!log.contains(&hook.url()), "a URL may open something");

    let server = TestServer::with(local).await;
    let mut admin = server.administrator().await;
    assert_eq!(admin.get("/admin/v1/webhooks").await.code(), (501, "no_store"));
    server.finish(admin).await;
}
