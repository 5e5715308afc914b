//! A server that keeps its address over restarts.

use crate::{ServerProcess, proxied::own_address};
use std::{
    fs::OpenOptions,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
};

/// As shipped, but for what one address and one token may do, since everybody comes from one; and for how soon silence is noticed, so that
/// a run does not take as long as it does outside.
const SETTINGS: [&str; 4] = ["--no-rate-limit", "--max-connections-per-ip=20000", "--heartbeat-ms=2000", "--log=info"];

/// One server.
#[derive(Debug)]
pub struct Node {
    /// Where it listens, whenever it runs.
    pub address: SocketAddr,
    url: String,
    log: Option<PathBuf>,
    process: Option<ServerProcess>,
}

impl Node {
    /// One that does not run yet. Its log goes to a file in `logs`, if anywhere.
    pub fn new(name: &str, url: String, logs: Option<&Path>) -> Self {
        let log = logs.map(|folder| folder.join(format!("{name}.log")));
        Self { address: own_address(), url, log, process: None }
    }

    /// Starts it.
    pub async fn start(&mut self) {
        let mut command = ServerProcess::command(&SETTINGS);
        command.arg(format!("--database-url={}", self.url));
        let log = match &self.log {
            Some(path) => OpenOptions::new().create(true).append(true).open(path).unwrap().into(),
            None => Stdio::null(),
        };
        self.process = Some(ServerProcess::spawn_at(command, self.address, log).await);
    }

    /// Whether it has been started, and neither killed nor stopped since.
    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Sends it a signal.
    pub async fn signal(&self, name: &str) {
        if let Some(process) = &self.process {
            process.signal(name).await;
        }
    }

    /// Kills it, as a power failure would.
    pub async fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill().await;
        }
    }

    /// Has it stop in good order, and waits until it has.
    pub async fn stop(&mut self) {
        self.signal("TERM").await;
        if let Some(process) = self.process.take() {
            process.wait().await;
        }
    }
}
