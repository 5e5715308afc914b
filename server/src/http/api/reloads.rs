//! What came of reading the settings anew, for those who watch.

use crate::time::Timestamp;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What came of the last time, and when it went well.
#[derive(Debug)]
pub(in crate::http) struct Reloads(Mutex<Outcome>);

#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Outcome {
    /// The last time, settings were taken; the start counts as one.
    pub(in crate::http) is_good: bool,
    /// The last time, tokens in the database were.
    pub(in crate::http) are_tokens_good: bool,
    /// When settings were taken last.
    pub(in crate::http) good_at: Timestamp,
}

impl Reloads {
    /// The server has just been started with its settings.
    pub(in crate::http) fn begin() -> Self {
        Self(Mutex::new(Outcome { is_good: true, are_tokens_good: true, good_at: Timestamp::of_the_system() }))
    }

    pub(in crate::http) fn note(&self, is_good: bool) {
        let mut outcome = self.outcome();
        outcome.is_good = is_good;
        if is_good {
            outcome.good_at = Timestamp::of_the_system();
        }
    }

    pub(in crate::http) fn note_tokens(&self, are_good: bool) {
        self.outcome().are_tokens_good = are_good;
    }

    pub(in crate::http) fn last(&self) -> Outcome {
        *self.outcome()
    }

    fn outcome(&self) -> MutexGuard<'_, Outcome> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
