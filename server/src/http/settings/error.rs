//! What can be wrong with the command's settings.

use crate::{
    audit::AuditError,
    http::{
        AdminAddress, TlsError, TokenError, TracesError, WebhookSecretsError, WebhookTargetError,
        error_chain::error_chain,
    },
    store::{ConnectError, KeyFileError, OpenError},
};
use countersign_protocol::{AudienceError, TextError};
use std::{io, net::SocketAddr, path::PathBuf};
use thiserror::Error;

/// Why the settings make no server. Each names the setting.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The file could not be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is not TOML, or has a key that is no setting.
    #[error("{path}, line {line}: {source}")]
    Toml {
        /// The file.
        path: PathBuf,
        /// Where.
        line: usize,
        /// Why.
        source: Box<toml::de::Error>,
    },
    /// An audience is not a serialised WebSocket URL.
    #[error("--audience {url}: {source}")]
    Audience {
        /// The text.
        url: String,
        /// What is wrong with it.
        source: AudienceError,
    },
    /// More audiences than a proof should be checked against.
    #[error("--audience: {found} are more than {most}")]
    TooManyAudiences {
        /// How many there are.
        found: usize,
        /// How many there may be.
        most: usize,
    },
    /// A setting of the wrong size.
    #[error("--{setting}: {value} is not from {least} to {most}")]
    OutOfRange {
        /// The flag's name.
        setting: &'static str,
        /// What it was set to.
        value: u64,
        /// The least it may be.
        least: u64,
        /// The most it may be.
        most: u64,
    },
    /// A token entry makes no sense.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// TLS could not be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A certificate without key or a key without certificate.
    #[error("--tls-cert and --tls-key go together")]
    HalfTls,
    /// Without tokens anybody who reaches the server could ask for signatures.
    #[error(
        "--listen {0} is reachable from elsewhere, and no [[token]] is configured; make one with `countersign token NAME`"
    )]
    OpenApi(SocketAddr),
    /// A server that wallets reach from elsewhere has a proxy in front of it, whose calls all come from this machine.
    #[error(
        "--audience {0} is reachable from elsewhere, and no [[token]] is configured; make one with `countersign token NAME`"
    )]
    OpenApiBehindProxy(String),
    /// Administrators cannot be listened for.
    #[error("--admin-listen {address}: {source}")]
    AdminListen {
        /// Where not.
        address: AdminAddress,
        /// Why not.
        source: io::Error,
    },
    /// Without tokens anybody who reaches it could end what others have asked for.
    #[error(
        "--admin-listen {0} is reachable from elsewhere, and no [[admin_token]] is configured; make one with `countersign token --admin NAME`"
    )]
    OpenAdmin(AdminAddress),
    /// What holds a requester back says nothing of what an administrator may do.
    #[error(
        "[[admin_token]] {0:?}: keys, webhook_targets, read_only, requests_per_second and max_pending are for a [[token]]"
    )]
    ScopedAdminToken(String),
    /// There is nothing that they open.
    #[error("[[admin_token]] goes with --admin-listen")]
    AdminTokenWithoutListen,
    /// A webhook's target is no URL that ends may be told to.
    #[error("--webhook-target {url}: {source}")]
    WebhookTarget {
        /// The text.
        url: String,
        /// What is wrong with it.
        source: WebhookTargetError,
    },
    /// Likewise in a table, which is named by its place: its URL may be one that opens something.
    #[error("[[webhook]] number {number}: {source}")]
    Webhook {
        /// Which table, from 1.
        number: usize,
        /// What is wrong with its URL.
        source: WebhookTargetError,
    },
    /// Two tables are about one URL.
    #[error("[[webhook]] number {0}: another one has the same url")]
    WebhookTwice(usize),
    /// There are no secrets to sign with.
    #[error("[[webhook]] number {number}: secrets_file {source}")]
    WebhookSecrets {
        /// Which table, from 1.
        number: usize,
        /// What is wrong with the file.
        source: WebhookSecretsError,
    },
    /// A requester's id is none.
    #[error("[[webhook]] number {number}: an id in requesters {source}")]
    WebhookRequester {
        /// Which table, from 1.
        number: usize,
        /// What is wrong with it.
        source: TextError,
    },
    /// A key that signs webhooks cannot be used.
    #[error("--webhook-key: {0}")]
    WebhookKey(KeyFileError),
    /// More keys than an event should be signed with.
    #[error("--webhook-key: {found} are more than {most}")]
    TooManyWebhookKeys {
        /// How many there are.
        found: usize,
        /// How many there may be.
        most: usize,
    },
    /// Nothing would be signed with it.
    #[error("--webhook-key needs --data-dir or --database-url")]
    WebhookKeyWithoutStore,
    /// Without a store nothing outlives its call, so that there is nothing to be told.
    #[error("--webhook-target and [[webhook]] need --data-dir or --database-url")]
    WebhookWithoutStore,
    /// The data directory cannot be used.
    #[error("--data-dir: {}", error_chain(.0))]
    Store(#[from] OpenError),
    /// The database cannot be used.
    #[error("--database-url: {0}")]
    Database(#[from] ConnectError),
    /// It is taken at a start alone, and a reload takes all or nothing.
    #[error("--{0} has changed, and is taken at a start only: restart the server, or put it back")]
    NeedsRestart(String),
    /// There are other settings in the file of tokens.
    #[error("--tokens-file {0}: {1} is no [[token]], and stands in the file of settings")]
    NoToken(PathBuf, &'static str),
    /// There is no database that they could be in.
    #[error("--database-tokens needs --database-url")]
    TokensWithoutDatabase,
    /// A command would not know which is meant.
    #[error("--database-tokens and --tokens-file exclude each other: `countersign token` keeps tokens in one place")]
    TokensInTwoPlaces,
    /// A token in the database makes no sense. It is named by the first 8 hex digits of its hash.
    #[error("token {0} in the database: {1}")]
    DatabaseToken(String, String),
    /// More tokens in the database than there may be.
    #[error("there are more than {0} tokens in the database")]
    TooManyDatabaseTokens(usize),
    /// The tokens in the database cannot be read.
    #[error("the tokens in the database cannot be read: {0}")]
    DatabaseTokens(String),
    /// The flags or the environment make no sense together.
    #[error("{0}")]
    Flags(String),
    /// The socket on which a reload is asked for cannot be had.
    #[error("--control-socket {0}: {1}")]
    ControlSocket(PathBuf, io::Error),
    /// There is one place for what is kept.
    #[error("--data-dir and --database-url exclude each other")]
    TwoPlaces,
    /// In a data directory the key has its place.
    #[error("--server-key goes with --database-url, or with --audit-log; in --data-dir it is server.key")]
    ServerKeyElsewhere,
    /// The audit log cannot be used.
    #[error("--audit-log: {0}")]
    Audit(#[from] AuditError),
    /// Traces cannot go where the environment says.
    #[error(transparent)]
    Traces(#[from] TracesError),
    /// Nobody could verify its heads.
    #[error("--audit-log needs a key that stays, to be signed with: --data-dir or --server-key")]
    AuditWithoutKey,
    /// There is nothing that they say anything of.
    #[error("--audit-full and --audit-max-bytes go with --audit-log")]
    AuditWithoutLog,
    /// The key's file cannot be used.
    #[error("--server-key: {0}")]
    ServerKey(#[from] KeyFileError),
    /// The directory of the page is not there.
    #[error("--web-root {0}: not a directory")]
    WebRoot(PathBuf),
    /// Without proofs anybody who reaches the server could pose as any key.
    #[error("--allow-unproven is for loopback addresses only, not for {0}")]
    UnprovenElsewhere(SocketAddr),
    /// What one server takes on trust, the others that use the database would have to.
    #[error("--allow-unproven and --database-url exclude each other")]
    UnprovenShared,
    /// Anybody who reaches a demo could stop what others wait for.
    #[error("--demo is for loopback addresses only, not for {0}")]
    DemoElsewhere(SocketAddr),
    /// A demo that is reached through a proxy is reached by anybody.
    #[error("--demo is for this machine only, and --audience {0} is reachable from elsewhere")]
    DemoBehindProxy(String),
}
