//! Calls over TLS without a pause, while tokens and the certificate are exchanged: how many of them fail.
//!
//! `cargo run -p countersign-tests --bin reload -- --help`

use clap::Parser;
use countersign_protocol::{PublicKey, PublicKeyBytes, ServerFrame, Signable, Signature};
use countersign_server::http::{Reply, TokenEntry, Tokens, ask};
use countersign_tests::{
    Backend, ServerProcess, TestWallet,
    tls::{Authority, TlsPipe},
};
use std::{
    fs,
    path::Path,
    process::ExitCode,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{task::JoinSet, time::sleep};

/// Lets backends ask for signatures over TLS, and exchanges tokens and certificate meanwhile.
#[derive(Parser)]
struct Arguments {
    /// Calls in all
    #[arg(long, default_value_t = 10_000)]
    calls: u64,
    /// How often tokens and certificate are exchanged, evenly among the calls
    #[arg(long, default_value_t = 10)]
    exchanges: u64,
    /// Backends, each asking one after the other
    #[arg(long, default_value_t = 16)]
    backends: u64,
    /// Wallets that answer at once
    #[arg(long, default_value_t = 8)]
    wallets: u8,
}

/// A backend takes another connection after so many calls.
const CALLS_OF_A_CONNECTION: u64 = 3;

/// How often it is looked whether it is time for the next exchange.
const GLANCE: Duration = Duration::from_millis(2);

/// A token, held by every call that is made with it.
type Token = Arc<(String, TokenEntry)>;

/// What the backends share.
struct World {
    keys: Vec<PublicKeyBytes>,
    token: Mutex<Token>,
    begun: AtomicU64,
    done: AtomicU64,
    failed: Mutex<Vec<String>>,
}

impl World {
    fn token(&self) -> Token {
        Arc::clone(&self.token.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn fail(&self, what: String) {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (authority, folder) = (Authority::new(), tempfile::tempdir().expect("a folder"));
    let server_address = Arc::new(Mutex::new(None));
    let pipe = TlsPipe::bind(&authority, Arc::clone(&server_address)).await;
    let first = token();
    exchange(&folder, &authority, &pipe, &[&first]);
    let settings = folder.path().join("countersign.toml");
    let control = folder.path().join("control.sock");
    let flags = ["--config", text(&settings), "--control-socket", text(&control)];
    let server = ServerProcess::start(&flags).await;
    *server_address.lock().unwrap_or_else(PoisonError::into_inner) = Some(server.address);

    let mut wallets = JoinSet::new();
    let mut keys = Vec::new();
    for seed in 1..=arguments.wallets {
        let wallet = TestWallet::introduced(&format!("ws://{}/ws", pipe.address), seed).await;
        keys.push(wallet.public_key());
        wallets.spawn(sign_all(wallet));
    }
    let world = Arc::new(World {
        keys,
        token: Mutex::new(first),
        begun: AtomicU64::new(0),
        done: AtomicU64::new(0),
        failed: Mutex::default(),
    });
    let began = Instant::now();
    let mut backends = JoinSet::new();
    for n in 0..arguments.backends {
        backends.spawn(ask_all(Arc::clone(&world), pipe.address, n, arguments.calls));
    }
    let taken = exchanges(&arguments, &world, &folder, &authority, &pipe).await;
    while let Some(ended) = backends.join_next().await {
        if let Err(error) = ended {
            world.fail(format!("a backend: {error}"));
        }
    }
    let mut left = 0;
    while wallets.try_join_next().is_some() {
        left += 1;
    }

    // Before the server goes, whose end would be news to them.
    wallets.shutdown().await;
    let failed = world.failed.lock().unwrap_or_else(PoisonError::into_inner);
    let done = world.done.load(Ordering::Relaxed);
    println!(
        "reload: {done} calls over TLS in {:.1} s, {taken} exchanges of tokens and certificate ({} certificates seen), \
         connections without a handshake: {}, wallets that left: {}, failed calls: {}",
        began.elapsed().as_secs_f64(),
        pipe.certificates(),
        pipe.failed().len(),
        left,
        failed.len()
    );
    for error in failed.iter().chain(&pipe.failed()).take(5) {
        println!("  {error}");
    }
    let whole = done == arguments.calls && taken == arguments.exchanges;
    let shown = u64::try_from(pipe.certificates()).is_ok_and(|shown| shown == arguments.exchanges + 1);
    if whole && shown && left == 0 && failed.is_empty() && pipe.failed().is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn token() -> Token {
    Arc::new(Tokens::generate("Reload", Some("reload")).expect("a token"))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// Writes another certificate, and settings with these tokens.
fn exchange(folder: &TempDir, authority: &Authority, pipe: &TlsPipe, tokens: &[&Token]) {
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    authority.issue().write(&certificate, &key);
    let entries: String = tokens
        .iter()
        .map(|token| {
            let TokenEntry { name, sha256, .. } = &token.1;
            format!("[[token]]\nid = 'reload'\nname = '{name}'\nsha256 = '{sha256}'\n")
        })
        .collect();
    // As shipped, but for what one token and one address may do, since all the load comes from one.
    let settings = format!(
        "audience = ['ws://{}/ws']\nrequests_per_second = 1000000\nconnects_per_second = 100000\n\
         tls_cert = '{}'\ntls_key = '{}'\n{entries}",
        pipe.address,
        certificate.display(),
        key.display()
    );
    fs::write(folder.path().join("countersign.toml"), settings).expect("settings");
}

/// As an operator does it: the new token beside the old one, then the backends move over, and the one before goes with the next exchange.
async fn exchanges(
    arguments: &Arguments,
    world: &World,
    folder: &TempDir,
    authority: &Authority,
    pipe: &TlsPipe,
) -> u64 {
    let control = folder.path().join("control.sock");
    let mut before: Option<Token> = None;
    for n in 1..=arguments.exchanges {
        let due = arguments.calls * n / (arguments.exchanges + 1);
        while world.done.load(Ordering::Relaxed) < due {
            sleep(GLANCE).await;
        }
        // Nobody calls with the one that goes.
        while before.as_ref().is_some_and(|token| Arc::strong_count(token) > 1) {
            sleep(GLANCE).await;
        }
        let (old, new) = (world.token(), token());
        exchange(folder, authority, pipe, &[&old, &new]);
        let socket = control.clone();
        match tokio::task::spawn_blocking(move || ask(&socket)).await {
            Ok(Ok(Reply::Reloaded(_))) => {}
            other => {
                world.fail(format!("reload: {other:?}"));
                return n - 1;
            }
        }
        *world.token.lock().unwrap_or_else(PoisonError::into_inner) = new;
        before = Some(old);
    }
    arguments.exchanges
}

/// Signs whatever comes.
async fn sign_all(mut wallet: TestWallet) {
    loop {
        if let ServerFrame::SignRequest(request) = wallet.next().await {
            let answer = wallet.answer(&request);
            wallet.send(&answer).await;
        }
    }
}

/// Asks until there have been as many calls as there are to be.
async fn ask_all(world: Arc<World>, address: std::net::SocketAddr, n: u64, calls: u64) {
    loop {
        let mut backend = Backend::connect(address).await;
        for _ in 0..CALLS_OF_A_CONNECTION {
            let call = world.begun.fetch_add(1, Ordering::Relaxed);
            if call >= calls {
                return;
            }
            let token = world.token();
            backend = backend.with_token(&token.0);
            let key = world.keys[usize::try_from(call).unwrap_or(0) % world.keys.len()];
            let message = format!("{n} asks {call}");
            let reply = backend.ask(&key, message.as_bytes()).await;
            if reply.status != 200 {
                world.fail(format!("{}: {}", reply.status, reply.text));
            } else if !is_signed(&reply.json, &key, message.as_bytes()) {
                world.fail(format!("no signature: {}", reply.text));
            }
            world.done.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn is_signed(answer: &serde_json::Value, key: &PublicKeyBytes, message: &[u8]) -> bool {
    let signature: Option<Signature> = answer["signature"].as_str().and_then(|text| text.parse().ok());
    match (signature, PublicKey::admit(*key), message.try_into()) {
        (Some(signature), Ok(key), Ok(message)) => Signable::Message(&message).verify(&key, &signature).is_ok(),
        _ => false,
    }
}
