//! What an operator does to wallets and requests.

use super::{Dispatcher, Effect};
#[cfg(feature = "http")]
use crate::requester::RequesterId;
use crate::{session::Close, steps::EndedBy, time::Timestamp};
use countersign_protocol::{ConnectionId, PublicKeyBytes, RequestId};

impl<T, W> Dispatcher<T, W> {
    /// Ends those of these requests that are open and not about to end anyway; how many that are.
    pub(crate) fn end_by_operator(&mut self, ids: &[RequestId], now: Timestamp) -> usize {
        let mut count = 0;
        for id in ids {
            if self.open_requests.get(*id).is_some_and(|open| !open.is_decided() || open.gives_way()) {
                self.cancel(*id, EndedBy::Operator, now);
                count += 1;
            }
        }
        count
    }

    /// How many requests a requester has here.
    #[cfg(feature = "http")]
    pub(crate) fn requests_of(&self, requester: &RequesterId) -> usize {
        self.account.requests_of(requester)
    }

    /// The connections of this node that hold a key.
    pub(crate) fn holders_here(&self, key: &PublicKeyBytes) -> Vec<ConnectionId> {
        self.registry.holders_here(key)
    }

    /// Closes a connection of this node, and asks it nothing more. What it was asked stays open, for when its wallet comes back.
    pub(crate) fn close(&mut self, id: ConnectionId, close: Close, now: Timestamp) {
        self.effects.push_back(Effect::Close { to: id, close });
        self.retire(id, now);
    }
}
