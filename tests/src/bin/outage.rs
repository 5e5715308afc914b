//! Kills the real server with SIGKILL, over and over, while durable requests are under way, and PostgreSQL by turns where that keeps them;
//! then counts what was lost or doubled.
//!
//! `cargo run -p countersign-tests --bin outage -- --help`

use clap::{Parser, ValueEnum};
use countersign_protocol::{PublicKey, PublicKeyBytes};
use countersign_tests::{
    ServerProcess,
    outage::{caller::ask_on, ledger::Ledger, look, wallet::Wallet},
    postgres::Cluster,
};
use ed25519_dalek::SigningKey;
use futures_util::future::join_all;
use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};
use tokio::sync::watch;

/// What keeps the requests.
#[derive(Clone, Copy, ValueEnum)]
enum Database {
    Sqlite,
    Postgres,
}

/// Kills a server that is at work, starts it again with the same database, and checks that nothing accepted is lost or doubled.
#[derive(Parser)]
struct Arguments {
    /// How often it is killed
    #[arg(long, default_value_t = 100)]
    rounds: u32,
    /// Backends, each asking one request after the other
    #[arg(long, default_value_t = 4)]
    callers: usize,
    /// Wallets, each with a key of its own
    #[arg(long, default_value_t = 4)]
    wallets: u8,
    /// What keeps the requests; PostgreSQL is killed in every other round in place of the server
    #[arg(long, value_enum, default_value = "sqlite")]
    database: Database,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let folder = Folder::new();
    let mut cluster = match arguments.database {
        Database::Sqlite => None,
        Database::Postgres => Some(Cluster::start(&[]).await),
    };
    let store = match &cluster {
        None => format!("--data-dir={}", folder.0.display()),
        Some(cluster) => format!("--database-url={}", cluster.url("postgres")),
    };
    let ledger = Arc::new(Ledger::default());
    let (tell_address, address) = watch::channel(None);
    let (tell_stop, stop) = watch::channel(false);

    let keys: Vec<_> = (1..=arguments.wallets).map(|n| SigningKey::from_bytes(&[n; 32])).collect();
    let public: Arc<[PublicKeyBytes]> = keys.iter().map(|key| PublicKey::of(key).to_bytes()).collect();
    let wallets: Vec<_> = keys
        .into_iter()
        .map(|key| tokio::spawn(Wallet::new(key, Arc::clone(&ledger)).serve(address.clone())))
        .collect();
    let callers: Vec<_> = (0..arguments.callers)
        .map(|n| tokio::spawn(ask_on(n, Arc::clone(&public), Arc::clone(&ledger), address.clone(), stop.clone())))
        .collect();

    let flags = [store.as_str(), "--no-rate-limit", "--log=error"];
    let mut survivor = None;
    for round in 1..=arguments.rounds {
        let server = match survivor.take() {
            Some(server) => server,
            None => ServerProcess::start(&flags).await,
        };
        tell_address.send_replace(Some(server.address));
        look(&ledger, server.address, &ledger.open()).await;
        // The moment of the blow, which nothing waits for: somewhere in what the server does all the time.
        tokio::time::sleep(Duration::from_millis(20 + u64::from(round) * 37 % 100)).await;
        match &mut cluster {
            Some(cluster) if round % 2 == 0 => {
                cluster.kill();
                cluster.restart().await;
                survivor = Some(server);
            }
            Some(_) | None => {
                tell_address.send_replace(None);
                server.kill().await;
            }
        }
    }
    let server = match survivor.take() {
        Some(server) => server,
        None => ServerProcess::start(&flags).await,
    };
    tell_stop.send_replace(true);
    tell_address.send_replace(Some(server.address));
    join_all(callers).await.into_iter().for_each(Result::unwrap);
    while !ledger.open().is_empty() {
        look(&ledger, server.address, &ledger.open()).await;
    }
    // Once more, all of them: what has ended has to stay as it was.
    look(&ledger, server.address, &ledger.all()).await;
    tell_address.send_replace(None);
    drop(tell_address);
    server.kill().await;
    join_all(wallets).await.into_iter().for_each(Result::unwrap);

    let sum = ledger.sum();
    for fault in ledger.faults().iter().take(10) {
        eprintln!("{fault}");
    }
    println!(
        "outage: {} times killed: {} accepted, {} ended, {} of them signed, {} put to wallets again, {} lost, {} doubled",
        arguments.rounds, sum.accepted, sum.ended, sum.signed, sum.redelivered, sum.lost, sum.doubled
    );
    let well = sum.accepted > 0 && sum.ended == sum.accepted && sum.lost == 0 && sum.doubled == 0;
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A directory of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("countersign-outage-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's own cleaning.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
