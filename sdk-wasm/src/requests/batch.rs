//! Gathers the members of a batch until all of a delivery are there (specification §7.7).

use crate::prelude::*;
use countersign_protocol::{Batch, BatchId, RequestId, limits::MAX_BATCH};

/// The most batches that are gathered at once. Their members come one right after the other, so there is hardly ever a second.
pub(crate) const MOST_GATHERED: usize = 16;

/// What the arrival of a request means for its batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// Nothing more is to be waited for: these are all of the delivery, in their order.
    Complete(Vec<RequestId>),
    /// Others have yet to come.
    Incomplete,
    /// Its place makes no sense, and so its batch can never be shown as a whole. These had come before.
    Inconsistent(Vec<RequestId>),
}

#[derive(Debug)]
struct Gathering {
    id: BatchId,
    size: u32,
    /// With their indices, and in order of them.
    members: Vec<(u32, RequestId)>,
    /// Members that still come are refused like those before.
    broken: bool,
}

/// The batches of one connection whose delivery is not complete: few, and each small.
#[derive(Debug, Default)]
pub(crate) struct Batches(Vec<Gathering>);

impl Batches {
    /// Takes note that a request is here, in whatever state.
    pub(crate) fn arrive(&mut self, id: RequestId, batch: Option<Batch>) -> Arrival {
        let Some(batch) = batch.filter(|batch| (batch.index, batch.size) != (0, 1)) else {
            return Arrival::Complete(vec![id]);
        };
        let is_possible = batch.index < batch.size && batch.size as usize <= MAX_BATCH;
        let is_full = self.0.len() >= MOST_GATHERED;
        let arrival = match self.0.iter_mut().find(|gathering| gathering.id == batch.id) {
            Some(gathering) if is_possible => gathering.add(id, batch),
            Some(gathering) => gathering.fall_apart(),
            None if !is_possible || is_full => Arrival::Inconsistent(vec![]),
            None => {
                let members = vec![(batch.index, id)];
                self.0.push(Gathering { id: batch.id, size: batch.size, members, broken: false });
                Arrival::Incomplete
            }
        };
        if matches!(arrival, Arrival::Complete(_)) {
            self.0.retain(|gathering| gathering.id != batch.id);
        }
        arrival
    }

    /// Starts over, as on a new connection.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Where there is no room for another batch, gives up those that have no member for which `waits` holds.
    pub(crate) fn make_room(&mut self, waits: impl Fn(&RequestId) -> bool) {
        if self.0.len() >= MOST_GATHERED {
            self.0.retain(|gathering| gathering.members.iter().any(|(_, member)| waits(member)));
        }
    }
}

impl Gathering {
    fn add(&mut self, id: RequestId, batch: Batch) -> Arrival {
        let agrees = |(index, member): &(u32, RequestId)| (*index == batch.index) == (*member == id);
        if self.broken || self.size != batch.size || !self.members.iter().all(agrees) {
            return self.fall_apart();
        }
        if !self.members.contains(&(batch.index, id)) {
            let at = self.members.partition_point(|(index, _)| *index < batch.index);
            self.members.insert(at, (batch.index, id));
        }
        if self.members.len() < self.size as usize {
            return Arrival::Incomplete;
        }
        Arrival::Complete(self.take())
    }

    fn fall_apart(&mut self) -> Arrival {
        self.broken = true;
        Arrival::Inconsistent(self.take())
    }

    fn take(&mut self) -> Vec<RequestId> {
        core::mem::take(&mut self.members).into_iter().map(|(_, member)| member).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> RequestId {
        RequestId::from_random_bytes([n; 16])
    }

    fn batch(n: u8, index: u32, size: u32) -> Option<Batch> {
        Some(Batch { id: BatchId::from_random_bytes([n; 16]), index, size })
    }

    #[test]
    fn a_request_without_batch_or_in_one_of_its_own_is_complete() {
        let mut batches = Batches::default();
        assert_eq!(batches.arrive(id(1), None), Arrival::Complete(vec![id(1)]));
        assert_eq!(batches.arrive(id(2), batch(1, 0, 1)), Arrival::Complete(vec![id(2)]));
    }

    #[test]
    fn completes_in_order_of_index_whatever_comes_between_or_twice() {
        let mut batches = Batches::default();
        for (n, index) in [(3, 2), (1, 0), (3, 2)] {
            assert_eq!(batches.arrive(id(n), batch(1, index, 3)), Arrival::Incomplete);
            assert_eq!(batches.arrive(id(9), None), Arrival::Complete(vec![id(9)]));
        }
        assert_eq!(batches.arrive(id(2), batch(1, 1, 3)), Arrival::Complete(vec![id(1), id(2), id(3)]));
        assert_eq!(batches.arrive(id(1), batch(1, 0, 2)), Arrival::Incomplete, "another delivery");
    }

    #[test]
    fn no_place_outside_the_batch_and_no_batch_beyond_the_limit() {
        let most = u32::try_from(MAX_BATCH).unwrap();
        for (index, size) in [(0, 0), (1, 1), (2, 2), (0, most + 1), (u32::MAX, u32::MAX)] {
            assert_eq!(Batches::default().arrive(id(1), batch(1, index, size)), Arrival::Inconsistent(vec![]));
        }
        assert_eq!(Batches::default().arrive(id(1), batch(1, most - 1, most)), Arrival::Incomplete);
    }

    #[test]
    fn a_contradiction_breaks_the_batch_for_good() {
        for (n, index, size) in [(2, 1, 3), (2, 0, 2), (1, 1, 2), (2, 7, 2)] {
            let mut batches = Batches::default();
            batches.arrive(id(1), batch(1, 0, 2));
            assert_eq!(batches.arrive(id(n), batch(1, index, size)), Arrival::Inconsistent(vec![id(1)]));
            assert_eq!(batches.arrive(id(3), batch(1, 1, 2)), Arrival::Inconsistent(vec![]));
            batches.clear();
            assert_eq!(batches.arrive(id(3), batch(1, 1, 2)), Arrival::Incomplete);
        }
    }

    #[test]
    fn as_many_are_gathered_as_there_is_room_for() {
        let mut batches = Batches::default();
        for n in 0..16 {
            assert_eq!(batches.arrive(id(n), batch(n, 0, 2)), Arrival::Incomplete);
        }
        assert_eq!(batches.arrive(id(16), batch(16, 0, 2)), Arrival::Inconsistent(vec![]));
        batches.make_room(|member| *member != id(0));
        assert_eq!(batches.arrive(id(16), batch(16, 0, 2)), Arrival::Incomplete);
    }
}
