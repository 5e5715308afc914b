//! A server that is killed over and over while backends ask for durable signatures and wallets give them.

pub mod caller;
pub mod http;
pub mod ledger;
pub mod wallet;

use std::net::SocketAddr;
use tokio::sync::watch;

/// Where the server listens at present; none while it is dead.
pub type Address = watch::Receiver<Option<SocketAddr>>;

/// Waits until there is a server, and says where; none once there will be no more.
pub async fn up(address: &mut Address) -> Option<SocketAddr> {
    let up = address.wait_for(Option::is_some).await.ok()?;
    *up
}
