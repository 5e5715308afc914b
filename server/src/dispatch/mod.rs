//! Matches requests with the wallets that can answer them: a state machine without clock, socket or randomness.
//!
//! Inputs are its methods; after each, [`Dispatcher::poll_effect`] says what is to be done, in order, and
//! [`Dispatcher::handle_timeout`] is due when [`Dispatcher::poll_timeout`] says so. A request is in here from the moment a
//! wallet may answer it until everybody knows its end. Its end is decided in one function, [`Dispatcher::decide`], and told in one
//! other, [`Dispatcher::settle`]; so it ends exactly once, and nobody is left waiting for what is no longer here.

mod abandoned;
mod accepting;
mod account;
mod answers;
mod blocked;
mod check;
mod cluster;
mod delivery;
mod effect;
mod lease;
mod open_request;
mod open_requests;
#[cfg(any(feature = "http", feature = "simulation"))]
mod operator;
mod recently_ended;
mod registry;
mod replacing;
mod sign_frame;
mod submit;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub(crate) use accepting::Replaces;
pub(crate) use account::Capacity;
pub(crate) use check::Check;
pub use effect::Accepted;
pub(crate) use effect::{Effect, Ticket};
pub(crate) use open_request::{OpenRequest, Verdict};
#[cfg(feature = "http")]
pub(crate) use registry::Listed;
pub(crate) use registry::{Arrival, Refused};
use registry::{Place, Removed};
pub use sign_frame::SignFrame;

use crate::{
    record::{End, Phase, Record},
    session::Close,
    steps::{EndedBy, RequestSummary, Step, Steps},
    storage::{Loaded, Write},
    time::Timestamp,
};
use abandoned::Abandoned;
use accepting::Accepting;
use account::Account;
use countersign_protocol::{
    AckOutcome, CancelCause, ConnectionId, Device, PublicKeyBytes, RequestId, ServerFrame, limits::MAX_TIMEOUT_MS,
};
use lease::Lease;
use open_requests::OpenRequests;
use recently_ended::RecentlyEnded;
use registry::Registry;
use smallvec::SmallVec;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    mem,
    sync::Arc,
    time::Duration,
};

/// The time that wallets have, after a restart, to come back and say what they have received: as long as they wait at most
/// between two tries.
const RETURN: Duration = Duration::from_secs(30);

/// All connections, each with a handle `T`, and all open requests, some with a waiter `W`.
#[derive(Debug)]
pub(crate) struct Dispatcher<T, W> {
    capacity: Capacity,
    registry: Registry<T>,
    open_requests: OpenRequests<W>,
    /// Durable requests that are being written, by the first of each call.
    accepting: HashMap<RequestId, Accepting>,
    /// What all of these requests hold, and those that are open.
    account: Account,
    recently_ended: RecentlyEnded,
    /// Requests whose end could not be written, with their keys: open on disk, and nobody here knows what will become of them. No more
    /// than were open when the disk failed, since none is taken until it works again.
    abandoned: HashMap<RequestId, Abandoned>,
    /// Requests that were refused while they were being written, and that no repeated call would find; no more than may be open.
    in_doubt: BTreeSet<RequestId>,
    /// Keys of which nothing may be asked.
    blocked: HashSet<PublicKeyBytes>,
    lease: Lease,
    draining: bool,
    effects: VecDeque<Effect<W>>,
    /// What has happened, for those who only look on.
    pub(crate) steps: Steps,
}

impl<T, W> Dispatcher<T, W> {
    /// One without connections, with what an earlier process has left.
    pub(crate) fn new(capacity: Capacity, loaded: Loaded, now: Timestamp) -> Self {
        let mut dispatcher = Self {
            capacity,
            registry: Registry::default(),
            open_requests: OpenRequests::default(),
            accepting: HashMap::new(),
            account: Account::default(),
            recently_ended: RecentlyEnded::default(),
            abandoned: HashMap::new(),
            in_doubt: BTreeSet::new(),
            blocked: HashSet::new(),
            lease: Lease::default(),
            draining: false,
            effects: VecDeque::new(),
            steps: Steps::default(),
        };
        for record in loaded.ended {
            dispatcher.recently_ended.remember(&record, SmallVec::new(), true);
        }
        for record in loaded.open {
            dispatcher.take_back(record, now);
        }
        dispatcher
    }

    /// Goes on with a request that is open on disk.
    fn take_back(&mut self, mut record: Record, now: Timestamp) {
        // Under a clock that stands long before it was asked for it would have years.
        record.expires_at = record.expires_at.min(now.after(Duration::from_millis(MAX_TIMEOUT_MS)));
        // The time of the outage does not count against the delivery: the wallets are about to come back.
        record.deliver_by = record.deliver_by.max(now.after(RETURN)).min(record.expires_at);
        // It may have ended before the store was put back to an earlier time.
        self.recently_ended.forget(record.id);
        self.account.add(&self.capacity, &record);
        self.open_requests.insert(OpenRequest::new(Box::new(record), true, None));
    }

    /// A store that had failed works again, and has this on disk. What nobody here knew about is what it would be after a restart.
    pub(crate) fn recover(&mut self, loaded: Loaded, now: Timestamp) {
        let mut concerned = BTreeSet::new();
        self.recently_ended.go_by(&loaded.ended);
        for record in loaded.ended {
            let Some(Abandoned { key: _, end, acks, silent, answered }) = self.abandoned.remove(&record.id) else {
                // What is open here and over there was ended by somebody else.
                self.settle(record.id, Some(&record), now);
                continue;
            };
            self.withdraw(record.id, record.end.as_ref().map_or(CancelCause::Expired, End::cause), &silent);
            // Who has answered has had room since.
            concerned.extend(acks.iter().map(|ack| ack.to));
            for ack in acks {
                // The end that nobody could be sure of is there, or one that somebody else has put there.
                let outcome = ack.outcome(end.as_ref(), record.end.as_ref());
                self.effects.push_back(Effect::Acknowledge { to: ack.to, request_id: record.id, outcome });
            }
            concerned.extend(silent);
            self.recently_ended.remember(&record, answered, true);
        }
        let mut lost: BTreeMap<_, _> = mem::take(&mut self.abandoned).into_iter().collect();
        let is_there: HashSet<_> = loaded.open.iter().map(|record| record.id).collect();
        let in_doubt = mem::take(&mut self.in_doubt);
        for record in loaded.open {
            lost.remove(&record.id);
            if self.open_requests.get(record.id).is_none() && !self.is_accepting(record.id) {
                concerned.append(&mut self.go_on_with(record, now));
            }
        }
        for (id, Abandoned { silent, acks, .. }) in lost {
            concerned.extend(acks.iter().map(|ack| ack.to));
            // Another node owns it by now, or it ended long ago.
            self.effects.push_back(Effect::LetGo { id, shown: silent });
        }
        // A database that was put back to an earlier time does not know what was accepted since. Of what is decided the store will say so.
        self.let_go_of_all_but(&is_there);
        self.end_blocked(now);
        // Its backend was told that it is not taken, and nobody may be asked what nobody waits for.
        for id in in_doubt {
            self.cancel(id, EndedBy::HangUp, now);
        }
        // Before anything that was said meanwhile is heard: whoever showed it has been told that it is over.
        self.handle_timeout(now);
        self.deliver_to_all(concerned, now);
    }

    /// Goes on with an open request that connections may show already; gives those it concerns.
    fn go_on_with(&mut self, record: Record, now: Timestamp) -> BTreeSet<ConnectionId> {
        let holding: BTreeSet<_> = self.registry.holding(&record.public_key).collect();
        if record.expires_at <= now {
            // Whoever still shows it does so in vain, and may have no room for what comes next.
            self.withdraw(record.id, CancelCause::Expired, &holding.iter().copied().collect::<SmallVec<[_; 4]>>());
        }
        // Whoever has it before them goes on with it, in the same place.
        self.take_back(record, now);
        holding
    }

    /// The next thing to be carried out.
    pub(crate) fn poll_effect(&mut self) -> Option<Effect<W>> {
        self.effects.pop_front()
    }

    /// When [`Dispatcher::handle_timeout`] is due, unless something happens before.
    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        self.open_requests.next_deadline()
    }

    /// Ends what has no time left at `now`.
    pub(crate) fn handle_timeout(&mut self, now: Timestamp) {
        while let Some(id) = self.open_requests.overdue(now) {
            let end = self.open_requests.get(id).and_then(|open| {
                let connected = self.connections_of(&open.record.public_key) > 0;
                open.end_for_lack_of_time(now, connected)
            });
            // Whatever is overdue has such an end; to end it somehow is better than to look at it for ever.
            self.decide(id, end.unwrap_or(End::Timeout(Phase::Queued)), EndedBy::Time, now);
        }
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining
    }

    /// How many requests are open, or are being written to become so.
    pub(crate) fn pending(&self) -> usize {
        self.account.requests()
    }

    /// Which of the indices of requests are empty, but for the memory of those that are over.
    #[cfg(feature = "simulation")]
    pub(crate) fn emptiness(&self) -> [(&'static str, bool); 4] {
        [
            ("open_requests", self.open_requests.is_empty()),
            ("accepting", self.accepting.is_empty()),
            ("account", self.account.is_empty()),
            ("effects", self.effects.is_empty()),
        ]
    }

    /// How many of them end with the process.
    pub(crate) fn transient(&self) -> usize {
        self.open_requests.transient()
    }

    /// An open durable request, as far as it may be told: an end that is not on disk is none.
    pub(crate) fn durable_record(&self, id: RequestId) -> Option<&Record> {
        self.open_requests.get(id).filter(|open| open.durable).map(|open| open.record.as_ref())
    }

    /// All connections, introduced or not.
    pub(crate) fn connections(&self) -> usize {
        self.registry.len()
    }

    /// How many connections hold this key.
    pub(crate) fn connections_of(&self, key: &PublicKeyBytes) -> usize {
        self.registry.holding(key).count()
    }

    pub(crate) fn handle(&self, connection: ConnectionId) -> Option<&T> {
        self.registry.handle(connection)
    }

    /// Takes in a connection that has not introduced itself; false while draining.
    pub(crate) fn connect(&mut self, id: ConnectionId, handle: T, arrival: Arrival) -> bool {
        if !self.draining {
            self.registry.add(id, handle, Place::Here, arrival, self.capacity.max_inflight);
        }
        !self.draining
    }

    /// Takes in a connection of another node, which has introduced itself there, and sends it the key's open requests.
    pub(crate) fn connect_elsewhere(
        &mut self,
        id: ConnectionId,
        key: PublicKeyBytes,
        device: Option<Arc<Device>>,
        handle: T,
        now: Timestamp,
    ) {
        // Its own node knows where it comes from, and how many requests it may have.
        self.registry.add(id, handle, Place::Elsewhere, Arrival { address: None, at: now }, usize::MAX);
        // A stranger that has proven its key, of which there may be as many as other nodes allow, is refused by nothing.
        if self.registry.introduce(id, key, device, true, usize::MAX).is_ok() {
            self.deliver_to(id, now);
        }
    }

    /// All open requests, in no order.
    #[cfg(feature = "http")]
    pub(crate) fn open_requests(&self) -> impl Iterator<Item = &OpenRequest<W>> {
        self.open_requests.iter()
    }

    #[cfg(feature = "http")]
    pub(crate) fn open_request(&self, id: RequestId) -> Option<&OpenRequest<W>> {
        self.open_requests.get(id)
    }

    /// The connections of this node that have introduced themselves, all or those of a key, in no order.
    #[cfg(feature = "http")]
    pub(crate) fn list_connections(&self, key: Option<&PublicKeyBytes>) -> impl Iterator<Item = Listed<'_>> {
        self.registry.list(key)
    }

    /// How many connections of this node have introduced themselves.
    #[cfg(feature = "http")]
    pub(crate) fn introduced_count(&self) -> usize {
        self.registry.introduced_count()
    }

    /// The connections of this node that have introduced themselves.
    pub(crate) fn introduced(&self) -> Vec<ConnectionId> {
        self.registry.introduced()
    }

    /// The key that a connection has introduced itself with, and which device it is.
    pub(crate) fn holder(&self, connection: ConnectionId) -> Option<(PublicKeyBytes, Option<Arc<Device>>)> {
        self.registry.holder(connection).map(|(key, device)| (key, device.cloned()))
    }

    /// Registers a connection under a key and sends it the key's open requests. The connections it displaces are told `superseded`.
    pub(crate) fn introduce(
        &mut self,
        id: ConnectionId,
        key: PublicKeyBytes,
        device: Option<Arc<Device>>,
        proven: bool,
        superseded: impl Fn() -> Close,
        now: Timestamp,
    ) -> Result<(), Refused> {
        if self.is_blocked(&key) {
            return Err(Refused::Blocked);
        }
        let displaced = self.registry.introduce(id, key, device, proven, self.capacity.max_connections_per_key)?;
        // What its wallet is told now holds for as long as it is there.
        self.registry.set_max_inflight(id, self.max_inflight_of(id));
        self.steps.push(now, Step::Introduced { public_key: key, wallet: self.registry.wallet(id), proven });
        for connection in displaced {
            self.effects.push_back(Effect::Close { to: connection, close: superseded() });
            self.leave(connection, &key, now);
        }
        self.deliver_to(id, now);
        Ok(())
    }

    /// Takes a connection that is being closed out of its key's, so that it is asked nothing more while its last frames go out.
    pub(crate) fn retire(&mut self, id: ConnectionId, now: Timestamp) {
        let key = self.registry.holder(id).map(|(key, _)| key);
        self.registry.retire(id);
        if let Some(key) = key {
            self.leave(id, &key, now);
        }
    }

    /// Forgets a connection of another node.
    pub(crate) fn disconnect(&mut self, id: ConnectionId, now: Timestamp) {
        self.retire(id, now);
        self.registry.remove(id);
    }

    /// Forgets a connection of this node, which has ended in this way.
    pub(crate) fn depart(&mut self, id: ConnectionId, why: &'static str, now: Timestamp) {
        self.retire(id, now);
        if let Some(Removed { key: Some(public_key), wallet, since }) = self.registry.remove(id) {
            self.steps.push(now, Step::Left { public_key, wallet, why, stayed: now.since(since) });
        }
    }

    /// Takes nothing new from now on, and tells every wallet.
    pub(crate) fn begin_drain(&mut self, goodbye: &ServerFrame) {
        self.draining = true;
        for to in self.registry.ids() {
            self.effects.push_back(Effect::Send { to, text: goodbye.to_json() });
        }
    }

    /// Ends what does not outlive the process, and closes every connection.
    pub(crate) fn finish_drain(&mut self, goodbye: impl Fn() -> Close, now: Timestamp) {
        for id in self.open_requests.ids() {
            if self.open_requests.get(id).is_some_and(|open| !open.durable) {
                self.decide(id, End::Draining, EndedBy::Shutdown, now);
            }
        }
        for to in self.registry.ids() {
            self.effects.push_back(Effect::Close { to, close: goodbye() });
        }
    }

    /// Ends a request for everybody, on somebody's wish. Nothing happens to one that has ended.
    pub(crate) fn cancel(&mut self, id: RequestId, by: EndedBy, now: Timestamp) {
        self.decide(id, End::Cancelled, by, now);
    }

    /// Decides a request's end, unless it is decided. What has to outlive the process is told when it is on disk.
    fn decide(&mut self, id: RequestId, end: End, by: EndedBy, now: Timestamp) {
        let decided = self.open_requests.update(id, |open| open.decide(end, by, now).then_some(open.durable));
        match decided.flatten() {
            None => {}
            Some(false) => self.settle(id, None, now),
            Some(true) => self.write_end(id),
        }
    }

    /// Has a durable request's end written that is decided.
    fn write_end(&mut self, id: RequestId) {
        let decided = self.open_requests.get(id).and_then(OpenRequest::decided);
        let write = decided.map(|(end, times)| Write::End { id, end, times });
        let ticket = Some(Ticket::End(id));
        self.effects.extend(write.map(|write| Effect::Write { write, ticket }));
    }

    /// Tells everybody the end that was decided, or the one that `stands` where the store had one before, and forgets the request.
    fn settle(&mut self, id: RequestId, stands: Option<&Record>, now: Timestamp) {
        for connection in self.settle_apart(id, stands) {
            self.deliver_to(connection, now);
        }
    }

    /// Likewise, and gives the connections that have room for another one now.
    fn settle_apart(&mut self, id: RequestId, stands: Option<&Record>) -> SmallVec<[ConnectionId; 1]> {
        let Some(mut open) = self.open_requests.remove(id) else { return SmallVec::new() };
        self.account.remove(&self.capacity, &open.record);
        let (by, acks) = open.conclude(stands);
        self.steps.ended(&open.record, open.durable, by);
        let (silent, answered) = open.connections();
        if let Some(end) = &open.record.end {
            self.withdraw(id, end.cause(), &silent);
        }
        for (to, outcome) in acks {
            self.effects.push_back(Effect::Acknowledge { to, request_id: id, outcome });
        }
        let free: SmallVec<[_; 1]> = silent.iter().chain(&answered).copied().collect();
        self.recently_ended.remember(&open.record, answered, open.durable);
        self.effects.push_back(Effect::Ended(open));
        free
    }

    /// Lets go of a request whose end could not be written. It is open on disk, and will be here again when the store works again. Connections that
    /// show it go on doing so, which takes its place from others until they have answered or gone.
    fn abandon(&mut self, id: RequestId) {
        let Some(mut open) = self.open_requests.remove(id) else { return };
        self.account.remove(&self.capacity, &open.record);
        let (silent, answered) = open.connections();
        let (end, acks) = open.let_go();
        self.abandoned.insert(id, Abandoned { key: open.record.public_key, end, acks, silent, answered });
        self.effects.push_back(Effect::Ended(open));
    }

    /// Lets go of a request that another node owns by now. What it comes to is told there; wallets that show it go on doing so.
    fn let_go(&mut self, id: RequestId) {
        let Some(mut open) = self.open_requests.remove(id) else { return };
        self.account.remove(&self.capacity, &open.record);
        let (silent, answered) = open.connections();
        for connection in answered {
            self.open_requests.release(connection, id);
        }
        self.effects.push_back(Effect::LetGo { id, shown: silent });
        // Who waits to be acknowledged says it again when the request is put to it again.
        open.let_go();
        self.effects.push_back(Effect::Ended(open));
    }

    /// Lets go of a request that nobody knows any more: the database was put back to a time before it. Whoever shows it is told that it is
    /// over, and whoever waits for it finds that it is unknown.
    fn lose(&mut self, id: RequestId, now: Timestamp) {
        let Some(mut open) = self.open_requests.remove(id) else { return };
        self.account.remove(&self.capacity, &open.record);
        let (silent, answered) = open.connections();
        self.withdraw(id, CancelCause::Expired, &silent);
        for ack in open.let_go().1 {
            self.effects.push_back(Effect::Acknowledge { to: ack.to, request_id: id, outcome: AckOutcome::Unknown });
        }
        self.effects.push_back(Effect::Ended(open));
        for connection in silent.into_iter().chain(answered) {
            self.deliver_to(connection, now);
        }
    }

    /// Notes on a key's requests that a connection has gone.
    fn leave(&mut self, connection: ConnectionId, key: &PublicKeyBytes, now: Timestamp) {
        for id in self.open_requests.of_key(key).iter().copied().collect::<SmallVec<[_; 1]>>() {
            let end = self.open_requests.update(id, |open| open.leave(connection)).flatten();
            if let Some((end, wallet)) = end {
                self.decide(id, end, EndedBy::Wallet(wallet), now);
            }
        }
        for id in self.open_requests.inflight(connection).iter().copied().collect::<SmallVec<[_; 1]>>() {
            self.open_requests.release(connection, id);
        }
    }

    /// Notes a step of an open request, if those of which there are several are wanted.
    fn note_step(&mut self, id: RequestId, now: Timestamp, step: impl FnOnce(RequestSummary, &Record) -> Step) {
        if !self.steps.with_progress {
            return;
        }
        if let Some(open) = self.open_requests.get(id) {
            self.steps.push(now, step(RequestSummary::of(&open.record, open.durable), &open.record));
        }
    }

    /// Submits how far a durable request has come, and says so to those who watch it.
    fn note_progress(&mut self, id: RequestId) {
        if let Some(open) = self.open_requests.get(id).filter(|open| open.durable) {
            let Record { times, attempt, .. } = *open.record;
            self.effects.push_back(Effect::Write { write: Write::Progress { id, times, attempt }, ticket: None });
            self.effects.push_back(Effect::Progressed(id));
        }
    }
}
