//! What the reference server is told at its start.

use super::{
    api::{Tokens, WebhookTarget},
    listen::{AdminSocket, Network, Tls},
    ops::{Demo, LogWriter, Notifier},
    traces::Traces,
    webhook::RETRIES,
};
use crate::{
    audit::AuditLog,
    store::{DurableStore, ServerKey},
};
use std::{num::NonZeroU32, path::PathBuf, sync::Arc, time::Duration};

/// What the reference server is told at its start, beside the service's own [`Config`](crate::Config).
#[derive(Clone)]
#[non_exhaustive]
pub struct HttpConfig {
    /// The files served at `/`; none for none.
    pub web_root: Option<PathBuf>,
    /// Who may use the API. Without any token everybody may, and the server should listen on loopback only.
    pub tokens: Tokens,
    /// Serves TLS instead of plain HTTP.
    pub tls: Option<Tls>,
    /// Proxies whose `X-Forwarded-For` is believed. Their connections are not counted per address.
    pub trusted_proxies: Vec<Network>,
    /// The most TCP connections in all. 10,000.
    pub max_connections: usize,
    /// The most TCP connections of one address (an IPv6 /64 counts as one). 1,000.
    pub max_connections_per_ip: usize,
    /// The time for a TLS handshake, for the first request's head, and for each body. 10 s.
    pub read_timeout: Duration,
    /// How long a connection may be without a request, the head of the next included. Longer than that of the proxies in front, so that
    /// none sends a request while the connection is being closed. 75 s.
    pub keep_alive_timeout: Duration,
    /// How long open requests may go on after the signal to stop. 10 s.
    pub drain_timeout: Duration,
    /// WebSocket connections a second from one address, with bursts of four times as many; none for no limit. 20.
    pub connects_per_second: Option<NonZeroU32>,
    /// API calls a second with one token, with bursts of four times as many; none for no limit. 200.
    pub requests_per_second: Option<NonZeroU32>,
    /// Refused API calls a second from one address before it gets 429 instead; none for no limit. 5.
    pub failures_per_second: Option<NonZeroU32>,
    /// What is kept on disk, opened together with the service; without it durable requests are refused.
    pub store: Option<DurableStore>,
    /// The only URLs that requests may name as their webhook.
    pub webhook_targets: Vec<WebhookTarget>,
    /// The keys that webhooks are signed with, by each; without any, the store's.
    pub webhook_keys: Vec<Arc<ServerKey>>,
    /// How long to wait before a webhook that was not taken is tried again, each time, give or take a fifth. After the last it is given
    /// up. The schedule of Standard Webhooks, from 5 s to 24 h.
    pub webhook_retries: Vec<Duration>,
    /// Lets the demo page have the process start anew; none for not.
    pub demo: Option<Demo>,
    /// Where the log goes, so that the metrics tell what of it has been lost.
    pub log: Option<LogWriter>,
    /// Where it is written who asked what, and who decided; none for nowhere.
    pub audit: Option<AuditLog>,
    /// Where traces go, if anywhere.
    pub traces: Traces,
    /// The service manager, which is told that the server listens, how it is, and that it stops.
    pub notifier: Notifier,
    /// Whether the listener outlives the process: a service manager holds it too, and hands it to the next one. Then nothing more is
    /// accepted after the signal to stop, and whoever connects meanwhile waits for that one.
    pub listener_is_kept: bool,
    /// Who administers the server; none for nobody.
    pub admin: Option<AdminConfig>,
}

/// Who administers the server, and where.
#[derive(Debug, Clone)]
pub struct AdminConfig {
    /// Where they are listened for.
    pub socket: AdminSocket,
    /// Who may use the admin API by TCP. Without any token everybody may, and the socket should be local.
    pub tokens: Tokens,
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
            keep_alive_timeout: Duration::from_secs(75),
            drain_timeout: Duration::from_secs(10),
            connects_per_second: NonZeroU32::new(20),
            requests_per_second: NonZeroU32::new(200),
            failures_per_second: NonZeroU32::new(5),
            store: None,
            webhook_targets: Vec::new(),
            webhook_keys: Vec::new(),
            webhook_retries: RETRIES.to_vec(),
            demo: None,
            log: None,
            audit: None,
            traces: Traces::default(),
            notifier: Notifier::default(),
            listener_is_kept: false,
            admin: None,
        }
    }
}
