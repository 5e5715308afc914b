//! The real server with its shipped settings in a bad world, one fault after the other, while honest wallets and backends go on. A table
//! says what they noticed. It fails where a signature was lost, somebody was asked twice or waited past the deadline, or the memory
//! went beyond the bound of docs/operating.md.
//!
//! `cargo run -p countersign-tests --bin chaos -- --help`

use clap::Parser;
use countersign_protocol::{PublicKey, PublicKeyBytes};
use countersign_server::http::{TokenEntry, Tokens};
use countersign_tests::{
    Backend, ServerProcess, TestWallet,
    chaos::{Honest, Seen, hostile},
};
use ed25519_dalek::SigningKey;
use serde_json::json;
use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    net::SocketAddr,
    path::Path,
    process::{Command, ExitCode, Stdio},
    time::Duration,
};
use tempfile::TempDir;

const MIB: f64 = 1024.0 * 1024.0;

/// Puts a server into a bad world, and looks at what honest wallets and backends notice.
#[derive(Parser)]
struct Arguments {
    /// Only the faults with this in their name
    #[arg(default_value = "")]
    only: String,
    /// Signatures that honest backends get while each fault lasts
    #[arg(long, default_value_t = 300)]
    signatures: usize,
}

/// What came of one fault.
struct Row {
    fault: &'static str,
    seen: Seen,
    /// In bytes.
    peak: u64,
    /// In bytes; as docs/operating.md has it.
    bound: u64,
    wrong: Vec<String>,
}

impl Row {
    fn of(fault: &'static str, server: &ServerProcess, connections: u64, seen: Seen) -> Self {
        Self { fault, seen, peak: server.peak(), bound: bound(connections), wrong: Vec::new() }
    }

    fn expect(mut self, holds: bool, what: impl Into<String>) -> Self {
        if !holds {
            self.wrong.push(what.into());
        }
        self
    }

    /// Whether it is as it should be.
    fn print(mut self) -> bool {
        let Seen { calls, lost, doubled, late, false_signatures, noticed, .. } = &self.seen;
        let noticed: Vec<_> = noticed.iter().map(|(what, times)| format!("{times} × {what}")).collect();
        println!(
            "| {} | {calls} | {lost} | {doubled} | {late} | {:.0} | {} |",
            self.fault,
            self.peak as f64 / MIB,
            if noticed.is_empty() { "nothing".into() } else { noticed.join(", ") },
        );
        if lost + doubled + late + false_signatures > 0 {
            self.wrong.push(format!("{lost} lost, {doubled} doubled, {late} late, {false_signatures} false"));
        }
        if self.peak > self.bound {
            self.wrong.push(format!(
                "{:.0} MiB resident are over {:.0}",
                self.peak as f64 / MIB,
                self.bound as f64 / MIB
            ));
        }
        for wrong in &self.wrong {
            println!("  WRONG: {}: {wrong}", self.fault);
        }
        self.wrong.is_empty()
    }
}

/// The bound on resident memory for so many connections, with the default limits on requests.
fn bound(connections: u64) -> u64 {
    (64 << 20) + (256 << 20) + 100_000 * 2048 + connections * (256 << 10)
}

struct World {
    arguments: Arguments,
    failed: bool,
}

impl World {
    fn wants(&self, fault: &str) -> bool {
        fault.contains(&self.arguments.only)
    }

    fn note(&mut self, row: Row) {
        self.failed |= !row.print();
    }

    /// Nobody is to notice anything of what happens to the log.
    async fn log(&mut self, fault: &'static str, log: impl FnOnce() -> Stdio, then: impl FnOnce(&mut ServerProcess)) {
        if !self.wants(fault) {
            return;
        }
        let mut server = ServerProcess::spawn_logging_to(ServerProcess::command(&[]), log()).await;
        then(&mut server);
        let wanted = self.arguments.signatures;
        let seen = Honest::live_through(server.address, None, async |honest| honest.signatures(wanted).await).await;
        let quiet = seen.noticed.is_empty();
        self.note(Row::of(fault, &server, 32, seen).expect(quiet, "somebody noticed it"));
        server.kill().await;
    }

    async fn stopped(&mut self) {
        const FAULT: &str = "the process stopped for 4 s (SIGSTOP, SIGCONT)";
        if !self.wants(FAULT) {
            return;
        }
        let server = quiet_server(&[]).await;
        let wanted = self.arguments.signatures;
        let seen = Honest::live_through(server.address, None, async |honest| {
            server.signal("STOP").await;
            tokio::time::sleep(Duration::from_secs(4)).await;
            server.signal("CONT").await;
            honest.signatures(wanted).await;
        })
        .await;
        let quiet = seen.noticed.is_empty();
        self.note(Row::of(FAULT, &server, 32, seen).expect(quiet, "somebody noticed more than a delay"));
        server.kill().await;
    }

    /// Hostile connections that last as long as what `attack` gives.
    async fn flood<T>(&mut self, fault: &'static str, connections: u64, attack: impl AsyncFnOnce(SocketAddr) -> T) {
        if !self.wants(fault) {
            return;
        }
        // All of them come from two addresses of one machine, and have no token.
        let raised = ["--connects-per-second=100000", "--requests-per-second=100000", "--max-connections-per-ip=10000"];
        let server = quiet_server(&raised).await;
        let wanted = self.arguments.signatures;
        let seen = Honest::live_through(server.address, None, async |honest| {
            let attack = attack(server.address).await;
            honest.signatures(wanted).await;
            drop(attack);
        })
        .await;
        let quiet = seen.noticed.is_empty();
        self.note(Row::of(fault, &server, connections + 32, seen).expect(quiet, "somebody noticed it"));
        server.kill().await;
    }

    async fn hoarder(&mut self) {
        const FAULT: &str = "one token queues all it may, for a week";
        if !self.wants(FAULT) {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let (honest_token, honest_entry) = Tokens::generate("Example Bank", None).unwrap();
        let (hostile_token, hostile_entry) = Tokens::generate("Hoarder", None).unwrap();
        let config = configuration(&folder, &[honest_entry, hostile_entry]);
        let data = folder.path().join("data");
        let mut command = ServerProcess::command(&["--config", &config]);
        command.arg("--data-dir").arg(&data);
        let mut server = ServerProcess::spawn_logging_to(command, Stdio::null()).await;
        let keys: Vec<_> = (0..16).map(|n| public_key(1 + n)).collect();
        let wanted = self.arguments.signatures;
        let mut taken = 0;
        let mut seen = Honest::live_through(server.address, Some(&honest_token), async |honest| {
            taken = hostile::hoarder(server.address, &hostile_token, &keys).await;
            honest.signatures(wanted).await;
        })
        .await;
        let peak = server.peak();
        server.kill().await;
        // Nor after a restart.
        let mut command = ServerProcess::command(&["--config", &config]);
        command.arg("--data-dir").arg(&data);
        server = ServerProcess::spawn_logging_to(command, Stdio::null()).await;
        let after = Honest::live_through(server.address, Some(&honest_token), async |honest| {
            honest.signatures(wanted / 4).await;
        })
        .await;
        seen.calls += after.calls;
        for (what, times) in after.noticed {
            *seen.noticed.entry(what).or_default() += times;
        }
        let quiet = seen.noticed.is_empty();
        let row = Row { peak: peak.max(server.peak()), ..Row::of(FAULT, &server, 32, seen) };
        self.note(row.expect(quiet, "others noticed it").expect(taken > 10, format!("only {taken} were taken")));
        server.kill().await;
    }

    /// What was accepted ends as its wallet says, though the disk has no byte left.
    async fn full_disk(&mut self) {
        const FAULT: &str = "the data disk full";
        if !self.wants(FAULT) {
            return;
        }
        let Some(disk) = SmallDisk::mount() else {
            println!("| {FAULT} | skipped: mounting a small file system needs root | | | | | |");
            return;
        };
        let data = disk.0.path().join("data");
        let server = quiet_server(&["--data-dir", data.to_str().unwrap()]).await;
        let mut backend = Backend::connect(server.address).await;
        let durable = SigningKey::from_bytes(&[90; 32]);
        let key = PublicKey::of(&durable).to_bytes();
        let mut ids = Vec::new();
        for n in 0..20 {
            let body = json!({ "public_key": key.to_string(), "message": base64(n), "queue": true });
            let reply = backend.post_with(&body, &[("prefer", "respond-async")]).await;
            assert_eq!(reply.status, 202, "{}", reply.text);
            ids.push(reply.json["request_id"].as_str().unwrap().to_owned());
        }
        disk.fill();
        let wanted = self.arguments.signatures;
        let mut refused = 0;
        let mut signed = 0;
        let seen = Honest::live_through(server.address, None, async |honest| {
            let body = json!({ "public_key": key.to_string(), "message": "bmV3", "queue": true });
            for _ in 0..5 {
                let reply = backend.post_with(&body, &[("prefer", "respond-async")]).await;
                refused += usize::from(reply.code() == (503, "storage_unavailable"));
            }
            let mut wallet = TestWallet::dial_from(&format!("ws://{}/ws", server.address), "", durable).await;
            wallet.introduce().await;
            let mut requests = Vec::new();
            for _ in 0..ids.len() {
                requests.push(wallet.expect_request().await);
            }
            for request in requests {
                wallet.send(&wallet.answer(&request)).await;
                wallet.expect_ack(request.request_id).await;
            }
            for id in &ids {
                let reply = backend.get(&format!("/v1/requests/{id}")).await;
                signed += usize::from(reply.json["state"] == "signed");
            }
            honest.signatures(wanted).await;
        })
        .await;
        let quiet = seen.noticed.is_empty();
        let row = Row::of(FAULT, &server, 32, seen)
            .expect(quiet, "waiting calls noticed it")
            .expect(signed == ids.len(), format!("{signed} of {} that were accepted ended signed", ids.len()))
            .expect(refused > 0, "nothing new was refused: was the disk full?");
        self.note(row);
        server.kill().await;
        // On disk, not only said.
        disk.empty();
        let server = quiet_server(&["--data-dir", data.to_str().unwrap()]).await;
        let mut backend = Backend::connect(server.address).await;
        for id in &ids {
            let state = backend.get(&format!("/v1/requests/{id}")).await.json["state"].clone();
            if state != "signed" {
                println!("  WRONG: {FAULT}: after a restart {id} is {state}");
                self.failed = true;
            }
        }
        server.kill().await;
    }
}

/// A file system of 24 MiB.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then(|| Self(folder))
    }

    /// Takes every byte that is left.
    fn fill(&self) {
        let mut file = File::create(self.0.path().join("filler")).unwrap();
        for size in [64 * 1024, 1024, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
    }

    fn empty(&self) {
        fs::remove_file(self.0.path().join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process that is being killed may still have files there.
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

fn public_key(seed: u8) -> String {
    PublicKeyBytes::from(SigningKey::from_bytes(&[seed; 32]).verifying_key().to_bytes()).to_string()
}

fn base64(n: usize) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.encode(format!("durable {n}"))
}

fn configuration(folder: &TempDir, tokens: &[TokenEntry]) -> String {
    let tables =
        tokens.iter().map(|token| format!("[[token]]\nname = {:?}\nsha256 = {:?}\n", token.name, token.sha256));
    let file: &Path = &folder.path().join("countersign.toml");
    fs::write(file, tables.collect::<String>()).unwrap();
    file.to_str().unwrap().to_owned()
}

async fn quiet_server(arguments: &[&str]) -> ServerProcess {
    ServerProcess::spawn_logging_to(ServerProcess::command(arguments), Stdio::null()).await
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Where the limit cannot be raised, the connections that fail will say so.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let mut world = World { arguments, failed: false };
    println!("| fault | honest calls | lost | doubled | late | peak MiB | what the honest noticed |");
    println!("|---|--:|--:|--:|--:|--:|---|");
    world.log("nothing", Stdio::null, |_| {}).await;
    world.log("the log's reader gone", Stdio::piped, ServerProcess::close_log).await;
    let full = || OpenOptions::new().write(true).open("/dev/full").unwrap().into();
    world.log("the log's disk full", full, |_| {}).await;
    world.log("the log's pipe never read", Stdio::piped, |_| {}).await;
    world.stopped().await;
    world.full_disk().await;
    world.flood("1,000 silent connections", 1000, async |server| hostile::silence(server, 1000).await).await;
    world
        .flood("1,000 strangers with unfinished frames", 1000, async |server| {
            hostile::unfinished_frames(server, 1000).await
        })
        .await;
    world
        .flood("256 wallets that never read, 1,024 requests of 64 KiB", 256, async |server| {
            hostile::deaf_wallets(server, 16, 16, 64).await
        })
        .await;
    let empty = |first: u8| vec![first, 0x80, 0, 0, 0, 0];
    world
        .flood("8 wallets that send empty fragments for ever", 8, async |server| {
            hostile::writers(server, 8, empty(0x01), empty(0x00)).await
        })
        .await;
    world
        .flood("8 wallets that send pings for ever", 8, async |server| {
            hostile::writers(server, 8, empty(0x89), empty(0x89)).await
        })
        .await;
    let text = [&[0x81, 0x80 | 21, 0, 0, 0, 0][..], br#"{"type":"ping","t":1}"#].concat();
    world
        .flood("8 wallets that send frames for ever", 8, async |server| {
            hostile::writers(server, 8, text.clone(), text.clone()).await
        })
        .await;
    world.hoarder().await;
    if world.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
