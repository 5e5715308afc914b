//! As what this process is known to the others.

use crate::{cluster::NodeId, random};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The node that this process is at present, and the number of the lock by which others see that it lives.
pub(super) struct OwnNode {
    id: AtomicU64,
    lock: i32,
    has_gone_back: AtomicBool,
}

impl OwnNode {
    pub(super) fn new() -> Self {
        // Never negative, so that it is the same number where the database shows its locks.
        Self {
            id: AtomicU64::new(random_id()),
            lock: (u32::from_ne_bytes(random::bytes()) >> 1).cast_signed(),
            has_gone_back: AtomicBool::new(false),
        }
    }

    pub(super) fn id(&self) -> NodeId {
        NodeId::from_bits(self.id.load(Ordering::Acquire))
    }

    /// One to go on as.
    pub(super) fn another() -> NodeId {
        NodeId::from_bits(random_id())
    }

    pub(super) fn rename(&self, id: NodeId) {
        self.id.store(id.to_bits(), Ordering::Release);
    }

    /// The database does not know of this node's last renewal: it was put back to an earlier time, under whoever is connected with it.
    pub(super) fn note_gone_back(&self) {
        self.has_gone_back.store(true, Ordering::Release);
    }

    /// Whether it was; told once.
    pub(super) fn take_gone_back(&self) -> bool {
        self.has_gone_back.swap(false, Ordering::AcqRel)
    }

    pub(super) fn lock(&self) -> i32 {
        self.lock
    }
}

fn random_id() -> u64 {
    u64::from_ne_bytes(random::bytes())
}

/// As a column has it.
pub(super) fn column(node: NodeId) -> i64 {
    node.to_bits().cast_signed()
}

/// Back from a column.
pub(super) fn of_column(bits: i64) -> NodeId {
    NodeId::from_bits(bits.cast_unsigned())
}
