//! Matches requests with the wallets that can answer them: a state machine without clock, socket or randomness.
//!
//! Inputs are its methods; after each, [`Dispatcher::poll_effect`] says what is to be done, in order, and
//! [`Dispatcher::handle_timeout`] is due when [`Dispatcher::poll_timeout`] says so. A request is in here from the moment a
//! wallet may answer it until everybody knows its end. Its end is decided in one function, [`Dispatcher::decide`], and told in one
//! other, [`Dispatcher::settle`]; so it ends exactly once, and nobody is left waiting for what is no longer here.

mod answers;
mod asks;
mod delivery;
mod effect;
mod ended;
mod open;
mod registry;
mod table;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub(crate) use answers::Check;
pub use effect::Accepted;
pub(crate) use effect::{Effect, Ticket};
pub(crate) use open::{Open, Verdict};
pub(crate) use registry::Refused;

use crate::{
    few::Few,
    record::{End, Phase, Record},
    session::Close,
    storage::{Loaded, Write},
    time::Timestamp,
};
use asks::Accepting;
use countersign_protocol::{ConnectionId, Device, PublicKeyBytes, RequestId, ServerFrame};
use ended::EndedRequests;
use registry::Registry;
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use table::Table;

/// The time that wallets have, after a restart, to come back and say what they have received: as long as they wait at most
/// between two tries.
const RETURN: Duration = Duration::from_secs(30);

/// What it takes at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) max_inflight: usize,
    pub(crate) max_connections_per_key: usize,
    pub(crate) max_pending: usize,
    pub(crate) max_pending_per_key: usize,
    pub(crate) max_pending_bytes: usize,
}

/// All connections, each with a handle `T`, and all open requests, some with a waiter `W`.
#[derive(Debug)]
pub(crate) struct Dispatcher<T, W> {
    limits: Limits,
    registry: Registry<T>,
    table: Table<W>,
    /// Durable requests that are being written, by the first of each call.
    accepting: HashMap<RequestId, Accepting>,
    /// How many requests those are.
    being_written: usize,
    ended: EndedRequests,
    /// Requests whose end could not be written, with their keys: open on disk, and nobody here knows what will become of them. No more
    /// than were open when the disk failed, since none is taken after that.
    abandoned: HashMap<RequestId, PublicKeyBytes>,
    draining: bool,
    effects: VecDeque<Effect<W>>,
}

impl<T, W> Dispatcher<T, W> {
    /// One without connections, with what an earlier process has left.
    pub(crate) fn new(limits: Limits, loaded: Loaded, now: Timestamp) -> Self {
        let mut dispatcher = Self {
            limits,
            registry: Registry::default(),
            table: Table::default(),
            accepting: HashMap::new(),
            being_written: 0,
            ended: EndedRequests::default(),
            abandoned: HashMap::new(),
            draining: false,
            effects: VecDeque::new(),
        };
        for record in loaded.ended {
            dispatcher.ended.remember(&record, Few::new());
        }
        for mut record in loaded.open {
            // The time of the outage does not count against the delivery: the wallets are about to come back.
            record.deliver_by = record.deliver_by.max(now.after(RETURN)).min(record.expires_at);
            dispatcher.table.insert(Open::new(Box::new(record), true, None));
        }
        dispatcher
    }

    /// The next thing to be carried out.
    pub(crate) fn poll_effect(&mut self) -> Option<Effect<W>> {
        self.effects.pop_front()
    }

    /// When [`Dispatcher::handle_timeout`] is due, unless something happens before.
    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        self.table.next_deadline()
    }

    /// Ends what has no time left at `now`.
    pub(crate) fn handle_timeout(&mut self, now: Timestamp) {
        while let Some(id) = self.table.overdue(now) {
            let end = self.table.get(id).and_then(|open| {
                let connected = self.connections_of(&open.record.public_key) > 0;
                open.end_for_lack_of_time(now, connected)
            });
            // Whatever is overdue has such an end; to end it somehow is better than to look at it for ever.
            self.decide(id, end.unwrap_or(End::Timeout(Phase::Queued)), now);
        }
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining
    }

    /// How many requests are open.
    pub(crate) fn pending(&self) -> usize {
        self.table.len()
    }

    /// Whether nothing is left of any request but the memory of it.
    pub(crate) fn is_idle(&self) -> bool {
        self.table.is_empty() && self.accepting.is_empty() && self.effects.is_empty()
    }

    /// How many of them end with the process.
    pub(crate) fn transient(&self) -> usize {
        self.table.transient()
    }

    /// An open durable request, as far as it may be told: an end that is not on disk is none.
    pub(crate) fn durable_record(&self, id: RequestId) -> Option<&Record> {
        self.table.get(id).filter(|open| open.durable).map(|open| open.record.as_ref())
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
    pub(crate) fn connect(&mut self, id: ConnectionId, handle: T) -> bool {
        if !self.draining {
            self.registry.add(id, handle);
        }
        !self.draining
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
        let displaced = self.registry.introduce(id, key, device, proven, self.limits.max_connections_per_key)?;
        for connection in displaced {
            self.effects.push_back(Effect::Close { to: connection, close: superseded() });
            self.leave(connection, &key, now);
        }
        self.deliver_to(id, now);
        Ok(())
    }

    /// Takes a connection that is being closed out of its key's, so that it is asked nothing more while it says farewell.
    pub(crate) fn retire(&mut self, id: ConnectionId, now: Timestamp) {
        let key = self.registry.holder(id).map(|(key, _)| key);
        self.registry.retire(id);
        if let Some(key) = key {
            self.leave(id, &key, now);
        }
    }

    /// Forgets a connection.
    pub(crate) fn disconnect(&mut self, id: ConnectionId, now: Timestamp) {
        self.retire(id, now);
        self.registry.remove(id);
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
        for id in self.table.ids() {
            if self.table.get(id).is_some_and(|open| !open.durable) {
                self.decide(id, End::Draining, now);
            }
        }
        for to in self.registry.ids() {
            self.effects.push_back(Effect::Close { to, close: goodbye() });
        }
    }

    /// Ends a request for everybody, on its requester's wish. Nothing happens to one that has ended.
    pub(crate) fn cancel(&mut self, id: RequestId, now: Timestamp) {
        self.decide(id, End::Cancelled, now);
    }

    /// Decides a request's end, unless it is decided. What has to outlive the process is told when it is on disk.
    fn decide(&mut self, id: RequestId, end: End, now: Timestamp) {
        let decided = self.table.update(id, |open| open.decide(end, now).then_some(open.durable));
        match decided.flatten() {
            None => {}
            Some(false) => self.settle(id, now),
            Some(true) => {
                let write = self.table.get(id).and_then(|open| {
                    let (end, at) = open.decision()?;
                    let times = crate::record::PhaseTimes { ended: Some(at), ..open.record.times };
                    Some(Write::End { id, end: end.clone(), times })
                });
                let ticket = Some(Ticket::End(id));
                self.effects.extend(write.map(|write| Effect::Write { write, ticket }));
            }
        }
    }

    /// Tells everybody the end that was decided, and forgets the request.
    fn settle(&mut self, id: RequestId, now: Timestamp) {
        let Some(mut open) = self.table.remove(id) else { return };
        let acks = open.conclude();
        let (silent, answered) = open.connections();
        if let Some(end) = &open.record.end {
            self.withdraw(id, end.cause(), &silent);
        }
        for (to, outcome) in acks {
            self.effects.push_back(Effect::Acknowledge { to, request_id: id, outcome });
        }
        let free: Few<_> = silent.iter().chain(&answered).copied().collect();
        self.ended.remember(&open.record, answered);
        self.effects.push_back(Effect::Ended(open));
        for connection in free {
            self.deliver_to(connection, now);
        }
    }

    /// Lets go of a request whose end could not be written. It is open on disk, and will be here again after a restart. Connections that
    /// show it go on doing so, which takes its place from others until they have answered or gone.
    fn abandon(&mut self, id: RequestId) {
        let Some(open) = self.table.remove(id) else { return };
        self.abandoned.insert(id, open.record.public_key);
        self.effects.push_back(Effect::Ended(open));
    }

    /// Notes on a key's requests that a connection has gone.
    fn leave(&mut self, connection: ConnectionId, key: &PublicKeyBytes, now: Timestamp) {
        for id in self.table.of_key(key).iter().copied().collect::<Few<_>>() {
            let end = self.table.update(id, |open| open.leave(connection)).flatten();
            if let Some(end) = end {
                self.decide(id, end, now);
            }
        }
        for id in self.table.inflight(connection).iter().copied().collect::<Few<_>>() {
            self.table.release(connection, id);
        }
    }

    /// Submits how far a durable request has come, and says so to those who watch it.
    fn note_progress(&mut self, id: RequestId) {
        if let Some(open) = self.table.get(id).filter(|open| open.durable) {
            let Record { times, attempt, .. } = *open.record;
            self.effects.push_back(Effect::Write { write: Write::Progress { id, times, attempt }, ticket: None });
            self.effects.push_back(Effect::Progressed(id));
        }
    }
}
