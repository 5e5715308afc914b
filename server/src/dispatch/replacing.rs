//! Requests in the place of others: one ends and the other begins in a single write, so that never both are open, and never neither.

use super::{
    Dispatcher,
    accepting::Replaces,
    effect::Effect,
    open_request::{OpenRequest, Reopened},
};
use crate::{
    SigningError,
    record::{End, PhaseTimes, Record},
    steps::EndedBy,
    storage::{Replaced, StoreError, Written},
    time::Timestamp,
};
use countersign_protocol::{AckOutcome, ConnectionId, RequestId};
use smallvec::SmallVec;

impl<T, W> Dispatcher<T, W> {
    /// Where it is by now: it may have been taken over since somebody looked.
    pub(super) fn locate_replaced(&self, replaces: Replaces) -> Replaces {
        let is_here = self.open_requests.get(replaces.id()).is_some();
        if is_here { Replaces::Here(replaces.id()) } else { replaces }
    }

    /// Whether a request may be in the place of another.
    pub(super) fn check_place(&self, replaces: &Replaces, first: &Record) -> Result<(), SigningError> {
        match replaces {
            Replaces::Here(id) => self.check_replaced(*id, first),
            // The store knows whether it still is, and it is this requester's and this key's: neither ever changes.
            Replaces::Elsewhere { .. } => Ok(()),
        }
    }

    /// How it ends with the write of what is in its place.
    pub(super) fn replaced(&mut self, replaces: &Replaces, now: Timestamp) -> Option<Replaced> {
        match replaces {
            Replaces::Here(id) => self.give_way(*id, now),
            Replaces::Elsewhere { id, owner, times } => Some(Replaced {
                id: *id,
                end: End::Cancelled,
                times: PhaseTimes { ended: Some(now), ..*times },
                owner: Some(*owner),
            }),
        }
    }

    /// Whether a request is open here in whose place `first` may be. Another requester's, or another key's, is as unknown as one that never was;
    /// how one stands that is not open, or has been decided, is to be looked up.
    fn check_replaced(&self, id: RequestId, first: &Record) -> Result<(), SigningError> {
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
    fn give_way(&mut self, id: RequestId, now: Timestamp) -> Option<Replaced> {
        self.open_requests.update(id, |open| open.give_way(now)).filter(|gives_way| *gives_way)?;
        let (end, times) = self.open_requests.get(id)?.decided()?;
        Some(Replaced { id, end, times, owner: None })
    }

    /// Takes what has come of that write for the request that was to give way. Gives the connections that have room now, which is for the other
    /// one first.
    pub(super) fn handle_replaced(
        &mut self,
        replaces: &Replaces,
        written: &Result<Written, StoreError>,
        now: Timestamp,
    ) -> SmallVec<[ConnectionId; 1]> {
        let id = match replaces {
            Replaces::Here(id) => *id,
            Replaces::Elsewhere { id, owner, .. } => {
                if matches!(written, Ok(Written::Done | Written::Accepted(_))) {
                    self.effects.push_back(Effect::TellOwner { id: *id, owner: *owner });
                    // Should it be here by now.
                    self.decide(*id, End::Cancelled, EndedBy::Requester, now);
                }
                if *written == Err(StoreError::Failed) {
                    self.effects.push_back(Effect::OwnerInDoubt { id: *id, owner: *owner });
                }
                return SmallVec::new();
            }
        };
        match written {
            Ok(Written::Done | Written::Accepted(_)) => return self.settle_apart(id, None),
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
                // Its time may have run out, and then whoever shows it is told.
                self.handle_timeout(now);
                self.ask_again(id, now);
            }
        }
    }

    /// Puts a request that goes on to everybody who has not answered it before: what was said meanwhile counted for nothing, and who came meanwhile
    /// has not been asked.
    fn ask_again(&mut self, id: RequestId, now: Timestamp) {
        let Some(open) = self.open_requests.get(id).filter(|open| !open.is_decided()) else { return };
        let key = open.record.public_key;
        for connection in self.open_requests.update(id, OpenRequest::forget_silent).unwrap_or_default() {
            self.open_requests.release(connection, id);
        }
        let holding = self.registry.holding(&key).collect();
        self.deliver_to_all(holding, now);
    }
}
