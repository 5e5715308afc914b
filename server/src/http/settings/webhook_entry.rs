//! What a `[[webhook]]` table says.

use serde::Deserialize;
use std::path::PathBuf;

/// A webhook's target as an operator configures it, with more than its URL.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookEntry {
    /// Where ends are told. It need not be in `webhook_target` too.
    pub url: String,
    /// File of the secrets with which what is told is signed, beside the server's key; none for that key alone.
    pub secrets_file: Option<PathBuf>,
    /// The ids of the requesters whose requests may name it; without any it is for tokens that name it in their `webhook_targets`.
    #[serde(default)]
    pub requesters: Vec<String>,
    /// How it is told of requests that were asked for together.
    #[serde(default)]
    pub batches: BatchEvents,
}

/// How a target is told of requests that were asked for together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchEvents {
    /// Each when it ends.
    #[default]
    Each,
    /// All at once, when the last has ended.
    Together,
}
