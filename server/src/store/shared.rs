//! What the handles of a store see of whoever works for it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Nothing can be written or read.
    pub(super) failed: AtomicBool,
    /// The last writes found no room.
    pub(super) full: AtomicBool,
    /// Transactions that were committed.
    pub(super) commits: AtomicU64,
}

/// Says that the store has failed if it is dropped: a bug that unwinds its thread must not look like a store that works.
pub(super) struct FailedUnlessDone(pub(super) Arc<Shared>);

impl Drop for FailedUnlessDone {
    fn drop(&mut self) {
        self.0.failed.store(true, Ordering::Release);
    }
}
