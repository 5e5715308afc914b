//! The settings of the signing service.

use super::{
    Settings, SettingsError,
    mistakes::Mistakes,
    range::{in_range, milliseconds},
};
use crate::{
    Config,
    http::{TokenEntry, loopback::is_loopback},
};
use countersign_protocol::{Audience, ENDPOINT, limits::MAX_MESSAGE_BYTES};
use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
};

/// More would not fit a connection's queue, where each request needs room for its withdrawal too.
const MAX_INFLIGHT: usize = 16_384;

/// Percent of what there is for one of several requesters.
const SHARE_OF_MANY: usize = 25;

/// Each audience costs a failed introduction one more verification.
const MAX_AUDIENCES: usize = 16;

impl Settings {
    /// The service's rules. `bound` is the address the listener really has, port included.
    ///
    /// # Errors
    /// [`SettingsError`], which names the setting.
    pub fn service(&self, bound: SocketAddr) -> Result<Config, SettingsError> {
        let mut mistakes = Mistakes::default();
        let config = self.service_noting(bound, &mut mistakes);
        mistakes.first_or(config)
    }

    /// The same, with defaults in the place of what is wrong.
    pub(super) fn service_noting(&self, bound: SocketAddr, mistakes: &mut Mistakes) -> Config {
        let allow_unproven = self.allow_unproven.unwrap_or(false);
        if allow_unproven && !bound.ip().is_loopback() {
            mistakes.add(SettingsError::UnprovenElsewhere(bound));
        }
        if allow_unproven && self.database_url.is_some() {
            mistakes.add(SettingsError::UnprovenShared);
        }
        let defaults = Config::new(self.audiences(bound, mistakes));
        let frames_per_second = self.rate(self.frames_per_second, defaults.frames_per_second);
        let mut count = |setting, value: Option<usize>, default, most| {
            mistakes.or(in_range(setting, value, default, most), default)
        };
        let (max_message_bytes, max_inflight) = (
            count("max-message-bytes", self.max_message_bytes, defaults.max_message_bytes, MAX_MESSAGE_BYTES),
            count("max-inflight", self.max_inflight, defaults.max_inflight, MAX_INFLIGHT),
        );
        let mut count = |setting, value, default| count(setting, value, default, usize::MAX);
        let config = Config {
            allow_unproven,
            max_message_bytes,
            max_inflight,
            max_connections_per_key: count(
                "max-connections-per-key",
                self.max_connections_per_key,
                defaults.max_connections_per_key,
            ),
            max_pending: count("max-pending", self.max_pending, defaults.max_pending),
            max_pending_per_key: count("max-pending-per-key", self.max_pending_per_key, defaults.max_pending_per_key),
            max_pending_bytes: count("max-pending-bytes", self.max_pending_bytes, defaults.max_pending_bytes),
            frames_per_second,
            ..defaults
        };
        let mut time = |setting, value, default| mistakes.or(milliseconds(setting, value, default), default);
        Config {
            introduction_timeout: time("read-timeout-ms", self.read_timeout_ms, config.introduction_timeout),
            heartbeat: time("heartbeat-ms", self.heartbeat_ms, config.heartbeat),
            write_timeout: time("write-timeout-ms", self.write_timeout_ms, config.write_timeout),
            reconnect_after: time("reconnect-after-ms", self.reconnect_after_ms, config.reconnect_after),
            max_share_percent: self.max_share_percent(mistakes),
            ..config
        }
    }

    /// A URL by which wallets reach the server from elsewhere.
    pub(super) fn public_audience(&self) -> Option<&String> {
        self.audience.iter().find(|audience| !is_loopback_audience(audience))
    }

    pub(super) fn rate(&self, set: Option<NonZeroU32>, default: Option<NonZeroU32>) -> Option<NonZeroU32> {
        if self.no_rate_limit.unwrap_or(false) { None } else { set.or(default) }
    }

    pub(super) fn max_share_percent(&self, mistakes: &mut Mistakes) -> u8 {
        let held = self.token.iter().filter(|entry| entry.revoked.is_none());
        let mut requesters = held.map(TokenEntry::requester_id);
        let first = requesters.next();
        let are_several = requesters.any(|other| Some(other) != first);
        let default = if are_several { SHARE_OF_MANY } else { 100 };
        let percent = mistakes.or(in_range("max-share-percent", self.max_share_percent, default, 100), default);
        u8::try_from(percent).unwrap_or(100)
    }

    pub(super) fn audiences(&self, bound: SocketAddr, mistakes: &mut Mistakes) -> Vec<Audience> {
        if self.audience.len() > MAX_AUDIENCES {
            mistakes.add(SettingsError::TooManyAudiences { found: self.audience.len(), most: MAX_AUDIENCES });
        }
        let urls = if self.audience.is_empty() { self.default_audiences(bound) } else { self.audience.clone() };
        let parse = |url: String| {
            url.parse().map_err(|source| mistakes.add(SettingsError::Audience { url: url.clone(), source })).ok()
        };
        urls.into_iter().filter_map(parse).collect()
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
    is_loopback(authority)
}
