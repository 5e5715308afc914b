//! Outcomes that a store tells from within the submission, by the very thread that submits.
//!
//! Submissions are made with the service's state locked, so that they come in the order in which they were decided. A store that
//! completes or drops a write at once, as one in memory may, would otherwise wait for that lock for ever.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    thread::{self, ThreadId},
};

/// What was told at once, and has to be taken in by the thread that submits.
#[derive(Debug)]
pub(super) struct ToldAtOnce<T>(Mutex<Inner<T>>);

#[derive(Debug)]
struct Inner<T> {
    submitting: Option<ThreadId>,
    told: VecDeque<T>,
}

impl<T> Default for ToldAtOnce<T> {
    fn default() -> Self {
        Self(Mutex::new(Inner { submitting: None, told: VecDeque::new() }))
    }
}

impl<T> ToldAtOnce<T> {
    /// Submits something. Only one thread may at a time.
    pub(super) fn submit(&self, submission: impl FnOnce()) {
        self.lock().submitting = Some(thread::current().id());
        submission();
        self.lock().submitting = None;
    }

    /// Keeps an outcome for later if this thread is submitting, and gives it back otherwise.
    pub(super) fn defer(&self, outcome: T) -> Option<T> {
        let mut inner = self.lock();
        if inner.submitting != Some(thread::current().id()) {
            return Some(outcome);
        }
        inner.told.push_back(outcome);
        None
    }

    /// The next outcome that was kept.
    pub(super) fn next(&self) -> Option<T> {
        self.lock().told.pop_front()
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
