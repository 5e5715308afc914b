//! How long a message a socket may put together, shared by who reads the socket and who knows the wallet.

use countersign_protocol::limits::MAX_INTRODUCTION_FRAME_BYTES;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// The most bytes of one message: little until the wallet has introduced itself. Clones are the same limit.
#[derive(Debug, Clone)]
pub(crate) struct ReadLimit {
    now: Arc<AtomicUsize>,
    of_introduced: usize,
}

impl ReadLimit {
    /// That of a connection which may send messages of so many bytes once it has introduced itself.
    pub(crate) fn new(of_introduced: usize) -> Self {
        Self { now: Arc::new(AtomicUsize::new(MAX_INTRODUCTION_FRAME_BYTES.min(of_introduced))), of_introduced }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.now.load(Ordering::Relaxed)
    }

    pub(super) fn lift(&self) {
        self.now.store(self.of_introduced, Ordering::Relaxed);
    }
}
