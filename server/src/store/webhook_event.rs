//! What a webhook is still to be told.

use crate::{
    record::{Record, WebhookUrl},
    time::Timestamp,
};

/// An end that has to be told to a webhook; named by its request's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// How it ended.
    pub record: Record,
    /// Where it is to be told.
    pub url: WebhookUrl,
    /// How often it has been tried in vain.
    pub attempts: u32,
    /// When it is to be tried.
    pub next_at: Timestamp,
}
