//! The command's settings: a flag over an environment variable over the TOML file over the default.

use super::{Demo, HttpConfig, Kept, SettingsError, TokenEntry, Tokens, WebhookTarget, tls};
use crate::{
    Config, SigningService,
    store::{MIN_MAX_BYTES, StoreConfig},
};
use clap::{Args, ValueEnum};
use countersign_protocol::{
    Audience, ENDPOINT,
    limits::{MAX_MESSAGE_BYTES, MAX_TIMEOUT_MS},
};
use serde::Deserialize;
use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

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

    /// Time in hours for which a request is kept after its end [default: 168]
    #[arg(long, env = "COUNTERSIGN_RETENTION_HOURS", value_name = "HOURS")]
    pub retention_hours: Option<u64>,

    /// Most bytes that the kept requests take on disk [default: 1073741824]
    #[arg(long, env = "COUNTERSIGN_MAX_STORE_BYTES", value_name = "BYTES")]
    pub max_store_bytes: Option<u64>,

    /// URL that a request may name as its webhook; may be given several times
    #[arg(long, env = "COUNTERSIGN_WEBHOOK_TARGET", value_name = "URL", value_delimiter = ',')]
    pub webhook_target: Vec<String>,

    /// Certificate chain in PEM; serves TLS
    #[arg(long, env = "COUNTERSIGN_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,

    /// Private key in PEM
    #[arg(long, env = "COUNTERSIGN_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// Address of a proxy whose X-Forwarded-For is believed; may be given several times
    #[arg(long, env = "COUNTERSIGN_TRUSTED_PROXY", value_name = "ADDRESS", value_delimiter = ',')]
    pub trusted_proxy: Vec<IpAddr>,

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

    /// Frames per second and wallet; bursts of four times as many pass [default: 50]
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

    /// Longest message in bytes, at most 65536 [default: 65536]
    #[arg(long, env = "COUNTERSIGN_MAX_MESSAGE_BYTES", value_name = "BYTES")]
    pub max_message_bytes: Option<usize>,

    /// Silence in milliseconds after which a wallet is pinged, and after as much again closed [default: 20000]
    #[arg(long, env = "COUNTERSIGN_HEARTBEAT_MS", value_name = "MS")]
    pub heartbeat_ms: Option<u64>,

    /// Time in milliseconds for a TLS handshake, a request's head, its body, and a wallet's introduction, each [default: 10000]
    #[arg(long, env = "COUNTERSIGN_READ_TIMEOUT_MS", value_name = "MS")]
    pub read_timeout_ms: Option<u64>,

    /// Time in milliseconds that open requests have after the signal to stop [default: 10000]
    #[arg(long, env = "COUNTERSIGN_DRAIN_TIMEOUT_MS", value_name = "MS")]
    pub drain_timeout_ms: Option<u64>,

    /// Form of the log on standard error [default: text]
    #[arg(long, env = "COUNTERSIGN_LOG_FORMAT", value_name = "FORMAT", value_enum)]
    pub log_format: Option<LogFormat>,

    /// What to log, as in "info" or "countersign_server=debug" [default: info]
    #[arg(long, env = "COUNTERSIGN_LOG", value_name = "FILTER")]
    pub log: Option<String>,

    /// Who may use the API: `[[token]]` tables with `name` and `sha256`, in the file only.
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

const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// More would not fit a connection's queue, where each request needs room for its withdrawal too.
const MAX_INFLIGHT: usize = 16_384;

/// Each audience costs a failed introduction one more verification.
pub(super) const MAX_AUDIENCES: usize = 16;

/// A hundred years.
const MAX_RETENTION_HOURS: u64 = 100 * 366 * 24;

impl Settings {
    /// Reads a TOML file.
    ///
    /// # Errors
    /// [`SettingsError::Unreadable`] and [`SettingsError::Toml`].
    pub fn from_file(path: &Path) -> Result<Self, SettingsError> {
        let text =
            fs::read_to_string(path).map_err(|source| SettingsError::Unreadable { path: path.into(), source })?;
        toml::from_str(&text).map_err(|source| SettingsError::Toml { path: path.into(), source: Box::new(source) })
    }

    /// These settings where set, the others where not.
    pub fn or(self, other: Self) -> Self {
        Self {
            listen: self.listen.or(other.listen),
            audience: first_filled(self.audience, other.audience),
            web_root: self.web_root.or(other.web_root),
            data_dir: self.data_dir.or(other.data_dir),
            retention_hours: self.retention_hours.or(other.retention_hours),
            max_store_bytes: self.max_store_bytes.or(other.max_store_bytes),
            webhook_target: first_filled(self.webhook_target, other.webhook_target),
            tls_cert: self.tls_cert.or(other.tls_cert),
            tls_key: self.tls_key.or(other.tls_key),
            trusted_proxy: first_filled(self.trusted_proxy, other.trusted_proxy),
            allow_unproven: self.allow_unproven.or(other.allow_unproven),
            demo: self.demo.or(other.demo),
            no_rate_limit: self.no_rate_limit.or(other.no_rate_limit),
            requests_per_second: self.requests_per_second.or(other.requests_per_second),
            connects_per_second: self.connects_per_second.or(other.connects_per_second),
            frames_per_second: self.frames_per_second.or(other.frames_per_second),
            max_connections: self.max_connections.or(other.max_connections),
            max_connections_per_ip: self.max_connections_per_ip.or(other.max_connections_per_ip),
            max_connections_per_key: self.max_connections_per_key.or(other.max_connections_per_key),
            max_inflight: self.max_inflight.or(other.max_inflight),
            max_pending: self.max_pending.or(other.max_pending),
            max_pending_per_key: self.max_pending_per_key.or(other.max_pending_per_key),
            max_message_bytes: self.max_message_bytes.or(other.max_message_bytes),
            heartbeat_ms: self.heartbeat_ms.or(other.heartbeat_ms),
            read_timeout_ms: self.read_timeout_ms.or(other.read_timeout_ms),
            drain_timeout_ms: self.drain_timeout_ms.or(other.drain_timeout_ms),
            log_format: self.log_format.or(other.log_format),
            log: self.log.or(other.log),
            token: first_filled(self.token, other.token),
        }
    }

    /// The address to listen on.
    pub fn listen(&self) -> SocketAddr {
        self.listen.unwrap_or(DEFAULT_LISTEN)
    }

    /// Whether the server speaks TLS.
    pub fn is_tls(&self) -> bool {
        self.tls_cert.is_some()
    }

    /// The service's rules. `bound` is the address the listener really has, port included.
    ///
    /// # Errors
    /// [`SettingsError`], which names the setting.
    pub fn service(&self, bound: SocketAddr) -> Result<Config, SettingsError> {
        let allow_unproven = self.allow_unproven.unwrap_or(false);
        if allow_unproven && !bound.ip().is_loopback() {
            return Err(SettingsError::UnprovenElsewhere(bound));
        }
        let defaults = Config::new(self.audiences(bound)?);
        let frames_per_second = self.rate(self.frames_per_second, defaults.frames_per_second);
        let count = |setting, value: Option<usize>, default| in_range(setting, value, default, usize::MAX);
        Ok(Config {
            allow_unproven,
            introduction_timeout: milliseconds("read-timeout-ms", self.read_timeout_ms, defaults.introduction_timeout)?,
            heartbeat: milliseconds("heartbeat-ms", self.heartbeat_ms, defaults.heartbeat)?,
            max_message_bytes: in_range(
                "max-message-bytes",
                self.max_message_bytes,
                defaults.max_message_bytes,
                MAX_MESSAGE_BYTES,
            )?,
            max_inflight: in_range("max-inflight", self.max_inflight, defaults.max_inflight, MAX_INFLIGHT)?,
            max_connections_per_key: count(
                "max-connections-per-key",
                self.max_connections_per_key,
                defaults.max_connections_per_key,
            )?,
            max_pending: count("max-pending", self.max_pending, defaults.max_pending)?,
            max_pending_per_key: count("max-pending-per-key", self.max_pending_per_key, defaults.max_pending_per_key)?,
            frames_per_second,
            ..defaults
        })
    }

    /// The reference server's rules.
    ///
    /// # Errors
    /// [`SettingsError`], which names the setting.
    pub fn http(&self, bound: SocketAddr) -> Result<HttpConfig, SettingsError> {
        let tokens = Tokens::from_entries(&self.token)?;
        if tokens.is_empty() && !bound.ip().is_loopback() {
            return Err(SettingsError::OpenApi(bound));
        }
        if tokens.is_empty()
            && let Some(public) = self.public_audience()
        {
            return Err(SettingsError::OpenApiBehindProxy(public.clone()));
        }
        if let Some(missing) = self.web_root.as_ref().filter(|root| !root.is_dir()) {
            return Err(SettingsError::WebRoot(missing.clone()));
        }
        let tls = match (&self.tls_cert, &self.tls_key) {
            (Some(certificates), Some(key)) => Some(tls::acceptor(certificates, key)?),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return Err(SettingsError::HalfTls),
        };
        let defaults = HttpConfig::default();
        let count = |setting, value: Option<usize>, default| in_range(setting, value, default, usize::MAX);
        Ok(HttpConfig {
            web_root: self.web_root.clone(),
            tokens,
            tls,
            trusted_proxies: self.trusted_proxy.iter().map(IpAddr::to_canonical).collect(),
            max_connections: count("max-connections", self.max_connections, defaults.max_connections)?,
            max_connections_per_ip: count(
                "max-connections-per-ip",
                self.max_connections_per_ip,
                defaults.max_connections_per_ip,
            )?,
            read_timeout: milliseconds("read-timeout-ms", self.read_timeout_ms, defaults.read_timeout)?,
            drain_timeout: milliseconds("drain-timeout-ms", self.drain_timeout_ms, defaults.drain_timeout)?,
            connects_per_second: self.rate(self.connects_per_second, defaults.connects_per_second),
            requests_per_second: self.rate(self.requests_per_second, defaults.requests_per_second),
            failures_per_second: self.rate(None, defaults.failures_per_second),
            kept: None,
            webhook_targets: self.webhook_targets()?,
            webhook_retries: defaults.webhook_retries,
            demo: self.demo(bound)?,
        })
    }

    /// The service and the server's rules, with what is kept on disk opened where there is such. Blocks for that.
    ///
    /// # Errors
    /// [`SettingsError`], which names the setting.
    pub fn assemble(&self, bound: SocketAddr) -> Result<(SigningService, HttpConfig), SettingsError> {
        let (config, http) = (self.service(bound)?, self.http(bound)?);
        match self.store()? {
            Some(store) => {
                let (kept, service) = Kept::open(store, config)?;
                Ok((service, HttpConfig { kept: Some(kept), ..http }))
            }
            None => Ok((SigningService::new(config), http)),
        }
    }

    fn store(&self) -> Result<Option<StoreConfig>, SettingsError> {
        let Some(dir) = &self.data_dir else { return Ok(None) };
        let defaults = StoreConfig::new(dir);
        let retention = match self.retention_hours {
            Some(hours) => Duration::from_hours(within("retention-hours", hours, 1, MAX_RETENTION_HOURS)?),
            None => defaults.retention,
        };
        let max_bytes = self.max_store_bytes.unwrap_or(defaults.max_bytes);
        let max_bytes = within("max-store-bytes", max_bytes, MIN_MAX_BYTES, i64::MAX as u64)?;
        Ok(Some(StoreConfig { retention, max_bytes, ..defaults }))
    }

    fn demo(&self, bound: SocketAddr) -> Result<Option<Demo>, SettingsError> {
        if !self.demo.unwrap_or(false) {
            return Ok(None);
        }
        if !bound.ip().is_loopback() {
            return Err(SettingsError::DemoElsewhere(bound));
        }
        match self.public_audience() {
            Some(public) => Err(SettingsError::DemoBehindProxy(public.clone())),
            None => Ok(Some(Demo::new(self.is_tls()))),
        }
    }

    /// A URL by which wallets reach the server from elsewhere.
    fn public_audience(&self) -> Option<&String> {
        self.audience.iter().find(|audience| !is_loopback_audience(audience))
    }

    fn webhook_targets(&self) -> Result<Vec<WebhookTarget>, SettingsError> {
        if !self.webhook_target.is_empty() && self.data_dir.is_none() {
            return Err(SettingsError::WebhookWithoutStore);
        }
        let target =
            |url: &String| url.parse().map_err(|source| SettingsError::WebhookTarget { url: url.clone(), source });
        self.webhook_target.iter().map(target).collect()
    }

    fn rate(&self, set: Option<NonZeroU32>, default: Option<NonZeroU32>) -> Option<NonZeroU32> {
        if self.no_rate_limit.unwrap_or(false) { None } else { set.or(default) }
    }

    fn audiences(&self, bound: SocketAddr) -> Result<Vec<Audience>, SettingsError> {
        if self.audience.len() > MAX_AUDIENCES {
            return Err(SettingsError::TooManyAudiences(self.audience.len()));
        }
        let urls = if self.audience.is_empty() { self.default_audiences(bound) } else { self.audience.clone() };
        urls.into_iter().map(|url| url.parse().map_err(|source| SettingsError::Audience { url, source })).collect()
    }

    /// The URLs by which a browser on this machine, or one that knows the address, would dial.
    fn default_audiences(&self, bound: SocketAddr) -> Vec<String> {
        let (scheme, default_port) = if self.is_tls() { ("wss", 443) } else { ("ws", 80) };
        let port = if bound.port() == default_port { String::new() } else { format!(":{}", bound.port()) };
        let mut hosts = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let own = match bound.ip() {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => format!("[{v6}]"),
        };
        if !bound.ip().is_unspecified() && !hosts.contains(&own) {
            hosts.push(own);
        }
        hosts.into_iter().map(|host| format!("{scheme}://{host}{port}{ENDPOINT}")).collect()
    }
}

/// Whether a WebSocket URL names this machine.
fn is_loopback_audience(url: &str) -> bool {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest).split('/').next().unwrap_or_default();
    super::auth::is_loopback(authority)
}

fn first_filled<T>(first: Vec<T>, second: Vec<T>) -> Vec<T> {
    if first.is_empty() { second } else { first }
}

fn in_range(setting: &'static str, value: Option<usize>, default: usize, most: usize) -> Result<usize, SettingsError> {
    let value = value.unwrap_or(default);
    within(setting, value as u64, 1, most as u64).map(|_| value)
}

fn milliseconds(setting: &'static str, value: Option<u64>, default: Duration) -> Result<Duration, SettingsError> {
    value.map_or(Ok(default), |value| within(setting, value, 1, MAX_TIMEOUT_MS).map(Duration::from_millis))
}

fn within(setting: &'static str, value: u64, least: u64, most: u64) -> Result<u64, SettingsError> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(SettingsError::OutOfRange { setting, value, least, most })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn audiences(settings: &Settings, at: &str) -> Vec<String> {
        settings.audiences(bound(at)).unwrap().iter().map(Audience::to_string).collect()
    }

    #[test]
    fn a_file_has_every_setting_and_no_other() {
        let file: Settings = toml::from_str(
            "listen = '0.0.0.0:443'\naudience = ['wss://sign.example/ws']\nlog_format = 'json'\n[[token]]\nname = 'a'\nsha256 = 'b'",
        )
        .unwrap();
        assert_eq!(file.listen(), bound("0.0.0.0:443"));
        assert_eq!((file.token.len(), file.log_format), (1, Some(LogFormat::Json)));
        let error = toml::from_str::<Settings>("lisen = '127.0.0.1:1'").unwrap_err();
        assert!(error.to_string().contains("lisen"), "{error}");
    }

    #[test]
    fn what_comes_first_wins() {
        let flags = Settings { max_inflight: Some(3), ..Settings::default() };
        let file = Settings { max_inflight: Some(4), max_pending: Some(5), ..Settings::default() };
        let both = flags.or(file);
        assert_eq!((both.max_inflight, both.max_pending), (Some(3), Some(5)));
    }

    #[test]
    fn audiences_follow_the_listener_unless_given() {
        let settings = Settings::default();
        assert_eq!(audiences(&settings, "127.0.0.1:8080"), ["ws://localhost:8080/ws", "ws://127.0.0.1:8080/ws"]);
        assert_eq!(audiences(&settings, "0.0.0.0:80"), ["ws://localhost/ws", "ws://127.0.0.1/ws"]);
        assert!(audiences(&settings, "[::1]:81").contains(&"ws://[::1]:81/ws".to_owned()));
        let tls = Settings { tls_cert: Some("c".into()), tls_key: Some("k".into()), ..Settings::default() };
        assert_eq!(audiences(&tls, "127.0.0.1:443"), ["wss://localhost/ws", "wss://127.0.0.1/ws"]);
        let given = Settings { audience: vec!["wss://sign.example/ws".into()], ..Settings::default() };
        assert_eq!(audiences(&given, "127.0.0.1:8080"), ["wss://sign.example/ws"]);
        let bad = Settings { audience: vec!["https://sign.example".into()], ..Settings::default() };
        assert!(matches!(bad.service(bound("127.0.0.1:1")), Err(SettingsError::Audience { .. })));
    }

    #[test]
    fn what_would_open_the_server_to_strangers_is_refused() {
        let settings = Settings::default();
        assert!(settings.http(bound("127.0.0.1:1")).is_ok());
        assert!(matches!(settings.http(bound("0.0.0.0:1")), Err(SettingsError::OpenApi(_))));
        let proxied = Settings { audience: vec!["wss://sign.example/ws".into()], ..Settings::default() };
        assert!(matches!(proxied.http(bound("127.0.0.1:1")), Err(SettingsError::OpenApiBehindProxy(_))));
        let local = Settings { audience: vec!["ws://localhost:81/ws".into()], ..Settings::default() };
        assert!(local.http(bound("127.0.0.1:1")).is_ok());
        let unproven = Settings { allow_unproven: Some(true), ..Settings::default() };
        assert!(unproven.service(bound("[::1]:1")).unwrap().allow_unproven);
        assert!(matches!(unproven.service(bound("0.0.0.0:1")), Err(SettingsError::UnprovenElsewhere(_))));
    }

    #[test]
    fn strangers_cannot_restart_a_demo() {
        let (_, token) = Tokens::generate("a").unwrap();
        let demo = Settings { demo: Some(true), token: vec![token], ..Settings::default() };
        assert!(demo.http(bound("127.0.0.1:1")).unwrap().demo.is_some());
        assert!(matches!(demo.http(bound("192.0.2.1:1")), Err(SettingsError::DemoElsewhere(_))));
        let proxied = Settings { audience: vec!["wss://sign.example/ws".into()], ..demo };
        assert!(matches!(proxied.http(bound("127.0.0.1:1")), Err(SettingsError::DemoBehindProxy(_))));
        assert!(Settings::default().http(bound("127.0.0.1:1")).unwrap().demo.is_none());
    }

    #[test]
    fn sizes_have_a_range() {
        let zero = Settings { max_inflight: Some(0), ..Settings::default() };
        let huge = Settings { max_message_bytes: Some(MAX_MESSAGE_BYTES + 1), ..Settings::default() };
        for settings in [zero, huge] {
            assert!(matches!(settings.service(bound("127.0.0.1:1")), Err(SettingsError::OutOfRange { .. })));
        }
    }

    #[test]
    fn what_is_kept_has_a_range_too() {
        let kept = |change: fn(&mut Settings)| {
            let mut settings = Settings { data_dir: Some("data".into()), ..Settings::default() };
            change(&mut settings);
            settings.store()
        };
        let store = kept(|settings| settings.retention_hours = Some(2)).unwrap().unwrap();
        assert_eq!(store, StoreConfig { retention: Duration::from_secs(7200), ..StoreConfig::new("data") });
        assert!(kept(|settings| settings.data_dir = None).unwrap().is_none());
        let wrong: [fn(&mut Settings); 3] = [
            |settings| settings.retention_hours = Some(0),
            |settings| settings.retention_hours = Some(u64::MAX),
            |settings| settings.max_store_bytes = Some(MIN_MAX_BYTES - 1),
        ];
        for change in wrong {
            assert!(matches!(kept(change), Err(SettingsError::OutOfRange { .. })));
        }
    }

    #[test]
    fn without_rate_limits_there_is_none() {
        let settings =
            Settings { no_rate_limit: Some(true), frames_per_second: NonZeroU32::new(1), ..Settings::default() };
        assert_eq!(settings.service(bound("127.0.0.1:1")).unwrap().frames_per_second, None);
        assert_eq!(settings.http(bound("127.0.0.1:1")).unwrap().connects_per_second, None);
    }
}
