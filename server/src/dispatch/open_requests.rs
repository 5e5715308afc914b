//! The open requests, found by id, by key, by connection and by deadline.

use super::open_request::OpenRequest;
use crate::{record::Record, time::Timestamp};
use countersign_protocol::{ConnectionId, PublicKeyBytes, RequestId};
use smallvec::SmallVec;
use std::collections::{BTreeSet, HashMap, hash_map::Entry};

/// The open requests and every index over them, kept in step by these functions alone.
#[derive(Debug)]
pub(crate) struct OpenRequests<W> {
    by_id: HashMap<RequestId, OpenRequest<W>>,
    /// In the order in which they were asked for.
    by_key: HashMap<PublicKeyBytes, SmallVec<[RequestId; 1]>>,
    /// Those a connection has been asked and has not answered.
    inflight: HashMap<ConnectionId, SmallVec<[RequestId; 1]>>,
    deadlines: BTreeSet<(Timestamp, RequestId)>,
    durable: usize,
}

impl<W> Default for OpenRequests<W> {
    fn default() -> Self {
        Self {
            by_id: HashMap::new(),
            by_key: HashMap::new(),
            inflight: HashMap::new(),
            deadlines: BTreeSet::new(),
            durable: 0,
        }
    }
}

impl<W> OpenRequests<W> {
    /// How many of them end with the process.
    pub(crate) fn transient(&self) -> usize {
        self.by_id.len() - self.durable
    }

    /// Whether no index has anything left in it.
    #[cfg(feature = "simulation")]
    pub(crate) fn is_empty(&self) -> bool {
        let Self { by_id, by_key, inflight, deadlines, durable } = self;
        let indices = by_id.is_empty() && by_key.is_empty() && inflight.is_empty() && deadlines.is_empty();
        indices && *durable == 0
    }

    pub(crate) fn get(&self, id: RequestId) -> Option<&OpenRequest<W>> {
        self.by_id.get(&id)
    }

    /// The requests of a key, in the order in which they were asked for.
    pub(crate) fn of_key(&self, key: &PublicKeyBytes) -> &[RequestId] {
        self.by_key.get(key).map_or(&[], SmallVec::as_slice)
    }

    /// Requests this connection has been asked and has not answered.
    pub(crate) fn inflight(&self, connection: ConnectionId) -> &[RequestId] {
        self.inflight.get(&connection).map_or(&[], SmallVec::as_slice)
    }

    /// The keys they are of, in order.
    pub(crate) fn keys(&self) -> Vec<PublicKeyBytes> {
        let mut keys: Vec<_> = self.by_key.keys().copied().collect();
        keys.sort_unstable();
        keys
    }

    /// All of them, in the order of their ids.
    pub(crate) fn ids(&self) -> Vec<RequestId> {
        let mut ids: Vec<_> = self.by_id.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// All of them, in no order.
    #[cfg(feature = "http")]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &OpenRequest<W>> {
        self.by_id.values()
    }

    /// Those of all, in no order.
    pub(crate) fn records(&self) -> impl Iterator<Item = &Record> {
        self.by_id.values().map(|open| open.record.as_ref())
    }

    pub(crate) fn insert(&mut self, open: OpenRequest<W>) {
        let (id, key) = (open.record.id, open.record.public_key);
        self.deadlines.insert((open.deadline(), id));
        self.by_key.entry(key).or_default().push(id);
        self.durable += usize::from(open.durable);
        self.by_id.insert(id, open);
    }

    /// Changes a request, and moves its deadline if that changes with it. One that is decided has none.
    pub(crate) fn update<R>(&mut self, id: RequestId, change: impl FnOnce(&mut OpenRequest<W>) -> R) -> Option<R> {
        let open = self.by_id.get_mut(&id)?;
        let before = (!open.is_decided()).then(|| open.deadline());
        let result = change(open);
        let after = (!open.is_decided()).then(|| open.deadline());
        if before != after {
            if let Some(before) = before {
                self.deadlines.remove(&(before, id));
            }
            if let Some(after) = after {
                self.deadlines.insert((after, id));
            }
        }
        Some(result)
    }

    pub(crate) fn remove(&mut self, id: RequestId) -> Option<OpenRequest<W>> {
        let open = self.by_id.remove(&id)?;
        self.deadlines.remove(&(open.deadline(), id));
        let key = open.record.public_key;
        if let Entry::Occupied(mut ids) = self.by_key.entry(key) {
            ids.get_mut().retain(|other| *other != id);
            if ids.get().is_empty() {
                ids.remove();
            }
        }
        self.durable -= usize::from(open.durable);
        Some(open)
    }

    /// Notes that a connection has a request to answer, if that is news.
    pub(crate) fn engage(&mut self, connection: ConnectionId, id: RequestId) {
        let requests = self.inflight.entry(connection).or_default();
        if !requests.contains(&id) {
            requests.push(id);
        }
    }

    /// Notes that it has not any more.
    pub(crate) fn release(&mut self, connection: ConnectionId, id: RequestId) {
        if let Entry::Occupied(mut requests) = self.inflight.entry(connection) {
            requests.get_mut().retain(|other| *other != id);
            if requests.get().is_empty() {
                requests.remove();
            }
        }
    }

    /// The next deadline.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// A request whose deadline has passed at `now`.
    pub(crate) fn overdue(&self, now: Timestamp) -> Option<RequestId> {
        self.deadlines.first().filter(|(at, _)| *at <= now).map(|(_, id)| *id)
    }
}
