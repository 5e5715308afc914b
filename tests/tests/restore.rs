//! Every command of docs/operating/backup.md about PostgreSQL, typed under load, and what servers make of what was restored.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_protocol::{AckOutcome, CancelCause, RequestId, ResponseAck, ServerFrame};
use countersign_tests::{
    Backend, ServerProcess, TestWallet,
    documents::blocks,
    postgres::Cluster,
    restore::{Load, check},
    within,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::Path, time::Duration};

const PAGE: &str = "docs/operating/backup.md";
const ASYNC: [(&str, &str); 1] = [("prefer", "respond-async")];

/// The documented command with this in it.
fn documented(part: &str) -> String {
    let mut found: Vec<_> = blocks(PAGE, "sh").into_iter().filter(|block| block.contains(part)).collect();
    assert_eq!(found.len(), 1, "{part}");
    found.remove(0)
}

/// Types it, with the places of this test.
async fn type_in(cluster: &Cluster, part: &str, folder: &Path) {
    let host = cluster.prefix();
    let host = host.rsplit('@').next().unwrap().trim_end_matches('/');
    let command = documented(part).replace("db.example.com", host).replace("/backup", folder.to_str().unwrap());
    run(cluster, &command).await;
}

async fn run(cluster: &Cluster, command: &str) {
    let output = within(command, cluster.shell(command).output()).await.unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The role and the database, as documented.
async fn set_up(cluster: &Cluster) {
    let [roles, _]: [String; 2] = blocks("docs/operating/storage.md", "sql").try_into().unwrap();
    for statement in roles.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
        cluster.execute("postgres", statement).await;
    }
}

fn url(cluster: &Cluster, database: &str) -> String {
    cluster.url(database).replace("postgres@", "countersign@")
}

async fn serving(url: &str, key: Option<&Path>) -> ServerProcess {
    let mut command = ServerProcess::command(&["--no-rate-limit", "--log=error"]);
    command.arg(format!("--database-url={url}"));
    if let Some(key) = key {
        command.arg("--server-key").arg(key);
    }
    ServerProcess::spawn(command).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: make postgres-tests"]
async fn a_dump_under_load_is_one_that_a_server_goes_on_with() {
    let cluster = Cluster::start(&["fsync=off"]).await;
    set_up(&cluster).await;
    let (backup, keys) = (Cluster::folder(), tempfile::tempdir().unwrap());
    let key = keys.path().join("server.key");
    let server = serving(&url(&cluster, "countersign"), Some(&key)).await;
    let mut load = Load::begin(server.address, 4, 4);
    load.accepted(100).await;
    let before = load.moment().await;
    type_in(&cluster, "pg_dump ", backup.path()).await;
    load.accepted(100).await;
    let outcome = load.outcome().await;
    server.kill().await;

    type_in(&cluster, "pg_restore ", backup.path()).await;
    type_in(&cluster, "psql ", backup.path()).await;
    let restored = serving(&url(&cluster, "countersign"), Some(&key)).await;
    let found = check(restored.address, &outcome, &before, &load).await;
    assert!(found.unknown > 0 && found.ended > 0, "{found:?}");
    restored.kill().await;
    load.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: make postgres-tests"]
async fn a_database_is_put_back_to_a_point_in_time() {
    let (backup, keys) = (Cluster::folder(), tempfile::tempdir().unwrap());
    let [settings]: [String; 1] = blocks(PAGE, "ini").try_into().unwrap();
    let settings = settings.replace("/backup", backup.path().to_str().unwrap());
    let unquoted = |line: &str| line.replace(" = ", "=").replacen('\'', "", 1).trim_end_matches('\'').to_owned();
    let mut settings: Vec<_> = settings.lines().map(unquoted).collect();
    settings.push("fsync=off".into());
    let settings: Vec<_> = settings.iter().map(String::as_str).collect();
    let cluster = Cluster::start(&settings).await;
    run(&cluster, &format!("mkdir {0}/wal", backup.path().display())).await;
    set_up(&cluster).await;
    let key = keys.path().join("server.key");
    let server = serving(&url(&cluster, "countersign"), Some(&key)).await;
    let mut load = Load::begin(server.address, 4, 4);
    load.accepted(40).await;
    type_in(&cluster, "pg_basebackup ", backup.path()).await;
    load.accepted(60).await;
    let before = load.moment().await;
    let time = cluster.execute("postgres", "SELECT clock_timestamp()").await;
    load.accepted(60).await;
    let outcome = load.outcome().await;
    server.kill().await;
    // What is in the log so far comes to the archive.
    let segment = cluster.execute("postgres", "SELECT pg_walfile_name(pg_switch_wal())").await;
    let archived = format!("SELECT count(*) FROM pg_stat_archiver WHERE last_archived_wal >= '{}'", segment.trim());
    within("the archive", async {
        while cluster.execute("postgres", &archived).await.trim() != "1" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;

    let folder = Cluster::folder();
    let command = documented("recovery.signal")
        .replace("/var/lib/postgresql/restored", &folder.path().join("data").display().to_string())
        .replace("/backup", backup.path().to_str().unwrap())
        .replace("2026-11-28 21:00:00+00", time.trim());
    assert!(command.contains(time.trim()));
    run(&cluster, &command).await;
    drop(cluster);
    let cluster = Cluster::start_on(folder, &["fsync=off"]).await;
    within("the end of the recovery", async {
        while cluster.execute("postgres", "SELECT pg_is_in_recovery()").await.trim() != "f" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let restored = serving(&url(&cluster, "countersign"), Some(&key)).await;
    let found = check(restored.address, &outcome, &before, &load).await;
    assert!(found.unknown > 0 && found.ended > 0, "{found:?}");
    restored.kill().await;
    load.end().await;
}

/// What servers that run on hold and the restored database does not know ends once and with a reason, and what it has open again is asked
/// again.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: make postgres-tests"]
async fn servers_that_run_on_go_on_with_a_database_that_was_put_back() {
    let cluster = Cluster::start(&["fsync=off"]).await;
    set_up(&cluster).await;
    let backup = Cluster::folder();
    let url = url(&cluster, "countersign");
    let (one, other) = (serving(&url, None).await, serving(&url, None).await);
    // Requests are taken by one, and its wallets are on both.
    let mut backend = Backend::connect(one.address).await;
    let mut wallets = BTreeMap::new();
    for (n, server) in [(1, &one), (2, &other)] {
        let wallet = TestWallet::introduced(&format!("ws://{}/ws", server.address), n).await;
        let mut asked = Asked::default();
        for name in ["open", "signed later"] {
            asked.ask(&mut backend, &wallet, name).await;
        }
        wallets.insert(n, (wallet, asked));
    }
    for (wallet, asked) in wallets.values_mut() {
        for name in ["open", "signed later"] {
            assert_eq!(wallet.expect_request().await.request_id, asked.id(name));
        }
    }
    type_in(&cluster, "pg_dump ", backup.path()).await;
    type_in(&cluster, "pg_restore ", backup.path()).await;
    let mut waiting = Vec::new();
    for (wallet, asked) in wallets.values_mut() {
        let answer = wallet.answer_with(asked.id("signed later"), &message("signed later"));
        wallet.send(&answer).await;
        assert_eq!(wallet.expect_ack(asked.id("signed later")).await, AckOutcome::Accepted);
        asked.ask(&mut backend, wallet, "accepted later").await;
        assert_eq!(wallet.expect_request().await.request_id, asked.id("accepted later"));
        for address in [one.address, other.address] {
            let path = format!("/v1/requests/{}?wait=60", asked.id("accepted later"));
            waiting.push(tokio::spawn(async move { Backend::connect(address).await.get(&path).await }));
        }
    }

    type_in(&cluster, "psql ", backup.path()).await;
    for waiting in waiting {
        let reply = within("whoever waits is told", waiting).await.unwrap();
        assert_eq!(reply.code(), (404, "unknown_request"), "{}", reply.text);
    }
    for (wallet, asked) in wallets.values_mut() {
        let closed = until_settled(wallet, asked).await;
        assert_eq!(closed, [(asked.id("accepted later"), CancelCause::Expired)]);
        let late = wallet.answer_with(asked.id("accepted later"), &message("accepted later"));
        wallet.send(&late).await;
        let acknowledged =
            |name, outcome| ServerFrame::ResponseAck(ResponseAck { request_id: asked.id(name), outcome });
        assert_eq!(next_new(wallet, asked).await, acknowledged("accepted later", AckOutcome::Unknown));
        // And it goes on.
        asked.ask(&mut backend, wallet, "new").await;
        let ServerFrame::SignRequest(request) = next_new(wallet, asked).await else { panic!("it is not asked") };
        assert_eq!(request.request_id, asked.id("new"));
        wallet.send(&wallet.answer(&request)).await;
        let accepted = ResponseAck { request_id: request.request_id, outcome: AckOutcome::Accepted };
        assert_eq!(next_new(wallet, asked).await, ServerFrame::ResponseAck(accepted));
        for address in [one.address, other.address] {
            let mut backend = Backend::connect(address).await;
            for name in ["open", "signed later", "new"] {
                let resource = backend.get(&format!("/v1/requests/{}", asked.id(name))).await.json;
                assert_eq!(resource["state"], "signed", "{name}: {resource}");
            }
        }
    }
    let ends = "SELECT count(*) FROM requests WHERE ended_at IS NULL";
    assert_eq!(cluster.execute("countersign", ends).await.trim(), "0");
    for server in [one, other] {
        server.kill().await;
    }
}

/// What one key was asked for, by names.
#[derive(Default)]
struct Asked(BTreeMap<&'static str, RequestId>);

impl Asked {
    async fn ask(&mut self, backend: &mut Backend, wallet: &TestWallet, name: &'static str) {
        let key = wallet.public_key().to_string();
        let call: Value =
            json!({ "public_key": key, "message": STANDARD.encode(name), "queue": true, "timeout_ms": 3_600_000 });
        let reply = within("room in the store", async {
            loop {
                let reply = backend.post_with(&call, &ASYNC).await;
                if reply.code() != (503, "storage_unavailable") {
                    return reply;
                }
            }
        })
        .await;
        assert_eq!(reply.status, 202, "{}", reply.text);
        self.0.insert(name, reply.json["request_id"].as_str().unwrap().parse().unwrap());
    }

    fn id(&self, name: &str) -> RequestId {
        self.0[name]
    }
}

fn message(name: &str) -> countersign_protocol::Message {
    name.as_bytes().to_vec().try_into().unwrap()
}

/// The next frame that is not the acknowledgement of an answer which this wallet has said once more, being asked by one server after the other.
async fn next_new(wallet: &mut TestWallet, asked: &Asked) -> ServerFrame {
    loop {
        match wallet.next().await {
            ServerFrame::ResponseAck(ack)
                if ["open", "signed later"].map(|name| asked.id(name)).contains(&ack.request_id) =>
            {
                assert!(is_known(ack.outcome), "{ack:?}");
            }
            frame => return frame,
        }
    }
}

fn is_known(outcome: AckOutcome) -> bool {
    matches!(outcome, AckOutcome::Accepted | AckOutcome::Late | AckOutcome::Duplicate)
}

/// Answers what the wallet is asked until all that the database knows is over, and the prompt for what it does not is closed; which those were.
async fn until_settled(wallet: &mut TestWallet, asked: &Asked) -> Vec<(RequestId, CancelCause)> {
    let mut closed = Vec::new();
    let mut signed: Vec<RequestId> = Vec::new();
    // Its prompt for this one has been open all the time.
    let answer = wallet.answer_with(asked.id("open"), &message("open"));
    wallet.send(&answer).await;
    while signed.len() < 2 || closed.is_empty() {
        match wallet.next().await {
            ServerFrame::SignRequest(request) => wallet.send(&wallet.answer(&request)).await,
            ServerFrame::ResponseAck(ack) => {
                assert!(is_known(ack.outcome) && ack.request_id != asked.id("accepted later"), "{ack:?}");
                if !signed.contains(&ack.request_id) {
                    signed.push(ack.request_id);
                }
            }
            ServerFrame::RequestCancel(cancel) => closed.push((cancel.request_id, cancel.cause)),
            other => panic!("{other:?}"),
        }
    }
    closed
}
