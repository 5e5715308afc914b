//! Load on the real binary: many idle wallets and what they cost, then many backends at once and whether each got its answer.
//!
//! `cargo run -p countersign-tests --bin load -- --help`

use clap::Parser;
use countersign_protocol::{PublicKey, PublicKeyBytes, ServerFrame, Signable, Signature};
use countersign_tests::{Backend, ServerProcess, TestWallet};
use ed25519_dalek::SigningKey;
use futures_util::{StreamExt, stream};
use std::{
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

/// Holds idle wallets and measures the server's memory, then lets backends ask busy wallets for signatures.
#[derive(Parser)]
struct Arguments {
    /// Idle introduced wallets
    #[arg(long, default_value_t = 5000)]
    idle: u32,
    /// Wallets that answer at once
    #[arg(long, default_value_t = 1000)]
    wallets: u32,
    /// Backends, each asking one after the other
    #[arg(long, default_value_t = 64)]
    backends: u32,
    /// How long the backends ask
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Fail when an idle wallet costs the server more resident KiB than this
    #[arg(long, default_value_t = 8.0)]
    most_kib: f64,
}

/// As shipped, but for what one address and one token may do, since all the load comes from one; and for the time in which a wallet has
/// to answer a ping, since the idle ones here do nothing at all. The log goes where nobody reads it.
const LIMITS: [&str; 4] = [
    "--requests-per-second=1000000",
    "--connects-per-second=100000",
    "--max-connections-per-ip=10000",
    "--heartbeat-ms=60000",
];

/// Wallets that connect at the same time: enough to keep both sides busy, too few to overflow a backlog.
const CONNECTING: usize = 64;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Where the limit cannot be raised, the connections that fail will say so.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let held = idle(&arguments).await;
    let served = busy(&arguments).await;
    if held && served { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether idle wallets cost no more than they may.
async fn idle(arguments: &Arguments) -> bool {
    let server = ServerProcess::start(&LIMITS).await;
    // What the first connections cost once is not the price of one more.
    let warm = connect(&server, 0..100).await;
    let before = server.resident();
    let wallets = connect(&server, 100..100 + arguments.idle).await;
    let each = (server.resident() - before) as f64 / 1024.0 / f64::from(arguments.idle);
    let holds = each <= arguments.most_kib;
    println!("idle: {} wallets, {each:.2} KiB resident each, at most {} wanted", wallets.len(), arguments.most_kib);
    drop((warm, wallets));
    holds
}

/// Whether every request was answered with a signature that holds.
async fn busy(arguments: &Arguments) -> bool {
    let server = ServerProcess::start(&LIMITS).await;
    let wallets = connect(&server, 0..arguments.wallets).await;
    let keys: Arc<[PublicKeyBytes]> = wallets.iter().map(TestWallet::public_key).collect();
    let signing: Vec<_> = wallets.into_iter().map(|wallet| tokio::spawn(sign_all(wallet))).collect();

    let until = Instant::now() + Duration::from_secs(arguments.seconds);
    let asking: Vec<_> = (0..arguments.backends)
        .map(|n| {
            let keys = Arc::clone(&keys);
            let address = server.address;
            tokio::spawn(async move { ask_all(Backend::connect(address).await, &keys, n, until).await })
        })
        .collect();
    let mut times = Vec::new();
    let mut errors = Vec::new();
    for asking in asking {
        let (took, failed) = asking.await.expect("a backend does not panic");
        times.extend(took);
        errors.extend(failed);
    }
    for signing in signing {
        signing.abort();
    }
    times.sort_unstable();
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or_default();
    println!(
        "busy: {} wallets, {} backends, {} s: {} signed, {} errors, p50 {:?}, p99 {:?}",
        arguments.wallets,
        arguments.backends,
        arguments.seconds,
        times.len(),
        errors.len(),
        at(0.5),
        at(0.99)
    );
    for error in errors.iter().take(5) {
        println!("  {error}");
    }
    errors.is_empty() && !times.is_empty()
}

async fn connect(server: &ServerProcess, seeds: std::ops::Range<u32>) -> Vec<TestWallet> {
    let url = format!("ws://{}/ws", server.address);
    stream::iter(seeds)
        .map(|n| {
            let mut seed = [0; 32];
            seed[..4].copy_from_slice(&n.to_le_bytes());
            let url = &url;
            async move {
                let mut wallet = TestWallet::dial_from(url, "", SigningKey::from_bytes(&seed)).await;
                wallet.introduce().await;
                wallet
            }
        })
        .buffer_unordered(CONNECTING)
        .collect()
        .await
}

/// Signs whatever comes; the next request may well come before the last acknowledgement.
async fn sign_all(mut wallet: TestWallet) {
    loop {
        if let ServerFrame::SignRequest(request) = wallet.next().await {
            let answer = wallet.answer(&request);
            wallet.send(&answer).await;
        }
    }
}

/// The times of the requests that were signed, and what became of the others.
async fn ask_all(
    mut backend: Backend,
    keys: &[PublicKeyBytes],
    n: u32,
    until: Instant,
) -> (Vec<Duration>, Vec<String>) {
    let (mut times, mut errors) = (Vec::new(), Vec::new());
    for round in 0u32.. {
        let started = Instant::now();
        if started >= until {
            break;
        }
        // Every backend goes through all the wallets, each in an order of its own.
        let key = keys[(round as usize * 7 + n as usize * 17) % keys.len()];
        let mut message = [0; 256];
        message[..4].copy_from_slice(&n.to_be_bytes());
        message[4..8].copy_from_slice(&round.to_be_bytes());
        let reply = backend.ask(&key, &message).await;
        times.push(started.elapsed());
        let signature = reply.json["signature"].as_str().and_then(|text| text.parse::<Signature>().ok());
        let holds = signature.is_some_and(|signature| {
            let message = message.as_slice().try_into().expect("a message");
            let key = PublicKey::admit(key).expect("a key");
            Signable::Message(&message).verify(&key, &signature).is_ok()
        });
        if !holds {
            errors.push(reply.text);
        }
    }
    (times, errors)
}
