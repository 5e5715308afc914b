//! The reference server: warp's filters behind an accept loop of its own.
//!
//! The loop is ours because a server for strangers needs what `warp::serve` has no place for: a header timeout, the peer's
//! address, a cap on connections, TLS, small WebSocket buffers, and a shutdown that includes upgraded connections.

mod accept;
mod auth;
mod body;
mod cap;
mod io;
mod operations;
mod page;
mod problem;
mod proxy;
mod rate;
mod routes;
mod send_to_sign;
mod settings;
mod signers;
mod stall;
mod tls;
mod upgrade;

pub use accept::serve;
pub use auth::{TokenEntry, TokenError, Tokens};
pub use settings::{LogFormat, Settings, SettingsError};
pub use tls::TlsError;

use crate::SigningService;
use std::{net::IpAddr, num::NonZeroU32, path::PathBuf, time::Duration};
use tokio_rustls::TlsAcceptor;

/// What the reference server is told at its start, beside the service's own [`Config`](crate::Config).
#[derive(Clone)]
#[non_exhaustive]
pub struct HttpConfig {
    /// The files served at `/`; none for none.
    pub web_root: Option<PathBuf>,
    /// Who may use the API. Without any token everybody may, and the server should listen on loopback only.
    pub tokens: Tokens,
    /// Serves TLS instead of plain HTTP.
    pub tls: Option<TlsAcceptor>,
    /// Proxies whose `X-Forwarded-For` is believed. Their connections are not counted per address.
    pub trusted_proxies: Vec<IpAddr>,
    /// The most TCP connections in all. 10,000.
    pub max_connections: usize,
    /// The most TCP connections of one address (an IPv6 /64 counts as one). 1,000.
    pub max_connections_per_ip: usize,
    /// The time for a TLS handshake, for a request's head, and for its body, each. 10 s.
    pub read_timeout: Duration,
    /// How long open requests may go on after the signal to stop. 10 s.
    pub drain_timeout: Duration,
    /// WebSocket connections a second from one address, with bursts of four times as many; none for no limit. 20.
    pub connects_per_second: Option<NonZeroU32>,
    /// API calls a second with one token, with bursts of four times as many; none for no limit. 200.
    pub requests_per_second: Option<NonZeroU32>,
    /// Refused API calls a second from one address before it gets 429 instead; none for no limit. 5.
    pub failures_per_second: Option<NonZeroU32>,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            web_root: None,
            tokens: Tokens::default(),
            tls: None,
            trusted_proxies: Vec::new(),
            max_connections: 10_000,
            max_connections_per_ip: 1_000,
            read_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(10),
            connects_per_second: NonZeroU32::new(20),
            requests_per_second: NonZeroU32::new(200),
            failures_per_second: NonZeroU32::new(5),
        }
    }
}

/// What every handler shares.
struct App {
    service: SigningService,
    tokens: Tokens,
    read_timeout: Duration,
    connects: rate::KeyedRate<rate::Party>,
    requests: rate::KeyedRate<auth::RequesterKey>,
    failures: rate::KeyedRate<rate::Party>,
}

impl App {
    fn new(service: SigningService, config: &HttpConfig) -> Self {
        Self {
            service,
            tokens: config.tokens.clone(),
            read_timeout: config.read_timeout,
            connects: rate::KeyedRate::new("ip_connects", config.connects_per_second),
            requests: rate::KeyedRate::new("token", config.requests_per_second),
            failures: rate::KeyedRate::new("ip_failures", config.failures_per_second),
        }
    }
}
