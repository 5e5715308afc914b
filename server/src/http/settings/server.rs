//! The settings of the reference server and of its store.

use super::{
    Settings, SettingsError,
    mistakes::Mistakes,
    range::{in_range, milliseconds, within},
    storage_location::StorageLocation,
};
use crate::{
    http::{Demo, HttpConfig, Tls, Tokens},
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
        let mut mistakes = Mistakes::default();
        let config = self.http_noting(bound, &mut mistakes);
        mistakes.first_or(config)
    }

    /// The same, with defaults in the place of what is wrong.
    pub(super) fn http_noting(&self, bound: SocketAddr, mistakes: &mut Mistakes) -> HttpConfig {
        let tokens = self.tokens(bound, mistakes);
        if let Some(missing) = self.web_root.as_ref().filter(|root| !root.is_dir()) {
            mistakes.add(SettingsError::WebRoot(missing.clone()));
        }
        let defaults = HttpConfig::default();
        let mut count = |setting, value: Option<usize>, default| {
            mistakes.or(in_range(setting, value, default, usize::MAX), default)
        };
        let max_connections = count("max-connections", self.max_connections, defaults.max_connections);
        let max_connections_per_ip =
            count("max-connections-per-ip", self.max_connections_per_ip, defaults.max_connections_per_ip);
        let mut time = |setting, value, default| mistakes.or(milliseconds(setting, value, default), default);
        HttpConfig {
            web_root: self.web_root.clone(),
            tokens,
            trusted_proxies: self.trusted_proxy.clone(),
            max_connections,
            max_connections_per_ip,
            read_timeout: time("read-timeout-ms", self.read_timeout_ms, defaults.read_timeout),
            keep_alive_timeout: time("keep-alive-timeout-ms", self.keep_alive_timeout_ms, defaults.keep_alive_timeout),
            drain_timeout: time("drain-timeout-ms", self.drain_timeout_ms, defaults.drain_timeout),
            connects_per_second: self.rate(self.connects_per_second, defaults.connects_per_second),
            requests_per_second: self.rate(self.requests_per_second, defaults.requests_per_second),
            failures_per_second: self.rate(self.failures_per_second, defaults.failures_per_second),
            tls: self.tls(mistakes),
            webhook_targets: self.webhook_targets(mistakes),
            webhook_keys: self.webhook_keys(mistakes),
            demo: self.demo(bound, mistakes),
            ..defaults
        }
    }

    /// Where durable requests are kept.
    pub(super) fn storage_location(&self) -> Result<StorageLocation, SettingsError> {
        let mut mistakes = Mistakes::default();
        let location = self.storage_location_noting(&mut mistakes);
        mistakes.first_or(location)
    }

    pub(super) fn storage_location_noting(&self, mistakes: &mut Mistakes) -> StorageLocation {
        let has_place = self.database_url.is_some() || (self.audit_log.is_some() && self.data_dir.is_none());
        if self.server_key.is_some() && !has_place {
            mistakes.add(SettingsError::ServerKeyElsewhere);
        }
        if self.data_dir.is_some() && self.database_url.is_some() {
            mistakes.add(SettingsError::TwoPlaces);
        }
        let (retention, max_bytes) = self.kept(mistakes);
        let max_share_percent = self.max_share_percent(mistakes);
        if self.has_database_tokens() && self.database_url.is_none() {
            mistakes.add(SettingsError::TokensWithoutDatabase);
        }
        if self.has_database_tokens() && self.tokens_file.is_some() {
            mistakes.add(SettingsError::TokensInTwoPlaces);
        }
        match (&self.data_dir, &self.database_url) {
            (None, None) => StorageLocation::Nowhere,
            (Some(dir), _) => StorageLocation::Directory(StoreConfig {
                retention,
                max_bytes,
                max_share_percent,
                ..StoreConfig::new(dir)
            }),
            (None, Some(url)) => StorageLocation::Database(PostgresConfig {
                retention,
                max_bytes,
                max_share_percent,
                ..PostgresConfig::new(url.clone())
            }),
        }
    }

    /// For how long, and how much.
    pub(super) fn kept(&self, mistakes: &mut Mistakes) -> (Duration, u64) {
        let StoreConfig { retention, max_bytes, .. } = StoreConfig::new("");
        let hours = self.retention_hours.map(|hours| within("retention-hours", hours, 1, MAX_RETENTION_HOURS));
        let retention = hours.map_or(retention, |hours| mistakes.or(hours.map(Duration::from_hours), retention));
        let set = self.max_store_bytes.unwrap_or(max_bytes);
        (retention, mistakes.or(within("max-store-bytes", set, MIN_MAX_BYTES, i64::MAX as u64), max_bytes))
    }

    fn tokens(&self, bound: SocketAddr, mistakes: &mut Mistakes) -> Tokens {
        let (tokens, errors) = Tokens::what_is_right_of(&self.token);
        errors.into_iter().for_each(|error| mistakes.add(error));
        if self.has_database_tokens() {
            return tokens.required();
        }
        if self.token.is_empty() && !bound.ip().is_loopback() {
            mistakes.add(SettingsError::OpenApi(bound));
        } else if self.token.is_empty()
            && let Some(public) = self.public_audience()
        {
            mistakes.add(SettingsError::OpenApiBehindProxy(public.clone()));
        }
        tokens
    }

    fn tls(&self, mistakes: &mut Mistakes) -> Option<Tls> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(certificates), Some(key)) => Tls::from_files(certificates, key)
                .map_err(|errors| errors.into_iter().for_each(|error| mistakes.add(error)))
                .ok(),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                mistakes.add(SettingsError::HalfTls);
                None
            }
        }
    }

    fn demo(&self, bound: SocketAddr, mistakes: &mut Mistakes) -> Option<Demo> {
        if !self.demo.unwrap_or(false) {
            return None;
        }
        if !bound.ip().is_loopback() {
            mistakes.add(SettingsError::DemoElsewhere(bound));
        }
        if let Some(public) = self.public_audience() {
            mistakes.add(SettingsError::DemoBehindProxy(public.clone()));
        }
        Some(Demo::new(self.is_tls()))
    }
}
