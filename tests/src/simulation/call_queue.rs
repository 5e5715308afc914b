//! What a service asks of the database and of the other nodes. It is only queued here: what comes of it is told by the event loop, as the
//! service may have its state locked while it asks.

use super::events::Millis;
use countersign_protocol::{ConnectionId, PublicKeyBytes, RequestId};
use countersign_server::{
    Record,
    cluster::{Hub, Listener, Nodes, Packet, Presence},
    simulation::Simulated,
    storage::{Completion, Loaded, Recovered, Storage, Write, Written},
};
use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError, atomic::Ordering},
};

/// Something asked of the table of requests.
pub(super) enum Question {
    Write(Write, Completion<Written>),
    TakeOver(Completion<Vec<Record>>),
    Ended(Vec<RequestId>, Completion<Vec<RequestId>>),
    HandOver(Completion<()>),
}

/// Something asked of the table of connections.
pub(super) enum Order {
    Announce(Presence, Completion<()>),
    Withdraw(ConnectionId),
    Find(Vec<PublicKeyBytes>, Completion<Vec<Presence>>),
}

/// A request that is looked up.
pub(super) type Read = (RequestId, Completion<Option<Record>>);

/// What was asked and is not under way.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) questions: Vec<Question>,
    pub(super) orders: Vec<Order>,
    pub(super) reads: Vec<Read>,
    pub(super) packets: Vec<Packet>,
}

#[derive(Default)]
struct State {
    asked: Asked,
    listener: Option<Box<dyn Listener>>,
    on_recovery: Option<Recovered>,
    is_dead: bool,
    held_until: Millis,
}

/// The service's end of the connection that one life of a server has with the database.
pub(super) struct CallQueue {
    state: Mutex<State>,
    clocks: Simulated,
}

impl fmt::Debug for CallQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallQueue").finish_non_exhaustive()
    }
}

impl CallQueue {
    pub(super) fn new(clocks: Simulated) -> Self {
        Self { state: Mutex::default(), clocks }
    }

    /// The lease was renewed: nobody gives this node up before then.
    pub(super) fn renewed(&self, held_until: Millis) {
        self.state().held_until = held_until;
        self.tell(|listener| listener.renewed());
    }

    /// Takes what was asked since, but for what was looked up.
    pub(super) fn take(&self) -> Asked {
        let mut state = self.state();
        let reads = std::mem::take(&mut state.asked.reads);
        std::mem::replace(&mut state.asked, Asked { reads, ..Asked::default() })
    }

    /// Takes what was looked up since.
    pub(super) fn take_reads(&self) -> Vec<Read> {
        std::mem::take(&mut self.state().asked.reads)
    }

    /// Tells the listener something.
    pub(super) fn tell(&self, what: impl FnOnce(&dyn Listener)) {
        let Some(listener) = self.state().listener.take() else { return };
        what(&*listener);
        self.state().listener = Some(listener);
    }

    pub(super) fn tell_nodes(&self, nodes: Nodes) {
        self.tell(|listener| listener.nodes(nodes));
    }

    /// The store works again.
    pub(super) fn tell_recovery(&self, loaded: Loaded) {
        let Some(then) = self.state().on_recovery.take() else { return };
        then(loaded);
        self.state().on_recovery = Some(then);
    }

    /// The process is gone: nothing that is asked any more gets anywhere.
    pub(super) fn die(&self) {
        let mut state = self.state();
        state.is_dead = true;
        let left = (std::mem::take(&mut state.asked), state.listener.take(), state.on_recovery.take());
        drop(state);
        // What a completion holds on to may ask for more as it is dropped.
        drop(left);
    }

    fn ask(&self, what: impl FnOnce(&mut Asked)) {
        let mut state = self.state();
        if !state.is_dead {
            what(&mut state.asked);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Storage for CallQueue {
    fn write(&self, write: Write, then: Completion<Written>) {
        self.ask(|asked| asked.questions.push(Question::Write(write, then)));
    }

    fn on_recovery(&self, then: Recovered) {
        self.state().on_recovery = Some(then);
    }

    fn read(&self, id: RequestId, then: Completion<Option<Record>>) {
        self.ask(|asked| asked.reads.push((id, then)));
    }
}

impl Hub for CallQueue {
    fn listen(&self, listener: Box<dyn Listener>) {
        self.state().listener = Some(listener);
    }

    fn holds_lease(&self) -> bool {
        self.clocks.elapsed.load(Ordering::Relaxed) < self.state().held_until
    }

    fn send(&self, packets: Vec<Packet>) {
        self.ask(|asked| asked.packets.extend(packets));
    }

    fn announce(&self, presence: Presence, then: Completion<()>) {
        self.ask(|asked| asked.orders.push(Order::Announce(presence, then)));
    }

    fn withdraw(&self, connection: ConnectionId) {
        self.ask(|asked| asked.orders.push(Order::Withdraw(connection)));
    }

    fn find(&self, keys: Vec<PublicKeyBytes>, then: Completion<Vec<Presence>>) {
        self.ask(|asked| asked.orders.push(Order::Find(keys, then)));
    }

    fn take_over(&self, then: Completion<Vec<Record>>) {
        self.ask(|asked| asked.questions.push(Question::TakeOver(then)));
    }

    fn ended(&self, ids: Vec<RequestId>, then: Completion<Vec<RequestId>>) {
        self.ask(|asked| asked.questions.push(Question::Ended(ids, then)));
    }

    fn hand_over(&self, then: Completion<()>) {
        self.ask(|asked| asked.questions.push(Question::HandOver(then)));
    }
}
