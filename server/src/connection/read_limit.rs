//! How long a message a socket may put together, shared by who reads the socket and who knows the wallet.

use countersign_protocol::limits::MAX_INTRODUCTION_FRAME_BYTES;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

/// The most bytes of one message: little until the wallet has introduced itself. Clones are the same limit.
#[derive(Debug, Clone)]
pub(crate) struct ReadLimit {
    is_lifted: Arc<AtomicBool>,
    of_introduced: Arc<AtomicUsize>,
}

impl ReadLimit {
    /// That of a connection which may send messages of so many bytes, as of then, once it has introduced itself.
    pub(crate) fn new(of_introduced: Arc<AtomicUsize>) -> Self {
        Self { is_lifted: Arc::default(), of_introduced }
    }

    #[cfg(test)]
    pub(crate) fn lifted(bytes: usize) -> Self {
        Self { is_lifted: Arc::new(true.into()), of_introduced: Arc::new(bytes.into()) }
    }

    pub(crate) fn bytes(&self) -> usize {
        let of_introduced = self.of_introduced.load(Ordering::Relaxed);
        if self.is_lifted.load(Ordering::Relaxed) {
            of_introduced
        } else {
            MAX_INTRODUCTION_FRAME_BYTES.min(of_introduced)
        }
    }

    pub(super) fn lift(&self) {
        self.is_lifted.store(true, Ordering::Relaxed);
    }
}
