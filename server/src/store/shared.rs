//! What the handles of a store see of whoever works for it.

use super::quota::Limits;
use prometheus_client::metrics::histogram::Histogram;
use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

/// Upper bounds of how long commits take, in seconds: from a fast disk's fsync to the patience of who waits.
const COMMIT_BUCKETS: [f64; 12] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

#[derive(Debug)]
pub(super) struct Shared {
    /// Nothing can be written or read.
    pub(super) failed: AtomicBool,
    /// The last writes found no room.
    pub(super) full: AtomicBool,
    /// Transactions that were committed.
    pub(super) commits: AtomicU64,
    /// How long they took.
    pub(super) commit_durations: Histogram,
    /// How much there may be, and how long a request is kept after its end. Both may change.
    kept: RwLock<(Limits, Duration)>,
}

impl Shared {
    pub(super) fn new(limits: Limits, retention: Duration) -> Self {
        Self {
            kept: RwLock::new((limits, retention)),
            failed: AtomicBool::default(),
            full: AtomicBool::default(),
            commits: AtomicU64::default(),
            commit_durations: Histogram::new(COMMIT_BUCKETS),
        }
    }

    /// How much there may be now.
    pub(super) fn limits(&self) -> Limits {
        self.kept.read().unwrap_or_else(PoisonError::into_inner).0
    }

    /// How long a request is kept after its end now.
    pub(super) fn retention(&self) -> Duration {
        self.kept.read().unwrap_or_else(PoisonError::into_inner).1
    }

    pub(super) fn set(&self, limits: Limits, retention: Duration) {
        *self.kept.write().unwrap_or_else(PoisonError::into_inner) = (limits, retention);
    }

    /// Counts a transaction.
    pub(super) fn committed(&self, took: Duration) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.commit_durations.observe(took.as_secs_f64());
    }
}

/// Says that the store has failed if it is dropped: a bug that unwinds its thread must not look like a store that works.
pub(super) struct FailedUnlessDone(pub(super) Arc<Shared>);

impl Drop for FailedUnlessDone {
    fn drop(&mut self) {
        self.0.failed.store(true, Ordering::Release);
    }
}
