//! The server this project is about, as it is shipped, log included.

use crate::{
    Fallible,
    load::Dialect,
    process::{Announces, Server, on_both_cores, on_server_core},
};
use std::{net::SocketAddr, path::Path};

/// Where backends ask.
pub(crate) const PATH: &str = "/v1/send_to_sign";

/// What one address and one token may do is raised, since all the load comes from one, and so are the connections, since 10,000 wallets are
/// as many as there may be without any backend.
const LIMITS: [&str; 5] = [
    "--listen=127.0.0.1:0",
    "--requests-per-second=1000000",
    "--connects-per-second=100000",
    "--max-connections=20000",
    "--max-connections-per-ip=20000",
];

/// Starts it.
pub(crate) async fn start(binary: &Path) -> Fallible<Server> {
    let mut command = on_server_core(binary);
    command.args(LIMITS).stderr(tempfile::tempfile()?);
    Server::start(command, Announces::Stdout).await
}

/// Starts it with a store in this directory.
pub(crate) async fn start_durable(binary: &Path, folder: &Path) -> Fallible<Server> {
    let mut command = on_both_cores(binary);
    command
        .args(LIMITS)
        .stderr(tempfile::tempfile()?)
        .arg("--data-dir")
        .arg(folder)
        .args(["--max-pending=1000000", "--max-pending-per-key=100000"]);
    Server::start(command, Announces::Stdout).await
}

/// How its wallets talk.
pub(crate) fn dialect(address: SocketAddr) -> Fallible<Dialect> {
    Ok(Dialect::Countersign(format!("ws://{address}/ws").parse()?))
}
