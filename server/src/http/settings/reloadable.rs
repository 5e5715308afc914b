//! Which settings a running server takes anew, and which need a restart.

use super::Settings;

/// Whether a running server takes a setting anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// By a reload.
    Anew,
    /// At the start alone.
    AtTheStart,
}

/// What there is to know of one setting.
struct Setting {
    name: &'static str,
    taken: Taken,
    differs: fn(&Settings, &Settings) -> bool,
}

/// All of them; the compiler sees to it that none is left out.
macro_rules! settings {
    ($($name:ident: $taken:ident,)*) => {
        const SETTINGS: &[Setting] = &[$(Setting {
            name: stringify!($name),
            taken: Taken::$taken,
            differs: |one, other| one.$name != other.$name,
        },)*];

        const _: fn(&Settings) = |settings| {
            let Settings { $($name: _,)* } = settings;
        };
    };
}

settings! {
    listen: AtTheStart,
    audience: AtTheStart,
    admin_listen: AtTheStart,
    admin_token: AtTheStart,
    web_root: AtTheStart,
    data_dir: AtTheStart,
    database_url: AtTheStart,
    server_key: AtTheStart,
    retention_hours: Anew,
    max_store_bytes: Anew,
    webhook_target: Anew,
    webhook: Anew,
    webhook_key: Anew,
    tls_cert: Anew,
    tls_key: Anew,
    trusted_proxy: Anew,
    allow_unproven: AtTheStart,
    demo: AtTheStart,
    no_rate_limit: Anew,
    requests_per_second: Anew,
    connects_per_second: Anew,
    failures_per_second: Anew,
    frames_per_second: Anew,
    max_connections: Anew,
    max_connections_per_ip: Anew,
    max_connections_per_key: Anew,
    max_inflight: Anew,
    max_pending: Anew,
    max_pending_per_key: Anew,
    max_pending_bytes: Anew,
    max_share_percent: Anew,
    max_message_bytes: Anew,
    heartbeat_ms: Anew,
    write_timeout_ms: Anew,
    reconnect_after_ms: Anew,
    read_timeout_ms: Anew,
    keep_alive_timeout_ms: Anew,
    drain_timeout_ms: Anew,
    log_format: AtTheStart,
    log: Anew,
    audit_log: AtTheStart,
    audit_full: AtTheStart,
    audit_max_bytes: AtTheStart,
    control_socket: AtTheStart,
    database_tokens: AtTheStart,
    tokens_file: Anew,
    token: Anew,
}

impl Settings {
    /// Every setting by its name in the file, and whether a running server takes it anew.
    pub fn taken() -> impl Iterator<Item = (&'static str, Taken)> {
        SETTINGS.iter().map(|setting| (setting.name, setting.taken))
    }

    /// The names of those that are set differently, and when each is taken.
    pub(in crate::http) fn differing(&self, other: &Self) -> Vec<(&'static str, Taken)> {
        let mut differing: Vec<_> = SETTINGS
            .iter()
            .filter(|setting| (setting.differs)(self, other))
            .map(|setting| (setting.name, setting.taken))
            .collect();
        // One certificate takes the other's place; between TLS and none wallets would not find their way.
        if self.is_tls() != other.is_tls() {
            differing
                .iter_mut()
                .filter(|(name, _)| name.starts_with("tls_"))
                .for_each(|(_, taken)| *taken = Taken::AtTheStart);
        }
        differing
    }
}
