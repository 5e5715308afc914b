//! Who is measured, and how each is started and asked.

use crate::{
    Fallible, alone,
    arguments::Binaries,
    countersign, fixture,
    fixture::Wallet,
    load::{Dialect, Plan, backend, nats, run, wallet},
    process::{Announces, Server, on_server_core},
    sample::Sample,
};
use clap::ValueEnum;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// Wallets that are connected and asked.
const WALLETS: u32 = 100;

/// Messages for each of them.
const PAPERS: u32 = 16;

/// Backends, each with one request open.
pub(crate) const BACKENDS: usize = 64;

/// Someone who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Peer {
    /// This project's server.
    Countersign,
    /// Another build of it, named by --baseline.
    Baseline,
    /// The original plan: actix-web with an actor per WebSocket.
    ActixPlan,
    /// Node with `ws` and node:crypto.
    NodeWs,
    /// Node with socket.io and its acknowledgements.
    #[value(name = "socket.io")]
    SocketIo,
    /// nats-server, with one verification added.
    Nats,
    /// `SigningService::send_to_sign`, with wallets in the same process.
    InProcess,
    /// `verify_strict` of ed25519-dalek in a loop.
    Verify,
    /// The same, with this project's flags for the compiler.
    VerifyHere,
    /// Our own strict verification in a loop: the limit.
    Verdict,
}

impl Peer {
    /// The name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Countersign => "Countersign",
            Self::Baseline => "Countersign, the other build",
            Self::ActixPlan => "the plan (actix-web-actors)",
            Self::NodeWs => "Node, ws",
            Self::SocketIo => "Node, socket.io",
            Self::Nats => "NATS and one verification",
            Self::InProcess => "Countersign, in process",
            Self::Verify => "bare verify_strict",
            Self::VerifyHere => "the same, built like Countersign",
            Self::Verdict => "our strict verification",
        }
    }
}

/// What all peers are measured with.
pub(crate) struct Bench {
    pub(crate) binaries: Binaries,
    pub(crate) plan: Plan,
    wallets: Vec<Arc<Wallet>>,
}

impl Bench {
    pub(crate) fn new(binaries: Binaries, plan: Plan) -> Self {
        Self { binaries, plan, wallets: fixture::wallets(WALLETS, PAPERS) }
    }

    /// Measures one peer once, from its start to its end.
    pub(crate) async fn measure(&self, peer: Peer) -> Fallible<Sample> {
        let binaries = &self.binaries;
        match peer {
            Peer::Countersign => self.over_http_countersign(&binaries.countersign).await,
            Peer::Baseline => {
                self.over_http_countersign(binaries.baseline.as_deref().ok_or("no --baseline was given")?).await
            }
            Peer::ActixPlan => self.over_http_plan(&binaries.actix_plan, &[], Dialect::Plan).await,
            Peer::NodeWs => self.over_http_plan(&node(), &[script("node-ws.mjs")], Dialect::Plan).await,
            Peer::SocketIo => self.over_http_plan(&node(), &[script("socket-io.mjs")], Dialect::SocketIo).await,
            Peer::Nats => self.over_nats(&binaries.nats_server).await,
            Peer::InProcess => alone::measure(alone::Work::InProcess, self.plan).await,
            Peer::Verify => alone::measure_by(&binaries.built_plainly, alone::Work::Verify, self.plan).await,
            Peer::VerifyHere => alone::measure(alone::Work::Verify, self.plan).await,
            Peer::Verdict => alone::measure(alone::Work::Verdict, self.plan).await,
        }
    }

    async fn over_http_countersign(&self, binary: &Path) -> Fallible<Sample> {
        let server = countersign::start(binary).await?;
        let dialect = countersign::dialect(server.address)?;
        self.over_http(server, &dialect, countersign::PATH).await
    }

    async fn over_http_plan(&self, program: &Path, arguments: &[PathBuf], dialect: Dialect) -> Fallible<Sample> {
        let mut command = on_server_core(program);
        command.args(arguments).env("NODE_ENV", "production");
        let server = Server::start(command, Announces::Stdout).await?;
        self.over_http(server, &dialect, "/send_to_sign").await
    }

    async fn over_http(&self, server: Server, dialect: &Dialect, path: &str) -> Fallible<Sample> {
        let wallets = wallet::serve(&self.wallets, server.address, dialect).await?;
        let sample = http(&server, &self.wallets, path, self.plan).await;
        drop(wallets);
        server.stop().await?;
        sample
    }

    async fn over_nats(&self, binary: &Path) -> Fallible<Sample> {
        let mut command = on_server_core(binary);
        command.args(["--addr", "127.0.0.1", "--port", "-1"]);
        let server = Server::start(command, Announces::Stderr).await?;
        let wallets = nats::serve(&self.wallets, server.address).await?;
        let requesters = nats::connect(BACKENDS, server.address).await?;
        let sample = run(&server, requesters, &nats::asks(&self.wallets), self.plan).await;
        drop(wallets);
        server.stop().await?;
        sample
    }
}

/// Measures a server whose wallets are connected.
pub(crate) async fn http(server: &Server, wallets: &[Arc<Wallet>], path: &str, plan: Plan) -> Fallible<Sample> {
    let backends = backend::connect(BACKENDS, server.address).await?;
    run(server, backends, &backend::asks(wallets, server.address, path), plan).await
}

fn node() -> PathBuf {
    "node".into()
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name)
}
