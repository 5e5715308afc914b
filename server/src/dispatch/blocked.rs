//! Keys that an operator has blocked: nobody holds them, and nothing is asked of them.

use super::Dispatcher;
use crate::{steps::EndedBy, time::Timestamp};
use countersign_protocol::{PublicKeyBytes, RequestId};
use std::collections::HashSet;

impl<T, W> Dispatcher<T, W> {
    /// Whether nothing may be asked of a key, nor it be held.
    pub(super) fn is_blocked(&self, key: &PublicKeyBytes) -> bool {
        self.blocked.contains(key)
    }

    /// Has these keys blocked from now on, and no others. What is open for them ends; closing their connections is the caller's.
    #[cfg(any(feature = "http", feature = "simulation"))]
    pub(crate) fn set_blocked(&mut self, blocked: HashSet<PublicKeyBytes>, now: Timestamp) {
        self.blocked = blocked;
        self.end_blocked(now);
    }

    /// Ends what is open for blocked keys, as where it comes from a time before they were.
    pub(super) fn end_blocked(&mut self, now: Timestamp) {
        let open = self.blocked.iter().flat_map(|key| self.open_requests.of_key(key)).copied();
        let mut open: Vec<RequestId> = open.collect();
        open.sort_unstable();
        for id in open {
            self.cancel(id, EndedBy::Operator, now);
        }
    }

    /// Ends a request that was being written when its key was blocked.
    pub(super) fn end_if_blocked(&mut self, id: RequestId, now: Timestamp) {
        if self.open_requests.get(id).is_some_and(|open| self.blocked.contains(&open.record.public_key)) {
            self.cancel(id, EndedBy::Operator, now);
        }
    }
}
