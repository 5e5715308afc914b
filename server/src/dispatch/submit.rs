//! The backends' side: asking, and having what must outlive the process written down first.

use super::{
    Capacity, Dispatcher,
    accepting::{Accepting, Replaces},
    effect::{Accepted, Effect, Ticket},
    open_request::OpenRequest,
};
use crate::{
    SigningError,
    record::Record,
    requester::RequesterId,
    steps::{EndedBy, RequestSummary, Step},
    storage::{Idempotency, StoreError, Write, Written},
    time::Timestamp,
};
use countersign_protocol::{ConnectionId, PublicKeyBytes, RequestId};
use smallvec::SmallVec;
use std::{num::NonZeroU32, sync::Arc};

impl<T, W> Dispatcher<T, W> {
    /// Asks the wallets that are connected. The requests end with the process; they are of one key, and shown together.
    pub(crate) fn ask(
        &mut self,
        requests: SmallVec<[(Box<Record>, W); 1]>,
        now: Timestamp,
    ) -> Result<(), SigningError> {
        let bytes = requests.iter().map(|(record, _)| record.bytes()).sum();
        if let Some((first, _)) = requests.first() {
            self.check_blocked(first)?;
            self.check_room(first, requests.len(), bytes)?;
            self.check_signer(first, requests.len(), None)?;
        }
        for (record, _) in &requests {
            self.account.add(&self.capacity, record);
        }
        let requests = requests.into_iter().map(|(record, waiter)| OpenRequest::new(record, false, Some(waiter)));
        self.open(requests.collect(), now);
        Ok(())
    }

    /// Whether a requester may have so many requests more, where its token lets it have `most`.
    pub(crate) fn check_own(
        &self,
        requester: &RequesterId,
        requests: usize,
        most: Option<NonZeroU32>,
    ) -> Result<(), SigningError> {
        self.account.check_own(requester, requests, most)
    }

    /// Whether the key has proven that it can be held: by a connection, or by a request that was taken.
    pub(crate) fn knows(&self, key: &PublicKeyBytes) -> bool {
        self.connections_of(key) > 0 || !self.open_requests.of_key(key).is_empty()
    }

    /// Has requests written, and asks once they are. The key has to be one that is admitted. Unless they may `queue`, a wallet has to
    /// be connected now; `most` is how many requests their requester's token lets it have. What they are in the place of ends when they are
    /// written, and only then; [`SigningError::UnknownRequest`] says that no such request is open. What came of the writing is told by
    /// [`Effect::Accepted`].
    pub(crate) fn ask_durably(
        &mut self,
        records: Vec<Record>,
        idempotency: Option<Idempotency>,
        queue: bool,
        most: Option<NonZeroU32>,
        replaces: Option<Replaces>,
        now: Timestamp,
    ) -> Result<(), SigningError> {
        let Some(first) = records.first() else { return Ok(()) };
        let replaces = replaces.map(|replaces| self.locate_replaced(replaces));
        let id = first.id;
        // Repeated calls hold no requests, and are bounded all the same.
        if self.accepting.len() >= self.capacity.max_pending {
            return Err(SigningError::Overloaded);
        }
        self.check_room(first, records.len(), records.iter().map(|record| record.bytes()).sum())?;
        let place = || replaces.as_ref().map_or(Ok(()), |replaces| self.check_place(replaces, first));
        let signer = || {
            if queue { Ok(()) } else { self.check_signer(first, records.len(), replaces.as_ref().map(Replaces::id)) }
        };
        let own = || self.check_own(&first.requester_id, records.len(), most);
        let refusal =
            self.check_blocked(first).and_then(|()| own()).and_then(|()| place()).and_then(|()| signer()).err();
        let accepting = match refusal {
            None => Accepting {
                records,
                refusal: None,
                is_repeatable: idempotency.is_some(),
                replaces,
                is_taken_over: false,
            },
            // A repeated call is answered although no wallet is connected by now, or it is the very request that leaves no room for it, or what
            // it is in the place of has ended: only the store can tell one.
            Some(error) if idempotency.is_some() => Accepting {
                records: Vec::new(),
                refusal: Some(error),
                is_repeatable: true,
                replaces: None,
                is_taken_over: false,
            },
            Some(error) => return Err(error),
        };
        let replaced = accepting.replaces.as_ref().and_then(|replaces| self.replaced(replaces, now)).map(Box::new);
        let write = Write::Accept { records: accepting.records.clone(), idempotency, replaced };
        for record in &accepting.records {
            self.account.add(&self.capacity, record);
        }
        self.accepting.insert(id, accepting);
        self.effects.push_back(Effect::Write { write, ticket: Some(Ticket::Accept(id)) });
        Ok(())
    }

    /// Takes the outcome of a write.
    pub(crate) fn handle_written(&mut self, ticket: Ticket, written: Result<Written, StoreError>, now: Timestamp) {
        match ticket {
            Ticket::End(id) => match written {
                Ok(Written::Ended(stands)) => self.settle(id, Some(&stands), now),
                Ok(
                    Written::Done | Written::Accepted(_) | Written::Existing(_) | Written::Reused | Written::OverShare,
                ) => {
                    self.settle(id, None, now);
                }
                Ok(Written::Elsewhere) => self.let_go(id),
                Ok(Written::Unknown) => self.lose(id, now),
                Err(StoreError::Full | StoreError::Failed) => self.abandon(id),
            },
            Ticket::Accept(id) => {
                let Some(accepting) = self.accepting.remove(&id) else { return };
                let Accepting { records, refusal, is_repeatable, replaces, is_taken_over } = accepting;
                let written = match written {
                    Ok(Written::Accepted(_)) if is_taken_over => Ok(Written::Done),
                    written => written,
                };
                if written != Ok(Written::Done) || refusal.is_some() {
                    for record in &records {
                        self.account.remove(&self.capacity, record);
                    }
                }
                if written == Err(StoreError::Failed) && !is_repeatable {
                    self.note_in_doubt(&records);
                }
                // Whoever shows it is told that it is over before it is asked for the other one, for which it has room first.
                let free =
                    replaces.as_ref().map(|replaces| self.handle_replaced(replaces, &written, now)).unwrap_or_default();
                let replaced = replaces.as_ref().map(Replaces::id);
                let accepted = match (written, refusal) {
                    (Ok(Written::Done | Written::Accepted(_)), Some(error)) => Err(error),
                    (Ok(Written::Done), None) => {
                        let request_ids = records.iter().map(|record| record.id).collect();
                        let open = |record| OpenRequest::new(Box::new(record), true, None).replacing(replaced);
                        self.open(records.into_iter().map(open).collect(), now);
                        Ok(Accepted { request_ids, replayed: false })
                    }
                    // Whoever owns them goes on with them, which may be this node, as soon as it has taken them over.
                    (Ok(Written::Accepted(_)), None) => {
                        for record in &records {
                            let request = RequestSummary::of(record, true);
                            self.steps.push(now, Step::Asked { request, message: Arc::clone(&record.message) });
                        }
                        Ok(Accepted { request_ids: records.iter().map(|record| record.id).collect(), replayed: false })
                    }
                    (Ok(Written::Existing(request_ids)), _) => Ok(Accepted { request_ids, replayed: true }),
                    (Ok(Written::Reused), _) => Err(SigningError::IdempotencyKeyReused),
                    (Ok(Written::OverShare), _) => Err(SigningError::RequesterLimit),
                    // That is said of what was to be replaced: how it stands is to be looked up.
                    (Ok(Written::Ended(_) | Written::Elsewhere | Written::Unknown), _) => {
                        Err(SigningError::UnknownRequest)
                    }
                    (Err(StoreError::Full | StoreError::Failed), _) => Err(SigningError::StorageUnavailable),
                };
                self.effects.push_back(Effect::Accepted { first: id, accepted });
                for connection in free {
                    self.deliver_to(connection, now);
                }
            }
        }
    }

    /// Remembers what is refused although it may have got to the disk. The first of it suffices: as soon as one write has failed none is tried
    /// any more, and what is refused then is nowhere.
    fn note_in_doubt(&mut self, refused: &[Record]) {
        let room = self.capacity.max_pending.saturating_sub(self.in_doubt.len());
        self.in_doubt.extend(refused.iter().map(|record| record.id).take(room));
    }

    fn open(&mut self, requests: SmallVec<[OpenRequest<W>; 1]>, now: Timestamp) {
        let ids: SmallVec<[_; 1]> = requests.iter().map(|open| open.record.id).collect();
        for open in requests {
            let (request, message) = (RequestSummary::of(&open.record, open.durable), Arc::clone(&open.record.message));
            self.steps.push(now, Step::Asked { request, message });
            self.open_requests.insert(open);
        }
        // What took so long to be written that its time is over is shown to nobody any more.
        for id in &ids {
            let end = self.open_requests.get(*id).and_then(|open| open.end_for_lack_of_time(now, false));
            if let Some(end) = end {
                self.decide(*id, end, EndedBy::Time, now);
            }
            self.end_if_blocked(*id, now);
        }
        let is_open = |id: &RequestId| self.open_requests.get(*id).is_some_and(|open| !open.is_decided());
        let ids: SmallVec<[_; 1]> = ids.into_iter().filter(is_open).collect();
        let Some(first) = ids.first().and_then(|id| self.open_requests.get(*id)) else { return };
        let holding: SmallVec<[_; 1]> = self.with_room(&first.record, ids.len()).collect();
        self.deliver(&holding, &ids, now);
    }

    /// How many requests there may be on a connection that comes now.
    pub(crate) fn max_inflight(&self) -> usize {
        self.capacity.max_inflight
    }

    /// How many there may be on this one: as many as now, and no more than its wallet was told.
    pub(crate) fn max_inflight_of(&self, connection: ConnectionId) -> usize {
        self.capacity.max_inflight.min(self.registry.max_inflight(connection))
    }

    /// Goes by another capacity. What is held stays, though it be more than is allowed now; nothing is added to it.
    pub(crate) fn set_capacity(&mut self, capacity: Capacity, now: Timestamp) {
        let accepting = self.accepting.values().flat_map(|accepting| &accepting.records);
        let held = self.open_requests.records().chain(accepting);
        self.account.change(&self.capacity, &capacity, held);
        self.capacity = capacity;
        // Where there is more room now, somebody may have waited for it.
        self.deliver_to_all(self.registry.all_holding(), now);
    }

    fn check_blocked(&self, first: &Record) -> Result<(), SigningError> {
        if self.is_blocked(&first.public_key) { Err(SigningError::KeyBlocked) } else { Ok(()) }
    }

    fn check_room(&self, first: &Record, requests: usize, bytes: usize) -> Result<(), SigningError> {
        if self.draining {
            return Err(SigningError::Draining);
        }
        self.account.check(&self.capacity, first, requests, bytes)
    }

    /// Whether a wallet is connected that has room, or shows what they are in the place of.
    fn check_signer(&self, first: &Record, requests: usize, replaces: Option<RequestId>) -> Result<(), SigningError> {
        let shows = |replaced| {
            let holding = &mut self.registry.holding(&first.public_key);
            holding.any(|connection| self.open_requests.inflight(connection).contains(&replaced))
        };
        if self.with_room(first, requests).next().is_some() || replaces.is_some_and(shows) {
            return Ok(());
        }
        if self.connections_of(&first.public_key) > 0 {
            return Err(SigningError::TooManyInflight);
        }
        Err(SigningError::SignerNotConnected)
    }

    /// The connections of a request's key that may have so many more of its requester.
    fn with_room(&self, first: &Record, requests: usize) -> impl Iterator<Item = ConnectionId> {
        self.registry.holding(&first.public_key).filter(move |id| self.has_room(*id, &first.requester_id, requests))
    }

    /// Whether a connection may have so many requests more, and of this requester.
    pub(super) fn has_room(&self, connection: ConnectionId, requester: &RequesterId, requests: usize) -> bool {
        let inflight = self.open_requests.inflight(connection);
        let most = self.max_inflight_of(connection);
        let share = self.capacity.share(most);
        if inflight.len() + requests <= share {
            return true;
        }
        let is_own =
            |id: &&RequestId| self.open_requests.get(**id).is_some_and(|open| open.record.requester_id == *requester);
        inflight.len() + requests <= most
            && (share == most || inflight.iter().filter(is_own).count() + requests <= share)
    }
}
