//! The reference server: warp's filters behind an accept loop of its own.
//!
//! The loop is ours because a server for strangers needs what `warp::serve` has no place for: a header timeout, the peer's
//! address, a cap on connections, TLS, small WebSocket buffers, and a shutdown that includes upgraded connections.

mod accept;
mod ask;
mod auth;
mod background;
mod because;
mod body;
mod call;
mod cap;
mod demo;
mod events;
mod io;
mod kept;
mod operations;
mod page;
mod prefer;
mod problem;
mod proxy;
mod rate;
mod requests;
mod resource;
mod routes;
mod send_to_sign;
mod settings;
mod settings_error;
mod signers;
mod stall;
mod tls;
mod upgrade;
mod webhook;
mod wishes;

pub use accept::serve;
pub use auth::{TokenEntry, TokenError, Tokens};
pub use demo::Demo;
pub use kept::Kept;
pub use settings::{LogFormat, Settings};
pub use settings_error::SettingsError;
pub use tls::TlsError;
pub use webhook::{WebhookTarget, WebhookTargetError};

use crate::{Record, SigningError, SigningService};
use countersign_protocol::RequestId;
use problem::Problem;
use std::{net::IpAddr, num::NonZeroU32, path::PathBuf, time::Duration};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use warp::http::StatusCode;

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
    /// What is kept on disk, opened together with the service; without it durable requests are refused.
    pub kept: Option<Kept>,
    /// The only URLs that requests may name as their webhook.
    pub webhook_targets: Vec<WebhookTarget>,
    /// How long to wait before a webhook that was not taken is tried again, each time, give or take a fifth. After the last it is given
    /// up. The schedule of Standard Webhooks, from 5 s to 24 h.
    pub webhook_retries: Vec<Duration>,
    /// Lets the demo page have the process start anew; none for not.
    pub demo: Option<Demo>,
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
            kept: None,
            webhook_targets: Vec::new(),
            webhook_retries: webhook::RETRIES.to_vec(),
            demo: None,
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
    kept: Option<Kept>,
    webhook_targets: Vec<WebhookTarget>,
    webhook_retries: Vec<Duration>,
    /// Whether the server has begun to stop.
    draining: watch::Sender<bool>,
}

impl App {
    fn new(service: SigningService, config: &HttpConfig) -> Self {
        Self {
            service,
            kept: config.kept.clone(),
            webhook_targets: config.webhook_targets.clone(),
            webhook_retries: config.webhook_retries.clone(),
            draining: watch::Sender::new(false),
            tokens: config.tokens.clone(),
            read_timeout: config.read_timeout,
            connects: rate::KeyedRate::new("ip_connects", config.connects_per_second),
            requests: rate::KeyedRate::new("token", config.requests_per_second),
            failures: rate::KeyedRate::new("ip_failures", config.failures_per_second),
        }
    }
    /// Resolves when the server begins to stop: nobody is to be kept waiting any more who can as well ask the next one.
    async fn draining(&self) {
        let mut draining = self.draining.subscribe();
        // Its sender is here.
        let _ = draining.wait_for(|draining| *draining).await;
    }

    /// How a durable request stands at its end, or after as long as its requester wants to wait.
    async fn standing(
        &self,
        requester: &auth::Requester,
        id: RequestId,
        patience: Duration,
    ) -> Result<Record, SigningError> {
        if !patience.is_zero() {
            tokio::select! {
                waited = self.service.wait(&requester.name, id, patience) => match waited {
                    Err(SigningError::Draining) => {}
                    Ok(_) | Err(_) => return waited,
                },
                () = self.draining() => {}
            }
        }
        self.service.record(&requester.name, id).await
    }

    /// Whether a request may name this URL as its webhook.
    fn check_webhook(&self, url: &str) -> Result<(), Problem> {
        if self.webhook_targets.iter().any(|target| target.as_str() == url) {
            return Ok(());
        }
        let detail = "the webhook is none of the URLs that the operator allows";
        Err(Problem::new(StatusCode::FORBIDDEN, "webhook_not_allowed", detail))
    }
}
