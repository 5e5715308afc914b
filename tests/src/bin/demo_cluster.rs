//! Three servers on a PostgreSQL that is thrown away, behind Caddy as docs/cluster.md has it, for the demo page: `make cluster`.
//!
//! It ends with Ctrl-C, and with the terminal; nothing of it is left then.

use clap::Parser;
use countersign_tests::{
    ServerProcess,
    documents::repository,
    postgres,
    proxied::{balancer, caddy, own_address, replaced, start_proxy},
};
use std::{
    fmt::Write as _,
    fs::File,
    io::{self, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    process::Child,
    signal::unix::{SignalKind, signal},
};

const NODES: usize = 3;

/// Runs three servers and a balancer in front of them until it is interrupted.
#[derive(Parser)]
struct Arguments {
    /// Where the balancer listens; on an address of its own unless given
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// The built demo page
    #[arg(long, default_value_os_t = repository().join("web-demo/dist"))]
    web_root: PathBuf,
}

/// All of it. What is in front goes first, and the files last.
struct Running {
    balancer: Child,
    nodes: Vec<ServerProcess>,
    _database: postgres::Cluster,
    folder: TempDir,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let address = arguments.listen.unwrap_or_else(own_address);
    let ended = ended();
    tokio::select! {
        status = run(address, &arguments.web_root) => match status {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let _ = writeln!(io::stderr(), "make cluster: {error}");
                ExitCode::FAILURE
            }
        },
        () = ended => ExitCode::SUCCESS,
    }
}

/// Runs until it is dropped, or the balancer ends.
async fn run(address: SocketAddr, web_root: &Path) -> Result<(), String> {
    let mut running = start(address, web_root).await?;
    // Whoever has read it may have stopped listening.
    let _ = write!(io::stdout(), "{}", welcome(address, &running));
    let status = running.balancer.wait().await.map_err(|error| error.to_string())?;
    Err(format!("Caddy has ended: {status}"))
}

async fn start(address: SocketAddr, web_root: &Path) -> Result<Running, String> {
    if !address.ip().is_loopback() {
        return Err(format!("{address} is not of this machine alone, and the page can kill servers"));
    }
    // Caddy would say so too, but whoever has the address would be taken for it.
    drop(TcpListener::bind(address).await.map_err(|error| format!("{address}: {error}; try LISTEN=127.0.0.1:8090"))?);
    let folder =
        tempfile::Builder::new().prefix("countersign-cluster-").tempdir().map_err(|error| error.to_string())?;
    let database = postgres::Cluster::start(&["fsync=off", "synchronous_commit=off", "full_page_writes=off"]).await;
    let mut nodes = Vec::new();
    for number in 1..=NODES {
        let log = File::create(folder.path().join(format!("node-{number}.log"))).map_err(|error| error.to_string())?;
        let mut node = ServerProcess::command(&["--demo"]);
        node.args(["--database-url", &database.url("postgres")]).arg("--web-root").arg(web_root);
        // By whichever name the page is opened.
        for host in [address.ip().to_string(), "localhost".into()] {
            node.args(["--audience", &format!("ws://{host}:{}/ws", address.port())]);
        }
        // Ctrl-C in the terminal is for this program, which then ends them.
        node.process_group(0);
        nodes.push(ServerProcess::spawn_logging_to(node, log.into()).await);
    }
    let addresses: Vec<_> = nodes.iter().map(|node| node.address).collect();
    let mut balancer = caddy(folder.path(), &with_page(address, &addresses));
    balancer.process_group(0);
    let balancer = start_proxy(balancer, folder.path(), address).await?;
    Ok(Running { balancer, nodes, _database: database, folder })
}

/// The documented balancer, and beside it the page, and each server under a path of its own, for the page to tell them apart.
fn with_page(address: SocketAddr, nodes: &[SocketAddr]) -> String {
    let mut apart = String::new();
    for (node, number) in nodes.iter().zip(1..) {
        // To a string it cannot fail.
        let _ = write!(apart, "\thandle_path /node/{number}/* {{\n\t\treverse_proxy {node}\n\t}}\n");
    }
    let all = replaced(&balancer(address, nodes), "/ws /v1/* /.well-known/jwks.json /openapi.json", "/*");
    let all = replaced(&all, "\t@public", &format!("{apart}\t@public"));
    replaced(&all, &format!("http://{address} "), &format!("http://{address}, http://localhost:{} ", address.port()))
}

fn welcome(address: SocketAddr, running: &Running) -> String {
    let processes: Vec<_> = running.nodes.iter().map(|node| node.id().to_string()).collect();
    format!(
        "listening on http://{address}\n\n\
         Three servers on one PostgreSQL, with Caddy in front. They are the processes {}; kill one if you like.\n\
         Their logs are in {}. Ctrl-C ends everything, and leaves nothing behind.\n",
        processes.join(", "),
        running.folder.path().display()
    )
}

/// Resolves when it is to end: by Ctrl-C, by `kill`, or with its terminal.
fn ended() -> impl Future<Output = ()> {
    let [mut interrupt, mut terminate, mut hangup] =
        [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(|kind| signal(kind).unwrap());
    async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
