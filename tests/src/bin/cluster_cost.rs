//! What a signature costs on one node, and on several with one PostgreSQL: processor time, each one's share.
//!
//! `cargo run -p countersign-tests --bin cluster_cost -- --help`

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::Parser;
use countersign_protocol::{ClientFrame, PublicKeyBytes, RequestStatus, ServerFrame, WalletState};
use countersign_tests::{Backend, ServerProcess, TestWallet, postgres::Cluster, within};
use futures_util::future::join_all;
use serde_json::json;
use std::{
    fs,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio_tungstenite::tungstenite;

/// Measures the processor time of a signature, user and system, of each node and of PostgreSQL. Wallets say that they have received and shown
/// each request before they sign it, as browsers do.
#[derive(Parser)]
struct Arguments {
    /// Seconds for each row
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Callers, each with one call at a time and a key of its own
    #[arg(long, default_value_t = 64)]
    callers: u8,
    /// Wallets that are connected and do nothing, for the last rows
    #[arg(long, default_value_t = 1_000)]
    idle: u16,
}

/// Where calls and wallets are.
struct Row {
    name: &'static str,
    nodes: usize,
    database: bool,
    durable: bool,
    /// Which node the nth caller calls, and which one its wallet is on.
    places: fn(usize) -> (usize, usize),
}

const ROWS: [Row; 7] = [
    Row { name: "one node, no database", nodes: 1, database: false, durable: false, places: |_| (0, 0) },
    Row { name: "one node", nodes: 1, database: true, durable: false, places: |_| (0, 0) },
    Row { name: "two nodes, call and wallet on one", nodes: 2, database: true, durable: false, places: |_| (0, 0) },
    Row { name: "two nodes, wallet on the other", nodes: 2, database: true, durable: false, places: |_| (0, 1) },
    Row {
        name: "three nodes, both anywhere",
        nodes: 3,
        database: true,
        durable: false,
        places: |n| (n % 3, n / 3 % 3),
    },
    Row { name: "one node, durable", nodes: 1, database: true, durable: true, places: |_| (0, 0) },
    Row {
        name: "two nodes, durable, wallet on the other",
        nodes: 2,
        database: true,
        durable: true,
        places: |_| (0, 1),
    },
];

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    println!(
        "{:<42} {:>10} {:>34} {:>10} {:>8} {:>6}",
        "processor time per signature, µs", "signatures", "nodes", "PostgreSQL", "all", "ratio"
    );
    let mut first = None;
    for row in &ROWS {
        let Measured { signatures, nodes, database } = row.measure(&arguments).await;
        let per = |time: Duration| time.as_secs_f64() * 1e6 / signatures.max(1) as f64;
        let all = nodes.iter().copied().map(per).sum::<f64>() + per(database);
        let base = *first.get_or_insert(all);
        let each: Vec<_> = nodes.iter().map(|time| format!("{:.1}", per(*time))).collect();
        println!(
            "{:<42} {signatures:>10} {:>34} {:>10.1} {all:>8.1} {:>6.2}",
            row.name,
            each.join(" + "),
            per(database),
            all / base
        );
    }
    idle(&arguments).await;
}

struct Measured {
    signatures: u64,
    nodes: Vec<Duration>,
    database: Duration,
}

impl Row {
    async fn measure(&self, arguments: &Arguments) -> Measured {
        let cluster = if self.database { Some(Cluster::start(&[]).await) } else { None };
        let nodes = start(self.nodes, cluster.as_ref()).await;
        let addresses: Vec<_> = nodes.iter().map(|node| node.address).collect();
        let (stop, signatures) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut callers = Vec::new();
        for n in 0..arguments.callers {
            let (call, wallet) = (self.places)(n.into());
            let wallet = TestWallet::introduced(&format!("ws://{}/ws", addresses[wallet]), n + 1).await;
            let key = wallet.public_key();
            tokio::spawn(sign(wallet));
            callers.push((addresses[call], key));
        }
        for (address, key) in &callers {
            until_found(*address, key).await;
        }
        let callers: Vec<_> = callers
            .into_iter()
            .map(|(address, key)| {
                let (stop, signatures) = (Arc::clone(&stop), Arc::clone(&signatures));
                tokio::spawn(ask(address, key, self.durable, stop, signatures))
            })
            .collect();
        // What is done once is not counted.
        while signatures.load(Ordering::Relaxed) < 4 * u64::from(arguments.callers) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let spent = || -> (Vec<Duration>, Duration) {
            let database = cluster.as_ref().map_or(Duration::ZERO, |cluster| spent_by_all(cluster.id()));
            (nodes.iter().map(|node| spent(node.id())).collect(), database)
        };
        let (before, counted) = (spent(), signatures.load(Ordering::Relaxed));
        tokio::time::sleep(Duration::from_secs(arguments.seconds)).await;
        let (after, signatures) = (spent(), signatures.load(Ordering::Relaxed) - counted);
        stop.store(true, Ordering::Relaxed);
        join_all(callers).await;
        Measured {
            signatures,
            nodes: after.0.iter().zip(&before.0).map(|(after, before)| *after - *before).collect(),
            database: after.1 - before.1,
        }
    }
}

/// Wallets that are connected and do nothing, on three nodes.
async fn idle(arguments: &Arguments) {
    let cluster = Cluster::start(&[]).await;
    let nodes = start(3, Some(&cluster)).await;
    for wallets in [0, arguments.idle] {
        let mut connected = Vec::new();
        for n in 0..usize::from(wallets) {
            let url = format!("ws://{}/ws", nodes[n % nodes.len()].address);
            connected.push(TestWallet::introduced(&url, u8::try_from(n % 200).unwrap()).await);
        }
        // What follows an introduction is over by then.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let before = spent_by_all(cluster.id());
        let began = Instant::now();
        tokio::time::sleep(Duration::from_secs(arguments.seconds)).await;
        let load = (spent_by_all(cluster.id()) - before).as_secs_f64() / began.elapsed().as_secs_f64();
        println!("three nodes, {wallets} idle wallets: PostgreSQL {:.2} % of a core", load * 100.0);
    }
}

async fn start(nodes: usize, cluster: Option<&Cluster>) -> Vec<ServerProcess> {
    let url = cluster.map(|cluster| format!("--database-url={}", cluster.url("postgres")));
    let mut started = Vec::new();
    for _ in 0..nodes {
        let mut arguments =
            vec!["--log=warn", "--no-rate-limit", "--max-connections-per-key=64", "--max-connections-per-ip=20000"];
        arguments.extend(url.as_deref());
        started.push(ServerProcess::start(&arguments).await);
    }
    started
}

async fn until_found(address: SocketAddr, key: &PublicKeyBytes) {
    let mut backend = Backend::connect(address).await;
    let key = key.to_string().replace('/', "%2F").replace('+', "%2B");
    within("a wallet", async {
        while backend.get(&format!("/v1/signers/{key}")).await.json["connected"] != true {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

async fn sign(mut wallet: TestWallet) {
    while let Some(message) = wallet.next_raw().await {
        let tungstenite::Message::Text(text) = message else { continue };
        if let Ok(ServerFrame::SignRequest(request)) = ServerFrame::parse(&text) {
            for state in [WalletState::Received, WalletState::Displayed] {
                wallet.send(&ClientFrame::RequestStatus(RequestStatus { request_id: request.request_id, state })).await;
            }
            wallet.send(&wallet.answer(&request)).await;
        }
    }
}

async fn ask(
    address: SocketAddr,
    key: PublicKeyBytes,
    durable: bool,
    stop: Arc<AtomicBool>,
    signatures: Arc<AtomicU64>,
) {
    let mut backend = Backend::connect(address).await;
    for n in 0_u64.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let message = STANDARD.encode(format!("order {n} of {key}"));
        let body = json!({ "public_key": key.to_string(), "message": message, "queue": durable });
        let reply = backend.post(&body).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        signatures.fetch_add(1, Ordering::Relaxed);
    }
}

/// Processor time of a process, user and system.
fn spent(id: u32) -> Duration {
    ticks(id).map_or(Duration::ZERO, |(_, own, _)| own)
}

/// That of a process and of all its children, those that have ended included.
fn spent_by_all(id: u32) -> Duration {
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let children = processes.filter_map(ticks).filter(|(parent, ..)| *parent == id).map(|(_, own, _)| own);
    let (_, own, ended) = ticks(id).unwrap();
    children.sum::<Duration>() + own + ended
}

/// Its parent, its own processor time, and that of its children which have ended.
fn ticks(id: u32) -> Option<(u32, Duration, Duration)> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let fields: Vec<_> = stat.rsplit(')').next()?.split_whitespace().collect();
    let time = |at: usize| Some(Duration::from_millis(10 * fields.get(at)?.parse::<u64>().ok()?));
    Some((fields.get(1)?.parse().ok()?, time(11)? + time(12)?, time(13)? + time(14)?))
}
