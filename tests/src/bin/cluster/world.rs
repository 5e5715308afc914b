//! Servers, wallets and backends, while something goes wrong.

use countersign_protocol::PublicKeyBytes;
use countersign_tests::{
    cluster::{Caller, Device, Ledger, Mix, Node, Sum},
    outage::http::call,
    within,
};
use ed25519_dalek::SigningKey;
use futures_util::future::join_all;
use hyper::Method;
use serde_json::Value;
use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, atomic::AtomicUsize},
    time::Instant,
};
use tokio::{sync::watch, task::JoinSet};

/// How many wallets there are.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wallets {
    /// A few, every other one on two devices.
    Few,
    /// So many, each on one.
    Many(u32),
}

impl Wallets {
    fn keys(self) -> u32 {
        match self {
            Self::Few => 8,
            Self::Many(keys) => keys,
        }
    }

    fn devices(self, key: u32) -> usize {
        match self {
            Self::Few if key.is_multiple_of(2) => 2,
            Self::Few | Self::Many(_) => 1,
        }
    }
}

/// Everybody who is there while something goes wrong.
pub(crate) struct World {
    pub(crate) nodes: Vec<Node>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) keys: Arc<[PublicKeyBytes]>,
    wallets: JoinSet<()>,
}

impl World {
    /// Servers, one for each of these databases' addresses, and wallets.
    pub(crate) async fn start(urls: &[String], logs: Option<&Path>) -> Self {
        let mut nodes: Vec<_> =
            urls.iter().enumerate().map(|(n, url)| Node::new(&format!("node{n}"), url.clone(), logs)).collect();
        for node in &mut nodes {
            node.start().await;
        }
        Self::with(nodes, Wallets::Few).await
    }

    /// Likewise, where the servers run already.
    pub(crate) async fn with(nodes: Vec<Node>, wallets: Wallets) -> Self {
        let ledger = Arc::new(Ledger::default());
        let servers: Vec<_> = nodes.iter().map(|node| node.address).collect();
        let (mut living, mut keys) = (JoinSet::new(), Vec::new());
        for n in 0..wallets.keys() {
            let mut seed = [1; 32];
            seed[..4].copy_from_slice(&n.to_le_bytes());
            for number in 0..wallets.devices(n) {
                let key = SigningKey::from_bytes(&seed);
                let device = Device::new(key, number, servers.clone(), Arc::clone(&ledger));
                if number == 0 {
                    keys.push(device.public_key());
                }
                living.spawn(device.live());
            }
        }
        ledger.wallets(living.len()).await;
        let world = Self { nodes, ledger, keys: keys.into(), wallets: living };
        world.find_all().await;
        world
    }

    /// Waits until each server finds all wallets: they are announced to the others after they have been welcomed.
    async fn find_all(&self) {
        for server in self.servers() {
            for key in &*self.keys {
                let hex: String = key.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
                let path = format!("/v1/signers/{hex}");
                let is_found =
                    |answer: Option<(_, Value)>| answer.is_some_and(|(_, signer)| signer["connected"] == true);
                within("a wallet to be found", async {
                    while !is_found(call(server, Method::GET, &path, &[], None).await) {}
                })
                .await;
            }
        }
    }

    pub(crate) fn servers(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(|node| node.address).collect()
    }

    /// One who calls.
    pub(crate) fn caller(&self, number: usize) -> Caller {
        Caller {
            number,
            servers: self.servers(),
            keys: Arc::clone(&self.keys),
            ledger: Arc::clone(&self.ledger),
            turn: Arc::new(AtomicUsize::new(number)),
        }
    }

    /// Has everybody live while `trouble` goes on, and before and after; then has all of it come to an end, and looks at it everywhere.
    pub(crate) async fn live_through(mut self, backends: usize, mix: Mix, trouble: impl AsyncFnOnce(&mut Self)) -> Sum {
        let stop = watch::Sender::new(false);
        let calling: Vec<_> =
            (0..backends).map(|n| tokio::spawn(self.caller(n).ask_on(mix, stop.subscribe()))).collect();
        self.ledger.more(4 * backends).await;
        self.ledger.watch_wallets();
        let from = Instant::now();
        trouble(&mut self).await;
        let until = Instant::now();
        self.ledger.more(4 * backends).await;
        stop.send_replace(true);
        for caller in calling {
            caller.await.unwrap();
        }
        self.look_everywhere().await;
        let sum = self.ledger.sum(from, until);
        self.finish().await;
        sum
    }

    /// Looks at every request that was taken, at every server: they have to agree.
    async fn look_everywhere(&self) {
        let requests = self.ledger.taken_requests();
        for (n, server) in self.servers().into_iter().enumerate() {
            for some in requests.chunks(16) {
                join_all(some.iter().map(async |(intent, id)| {
                    match call(server, Method::GET, &format!("/v1/requests/{id}"), &[], None).await {
                        Some((status, resource)) if status == 200 => {
                            if !self.ledger.seen(&format!("a last look at {n}"), intent, &resource) {
                                self.ledger.lost(intent, &format!("open in the end at {n}: {}", resource["state"]));
                            }
                        }
                        Some((status, _)) if status == 404 => self.ledger.lost(intent, "forgotten in the end"),
                        Some(_) | None => self.ledger.noticed("no last look"),
                    }
                }))
                .await;
            }
        }
    }

    async fn finish(mut self) {
        self.wallets.shutdown().await;
        for node in &mut self.nodes {
            node.signal("CONT").await;
            node.kill().await;
        }
    }
}
