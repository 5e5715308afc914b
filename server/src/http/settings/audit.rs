//! The settings of the audit log.

use super::{Settings, SettingsError, mistakes::Mistakes, range::within};
use crate::{
    Config,
    audit::{AuditConfig, AuditLog, TokenMark},
    http::TokenEntry,
    random,
    store::{DurableStore, ServerKey},
};
use std::sync::Arc;

/// Smaller files would be begun more often than anybody wants to move them.
const MIN_MAX_BYTES: u64 = 64 * 1024;

const DEFAULT_MAX_BYTES: u64 = 64 * 1024 * 1024;

impl Settings {
    /// Opens the audit log, if there is to be one, and has it told what happens. Blocks for that.
    pub(super) fn audit(
        &self,
        durable: Option<&DurableStore>,
        service: &mut Config,
    ) -> Result<Option<AuditLog>, SettingsError> {
        let mut mistakes = Mistakes::default();
        let max_bytes = self.audit_noting(&mut mistakes);
        let max_bytes = mistakes.first_or(max_bytes)?;
        let Some(path) = self.audit_log.clone() else { return Ok(None) };
        let config = AuditConfig { path, max_bytes, on_full: self.audit_full.unwrap_or_default() };
        let marks = self.token_marks();
        let log = AuditLog::open(&config, self.audit_key(durable)?, marks)?;
        service.observers.add(Arc::new(log.clone()));
        Ok(Some(log))
    }

    /// The tokens that hold, as the log knows them.
    pub(in crate::http) fn token_marks(&self) -> Vec<TokenMark> {
        self.token.iter().filter(|entry| entry.revoked.is_none()).map(mark).collect()
    }

    /// How large its files become, and what contradicts itself.
    pub(super) fn audit_noting(&self, mistakes: &mut Mistakes) -> u64 {
        if self.audit_log.is_none() && (self.audit_full.is_some() || self.audit_max_bytes.is_some()) {
            mistakes.add(SettingsError::AuditWithoutLog);
        }
        if self.audit_log.is_some() && self.data_dir.is_none() && self.server_key.is_none() {
            mistakes.add(SettingsError::AuditWithoutKey);
        }
        let max_bytes = self.audit_max_bytes.unwrap_or(DEFAULT_MAX_BYTES);
        mistakes.or(within("audit-max-bytes", max_bytes, MIN_MAX_BYTES, i64::MAX as u64), DEFAULT_MAX_BYTES)
    }

    /// A key that ends with the process would leave heads that nobody can verify.
    fn audit_key(&self, durable: Option<&DurableStore>) -> Result<Arc<ServerKey>, SettingsError> {
        match (durable, &self.server_key) {
            (Some(durable), _) if self.data_dir.is_some() || self.server_key.is_some() => Ok(durable.shared_key()),
            (None, Some(file)) => Ok(Arc::new(ServerKey::in_file(file, random::bytes)?)),
            (Some(_) | None, _) => Err(SettingsError::AuditWithoutKey),
        }
    }
}

fn mark(entry: &TokenEntry) -> TokenMark {
    TokenMark {
        requester_id: entry.requester_id().to_owned(),
        requester: entry.name.clone(),
        token: entry.sha256.chars().take(8).collect::<String>().to_ascii_lowercase(),
    }
}
