//! The command's settings: a flag over an environment variable over the TOML file over the default.

mod admin;
mod audit;
mod check;
mod database_tokens;
mod error;
mod file;
mod log_filter;
mod mistakes;
mod range;
mod reloadable;
mod server;
mod service;
mod storage_location;
#[cfg(test)]
mod tests;
mod tokens_file;
mod webhook_entry;
mod webhooks;

pub(super) use check::Checked;
pub use database_tokens::DatabaseTokens;
pub(super) use database_tokens::database_entries;
pub use error::SettingsError;
pub use log_filter::{LogFilter, LogFilterError};
pub use reloadable::Taken;
pub use webhook_entry::{BatchEvents, WebhookEntry};

use crate::{
    SigningService,
    audit::OnFull,
    http::{AdminAddress, HttpConfig, Network, TokenEntry, Traces},
    store::{DatabaseUrl, DurableStore},
};
use clap::{Args, ValueEnum};
use serde::Deserialize;
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroU32,
    path::PathBuf,
    sync::Arc,
};
use storage_location::StorageLocation;

const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// Every setting, each as a flag, an environment variable and a key of the TOML file.
#[derive(Debug, Clone, Default, PartialEq, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// Address and port to listen on [default: 127.0.0.1:8080]
    #[arg(long, env = "COUNTERSIGN_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,

    /// WebSocket URL under which wallets reach this server; may be given several times [default: from --listen]
    #[arg(long, env = "COUNTERSIGN_AUDIENCE", value_name = "URL", value_delimiter = ',')]
    pub audience: Vec<String>,

    /// Directory of files to serve at /
    #[arg(long, env = "COUNTERSIGN_WEB_ROOT", value_name = "DIR")]
    pub web_root: Option<PathBuf>,

    /// Directory in which requests are kept that outlive their call and the server
    #[arg(long, env = "COUNTERSIGN_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// PostgreSQL database for the same, in place of --data-dir: postgres://USER:PASSWORD@HOST/DATABASE?sslmode=verify-full
    #[arg(long, env = "COUNTERSIGN_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<DatabaseUrl>,

    /// File of the Ed25519 key that signs receipts and webhooks, made where there is none; with --database-url only [default: a key that ends with the process]
    #[arg(long, env = "COUNTERSIGN_SERVER_KEY", value_name = "FILE")]
    pub server_key: Option<PathBuf>,

    /// Time in hours for which a request is kept after its end [default: 168]
    #[arg(long, env = "COUNTERSIGN_RETENTION_HOURS", value_name = "HOURS")]
    pub retention_hours: Option<u64>,

    /// Most bytes that the kept requests take [default: 1073741824]
    #[arg(long, env = "COUNTERSIGN_MAX_STORE_BYTES", value_name = "BYTES")]
    pub max_store_bytes: Option<u64>,

    /// URL that a request may name as its webhook; may be given several times
    #[arg(long, env = "COUNTERSIGN_WEBHOOK_TARGET", value_name = "URL", value_delimiter = ',')]
    pub webhook_target: Vec<String>,

    /// File of an Ed25519 key that signs webhooks, in place of the server's own; may be given twice [default: the server's key]
    #[arg(long, env = "COUNTERSIGN_WEBHOOK_KEY", value_name = "FILE", value_delimiter = ',')]
    pub webhook_key: Vec<PathBuf>,

    /// Webhook targets of which there is more to say: `[[webhook]]` tables with `url` and `secrets_file`, in the file only.
    #[arg(skip)]
    pub webhook: Vec<WebhookEntry>,

    /// Certificate chain in PEM; serves TLS
    #[arg(long, env = "COUNTERSIGN_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,

    /// Private key in PEM
    #[arg(long, env = "COUNTERSIGN_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// Address or network of proxies whose X-Forwarded-For is believed, as in 10.0.0.0/8; may be given several times
    #[arg(long, env = "COUNTERSIGN_TRUSTED_PROXY", value_name = "NETWORK", value_delimiter = ',')]
    pub trusted_proxy: Vec<Network>,

    /// Accept introductions without proof, on a loopback address only: anybody can then pose as any key
    #[arg(long, env = "COUNTERSIGN_ALLOW_UNPROVEN", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub allow_unproven: Option<bool>,

    /// Let the page restart the server, on a loopback address only: for the demo
    #[arg(long, env = "COUNTERSIGN_DEMO", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub demo: Option<bool>,

    /// Lift every rate limit; caps on sizes and connections stay
    #[arg(long, env = "COUNTERSIGN_NO_RATE_LIMIT", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub no_rate_limit: Option<bool>,

    /// API calls per second and token; bursts of four times as many pass [default: 200]
    #[arg(long, env = "COUNTERSIGN_REQUESTS_PER_SECOND", value_name = "RATE")]
    pub requests_per_second: Option<NonZeroU32>,

    /// WebSocket connections per second and address; bursts of four times as many pass [default: 20]
    #[arg(long, env = "COUNTERSIGN_CONNECTS_PER_SECOND", value_name = "RATE")]
    pub connects_per_second: Option<NonZeroU32>,

    /// Refused API calls per second and address before it gets 429 instead; bursts of four times as many pass [default: 5]
    #[arg(long, env = "COUNTERSIGN_FAILURES_PER_SECOND", value_name = "RATE")]
    pub failures_per_second: Option<NonZeroU32>,

    /// Frames per second and wallet; bursts of four times as many pass [default: 1000]
    #[arg(long, env = "COUNTERSIGN_FRAMES_PER_SECOND", value_name = "RATE")]
    pub frames_per_second: Option<NonZeroU32>,

    /// Most TCP connections in all [default: 10000]
    #[arg(long, env = "COUNTERSIGN_MAX_CONNECTIONS", value_name = "COUNT")]
    pub max_connections: Option<usize>,

    /// Most TCP connections of one address [default: 1000]
    #[arg(long, env = "COUNTERSIGN_MAX_CONNECTIONS_PER_IP", value_name = "COUNT")]
    pub max_connections_per_ip: Option<usize>,

    /// Most wallet connections of one key [default: 16]
    #[arg(long, env = "COUNTERSIGN_MAX_CONNECTIONS_PER_KEY", value_name = "COUNT")]
    pub max_connections_per_key: Option<usize>,

    /// Most requests open on one wallet connection [default: 64]
    #[arg(long, env = "COUNTERSIGN_MAX_INFLIGHT", value_name = "COUNT")]
    pub max_inflight: Option<usize>,

    /// Most requests open in all [default: 100000]
    #[arg(long, env = "COUNTERSIGN_MAX_PENDING", value_name = "COUNT")]
    pub max_pending: Option<usize>,

    /// Most requests open for one key [default: 1000]
    #[arg(long, env = "COUNTERSIGN_MAX_PENDING_PER_KEY", value_name = "COUNT")]
    pub max_pending_per_key: Option<usize>,

    /// Most bytes that the messages of all open requests have together [default: 268435456]
    #[arg(long, env = "COUNTERSIGN_MAX_PENDING_BYTES", value_name = "BYTES")]
    pub max_pending_bytes: Option<usize>,

    /// Percent of the limits on open requests and of --max-store-bytes for one requester [default: 25; 100 with one requester]
    #[arg(long, env = "COUNTERSIGN_MAX_SHARE_PERCENT", value_name = "PERCENT")]
    pub max_share_percent: Option<usize>,

    /// Longest message in bytes, at most 65536 [default: 65536]
    #[arg(long, env = "COUNTERSIGN_MAX_MESSAGE_BYTES", value_name = "BYTES")]
    pub max_message_bytes: Option<usize>,

    /// Silence in milliseconds after which a wallet is pinged, and after as much again closed [default: 20000]
    #[arg(long, env = "COUNTERSIGN_HEARTBEAT_MS", value_name = "MS")]
    pub heartbeat_ms: Option<u64>,

    /// Time in milliseconds that one write to a wallet may take [default: 10000]
    #[arg(long, env = "COUNTERSIGN_WRITE_TIMEOUT_MS", value_name = "MS")]
    pub write_timeout_ms: Option<u64>,

    /// Time in milliseconds that a wallet told to go away is asked to wait before it comes back [default: 1000]
    #[arg(long, env = "COUNTERSIGN_RECONNECT_AFTER_MS", value_name = "MS")]
    pub reconnect_after_ms: Option<u64>,

    /// Time in milliseconds that an HTTP connection may be without a request [default: 75000]
    #[arg(long, env = "COUNTERSIGN_KEEP_ALIVE_TIMEOUT_MS", value_name = "MS")]
    pub keep_alive_timeout_ms: Option<u64>,

    /// Time in milliseconds for a TLS handshake, the first request's head, each body, and a wallet's introduction [default: 10000]
    #[arg(long, env = "COUNTERSIGN_READ_TIMEOUT_MS", value_name = "MS")]
    pub read_timeout_ms: Option<u64>,

    /// Time in milliseconds that open requests have after the signal to stop [default: 10000]
    #[arg(long, env = "COUNTERSIGN_DRAIN_TIMEOUT_MS", value_name = "MS")]
    pub drain_timeout_ms: Option<u64>,

    /// Unix socket on which the server hears `countersign reload`, from its own user and root
    #[arg(long, env = "COUNTERSIGN_CONTROL_SOCKET", value_name = "FILE")]
    pub control_socket: Option<PathBuf>,

    /// Form of the log on standard error [default: text]
    #[arg(long, env = "COUNTERSIGN_LOG_FORMAT", value_name = "FORMAT", value_enum)]
    pub log_format: Option<LogFormat>,

    /// What to log, as in "info" or "countersign_server=debug" [default: info]
    #[arg(long, env = "COUNTERSIGN_LOG", value_name = "FILTER")]
    pub log: Option<LogFilter>,

    /// File of the audit log: who asked what of which key, who decided; needs --data-dir or --server-key
    #[arg(long, env = "COUNTERSIGN_AUDIT_LOG", value_name = "FILE")]
    pub audit_log: Option<PathBuf>,

    /// Whether new requests are refused while the audit log cannot be written, or taken [default: refuse]
    #[arg(long, env = "COUNTERSIGN_AUDIT_FULL", value_name = "POLICY", value_enum)]
    pub audit_full: Option<OnFull>,

    /// Size in bytes from which the audit log goes on in a new file [default: 67108864]
    #[arg(long, env = "COUNTERSIGN_AUDIT_MAX_BYTES", value_name = "BYTES")]
    pub audit_max_bytes: Option<u64>,

    /// IP address and port, or path of a Unix socket, at which administrators are listened for
    #[arg(long, env = "COUNTERSIGN_ADMIN_LISTEN", value_name = "ADDRESS")]
    pub admin_listen: Option<AdminAddress>,

    /// Who may use the admin API by TCP: `[[admin_token]]` tables with `name` and `sha256`, in the file only.
    #[arg(skip)]
    pub admin_token: Vec<TokenEntry>,

    /// More tokens are in --database-url, where `countersign token add` keeps them for all servers
    #[arg(long, env = "COUNTERSIGN_DATABASE_TOKENS", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub database_tokens: Option<bool>,

    /// TOML file with more tokens, as `countersign token add` writes it
    #[arg(long, env = "COUNTERSIGN_TOKENS_FILE", value_name = "FILE")]
    pub tokens_file: Option<PathBuf>,

    /// Who may use the API: `[[token]]` tables with `name` and `sha256`, in the files only.
    #[arg(skip)]
    pub token: Vec<TokenEntry>,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// One line for people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Settings {
    /// The address to listen on.
    pub fn listen(&self) -> SocketAddr {
        self.listen.unwrap_or(DEFAULT_LISTEN)
    }

    /// Whether the server speaks TLS.
    pub fn is_tls(&self) -> bool {
        self.tls_cert.is_some()
    }

    /// The service and the server's rules, with what is kept on disk opened where there is such. Blocks for that.
    ///
    /// # Errors
    /// [`SettingsError`], which names the setting.
    pub fn assemble(&self, bound: SocketAddr) -> Result<(SigningService, HttpConfig), SettingsError> {
        let traces = Traces::from_environment()?;
        let (mut config, http) = (self.service(bound)?, self.http(bound)?);
        let http = HttpConfig { admin: self.admin()?, traces: traces.clone(), ..http };
        if let Some(observer) = traces.observer() {
            config.observers.add(observer);
        }
        let audience = config.audiences.first();
        let (durable, loaded) = match self.storage_location()? {
            StorageLocation::Nowhere => {
                let audit = self.audit(None, &mut config)?;
                return Ok((SigningService::new(config), HttpConfig { audit, ..http }));
            }
            StorageLocation::Directory(store) => DurableStore::open(store, audience)?,
            StorageLocation::Database(store) => DurableStore::connect(store, self.server_key.as_deref(), audience)?,
        };
        let audit = self.audit(Some(&durable), &mut config)?;
        let store = Arc::new(durable.clone());
        let service = match durable.hub() {
            Some(hub) => SigningService::clustered(config, store, hub, loaded),
            None => SigningService::with_storage(config, store, loaded),
        };
        Ok((service, HttpConfig { store: Some(durable), audit, ..http }))
    }
}
