//! The end of a request, as it is counted and logged.

use crate::record::Record;
use countersign_protocol::RequestId;
use std::time::Duration;

/// What metrics and log have of a request that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) id: RequestId,
    pub(super) key: Box<str>,
    pub(super) outcome: &'static str,
    pub(super) took: Duration,
}

impl Ended {
    pub(super) fn of(record: &Record) -> Option<Self> {
        let ended = record.times.ended.unwrap_or(record.times.queued);
        Some(Self {
            id: record.id,
            key: record.public_key.fingerprint().into(),
            outcome: record.end.as_ref()?.code(),
            took: ended.since(record.times.queued),
        })
    }
}
