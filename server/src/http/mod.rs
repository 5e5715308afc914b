//! The reference server: warp's filters behind an accept loop of its own.
//!
//! The loop is ours because a server for strangers needs what `warp::serve` has no place for: a header timeout, the peer's
//! address, a limit on connections, TLS, small WebSocket buffers, and a shutdown that includes upgraded connections.

mod admin;
mod api;
mod config;
mod error_chain;
mod health;
mod https;
mod listen;
mod loopback;
mod ops;
mod reload;
mod routes;
mod server;
mod settings;
mod traces;
mod webhook;

pub use api::{
    Revocation, TokenEntry, TokenError, Tokens, WebhookSecrets, WebhookSecretsError, WebhookTarget, WebhookTargetError,
};
pub use config::{AdminConfig, HttpConfig};
pub use health::{HealthError, health};
pub use listen::{AdminAddress, AdminAddressError, AdminSocket, Expiry, Network, NetworkError, Tls, TlsError};
pub use ops::{Demo, LogWriter, Notifier};
pub use reload::{ControlSocket, Reloaded, Reloader, Reply, ask};
pub use server::{serve, serve_reloading};
pub use settings::{
    BatchEvents, DatabaseTokens, LogFilter, LogFilterError, LogFormat, Settings, SettingsError, Taken, WebhookEntry,
};
pub use traces::{Traces, TracesError};
