//! The settings of the reference server and of its store.

use super::{
    Settings, SettingsError,
    place::Place,
    range::{in_range, milliseconds, within},
};
use crate::{
    http::{Demo, HttpConfig, Tokens, WebhookTarget, listen::acceptor},
    store::{MIN_MAX_BYTES, PostgresConfig, StoreConfig},
};
use std::{net::SocketAddr, time::Duration};

/// A hundred years.
const MAX_RETENTION_HOURS: u64 = 100 * 366 * 24;

impl Settings {
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
            (Some(certificates), Some(key)) => Some(acceptor(certificates, key)?),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return Err(SettingsError::HalfTls),
        };
        let defaults = HttpConfig::default();
        let count = |setting, value: Option<usize>, default| in_range(setting, value, default, usize::MAX);
        Ok(HttpConfig {
            web_root: self.web_root.clone(),
            tokens,
            tls,
            trusted_proxies: self.trusted_proxy.clone(),
            max_connections: count("max-connections", self.max_connections, defaults.max_connections)?,
            max_connections_per_ip: count(
                "max-connections-per-ip",
                self.max_connections_per_ip,
                defaults.max_connections_per_ip,
            )?,
            read_timeout: milliseconds("read-timeout-ms", self.read_timeout_ms, defaults.read_timeout)?,
            keep_alive_timeout: milliseconds(
                "keep-alive-timeout-ms",
                self.keep_alive_timeout_ms,
                defaults.keep_alive_timeout,
            )?,
            drain_timeout: milliseconds("drain-timeout-ms", self.drain_timeout_ms, defaults.drain_timeout)?,
            connects_per_second: self.rate(self.connects_per_second, defaults.connects_per_second),
            requests_per_second: self.rate(self.requests_per_second, defaults.requests_per_second),
            failures_per_second: self.rate(self.failures_per_second, defaults.failures_per_second),
            store: None,
            webhook_targets: self.webhook_targets()?,
            webhook_retries: defaults.webhook_retries,
            demo: self.demo(bound)?,
            log: None,
            audit: None,
            notifier: defaults.notifier,
            listener_is_kept: defaults.listener_is_kept,
            admin: None,
        })
    }

    /// Where durable requests are kept.
    pub(super) fn place(&self) -> Result<Place, SettingsError> {
        let has_place = self.database_url.is_some() || (self.audit_log.is_some() && self.data_dir.is_none());
        if self.server_key.is_some() && !has_place {
            return Err(SettingsError::ServerKeyElsewhere);
        }
        match (&self.data_dir, &self.database_url) {
            (None, None) => Ok(Place::Nowhere),
            (Some(dir), None) => {
                let defaults = StoreConfig::new(dir);
                let (retention, max_bytes) = self.kept(defaults.retention, defaults.max_bytes)?;
                let max_share_percent = self.max_share_percent()?;
                Ok(Place::Directory(StoreConfig { retention, max_bytes, max_share_percent, ..defaults }))
            }
            (None, Some(url)) => {
                let defaults = PostgresConfig::new(url.clone());
                let (retention, max_bytes) = self.kept(defaults.retention, defaults.max_bytes)?;
                let max_share_percent = self.max_share_percent()?;
                Ok(Place::Database(PostgresConfig { retention, max_bytes, max_share_percent, ..defaults }))
            }
            (Some(_), Some(_)) => Err(SettingsError::TwoPlaces),
        }
    }

    /// For how long, and how much.
    fn kept(&self, retention: Duration, max_bytes: u64) -> Result<(Duration, u64), SettingsError> {
        let retention = match self.retention_hours {
            Some(hours) => Duration::from_hours(within("retention-hours", hours, 1, MAX_RETENTION_HOURS)?),
            None => retention,
        };
        let max_bytes = self.max_store_bytes.unwrap_or(max_bytes);
        Ok((retention, within("max-store-bytes", max_bytes, MIN_MAX_BYTES, i64::MAX as u64)?))
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

    fn webhook_targets(&self) -> Result<Vec<WebhookTarget>, SettingsError> {
        if !self.webhook_target.is_empty() && self.data_dir.is_none() && self.database_url.is_none() {
            return Err(SettingsError::WebhookWithoutStore);
        }
        let target =
            |url: &String| url.parse().map_err(|source| SettingsError::WebhookTarget { url: url.clone(), source });
        self.webhook_target.iter().map(target).collect()
    }
}
