//! A bounded memory of requests that are over, so that an answer to one is told what became of it.

use super::open_request::winner;
use crate::record::{End, Record};
use countersign_protocol::{AckOutcome, CancelCause, ConnectionId, PublicKeyBytes, RequestId, Signature};
use smallvec::SmallVec;
use std::collections::{HashMap, VecDeque};

/// How many ended requests are remembered.
const REMEMBERED: usize = 16 * 1024;

#[derive(Debug)]
struct Remembered {
    key: PublicKeyBytes,
    /// What a device is told that still shows it.
    cause: CancelCause,
    signature: Option<Signature>,
    /// Connections that had answered when the request ended.
    answered: SmallVec<[ConnectionId; 1]>,
    /// The store has the end too, and knows better where that was put back to an earlier time.
    is_kept: bool,
}

/// The requests that have ended lately.
#[derive(Debug, Default)]
pub(crate) struct RecentlyEnded {
    by_id: HashMap<RequestId, Remembered>,
    order: VecDeque<RequestId>,
}

impl RecentlyEnded {
    /// Remembers a request, of which the store has the end as well or has not, and forgets the oldest if there are too many.
    pub(crate) fn remember(&mut self, record: &Record, answered: SmallVec<[ConnectionId; 1]>, is_kept: bool) {
        if self.order.len() >= REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_id.remove(&oldest);
        }
        let signature = winner(record.end.as_ref()).copied();
        let cause = record.end.as_ref().map_or(CancelCause::Expired, End::cause);
        let remembered = Remembered { key: record.public_key, cause, signature, answered, is_kept };
        if self.by_id.insert(record.id, remembered).is_none() {
            self.order.push_back(record.id);
        }
    }

    /// Forgets one that is open, since its end is not in the store any more.
    pub(crate) fn forget(&mut self, id: RequestId) {
        if self.by_id.remove(&id).is_some() {
            self.order.retain(|other| *other != id);
        }
    }

    /// Goes by what the store has, where that may have been put back to an earlier time: what has not ended there has not ended, and what has
    /// ended there in another way has ended so.
    pub(crate) fn go_by(&mut self, ended: &[Record]) {
        let by_id: HashMap<_, _> = ended.iter().map(|record| (record.id, record)).collect();
        self.by_id.retain(|id, remembered| !remembered.is_kept || by_id.contains_key(id));
        self.order.retain(|id| self.by_id.contains_key(id));
        for (id, remembered) in self.by_id.iter_mut().filter(|(_, remembered)| remembered.is_kept) {
            let Some(end) = by_id.get(id).and_then(|record| record.end.as_ref()) else { continue };
            let signature = winner(Some(end)).copied();
            if (remembered.cause, remembered.signature) != (end.cause(), signature) {
                (remembered.cause, remembered.signature) = (end.cause(), signature);
                remembered.answered.clear();
            }
        }
    }

    /// Whether it is remembered.
    pub(super) fn has(&self, id: RequestId) -> bool {
        self.by_id.contains_key(&id)
    }

    /// How a request of this key ended, if that is known.
    pub(crate) fn cause(&self, key: &PublicKeyBytes, id: RequestId) -> Option<CancelCause> {
        self.by_id.get(&id).filter(|ended| ended.key == *key).map(|ended| ended.cause)
    }

    /// What an answer to a request that is not open is told. The signature that was taken is `accepted` as often as it comes; a request
    /// of another key is as unknown as one that never was.
    pub(crate) fn outcome(
        &self,
        key: &PublicKeyBytes,
        connection: ConnectionId,
        id: RequestId,
        signature: Option<&Signature>,
    ) -> AckOutcome {
        match self.by_id.get(&id).filter(|ended| ended.key == *key) {
            Some(ended) if signature.is_some() && ended.signature.as_ref() == signature => AckOutcome::Accepted,
            Some(ended) if ended.answered.contains(&connection) => AckOutcome::Duplicate,
            Some(_) => AckOutcome::Late,
            None => AckOutcome::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::testing;

    #[test]
    fn the_memory_is_bounded_and_the_oldest_goes_first() {
        let mut ended = RecentlyEnded::default();
        let key = testing::KEY.into();
        for n in 0..REMEMBERED as u128 + 10 {
            ended.remember(&testing::ended(n, End::Cancelled), SmallVec::new(), true);
        }
        assert_eq!((ended.by_id.len(), ended.order.len()), (REMEMBERED, REMEMBERED));
        let outcome = |n| ended.outcome(&key, testing::connection(1), testing::request(n), None);
        assert_eq!((outcome(9), outcome(10)), (AckOutcome::Unknown, AckOutcome::Late));
    }

    #[test]
    fn the_signature_that_was_taken_is_accepted_again_and_no_other() {
        let mut ended = RecentlyEnded::default();
        let (key, one, other) = (testing::KEY.into(), testing::connection(1), testing::connection(2));
        let signed = End::Signed { signature: [9; 64].into(), approved_by: None, device: None };
        ended.remember(&testing::ended(1, signed), smallvec::smallvec![one], true);
        let outcome = |connection, signature: Option<[u8; 64]>| {
            ended.outcome(&key, connection, testing::request(1), signature.map(Signature::from).as_ref())
        };
        assert_eq!(outcome(other, Some([9; 64])), AckOutcome::Accepted);
        assert_eq!(outcome(one, Some([9; 64])), AckOutcome::Accepted);
        assert_eq!(outcome(one, Some([8; 64])), AckOutcome::Duplicate);
        assert_eq!(outcome(other, None), AckOutcome::Late);
        let stranger = ended.outcome(&[2; 32].into(), one, testing::request(1), Some(&[9; 64].into()));
        assert_eq!(stranger, AckOutcome::Unknown);
    }

    #[test]
    fn what_the_store_has_goes_before_what_is_remembered_of_it() {
        let mut ended = RecentlyEnded::default();
        let key = testing::KEY.into();
        for (n, is_kept) in [(1, true), (2, true), (3, true), (4, false)] {
            ended.remember(&testing::ended(n, End::Cancelled), SmallVec::new(), is_kept);
        }
        let signed = End::Signed { signature: [9; 64].into(), approved_by: None, device: None };
        ended.go_by(&[testing::ended(2, signed), testing::ended(3, End::Cancelled), testing::ended(5, End::Cancelled)]);
        let causes = [1, 2, 3, 4, 5].map(|n| ended.cause(&key, testing::request(n)));
        let [withdrawn, answered] = [CancelCause::Cancelled, CancelCause::AnsweredElsewhere].map(Some);
        assert_eq!(causes, [None, answered, withdrawn, withdrawn, None]);
        ended.forget(testing::request(4));
        assert_eq!((ended.by_id.len(), ended.order.len()), (2, 2));
    }
}
