//! Requests in the place of others: one ends and the other begins in a single write, so that never both are open, and never neither.

use super::{
    Dispatcher,
    effect::Effect,
    open_request::{OpenRequest, Reopened},
};
use crate::{
    SigningError,
    record::Record,
    steps::EndedBy,
    storage::{Replaced, StoreError, Written},
    time::Timestamp,
};
use countersign_protocol::{AckOutcome, ConnectionId, RequestId};
use smallvec::SmallVec;

impl<T, W> Dispatcher<T, W> {
    /// Whether a request is open here in whose place `first` may be. Another requester's, or another key's, is as unknown as one that never was;
    /// how one stands that is not open, or has been decided, is to be looked up.
    pub(super) fn check_replaced(&self, id: RequestId, first: &Record) -> Result<(), SigningError> {
        let is_own = |open: &&OpenRequest<W>| {
            let Record { requester_id, public_key, .. } = open.record.as_ref();
            *requester_id == first.requester_id && *public_key == first.public_key
        };
        let may_give_way = |open: &OpenRequest<W>| open.durable && !open.is_decided();
        match self.open_requests.get(id).filter(is_own) {
            Some(open) if may_give_way(open) => Ok(()),
            Some(_) | None => Err(SigningError::UnknownRequest),
        }
    }

    /// Has a request end with the write that takes another one in its place. It is decided from now on: it is shown to nobody any more, and no answer
    /// to it counts.
    pub(super) fn give_way(&mut self, id: RequestId, now: Timestamp) -> Option<Replaced> {
        self.open_requests.update(id, |open| open.give_way(now)).filter(|gives_way| *gives_way)?;
        let (end, times) = self.open_requests.get(id)?.decided()?;
        Some(Replaced { id, end, times })
    }

    /// Takes what has come of that write for the request that was to give way. Gives the connections that have room now, which is for the other
    /// one first.
    pub(super) fn handle_replaced(
        &mut self,
        id: RequestId,
        written: &Result<Written, StoreError>,
        now: Timestamp,
    ) -> SmallVec<[ConnectionId; 1]> {
        match written {
            Ok(Written::Done) => return self.settle_apart(id, None),
            Ok(Written::Ended(stands)) => self.settle(id, Some(stands), now),
            Ok(Written::Elsewhere) => self.let_go(id),
            Ok(Written::Unknown) => self.lose(id, now),
            // Nobody knows what is on disk.
            Err(StoreError::Failed) => self.abandon(id),
            Ok(Written::Existing(_) | Written::Reused | Written::OverShare) | Err(StoreError::Full) => {
                self.reopen(id, now);
            }
        }
        SmallVec::new()
    }

    /// Goes on with a request in whose place no other was taken.
    fn reopen(&mut self, id: RequestId, now: Timestamp) {
        match self.open_requests.update(id, OpenRequest::reopen) {
            None => {}
            Some(Reopened::Withdrawn) => self.write_end(id),
            Some(Reopened::Open { repeated, end }) => {
                for to in repeated {
                    let outcome = AckOutcome::Duplicate;
                    self.effects.push_back(Effect::Acknowledge { to, request_id: id, outcome });
                }
                if let Some((end, wallet)) = end {
                    self.decide(id, end, EndedBy::Wallet(wallet), now);
                }
                // Its time may have run out, and whoever came meanwhile has not been asked.
                self.handle_timeout(now);
                self.deliver_to_holders(id, now);
            }
        }
    }

    /// Puts a request to those connections of its key to which it is news.
    fn deliver_to_holders(&mut self, id: RequestId, now: Timestamp) {
        let Some(key) = self.open_requests.get(id).map(|open| open.record.public_key) else { return };
        let holding = self.registry.holding(&key).collect();
        self.deliver_to_all(holding, now);
    }
}
