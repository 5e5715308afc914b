//! Where ends may be told: the URLs of `webhook_target`, and `[[webhook]]` tables for those of which there is more to say.

use super::{Settings, SettingsError, mistakes::Mistakes, webhook_entry::WebhookEntry};
use crate::{
    http::{TokenEntry, WebhookSecrets, WebhookTarget},
    requester::RequesterId,
    store::ServerKey,
};
use std::{path::PathBuf, sync::Arc};

/// The current key, and the one before it until every receiver knows the current one.
const MAX_KEYS: usize = 2;

impl Settings {
    pub(super) fn webhook_keys(&self, mistakes: &mut Mistakes) -> Vec<Arc<ServerKey>> {
        if !self.webhook_key.is_empty() && self.data_dir.is_none() && self.database_url.is_none() {
            mistakes.add(SettingsError::WebhookKeyWithoutStore);
        }
        if self.webhook_key.len() > MAX_KEYS {
            mistakes.add(SettingsError::TooManyWebhookKeys { found: self.webhook_key.len(), most: MAX_KEYS });
            return Vec::new();
        }
        let key = |path: &PathBuf| {
            let key = ServerKey::read(path);
            key.map(Arc::new).map_err(|error| mistakes.add(SettingsError::WebhookKey(error))).ok()
        };
        self.webhook_key.iter().filter_map(key).collect()
    }

    /// What of the tables does nothing.
    pub(super) fn webhook_hints(&self) -> Vec<String> {
        // Which there are in a database, nobody knows who has opened nothing.
        let (mut hints, has_tokens) = (Vec::new(), !self.token.is_empty() && !self.has_database_tokens());
        for (entry, number) in self.webhook.iter().zip(1..).filter(|_| has_tokens) {
            let is_named =
                |token: &TokenEntry| token.webhook_targets.as_ref().is_some_and(|urls| urls.contains(&entry.url));
            if entry.requesters.is_empty() && !self.token.iter().any(is_named) {
                hints.push(format!(
                    "[[webhook]] number {number}: it has no requesters, and no token names it, so nobody may"
                ));
            }
            let is_unknown = |id: &&String| !self.token.iter().any(|token| token.requester_id() == *id);
            let unknown = entry.requesters.iter().filter(is_unknown);
            hints.extend(unknown.map(|id| format!("[[webhook]] number {number}: no token is of the requester {id:?}")));
        }
        hints
    }

    pub(super) fn webhook_targets(&self, mistakes: &mut Mistakes) -> Vec<WebhookTarget> {
        let is_there = !self.webhook_target.is_empty() || !self.webhook.is_empty();
        if is_there && self.data_dir.is_none() && self.database_url.is_none() {
            mistakes.add(SettingsError::WebhookWithoutStore);
        }
        let mut targets = Vec::<WebhookTarget>::new();
        let is_known = |targets: &[WebhookTarget], url: &str| targets.iter().any(|known| known.as_str() == url);
        for (entry, number) in self.webhook.iter().zip(1..) {
            let Some(target) = target(entry, number, mistakes) else { continue };
            if is_known(&targets, target.as_str()) {
                mistakes.add(SettingsError::WebhookTwice(number));
            }
            targets.push(target);
        }
        for url in &self.webhook_target {
            match url.parse() {
                // Of which there is a table, that says more.
                Ok(_) if is_known(&targets, url) => {}
                Ok(target) => targets.push(target),
                Err(source) => mistakes.add(SettingsError::WebhookTarget { url: url.clone(), source }),
            }
        }
        targets
    }
}

/// What a table names, if all of it can be read.
fn target(entry: &WebhookEntry, number: usize, mistakes: &mut Mistakes) -> Option<WebhookTarget> {
    let target = entry.url.parse::<WebhookTarget>();
    let target = target.map_err(|source| mistakes.add(SettingsError::Webhook { number, source })).ok();
    let secrets =
        entry.secrets_file.as_deref().map_or_else(|| Ok(WebhookSecrets::default()), WebhookSecrets::from_file);
    let secrets = secrets.map_err(|source| mistakes.add(SettingsError::WebhookSecrets { number, source })).ok();
    let requesters = entry.requesters.iter().map(|id| id.parse::<RequesterId>()).collect::<Result<Vec<_>, _>>();
    let requesters = requesters.map_err(|source| mistakes.add(SettingsError::WebhookRequester { number, source })).ok();
    Some(target?.with_secrets(secrets?).for_requesters(requesters?).telling_batches(entry.batches))
}
