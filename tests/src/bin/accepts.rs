//! How many durable requests are taken a second, by one caller and by 64 at once: whether many share one fsync.
//!
//! `cargo run --release -p countersign-tests --bin accepts [SECONDS]`

use countersign_protocol::{Message, PublicKey, PublicKeyBytes};
use countersign_server::{Config, SigningService, store::StoreConfig};
use ed25519_dalek::SigningKey;
use std::{
    path::Path,
    time::{Duration, Instant},
};

#[tokio::main]
async fn main() {
    let seconds = std::env::args().nth(1).and_then(|seconds| seconds.parse().ok()).unwrap_or(3);
    let measure = Duration::from_secs(seconds);
    let (one, many) = (accepts(1, measure).await, accepts(64, measure).await);
    println!("durable accepts: {one:.0}/s for one caller, {many:.0}/s for 64, {:.1} times as many", many / one);
}

/// Accepts a second, with a store of its own beside this program: a system's temporary files may be in memory.
async fn accepts(callers: u64, measure: Duration) -> f64 {
    let folder = std::env::current_exe().unwrap().with_file_name(format!("accepts-{}", std::process::id()));
    let rate = ask(&folder, callers, measure).await;
    std::fs::remove_dir_all(&folder).unwrap();
    rate
}

async fn ask(folder: &Path, callers: u64, measure: Duration) -> f64 {
    let mut config = Config::new(vec!["wss://sign.example/ws".parse().unwrap()]);
    (config.max_pending, config.max_pending_per_key) = (usize::MAX, usize::MAX);
    let service = SigningService::open(config, StoreConfig::new(folder)).unwrap();
    let started = Instant::now();
    let asking: Vec<_> =
        (0..callers).map(|caller| tokio::spawn(ask_on(service.clone(), caller, started + measure))).collect();
    let mut taken = 0;
    for asking in asking {
        taken += asking.await.unwrap();
    }
    taken as f64 / started.elapsed().as_secs_f64()
}

/// Asks one key after the other, so that none has many requests open.
async fn ask_on(service: SigningService, caller: u64, until: Instant) -> u64 {
    let keys: Vec<PublicKeyBytes> = (0..16_u64)
        .map(|n| {
            let mut seed = [0; 32];
            seed[..8].copy_from_slice(&(caller * 16 + n).to_le_bytes());
            PublicKey::of(&SigningKey::from_bytes(&seed)).to_bytes()
        })
        .collect();
    let mut taken = 0;
    for key in keys.iter().cycle() {
        if Instant::now() >= until {
            break;
        }
        let message = Message::try_from(vec![7; 256]).unwrap();
        service.request(*key, message).queue().timeout(Duration::from_secs(3600)).submit().await.unwrap();
        taken += 1;
    }
    taken
}
