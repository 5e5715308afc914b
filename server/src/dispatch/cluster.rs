//! What it takes to be one node of several: requests that come from other nodes and go to them.

use super::{Accepting, Dispatcher, OpenRequest};
use crate::{
    record::{End, Phase, Record},
    steps::{EndedBy, RequestSummary, Step},
    time::Timestamp,
};
use countersign_protocol::{ConnectionId, PublicKeyBytes, RequestId};
use smallvec::SmallVec;
use std::{
    collections::{BTreeSet, HashSet},
    mem,
};

impl<T, W> Dispatcher<T, W> {
    /// Notes whether it is certain that the others have not given this node up. While it is not, a wallet that comes may have been told by
    /// another node that what it was asked from here is over.
    pub(crate) fn note_lease(&mut self, is_held: bool) {
        self.lease.is_doubtful = !is_held;
    }

    /// Whether a request is not to be put to anybody for as long as that is so; it is looked for again when the lease is renewed. Of a durable one
    /// another node may be the owner by then, and have had it answered, replaced or cancelled.
    pub(super) fn holds_back(&mut self, id: RequestId) -> bool {
        let may_be_over = |open: &OpenRequest<W>| open.durable || open.record.phase() > Phase::Queued;
        let is_held_back = self.lease.is_doubtful && self.open_requests.get(id).is_some_and(may_be_over);
        self.lease.has_held_back |= is_held_back;
        is_held_back
    }

    /// Puts to wallets what was held back, unless it still is.
    pub(crate) fn deliver_held_back(&mut self, now: Timestamp) {
        if !self.lease.is_doubtful && mem::take(&mut self.lease.has_held_back) {
            let keys = self.open_requests.keys();
            let connections = keys.iter().flat_map(|key| self.registry.holding(key)).collect();
            self.deliver_to_all(connections, now);
        }
    }

    /// Whether it is here that something is to be said about a request: it is open, or has ended lately, or nobody knows.
    pub(crate) fn has_heard_of(&self, id: RequestId) -> bool {
        self.open_requests.get(id).is_some()
            || self.abandoned.contains_key(&id)
            || self.recently_ended.has(id)
            || self.is_accepting(id)
    }

    /// Whether a request is held here of which it may show that another node owns it: open, or with an end that could not be written.
    pub(crate) fn may_let_go_of(&self, id: RequestId) -> bool {
        self.open_requests.get(id).is_some_and(|open| open.durable) || self.abandoned.contains_key(&id)
    }

    /// Whether it is known here how a request ended.
    pub(crate) fn remembers(&self, id: RequestId) -> bool {
        self.recently_ended.has(id)
    }

    /// A request is open that had ended before the store was put back to an earlier time.
    pub(crate) fn forget_end(&mut self, id: RequestId) {
        self.recently_ended.forget(id);
    }

    /// How a request ended elsewhere.
    pub(crate) fn remember(&mut self, record: &Record) {
        self.recently_ended.remember(record, SmallVec::new(), true);
    }

    /// Takes places on a connection for requests of another node, if there is one for each.
    pub(crate) fn engage(&mut self, connection: ConnectionId, ids: &[RequestId]) -> bool {
        let inflight = self.open_requests.inflight(connection);
        let more = ids.iter().filter(|id| !inflight.contains(id)).count();
        // One that has just been let go, since it takes nothing, has no places any more.
        let is_there = self.registry.holder(connection).is_some();
        let has_room = is_there && (more == 0 || inflight.len() + more <= self.max_inflight_of(connection));
        if has_room {
            for id in ids {
                self.open_requests.engage(connection, *id);
            }
        }
        has_room
    }

    /// Puts to a connection of another node once more what it may not have got. It keeps its places: by now there may be fewer than it has.
    pub(crate) fn put_again(&mut self, connection: ConnectionId, now: Timestamp) {
        let Some((key, _)) = self.registry.holder(connection) else { return };
        for id in self.open_requests.of_key(&key).iter().copied().collect::<SmallVec<[_; 1]>>() {
            self.open_requests.update(id, |open| open.forget_unanswered(connection));
        }
        self.deliver_to(connection, now);
    }

    /// How many connections of this node hold a key.
    #[cfg(feature = "http")]
    pub(crate) fn connections_here(&self, key: &PublicKeyBytes) -> usize {
        self.registry.holding_here(key)
    }

    /// How many requests a connection has to answer.
    pub(crate) fn inflight(&self, connection: ConnectionId) -> usize {
        self.open_requests.inflight(connection).len()
    }

    /// Gives it up again, to whatever waits for it here.
    pub(crate) fn release(&mut self, connection: ConnectionId, id: RequestId, now: Timestamp) {
        self.open_requests.release(connection, id);
        self.deliver_to(connection, now);
    }

    /// The keys of requests that are open or about to be: whoever is being written while another node becomes known is asked there too.
    pub(crate) fn open_keys(&self) -> Vec<PublicKeyBytes> {
        let accepting = self.accepting.values().filter_map(|accepting| accepting.records.first());
        let keys: BTreeSet<_> =
            self.open_requests.keys().into_iter().chain(accepting.map(|first| first.public_key)).collect();
        keys.into_iter().collect()
    }

    /// Whether a key has requests that are open or about to be.
    pub(crate) fn has_open(&self, key: &PublicKeyBytes) -> bool {
        let is_of = |accepting: &Accepting| accepting.records.first().is_some_and(|first| first.public_key == *key);
        !self.open_requests.of_key(key).is_empty() || self.accepting.values().any(is_of)
    }

    /// The durable requests that are open and undecided here, which another node may have ended.
    pub(crate) fn undecided_durable(&self) -> Vec<RequestId> {
        let is_undecided =
            |id: &RequestId| self.open_requests.get(*id).is_some_and(|open| open.durable && !open.is_decided());
        self.open_requests.ids().into_iter().filter(is_undecided).collect()
    }

    /// Goes on with open requests that this node has come to own.
    pub(crate) fn adopt(&mut self, records: Vec<Record>, now: Timestamp) {
        let mut concerned = BTreeSet::new();
        for record in records {
            if let Some(accepting) = self.accepting_mut(record.id) {
                accepting.is_taken_over = true;
            } else if self.open_requests.get(record.id).is_none() {
                self.steps.push(now, Step::TakenOver { request: RequestSummary::of(&record, true) });
                concerned.append(&mut self.go_on_with(record, now));
            }
        }
        self.end_blocked(now);
        self.handle_timeout(now);
        self.deliver_to_all(concerned, now);
    }

    /// Lets go of all durable requests but those whose end is being written: it shows whose those are.
    pub(crate) fn let_go_of_all(&mut self) {
        self.accepting.values_mut().for_each(|accepting| accepting.is_taken_over = false);
        self.let_go_of_all_but(&HashSet::new());
    }

    /// Likewise, and but for these.
    pub(super) fn let_go_of_all_but(&mut self, these: &HashSet<RequestId>) {
        for id in self.open_requests.ids().into_iter().filter(|id| !these.contains(id)) {
            if self.open_requests.get(id).is_some_and(|open| open.durable && !open.is_decided()) {
                self.let_go(id);
            }
        }
    }

    /// Ends what does not outlive the process and may be over for its wallet: it must not be asked again.
    pub(crate) fn end_out_of_sight(&mut self, now: Timestamp) {
        for id in self.open_requests.ids() {
            let lost = self.open_requests.get(id).filter(|open| !open.durable && open.is_out_of_sight());
            if let Some(phase) = lost.map(|open| open.record.phase()) {
                self.decide(id, End::Disconnected(phase), EndedBy::Elsewhere, now);
            }
        }
    }

    fn accepting_mut(&mut self, id: RequestId) -> Option<&mut Accepting> {
        self.accepting.values_mut().find(|accepting| accepting.records.iter().any(|other| other.id == id))
    }

    pub(super) fn is_accepting(&self, id: RequestId) -> bool {
        let is_one = |accepting: &Accepting| accepting.records.iter().any(|other| other.id == id);
        self.accepting.values().any(is_one)
    }

    pub(super) fn deliver_to_all(&mut self, connections: BTreeSet<ConnectionId>, now: Timestamp) {
        if !self.draining {
            for connection in connections {
                self.deliver_to(connection, now);
            }
        }
    }
}
