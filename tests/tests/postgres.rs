//! The real server with a real PostgreSQL, when that is away, behind something, or not what it should be.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_protocol::{AckOutcome, PublicKeyBytes};
use countersign_tests::{Backend, ServerProcess, TestWallet, documents::blocks, postgres::Cluster, within};
use serde_json::{Value, json};
use std::{
    fs,
    net::TcpListener,
    os::unix::fs::{PermissionsExt as _, chown},
    time::{Duration, Instant},
};
use tokio::process::Command;

const ASYNC: [(&str, &str); 1] = [("prefer", "respond-async")];

fn queued(key: &PublicKeyBytes) -> Value {
    json!({ "public_key": key.to_string(), "message": STANDARD.encode("hello"), "queue": true })
}

async fn serving(url: &str) -> (ServerProcess, TestWallet, Backend) {
    let server = ServerProcess::start(&[&format!("--database-url={url}"), "--log=error"]).await;
    let wallet = TestWallet::introduced(&format!("ws://{}/ws", server.address), 1).await;
    let backend = Backend::connect(server.address).await;
    (server, wallet, backend)
}

/// What a server says that does not start.
async fn refusal(url: &str) -> String {
    let mut command = ServerProcess::command(&["--listen=127.0.0.1:0", &format!("--database-url={url}")]);
    let output = within("the refusal", command.output()).await.unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!said.contains("secret"), "{said}");
    said
}

/// Whether it is ready, once it says so or not within a minute.
async fn until_ready(backend: &mut Backend, ready: bool) {
    within("readiness", async {
        while (backend.get("/readyz").await.status == 200) != ready {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
async fn a_database_that_is_away_costs_what_is_durable_and_nothing_else() {
    let mut cluster = Cluster::start(&["fsync=off"]).await;
    let (server, mut wallet, mut backend) = serving(&cluster.url("postgres")).await;
    let key = wallet.public_key();
    let accepted = backend.post_with(&queued(&key), &ASYNC).await;
    assert_eq!(accepted.status, 202);
    let request = wallet.expect_request().await;

    cluster.kill();
    until_ready(&mut backend, false).await;
    let began = Instant::now();
    let refused = backend.post_with(&queued(&key), &ASYNC).await;
    assert_eq!(refused.code(), (503, "storage_unavailable"));
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    // What somebody waits for goes on.
    let (reply, outcome) = tokio::join!(backend.ask(&key, b"now"), wallet.sign_next());
    assert_eq!((reply.status.as_u16(), outcome), (200, AckOutcome::Accepted));

    cluster.restart().await;
    until_ready(&mut backend, true).await;
    // What was open there still is, and ends.
    wallet.send(&wallet.answer(&request)).await;
    assert_eq!(wallet.expect_ack(request.request_id).await, AckOutcome::Accepted);
    let path = format!("/v1/requests/{}", request.request_id);
    assert_eq!(backend.get(&path).await.json["state"], "signed");
    server.kill().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
async fn a_database_that_stands_still_keeps_nobody_waiting() {
    let cluster = Cluster::start(&["fsync=off"]).await;
    let (server, wallet, mut backend) = serving(&cluster.url("postgres")).await;
    let key = wallet.public_key();
    cluster.signal("STOP");
    let began = Instant::now();
    assert_eq!(backend.post_with(&queued(&key), &ASYNC).await.code(), (503, "storage_unavailable"));
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    let began = Instant::now();
    assert_eq!(backend.post_with(&queued(&key), &ASYNC).await.code(), (503, "storage_unavailable"));
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(backend.get("/readyz").await.code(), (503, "storage_unavailable"));
    cluster.signal("CONT");
    until_ready(&mut backend, true).await;
    assert_eq!(backend.post_with(&queued(&key), &ASYNC).await.status, 202);
    server.kill().await;
}

/// Where a standby has to confirm commits, a failover loses nothing, and is over without anybody's doing on this side.
#[tokio::test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
async fn a_standby_that_is_promoted_goes_on_with_all_that_was_confirmed() {
    let mut primary = Cluster::start(&["fsync=off"]).await;
    let standby = primary.standby().await;
    primary.wait_for_standbys().await;
    // The standby comes first: whoever takes writes is found.
    let (server, mut wallet, mut backend) = serving(&standby.url_with(&primary, "postgres")).await;
    let key = wallet.public_key();
    let mut requests = Vec::new();
    for _ in 0..3 {
        assert_eq!(backend.post_with(&queued(&key), &ASYNC).await.status, 202);
        requests.push(wallet.expect_request().await);
    }
    wallet.send(&wallet.answer(&requests[0])).await;
    assert_eq!(wallet.expect_ack(requests[0].request_id).await, AckOutcome::Accepted);

    primary.kill();
    standby.execute("postgres", "SELECT pg_promote()").await;
    until_ready(&mut backend, true).await;
    for request in &requests[1..] {
        wallet.send(&wallet.answer(request)).await;
        assert_eq!(wallet.expect_ack(request.request_id).await, AckOutcome::Accepted);
    }
    for request in &requests {
        let path = format!("/v1/requests/{}", request.request_id);
        assert_eq!(backend.get(&path).await.json["state"], "signed");
    }
    assert_eq!(standby.execute("postgres", "SELECT count(*) FROM requests").await.trim(), "3");
    server.kill().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
async fn a_server_that_is_killed_and_started_again_has_its_requests_back_beside_another() {
    let cluster = Cluster::start(&["fsync=off"]).await;
    let url = cluster.url("postgres");
    let (killed, mut wallet, mut backend) = serving(&url).await;
    let (other, others_wallet, mut others_backend) = serving(&url).await;
    assert_eq!(backend.post_with(&queued(&wallet.public_key()), &ASYNC).await.status, 202);
    let request = wallet.expect_request().await;
    killed.kill().await;
    let (again, mut wallet, _) = serving(&url).await;
    let put_again = wallet.expect_request().await;
    assert_eq!(put_again.request_id, request.request_id);
    wallet.send(&wallet.answer(&put_again)).await;
    assert_eq!(wallet.expect_ack(request.request_id).await, AckOutcome::Accepted);
    let path = format!("/v1/requests/{}", request.request_id);
    assert_eq!(others_backend.get(&path).await.json["state"], "signed");
    others_wallet.close().await;
    for server in [again, other] {
        server.kill().await;
    }
}

/// Every statement and command of the document's part about PostgreSQL.
#[tokio::test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
async fn what_the_document_says_is_enough() {
    let cluster = Cluster::start(&["fsync=off"]).await;
    let [roles, grants]: [String; 2] = blocks("docs/operating/storage.md", "sql").try_into().unwrap();
    for statement in roles.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
        cluster.execute("postgres", statement).await;
    }
    let commands = blocks("docs/operating/storage.md", "sh");
    let command = commands.iter().find(|command| command.contains("COUNTERSIGN_DATABASE_URL")).unwrap();
    let documented = command.split('\'').nth(1).unwrap();
    let host = cluster.prefix();
    let host = host.rsplit('@').next().unwrap().trim_end_matches('/');
    let url = documented.replace("db.example.com", host).replace("sslmode=verify-full", "sslmode=disable");
    assert_ne!(url, documented);
    let (server, wallet, mut backend) = serving(&url).await;
    assert_eq!(backend.post_with(&queued(&wallet.public_key()), &ASYNC).await.status, 202);
    server.kill().await;

    cluster.execute("postgres", "CREATE ROLE countersign_server LOGIN").await;
    cluster.execute("countersign", &grants).await;
    let (server, wallet, mut backend) = serving(&url.replace("countersign:CHANGE-THIS", "countersign_server")).await;
    assert_eq!(backend.post_with(&queued(&wallet.public_key()), &ASYNC).await.status, 202);
    server.kill().await;
}

/// Certificates of a test's own: for `localhost`, by an authority that nobody else trusts.
struct Certificates {
    authority: String,
    chain: String,
    key: String,
}

impl Certificates {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = parameters.self_signed(&key).unwrap();
        let issuer = rcgen::Issuer::new(parameters, key);
        let own = rcgen::KeyPair::generate().unwrap();
        let leaf =
            rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&own, &issuer).unwrap();
        Self { authority: authority.pem(), chain: leaf.pem(), key: own.serialize_pem() }
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
async fn a_certificate_is_verified_unless_that_is_not_wanted() {
    let certificates = Certificates::new();
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("authority.pem");
    fs::write(&authority, &certificates.authority).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let cluster = Cluster::start_with(
        &["fsync=off", "listen_addresses=localhost", &format!("port={port}"), "ssl=on"],
        &[("server.crt", &certificates.chain), ("server.key", &certificates.key)],
    )
    .await;
    let url = |host: &str, mode: &str| format!("postgres://postgres:secret@{host}:{port}/postgres?sslmode={mode}");
    let rooted = format!("&sslrootcert={}", authority.display());
    for believed in [format!("{}{rooted}", url("localhost", "verify-full")), url("127.0.0.1", "require")] {
        let (server, wallet, mut backend) = serving(&believed).await;
        assert_eq!(backend.post_with(&queued(&wallet.public_key()), &ASYNC).await.status, 202, "{believed}");
        let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
             WHERE application_name LIKE 'countersign-%'";
        assert_eq!(cluster.execute("postgres", encrypted).await.trim(), "t");
        server.kill().await;
    }
    // Another authority's, and another host's.
    let unknown = refusal(&url("localhost", "verify-full")).await;
    assert!(unknown.contains("invalid peer certificate: UnknownIssuer"), "{unknown}");
    let elsewhere = refusal(&format!("{}{rooted}", url("127.0.0.1", "verify-full"))).await;
    assert!(elsewhere.contains("invalid peer certificate"), "{elsewhere}");
    let nothing = refusal(&format!("{}&sslrootcert=/dev/null", url("localhost", "verify-full"))).await;
    assert!(nothing.contains("no certificate in it"), "{nothing}");
}

#[tokio::test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
async fn a_pooler_will_do_that_gives_each_its_session_and_no_other() {
    let cluster = Cluster::start(&["fsync=off"]).await;
    for (mode, will_do) in [("session", true), ("transaction", false), ("statement", false)] {
        let pooler = Pooler::start(&cluster, mode).await;
        if will_do {
            let (server, wallet, mut backend) = serving(&pooler.url).await;
            assert_eq!(backend.post_with(&queued(&wallet.public_key()), &ASYNC).await.status, 202);
            server.kill().await;
        } else {
            let said = refusal(&pooler.url).await;
            assert!(said.contains("set the pooler to pool_mode = session"), "{mode}: {said}");
        }
    }
}

/// A PgBouncer of a test's own, killed when dropped.
struct Pooler {
    url: String,
    _process: tokio::process::Child,
    _folder: tempfile::TempDir,
}

impl Pooler {
    async fn start(cluster: &Cluster, mode: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("cs-pb-").tempdir_in("/tmp").unwrap();
        let path = folder.path();
        let upstream = cluster.socket().parent().unwrap().display().to_string();
        let settings = format!(
            "[databases]\n* = host={upstream}\n[pgbouncer]\nunix_socket_dir = {0}\nlisten_port = 6432\nauth_type = any\n\
             pool_mode = {mode}\ndefault_pool_size = 20\n",
            path.display()
        );
        // `auth_type = any` takes the upstream's user from here.
        let settings = settings.replace(&format!("host={upstream}"), &format!("host={upstream} user=postgres"));
        fs::write(path.join("pgbouncer.ini"), settings).unwrap();
        let mut command = Command::new("/usr/sbin/pgbouncer");
        command.arg(path.join("pgbouncer.ini")).kill_on_drop(true);
        if let Some((user, group)) = cluster.user() {
            chown(path, Some(user), Some(group)).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
            command.uid(user).gid(group);
        }
        let log = fs::File::create(path.join("log")).unwrap();
        let process = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let socket = path.join(".s.PGSQL.6432");
        within("PgBouncer", async {
            while !socket.exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        let host = path.display().to_string().replace('/', "%2F");
        Self { url: format!("postgres://postgres:secret@{host}:6432/postgres"), _process: process, _folder: folder }
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
async fn each_of_several_servers_names_itself_in_every_answer() {
    let cluster = Cluster::start(&["fsync=off"]).await;
    let mut names = Vec::new();
    for _ in 0..2 {
        let (server, wallet, mut backend) = serving(&cluster.url("postgres")).await;
        // Until then it is not known by any name.
        within("its name", async { while !backend.get("/readyz").await.headers.contains_key("countersign-node") {} })
            .await;
        let mut named = Vec::new();
        for path in ["/readyz", "/metrics", "/openapi.json", "/v1/signers/x", "/nothing"] {
            let reply = backend.get(path).await;
            named.push(reply.headers["countersign-node"].to_str().unwrap().to_owned());
            assert!(!reply.headers.contains_key("server-timing"), "only a demo's page reads it");
        }
        named.dedup();
        let [name] = named.try_into().unwrap();
        assert_eq!((name.len(), u64::from_str_radix(&name, 16).is_ok()), (16, true), "{name}");
        names.push(name);
        drop(wallet);
        server.kill().await;
    }
    assert_ne!(names[0], names[1]);
    let alone = ServerProcess::start(&["--log=error"]).await;
    let reply = Backend::connect(alone.address).await.get("/readyz").await;
    assert!(!reply.headers.contains_key("countersign-node"));
    alone.kill().await;
}
