//! A bounded memory of requests that are over, so that an answer to one is told what became of it.

use super::open_request::winner;
use crate::record::{End, Record};
use countersign_protocol::{AckOutcome, CancelCause, ConnectionId, PublicKeyBytes, RequestId, Signature};
use hashbrown::HashTable;
use smallvec::SmallVec;
use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher as _, RandomState},
    mem,
};

/// How many ended requests are remembered.
const REMEMBERED: usize = 16 * 1024;

#[derive(Debug)]
struct Remembered {
    id: RequestId,
    key: PublicKeyBytes,
    /// What a device is told that still shows it.
    cause: CancelCause,
    signature: Option<Signature>,
    /// Connections that had answered when the request ended.
    answered: SmallVec<[ConnectionId; 1]>,
    /// The store has the end too, and knows better where that was put back to an earlier time.
    is_kept: bool,
}

/// Those that are remembered, in the order of their ends, each with a number. Numbers go round.
#[derive(Debug, Default)]
struct InOrder {
    ended: VecDeque<Remembered>,
    /// The number that the next one gets; the last of them has the one before.
    next: u32,
}

impl InOrder {
    fn push(&mut self, remembered: Remembered) -> u32 {
        let number = self.next;
        self.ended.push_back(remembered);
        self.next = number.wrapping_add(1);
        number
    }

    fn place(&self, number: u32) -> Option<usize> {
        self.ended.len().checked_sub(self.next.wrapping_sub(number) as usize)
    }

    fn get(&self, number: u32) -> Option<&Remembered> {
        self.ended.get(self.place(number)?)
    }
}

/// The requests that have ended lately.
///
/// They lie one after the other, and the table by which they are found has only their numbers. It stays in the processor's cache, where one with
/// all that is remembered, of some megabytes, would have each end wait for memory twice.
#[derive(Debug, Default)]
pub(crate) struct RecentlyEnded {
    in_order: InOrder,
    numbers: HashTable<u32>,
    hasher: RandomState,
}

impl RecentlyEnded {
    /// Remembers a request, of which the store has the end as well or has not, and forgets the oldest if there are too many.
    pub(crate) fn remember(&mut self, record: &Record, answered: SmallVec<[ConnectionId; 1]>, is_kept: bool) {
        let signature = winner(record.end.as_ref()).copied();
        let cause = record.end.as_ref().map_or(CancelCause::Expired, End::cause);
        let (id, key) = (record.id, record.public_key);
        let remembered = Remembered { id, key, cause, signature, answered, is_kept };
        if let Some(known) = self.get_mut(id) {
            *known = remembered;
            return;
        }
        if self.in_order.ended.len() >= REMEMBERED {
            self.forget_oldest();
        }
        self.push(remembered);
    }

    fn push(&mut self, remembered: Remembered) {
        let Self { in_order, numbers, hasher } = self;
        let hash = hasher.hash_one(remembered.id);
        let number = in_order.push(remembered);
        // A table that grows finds the others a place anew.
        numbers
            .insert_unique(hash, number, |number| in_order.get(*number).map_or(0, |ended| hasher.hash_one(ended.id)));
    }

    fn forget_oldest(&mut self) {
        let Some(oldest) = self.in_order.ended.front() else { return };
        let id = oldest.id;
        if let Ok(found) = self.numbers.find_entry(self.hasher.hash_one(id), Self::is(&self.in_order, id)) {
            found.remove();
        }
        self.in_order.ended.pop_front();
    }

    /// Forgets one that is open, since its end is not in the store any more.
    pub(crate) fn forget(&mut self, id: RequestId) {
        if self.has(id) {
            self.retain(|remembered| remembered.id != id);
        }
    }

    /// Goes by what the store has, where that may have been put back to an earlier time: what has not ended there has not ended, and what has
    /// ended there in another way has ended so.
    pub(crate) fn go_by(&mut self, ended: &[Record]) {
        let by_id: HashMap<_, _> = ended.iter().map(|record| (record.id, record)).collect();
        self.retain(|remembered| !remembered.is_kept || by_id.contains_key(&remembered.id));
        for remembered in self.in_order.ended.iter_mut().filter(|remembered| remembered.is_kept) {
            let Some(end) = by_id.get(&remembered.id).and_then(|record| record.end.as_ref()) else { continue };
            let signature = winner(Some(end)).copied();
            if (remembered.cause, remembered.signature) != (end.cause(), signature) {
                (remembered.cause, remembered.signature) = (end.cause(), signature);
                remembered.answered.clear();
            }
        }
    }

    fn retain(&mut self, keep: impl FnMut(&Remembered) -> bool) {
        let mut ended = mem::take(&mut self.in_order.ended);
        ended.retain(keep);
        self.numbers.clear();
        ended.into_iter().for_each(|remembered| self.push(remembered));
    }

    fn is(in_order: &InOrder, id: RequestId) -> impl Fn(&u32) -> bool {
        move |number| in_order.get(*number).is_some_and(|ended| ended.id == id)
    }

    fn number(&self, id: RequestId) -> Option<u32> {
        self.numbers.find(self.hasher.hash_one(id), Self::is(&self.in_order, id)).copied()
    }

    fn get(&self, id: RequestId) -> Option<&Remembered> {
        self.in_order.get(self.number(id)?)
    }

    fn get_mut(&mut self, id: RequestId) -> Option<&mut Remembered> {
        let place = self.in_order.place(self.number(id)?)?;
        self.in_order.ended.get_mut(place)
    }

    /// Whether it is remembered.
    pub(super) fn has(&self, id: RequestId) -> bool {
        self.number(id).is_some()
    }

    /// How a request of this key ended, if that is known.
    pub(crate) fn cause(&self, key: &PublicKeyBytes, id: RequestId) -> Option<CancelCause> {
        self.get(id).filter(|ended| ended.key == *key).map(|ended| ended.cause)
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
        match self.get(id).filter(|ended| ended.key == *key) {
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
        assert_eq!((ended.numbers.len(), ended.in_order.ended.len()), (REMEMBERED, REMEMBERED));
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
        assert_eq!((ended.numbers.len(), ended.in_order.ended.len()), (2, 2));
    }
}
