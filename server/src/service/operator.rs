//! What an operator does: ends requests, closes connections.

use super::SigningService;
#[cfg(feature = "http")]
use super::listing::RequestFilter;
use crate::session::Close;
#[cfg(feature = "http")]
use crate::{SigningError, requester::RequesterId, steps::EndedBy};
use countersign_protocol::{PublicKeyBytes, RequestId};
use std::collections::HashSet;
#[cfg(feature = "http")]
use tokio::task::yield_now;

/// So many requests are ended at once; whoever else has something to do comes in between.
#[cfg(feature = "http")]
const AT_ONCE: usize = 256;

impl SigningService {
    /// Ends those of these requests that are open here; how many that are.
    pub(crate) fn end_by_operator(&self, ids: &[RequestId]) -> usize {
        self.apply(|dispatcher, now| dispatcher.end_by_operator(ids, now))
    }

    /// Closes the connections of a key on this node; how many there were. Its wallets may come back.
    pub(crate) fn disconnect(&self, key: &PublicKeyBytes) -> usize {
        let now = self.now();
        let mut state = self.state();
        let connections = state.dispatcher.holders_here(key);
        for id in &connections {
            self.depart(&mut state, *id);
            state.dispatcher.close(*id, self.goodbye(), now);
        }
        self.carry_out(state, now);
        connections.len()
    }

    #[cfg(feature = "http")]
    fn open_of(&self, filter: &RequestFilter) -> Vec<RequestId> {
        let state = self.state();
        let open = state.dispatcher.open_requests().filter(|open| filter.takes(&open.record));
        open.map(|open| open.record.id).collect()
    }

    /// Ends all requests of a requester that are open here; how many there were.
    #[cfg(feature = "http")]
    pub(crate) fn end_all_of(&self, requester: RequesterId) -> usize {
        let filter = RequestFilter { requester: Some(requester), ..RequestFilter::default() };
        self.open_of(&filter).chunks(AT_ONCE).map(|some| self.end_by_operator(some)).sum()
    }

    /// Those of these requesters that have requests here.
    #[cfg(feature = "http")]
    pub(crate) fn with_requests(&self, requesters: impl IntoIterator<Item = RequesterId>) -> Vec<RequesterId> {
        // Locked for each by itself: there may be many of them, and none of it is urgent.
        requesters.into_iter().filter(|id| self.state().dispatcher.requests_of(id) > 0).collect()
    }

    /// How many connections of this server hold a key.
    #[cfg(feature = "simulation")]
    pub(crate) fn holders_here(&self, key: &PublicKeyBytes) -> usize {
        self.state().dispatcher.holders_here(key).len()
    }

    /// Has these keys blocked from now on, and no others; how many connections were closed for it. Their wallets are told before that what
    /// is open has ended; where the end has yet to be written, being refused for good is what tells them.
    pub(crate) fn set_blocked(&self, blocked: HashSet<PublicKeyBytes>) -> usize {
        let now = self.now();
        let mut state = self.state();
        let holders = blocked.iter().flat_map(|key| state.dispatcher.holders_here(key));
        let mut connections: Vec<_> = holders.collect();
        connections.sort_unstable();
        state.dispatcher.set_blocked(blocked, now);
        for id in &connections {
            self.depart(&mut state, *id);
            state.dispatcher.close(*id, Close::blocked(), now);
        }
        self.carry_out(state, now);
        connections.len()
    }

    /// Ends all requests that are open here and that the filter takes; how many there were.
    ///
    /// # Cancel safety
    /// Those that have been ended by then have.
    #[cfg(feature = "http")]
    pub(crate) async fn end_all(&self, filter: &RequestFilter) -> usize {
        let mut count = 0;
        for some in self.open_of(filter).chunks(AT_ONCE) {
            count += self.end_by_operator(some);
            yield_now().await;
        }
        count
    }

    /// Ends a request, on whichever node it is open; its state after that, which is another than `cancelled` if it had ended before, or its end
    /// is not certain in time.
    ///
    /// # Errors
    /// [`SigningError::UnknownRequest`], [`SigningError::StorageUnavailable`], [`SigningError::Draining`].
    #[cfg(feature = "http")]
    pub(crate) async fn end_one(&self, id: RequestId) -> Result<&'static str, SigningError> {
        let open = {
            let state = self.state();
            state.dispatcher.open_request(id).map(|open| (open.durable, open.record.requester_id.clone()))
        };
        match open {
            Some((false, _)) => {
                self.withdraw(id, EndedBy::Operator);
                Ok("cancelled")
            }
            Some((true, requester)) => Ok(self.cancel_by(&requester, id, EndedBy::Operator).await?.state()),
            None => {
                let record = self.read(id).await?.ok_or(SigningError::UnknownRequest)?;
                Ok(self.cancel_by(&record.requester_id, id, EndedBy::Operator).await?.state())
            }
        }
    }
}
