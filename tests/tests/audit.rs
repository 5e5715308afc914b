//! The audit log of the real server: what is in it, and what becomes of it when processes and disks fail.

use countersign_server::audit::{KeySet, Report, verify};
use countersign_tests::{Backend, ServerProcess, TestWallet, eventually, within};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};
use tempfile::TempDir;
use tokio::process::Command;

/// A log in a directory of its own.
struct Log(TempDir);

impl Log {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("audit.jsonl")
    }

    fn arguments(&self) -> Vec<String> {
        let key = self.0.path().join("server.key");
        ["--audit-log", self.path().to_str().unwrap(), "--server-key", key.to_str().unwrap()].map(String::from).into()
    }

    async fn start(&self, more: &[&str]) -> ServerProcess {
        let own = self.arguments();
        let arguments: Vec<&str> = own.iter().map(String::as_str).chain(more.iter().copied()).collect();
        ServerProcess::start(&arguments).await
    }

    /// All files, oldest first, as a shell sorts them.
    fn files(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut rotated: Vec<_> =
            files.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("audit.jsonl.")).collect();
        rotated.sort();
        rotated.push(self.path());
        rotated
    }

    fn entries(&self) -> Vec<Value> {
        let text: String = self.files().iter().map(|file| fs::read_to_string(file).unwrap()).collect();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    fn of(&self, event: &str) -> Vec<Value> {
        self.entries().into_iter().filter(|entry| entry["event"] == event).collect()
    }

    fn verify(&self, keys: &KeySet) -> Report {
        verify(&self.files(), Some(keys), None).unwrap()
    }
}

async fn keys(backend: &mut Backend) -> KeySet {
    let mut keys = KeySet::default();
    keys.add(&backend.get("/.well-known/jwks.json").await.text).unwrap();
    keys
}

fn url(server: &ServerProcess) -> String {
    format!("ws://{}/ws", server.address)
}

#[tokio::test]
async fn it_says_who_asked_who_decided_and_how_it_ended() {
    let log = Log::new();
    let server = log.start(&[]).await;
    let mut backend = Backend::connect(server.address).await;
    let keys = keys(&mut backend).await;
    let mut wallet = TestWallet::introduced(&url(&server), 1).await;
    let key = wallet.public_key();
    let (reply, _) = tokio::join!(backend.ask(&key, b"hello"), wallet.sign_next());
    assert_eq!(reply.status, 200);
    let brief = json!({ "public_key": key.to_string(), "message": "aGVsbG8=", "timeout_ms": 1000 });
    assert_eq!(backend.post(&brief).await.code(), (504, "timeout"));
    drop(wallet);
    let stranger = TestWallet::dial(&url(&server), 2).await.public_key();
    assert_eq!(backend.ask(&stranger, b"hello").await.code(), (404, "signer_not_connected"));
    drop(backend);
    server.signal("TERM").await;
    let said = server.wait().await;
    assert!(said.contains("the audit log ends here"), "{said}");

    let report = log.verify(&keys);
    assert_eq!((report.unsigned, report.torn, report.lost), (1, 0, 0));
    let asked = log.of("asked");
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0]["message_sha256"], "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
    assert_eq!((&asked[0]["message_bytes"], &asked[0]["address"]), (&json!(5), &json!("127.0.0.1")));
    assert_eq!(asked[0]["requester"], "local backend");
    let ended = log.of("ended");
    let outcomes: Vec<_> = ended.iter().map(|entry| (&entry["outcome"], &entry["by"])).collect();
    assert_eq!(outcomes, [(&json!("signed"), &json!("wallet")), (&json!("timeout"), &json!("time"))]);
    assert_eq!((&ended[0]["address"], &ended[0]["request_id"]), (&json!("127.0.0.1"), &asked[0]["request_id"]));
    assert_eq!(log.of("refused")[0]["outcome"], "signer_not_connected");
    let text = fs::read_to_string(log.path()).unwrap();
    assert!(!text.contains("aGVsbG8") && !text.contains("\"hello"), "no message is in it");
}

#[tokio::test]
async fn a_kill_in_the_middle_of_load_leaves_a_chain_that_goes_on() {
    let log = Log::new();
    let mut known = KeySet::default();
    for life in 0..3 {
        let server = log.start(&["--no-rate-limit", "--audit-max-bytes", "65536"]).await;
        let mut backend = Backend::connect(server.address).await;
        known = keys(&mut backend).await;
        let nobody = TestWallet::dial(&url(&server), 2).await.public_key();
        let asking = async {
            loop {
                assert_eq!(backend.ask(&nobody, b"hello").await.code().0, 404);
            }
        };
        let before = log.files().len();
        let rotated = async {
            while log.files().len() < before + 2 {
                tokio::task::yield_now().await
            }
        };
        within("two more files", async {
            tokio::select! {
                () = asking => {}
                () = rotated => {}
            }
        })
        .await;
        server.kill().await;
        let report = log.verify(&known);
        assert!(report.heads > 0 && report.lost == 0, "life {life}: {report:?}");
    }
    let starts = log.of("start").len();
    let server = log.start(&[]).await;
    server.signal("TERM").await;
    server.wait().await;
    assert_eq!((log.of("start").len(), log.of("stop").len()), (starts + 1, 1));
    assert_eq!(log.verify(&known).torn_end, 0);
}

/// A server whose files may have 32 KiB, as if the disk were full then.
async fn on_a_small_disk(log: &Log, more: &[&str]) -> ServerProcess {
    let mut command = Command::new("sh");
    let script = "trap '' XFSZ; ulimit -S -f 64; exec \"$0\" \"$@\"";
    command.args(["-c", script]).arg(ServerProcess::binary()).args(log.arguments()).args(more).env_clear();
    command.kill_on_drop(true);
    ServerProcess::spawn(command).await
}

/// Calls of which each makes an entry, until the log takes no more.
async fn fill(log: &Log, backend: &mut Backend) {
    let nobody = [1; 32].into();
    let filled = async {
        while fs::metadata(log.path()).unwrap().len() < 32 * 1024 {
            backend.ask(&nobody, b"hello").await;
        }
    };
    within("a full disk", filled).await;
}

async fn make_room(server: &ServerProcess) {
    let pid = i32::try_from(server.id()).unwrap();
    let all = (rlimit::INFINITY, rlimit::INFINITY);
    rlimit::prlimit(pid, rlimit::Resource::FSIZE, Some(all), None).unwrap();
}

#[tokio::test]
async fn a_full_disk_refuses_what_is_new_and_keeps_the_ends_of_what_is_open() {
    let log = Log::new();
    let server = on_a_small_disk(&log, &["--no-rate-limit"]).await;
    let mut backend = Backend::connect(server.address).await;
    let keys = keys(&mut backend).await;
    let mut wallet = TestWallet::introduced(&url(&server), 1).await;
    let key = wallet.public_key();
    let (mut asker, mut other) = (Backend::connect(server.address).await, Backend::connect(server.address).await);
    let ((reply, ended), ()) =
        tokio::join!(async { (asker.ask(&key, b"hello").await, log.of("ended").len()) }, async {
            let request = wallet.expect_request().await;
            fill(&log, &mut backend).await;
            let refused = async { while other.get("/readyz").await.code() != (503, "audit_unavailable") {} };
            within("the refusal", refused).await;
            let reply = other.ask(&key, b"new").await;
            assert_eq!(reply.code(), (503, "audit_unavailable"));
            assert!(!reply.headers.contains_key("retry-after"), "nobody knows when there is room again");
            wallet.send(&wallet.answer(&request)).await;
            wallet.expect_ack(request.request_id).await;
        });
    assert_eq!((reply.status.as_u16(), ended), (200, 0), "open ones go on, and their ends wait");
    make_room(&server).await;
    let ready = async { while other.get("/readyz").await.status != 200 {} };
    within("room", ready).await;
    eventually("the end", || !log.of("ended").is_empty()).await;
    let (reply, _) = tokio::join!(other.ask(&key, b"new"), wallet.sign_next());
    assert_eq!(reply.status, 200);
    server.signal("TERM").await;
    let said = server.wait().await;
    assert_eq!(said.matches("the audit log cannot be written").count(), 1, "{said}");
    assert_eq!((log.of("asked").len(), log.of("ended").len()), (2, 2));
    assert_eq!(log.verify(&keys).lost, 0);
}

#[tokio::test]
async fn a_full_disk_stops_nobody_where_the_operator_has_it_so() {
    let log = Log::new();
    let server = on_a_small_disk(&log, &["--no-rate-limit", "--audit-full", "continue"]).await;
    let mut backend = Backend::connect(server.address).await;
    let keys = keys(&mut backend).await;
    let mut wallet = TestWallet::introduced(&url(&server), 1).await;
    fill(&log, &mut backend).await;
    let key = wallet.public_key();
    for _ in 0..3 {
        let (reply, _) = tokio::join!(backend.ask(&key, b"hello"), wallet.sign_next());
        assert_eq!(reply.status, 200);
        assert_eq!(backend.get("/readyz").await.status, 200);
    }
    // Whoever stops it now loses what is not written, and nothing that was.
    server.signal("TERM").await;
    let (status, said) = server.end().await;
    assert!(status.success() && said.contains("the end of the audit log could not be written"), "{said}");
    verify(&log.files(), Some(&keys), None).unwrap();
    let server = log.start(&[]).await;
    server.signal("TERM").await;
    server.wait().await;
    let report = log.verify(&keys);
    assert!(report.torn <= 1 && report.torn_end == 0, "{report:?}");
}

#[tokio::test]
async fn settings_that_make_no_audit_log_are_refused_by_name() {
    let log = Log::new();
    let path = log.path();
    let path = path.to_str().unwrap();
    for (arguments, named) in [
        (vec!["--audit-log", path], "--audit-log needs a key that stays"),
        (vec!["--audit-full", "continue"], "--audit-full and --audit-max-bytes go with --audit-log"),
        (vec!["--audit-log", path, "--server-key", log.0.path().to_str().unwrap()], "--server-key: "),
    ] {
        let mut command = ServerProcess::command(&["--listen", "127.0.0.1:0"]);
        let output = within("its end", command.args(&arguments).output()).await.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(named), "{said}");
    }
}

#[tokio::test]
async fn two_servers_do_not_write_the_same_log() {
    let log = Log::new();
    let server = log.start(&[]).await;
    let mut command = ServerProcess::command(&["--listen", "127.0.0.1:0"]);
    let output = within("its end", command.args(log.arguments()).output()).await.unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("in use by another process"));
    server.kill().await;
}

/// Time on the processor in µs, of all threads.
fn cpu(server: &ServerProcess) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    // A hundred ticks a second, on every Linux there is.
    fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap() * 10_000).sum()
}

async fn sign_often(server: &ServerProcess, seed: u8, times: usize) {
    let mut wallet = TestWallet::introduced(&url(server), seed).await;
    let (key, mut backend) = (wallet.public_key(), Backend::connect(server.address).await);
    for _ in 0..times {
        let (reply, _) = tokio::join!(backend.ask(&key, b"hello"), wallet.sign_next());
        assert_eq!(reply.status, 200, "{}", reply.text);
    }
}

#[tokio::test]
#[ignore = "measures: cargo test -p countersign-tests --test audit -- --ignored --nocapture"]
async fn what_an_entry_costs() {
    const WALLETS: u8 = 8;
    const TIMES: usize = 500;
    for _ in 0..3 {
        let log = Log::new();
        let with = log.start(&["--no-rate-limit"]).await;
        let without = ServerProcess::start(&["--no-rate-limit"]).await;
        let mut costs = Vec::new();
        for server in [&with, &without] {
            sign_often(server, 100, TIMES).await;
            let before = cpu(server);
            futures_util::future::join_all((1..=WALLETS).map(|seed| sign_often(server, seed, TIMES))).await;
            costs.push((cpu(server) - before) / (u64::from(WALLETS) * TIMES as u64));
        }
        println!("{} µs a signature with an audit log, {} µs without", costs[0], costs[1]);
        assert!(costs[0] < 2 * costs[1], "{costs:?}");
        with.kill().await;
        without.kill().await;
    }
}
