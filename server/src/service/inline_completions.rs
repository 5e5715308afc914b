//! Submissions that a store completes inline, on the very thread that submits.
//!
//! Submissions are made with the service's state locked, so that they come in the order in which they were decided. A store that
//! completes or drops a write at once, as one in memory may, would otherwise wait for that lock for ever.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    thread::{self, ThreadId},
};

/// What was completed inline, and has to be taken in by the thread that submits.
#[derive(Debug)]
pub(super) struct InlineCompletions<T>(Mutex<Inner<T>>);

#[derive(Debug)]
struct Inner<T> {
    submitting: Option<ThreadId>,
    completed: VecDeque<T>,
}

impl<T> Default for InlineCompletions<T> {
    fn default() -> Self {
        Self(Mutex::new(Inner { submitting: None, completed: VecDeque::new() }))
    }
}

impl<T> InlineCompletions<T> {
    /// Submits something. Only one thread may at a time.
    pub(super) fn submit(&self, submission: impl FnOnce()) {
        self.lock().submitting = Some(thread::current().id());
        submission();
        self.lock().submitting = None;
    }

    /// Keeps what was completed for later if this thread is submitting, and gives it back otherwise.
    pub(super) fn defer(&self, completed: T) -> Option<T> {
        let mut inner = self.lock();
        if inner.submitting != Some(thread::current().id()) {
            return Some(completed);
        }
        inner.completed.push_back(completed);
        None
    }

    /// The next that was kept.
    pub(super) fn next(&self) -> Option<T> {
        self.lock().completed.pop_front()
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
