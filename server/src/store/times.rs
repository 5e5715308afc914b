//! Phase times in JSON, the same in answers and in receipts.

use crate::{record::PhaseTimes, time::Timestamp};
use serde::Serialize;

/// When a request came to each of its phases, in milliseconds since the Unix epoch.
#[derive(Serialize)]
pub(crate) struct Times {
    queued_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    received_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    displayed_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_ms: Option<u64>,
}

impl From<PhaseTimes> for Times {
    fn from(times: PhaseTimes) -> Self {
        let PhaseTimes { queued, delivered, received, displayed, ended } = times;
        Self {
            queued_ms: queued.as_millis(),
            delivered_ms: delivered.map(Timestamp::as_millis),
            received_ms: received.map(Timestamp::as_millis),
            displayed_ms: displayed.map(Timestamp::as_millis),
            ended_ms: ended.map(Timestamp::as_millis),
        }
    }
}
