//! What a reload has changed, for those who asked for it and for the log.

use crate::{
    http::{
        api::{TokenEntry, Tokens},
        settings::Settings,
    },
    requester::RequesterId,
};
use std::{
    collections::{BTreeSet, HashMap},
    fmt,
};

/// What is different since a reload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reloaded {
    /// The settings that have other values, by their names in the file.
    pub settings: Vec<&'static str>,
    /// The server has another certificate.
    pub certificate: bool,
    /// Webhooks are signed with other secrets.
    pub webhook_secrets: bool,
    /// Webhooks are signed with other keys.
    pub webhook_keys: bool,
    /// The ids of the requesters of tokens that are new, one for each.
    pub added: Vec<String>,
    /// And of those that are accepted no longer.
    pub removed: Vec<String>,
    /// Open requests that were ended, since the tokens of their requesters were revoked so.
    pub ended: usize,
    /// Open requests of requesters that have no token any more. They go on.
    pub open_without_token: usize,
}

impl Reloaded {
    pub(super) fn between(before: &Settings, after: &Settings) -> Self {
        Self {
            settings: before.differing(after).into_iter().map(|(name, _)| name).collect(),
            certificate: false,
            webhook_secrets: false,
            webhook_keys: false,
            added: of_new(&before.token, &after.token),
            removed: of_new(&after.token, &before.token),
            ended: 0,
            open_without_token: 0,
        }
    }

    /// With what goes on of what was open, whose requester has no token any more: whatever was not ended.
    pub(super) fn with_orphans(self, open: &HashMap<RequesterId, usize>, tokens: &Tokens) -> Self {
        let orphans = open.iter().filter(|(id, _)| !tokens.has(id));
        let count: usize = orphans.map(|(_, count)| count).sum();
        Self { open_without_token: count.saturating_sub(self.ended), ..self }
    }

    /// The settings with other values, and `certificate`, `webhook_secrets` and `webhook_keys` where those are others.
    pub fn changed(&self) -> Vec<&'static str> {
        let files = [
            (self.certificate, "certificate"),
            (self.webhook_secrets, "webhook_secrets"),
            (self.webhook_keys, "webhook_keys"),
        ];
        let files = files.into_iter().filter_map(|(has_changed, name)| has_changed.then_some(name));
        self.settings.iter().copied().chain(files).collect()
    }
}

/// Whose tokens `after` has that `before` has not.
fn of_new(before: &[TokenEntry], after: &[TokenEntry]) -> Vec<String> {
    let hash = |entry: &TokenEntry| entry.sha256.to_ascii_lowercase();
    let holds = |entry: &&TokenEntry| entry.revoked.is_none();
    let known: BTreeSet<_> = before.iter().filter(holds).map(hash).collect();
    after
        .iter()
        .filter(holds)
        .filter(|entry| !known.contains(&hash(entry)))
        .map(|entry| entry.requester_id().to_owned())
        .collect()
}

impl fmt::Display for Reloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changed = self.changed();
        if changed.is_empty() {
            return f.write_str("nothing has changed");
        }
        write!(f, "changed: {}", changed.join(", "))?;
        if !self.added.is_empty() {
            write!(f, "; tokens added of {}", self.added.join(", "))?;
        }
        if !self.removed.is_empty() {
            write!(f, "; tokens removed of {}", self.removed.join(", "))?;
        }
        if self.ended > 0 {
            write!(f, "; requests ended: {}", self.ended)?;
        }
        if self.open_without_token > 0 {
            write!(f, "; {} open requests go on whose requester has no token any more", self.open_without_token)?;
        }
        Ok(())
    }
}
