//! `countersign health`: how the server of these settings is.

use countersign_server::http::{Settings, health};
use hyper::Uri;
use std::{
    error::Error,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

pub(crate) fn run(settings: &Settings, url: Option<Uri>) -> Result<(), Box<dyn Error>> {
    let url = match url {
        Some(url) => url,
        None if settings.is_tls() => {
            return Err("health: which URL? With --tls-cert it has to have a name that the certificate is for".into());
        }
        None => format!("http://{}/healthz", from_here(settings.listen())).parse()?,
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(health(url))?;
    Ok(())
}

/// How this machine reaches who listens there: every address is none to dial.
fn from_here(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other,
    };
    SocketAddr::new(ip, listen.port())
}
