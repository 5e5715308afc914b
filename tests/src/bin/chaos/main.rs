//! The real server with its shipped settings in a bad world, one fault after the other, while honest wallets and backends go on. A table
//! says what they noticed. It fails where a signature was lost, somebody was asked twice or waited past the deadline, or the memory
//! went beyond the bound of docs/operating/settings.md.
//!
//! `cargo run -p countersign-tests --bin chaos -- --help`

mod clock;
mod disk;
mod durable;
mod neighbours;
mod process;
mod row;
mod surroundings;

use clap::Parser;
use countersign_protocol::PublicKeyBytes;
use countersign_server::http::TokenEntry;
use countersign_tests::{
    Proxied, ServerProcess,
    chaos::{Machine, hostile},
};
use ed25519_dalek::SigningKey;
use row::Row;
use std::{
    fs::{self, OpenOptions},
    path::Path,
    process::{ExitCode, Stdio},
};
use tempfile::TempDir;

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
}

fn public_key(seed: u8) -> String {
    PublicKeyBytes::from(SigningKey::from_bytes(&[seed; 32]).verifying_key().to_bytes()).to_string()
}

fn configuration(folder: &TempDir, tokens: &[TokenEntry]) -> String {
    let table = |TokenEntry { id, name, sha256, .. }: &TokenEntry| {
        let id = id.as_ref().expect("a token that was made now");
        format!("[[token]]\nid = {id:?}\nname = {name:?}\nsha256 = {sha256:?}\n")
    };
    let file: &Path = &folder.path().join("countersign.toml");
    fs::write(file, tokens.iter().map(table).collect::<String>()).unwrap();
    file.to_str().unwrap().to_owned()
}

/// One with these tokens and a data directory in `folder`.
async fn server_with_tokens(folder: &TempDir, tokens: &[TokenEntry]) -> ServerProcess {
    let mut command = ServerProcess::command(&["--config", &configuration(folder, tokens)]);
    command.arg("--data-dir").arg(folder.path().join("data"));
    ServerProcess::spawn_logging_to(command, Stdio::null()).await
}

/// One on that machine.
async fn server_on(machine: &Machine, folder: &TempDir, arguments: &[&str]) -> ServerProcess {
    let mut command = ServerProcess::command(arguments);
    command.arg("--data-dir").arg(folder.path()).envs(machine.environment());
    ServerProcess::spawn_logging_to(command, Stdio::null()).await
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
    world.clock("the clock set an hour ahead, and two back", 0, &[3_600, -3_600]).await;
    world.clock("started a day ahead, and then put right", 86_400, &[0]).await;
    world.clock("started a year behind, and then put right", -31_536_000, &[0]).await;
    world.full_disk().await;
    world.slow_disk().await;
    world.broken_disk().await;
    world.backups().await;
    world.probes().await;
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
    world.crowded_key().await;
    world.renamed().await;
    world.hanging_webhook().await;
    world.proxied("the documented nginx in front", Proxied::by_nginx).await;
    world.proxied("the documented Caddy in front", Proxied::by_caddy).await;
    if world.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
