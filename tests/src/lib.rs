//! What the tests share: a server on a port of its own, a wallet that can also misbehave, a backend.

pub mod actix;
pub mod backend;
pub mod chaos;
pub mod cluster;
pub mod collector;
pub mod documents;
pub mod fixture;
pub mod fuzz;
pub mod outage;
pub mod postgres;
pub mod process;
pub mod prometheus;
pub mod proxied;
pub mod restore;
pub mod server;
pub mod service_manager;
pub mod simulation;
pub mod tls;
pub mod wallet;
pub mod webhook_receiver;

pub use backend::{Backend, Reply};
pub use process::ServerProcess;
pub use proxied::Proxied;
pub use server::TestServer;
pub use service_manager::ServiceManager;
pub use wallet::TestWallet;
pub use webhook_receiver::WebhookReceiver;

use std::time::Duration;

/// No step of a test takes longer, however busy the machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for something, and fails with its name rather than hanging.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("still waiting for {what}"))
}

/// Waits until a condition holds that nothing announces.
pub async fn eventually(what: &str, holds: impl Fn() -> bool) {
    within(what, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}
