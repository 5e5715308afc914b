//! How much is in a store, as its operator is told.

use crate::{
    storage::{Completion, StoreError},
    time::Timestamp,
};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Looks only at so many events for the oldest: those of the requests that were asked for first.
pub(super) const EVENTS_LOOKED_AT: i64 = 10_000;

/// Not more often than this: anybody who can scrape could otherwise keep the store busy.
const EVERY: Duration = Duration::from_secs(1);

/// What is in the store.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Taken of what there may be, with the room that is kept free for the ends of open requests, in bytes.
    pub(crate) used_bytes: u64,
    /// Webhook events that are still to be told.
    pub(crate) events: u64,
    /// When the request ended whose event has waited longest.
    pub(crate) oldest_event: Option<Timestamp>,
}

/// What was last known of it.
#[derive(Debug, Default)]
pub(super) struct LastUsage(Mutex<Last>);

#[derive(Debug, Default)]
struct Last {
    usage: Usage,
    asked_at: Option<Instant>,
    /// A question is on its way: where a store hangs, there is one and no more.
    is_asked: bool,
}

impl LastUsage {
    pub(super) fn usage(&self) -> Usage {
        self.last().usage
    }

    /// Whether it may be asked now, by whoever calls this.
    pub(super) fn may_ask(&self) -> bool {
        let mut last = self.last();
        let is_due = !last.is_asked && last.asked_at.is_none_or(|at| at.elapsed() >= EVERY);
        if is_due {
            last.is_asked = true;
            last.asked_at = Some(Instant::now());
        }
        is_due
    }

    /// Takes note of an answer; where there is none, what was known stays.
    pub(super) fn answered(&self, usage: Result<Usage, StoreError>) {
        let mut last = self.last();
        last.is_asked = false;
        if let Ok(usage) = usage {
            last.usage = usage;
        }
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who is told.
pub(super) type Told = Completion<Usage>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_does_not_answer_is_asked_once_and_what_was_known_stays() {
        let last = LastUsage::default();
        let known = Usage { used_bytes: 7, events: 1, oldest_event: None };
        assert!(last.may_ask());
        last.answered(Ok(known));
        assert!(!last.may_ask(), "not so soon");
        last.last().asked_at = None;
        assert!(last.may_ask());
        last.last().asked_at = None;
        assert!(!last.may_ask(), "one is on its way");
        last.answered(Err(StoreError::Failed));
        assert_eq!(last.usage(), known);
    }
}
