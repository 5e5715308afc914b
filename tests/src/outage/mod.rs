//! A server that is killed over and over while backends ask for durable signatures and wallets give them.

pub mod caller;
pub mod http;
pub mod ledger;
pub mod wallet;

use futures_util::future::join_all;
use hyper::Method;
use ledger::Ledger;
use std::net::SocketAddr;
use tokio::sync::watch;

/// Where the server listens at present; none while it is dead.
pub type Address = watch::Receiver<Option<SocketAddr>>;

/// Waits until there is a server, and says where; none once there will be no more.
pub async fn up(address: &mut Address) -> Option<SocketAddr> {
    let up = address.wait_for(Option::is_some).await.ok()?;
    *up
}

/// Looks at requests, and notes what the server says of them.
pub async fn look(ledger: &Ledger, at: SocketAddr, requests: &[(String, String)]) {
    for some in requests.chunks(16) {
        join_all(some.iter().map(async |(wish, request)| {
            let path = format!("/v1/requests/{request}");
            if let Some((status, resource)) = http::call(at, Method::GET, &path, &[], None).await {
                ledger.seen(wish, status.as_u16(), &resource);
            }
        }))
        .await;
    }
}
