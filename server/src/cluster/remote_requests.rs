//! Requests that other nodes own, put to wallets of this one.

use super::NodeId;
use crate::dispatch::SignFrame;
use countersign_protocol::{Batch, BatchId, ConnectionId, Message, RequestId};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

/// Of the requests of other nodes on one connection, those that wait for room there.
const MOST_WAITING: usize = 256;

/// A request of another node, on one connection.
#[derive(Debug)]
pub(crate) struct RemoteRequest {
    /// Which node decides it.
    pub(crate) owner: NodeId,
    /// What the wallet is to be shown, with the message, which the frame does not keep; none where it has it from elsewhere.
    pub(crate) frame: Option<(Arc<SignFrame>, Arc<Message>)>,
    /// It has been put to the wallet. Others wait for room. Changed by [`RemoteRequests::show`] alone.
    pub(crate) is_shown: bool,
    /// Its place among those of its batch, and how many of these there are still: they are shown together or not at all.
    pub(crate) batch: Option<Batch>,
    /// The owner may have said that it is over, or somebody else owns it by now.
    pub(crate) is_stale: bool,
    /// The wallet's answer, until it is acknowledged: the frame.
    pub(crate) answer: Option<String>,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct RemoteRequests {
    remote_requests: BTreeMap<(ConnectionId, RequestId), RemoteRequest>,
    /// Those that are not shown.
    waiting: BTreeSet<(ConnectionId, RequestId)>,
}

/// One that was taken out.
pub(crate) type Taken = (ConnectionId, RequestId, RemoteRequest);

impl RemoteRequests {
    pub(crate) fn get_mut(&mut self, connection: ConnectionId, id: RequestId) -> Option<&mut RemoteRequest> {
        self.remote_requests.get_mut(&(connection, id))
    }

    /// Takes one in; false where too many wait already.
    pub(crate) fn insert(&mut self, connection: ConnectionId, id: RequestId, remote: RemoteRequest) -> bool {
        let place = (connection, id);
        if remote.is_shown {
            self.waiting.remove(&place);
        } else if self.of(connection).filter(|(_, other)| !other.is_shown).count() >= MOST_WAITING {
            return false;
        } else {
            self.waiting.insert(place);
        }
        self.remote_requests.insert(place, remote);
        true
    }

    pub(crate) fn remove(&mut self, connection: ConnectionId, id: RequestId) -> Option<RemoteRequest> {
        self.waiting.remove(&(connection, id));
        self.remote_requests.remove(&(connection, id))
    }

    /// Takes it that one is put to its wallet now; its frame.
    pub(crate) fn show(&mut self, connection: ConnectionId, id: RequestId) -> Option<Arc<SignFrame>> {
        self.waiting.remove(&(connection, id));
        let remote = self.remote_requests.get_mut(&(connection, id))?;
        remote.is_shown = true;
        remote.frame.as_ref().map(|(frame, _)| Arc::clone(frame))
    }

    /// Forgets those of a connection that has gone.
    pub(crate) fn leave(&mut self, connection: ConnectionId) {
        let ids: Vec<_> = self.of(connection).map(|(id, _)| id).collect();
        for id in ids {
            self.remove(connection, id);
        }
    }

    /// Takes out one that its owner has taken back; what waits with it waits for it no more.
    pub(crate) fn take_back(&mut self, connection: ConnectionId, id: RequestId) {
        let Some(Batch { id: batch, .. }) = self.remove(connection, id).and_then(|remote| remote.batch) else { return };
        let others = self.remote_requests.iter_mut().filter(|((of, _), _)| *of == connection);
        for other in others.filter_map(|(_, remote)| remote.batch.as_mut()).filter(|other| other.id == batch) {
            other.size = other.size.saturating_sub(1);
        }
    }

    /// Those that wait for room, in groups that are shown together, each in its order. Of a batch all have to be here, some of which may be shown
    /// already.
    pub(crate) fn waiting(&self) -> Vec<(ConnectionId, Vec<RequestId>)> {
        let mut groups = Vec::new();
        let mut batches: BTreeMap<(ConnectionId, BatchId), Vec<(Batch, RequestId)>> = BTreeMap::new();
        for (connection, id) in &self.waiting {
            match self.remote_requests.get(&(*connection, *id)).and_then(|remote| remote.batch) {
                Some(batch) => batches.entry((*connection, batch.id)).or_default().push((batch, *id)),
                None => groups.push((*connection, vec![*id])),
            }
        }
        for ((connection, _), mut batch) in batches {
            let shown: Vec<_> = self
                .of(connection)
                .filter(|(_, remote)| remote.is_shown)
                .filter_map(|(_, remote)| remote.batch)
                .collect();
            let count = |place: &Batch| {
                batch.len() + shown.iter().filter(|other| (other.id, other.size) == (place.id, place.size)).count()
            };
            if batch.iter().all(|(place, _)| usize::try_from(place.size).is_ok_and(|size| size <= count(place))) {
                batch.sort_unstable_by_key(|(place, _)| place.index);
                groups.push((connection, batch.into_iter().map(|(_, id)| id).collect()));
            }
        }
        groups
    }

    /// Takes it that what a node has said may not have come whole.
    pub(crate) fn distrust(&mut self, owner: NodeId) {
        for remote in self.remote_requests.values_mut().filter(|remote| remote.owner == owner) {
            remote.is_stale = true;
        }
    }

    /// Takes out those that a node has not said again.
    pub(crate) fn take_stale(&mut self, owner: NodeId) -> Vec<Taken> {
        let is_taken = |remote: &RemoteRequest| remote.is_stale && remote.owner == owner;
        let taken: Vec<_> =
            self.remote_requests.iter().filter(|(_, remote)| is_taken(remote)).map(|(place, _)| *place).collect();
        let out = taken.into_iter().filter_map(|place| Some((place.0, place.1, self.remove(place.0, place.1)?)));
        out.collect()
    }

    /// Takes out those of these requests, whose owner this node is by now.
    pub(crate) fn take_of(&mut self, ids: &HashSet<RequestId>) -> Vec<Taken> {
        let taken: Vec<_> = self.remote_requests.keys().copied().filter(|(_, id)| ids.contains(id)).collect();
        let out = taken.into_iter().filter_map(|place| Some((place.0, place.1, self.remove(place.0, place.1)?)));
        out.collect()
    }

    #[cfg(feature = "simulation")]
    pub(crate) fn is_empty(&self) -> bool {
        self.remote_requests.is_empty()
    }

    fn of(&self, connection: ConnectionId) -> impl Iterator<Item = (RequestId, &RemoteRequest)> {
        let least = (connection, RequestId::from_bytes([0; 16]));
        self.remote_requests
            .range(least..)
            .take_while(move |((of, _), _)| *of == connection)
            .map(|((_, id), remote)| (*id, remote))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> RequestId {
        RequestId::from_random_bytes([n; 16])
    }

    fn remote(index: u32, size: u32) -> RemoteRequest {
        let batch = (size > 1).then(|| Batch { id: BatchId::from_random_bytes([1; 16]), index, size });
        let owner = NodeId::from_bits(1);
        RemoteRequest { owner, frame: None, is_shown: false, batch, is_stale: false, answer: None }
    }

    #[test]
    fn a_batch_is_shown_when_all_of_it_is_here() {
        let (mut remote_requests, connection) = (RemoteRequests::default(), ConnectionId::from_random_bytes([1; 16]));
        // The order of ids is not that of the batch.
        for (n, index) in [(1, 2), (2, 1)] {
            remote_requests.insert(connection, id(n), remote(index, 3));
        }
        remote_requests.insert(connection, id(9), remote(0, 1));
        assert_eq!(remote_requests.waiting(), [(connection, vec![id(9)])]);
        remote_requests.insert(connection, id(3), remote(0, 3));
        assert_eq!(remote_requests.waiting(), [(connection, vec![id(9)]), (connection, vec![id(3), id(2), id(1)])]);
        remote_requests.take_back(connection, id(2));
        assert_eq!(remote_requests.waiting(), [(connection, vec![id(9)]), (connection, vec![id(3), id(1)])]);
        // One that it shows is there as well.
        remote_requests.show(connection, id(3));
        assert_eq!(remote_requests.waiting(), [(connection, vec![id(9)]), (connection, vec![id(1)])]);
        remote_requests.show(connection, id(9));
        remote_requests.leave(connection);
        assert!(remote_requests.waiting().is_empty() && remote_requests.remote_requests.is_empty());
    }
}
