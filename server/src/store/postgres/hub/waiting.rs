//! What the hub is to do, gathered so that it is done together, and who waits for it.

use super::{
    orders::{Order, OrderReceiver, size},
    presence::{Changes, Found},
};
use crate::{
    cluster::{Listener, Packet, Presence},
    storage::{Completion, StoreError},
};
use countersign_protocol::{ConnectionId, PublicKeyBytes};
use std::{
    collections::{HashSet, VecDeque},
    mem,
};

/// About how many bytes of packets are sent by one statement.
const TURN_BYTES: usize = 512 * 1024;

/// Who waits for what is done together.
#[derive(Default)]
struct Replies {
    announced: Vec<Completion<()>>,
    finds: Vec<(Vec<PublicKeyBytes>, Completion<Vec<Presence>>)>,
}

#[derive(Default)]
pub(super) struct Waiting {
    /// One that has not been told anything yet.
    pub(super) listener: Option<Box<dyn Listener>>,
    packets: VecDeque<Packet>,
    changes: Changes,
    replies: Replies,
    /// Who waits for what is being done.
    under_way: Replies,
    /// The connections that may be in the database: only these have to be withdrawn, even if that can be done only later.
    placed: HashSet<ConnectionId>,
}

/// What is done together.
#[derive(Default)]
pub(super) struct Turn {
    pub(super) packets: Vec<Packet>,
    pub(super) changes: Changes,
    pub(super) keys: Vec<PublicKeyBytes>,
}

impl Waiting {
    pub(super) fn push(&mut self, order: Order) {
        match order {
            Order::Listen(listener) => self.listener = Some(listener),
            Order::Send(packets) => self.packets.extend(packets),
            Order::Announce(presence, then) => {
                self.changes.insert(presence.connection, Some(presence));
                self.replies.announced.push(then);
            }
            Order::Withdraw(connection) if self.placed.contains(&connection) => {
                self.changes.insert(connection, None);
            }
            Order::Withdraw(connection) => drop(self.changes.remove(&connection)),
            Order::Find(keys, then) => self.replies.finds.push((keys, then)),
        }
    }

    /// What can be done now, if there is anything.
    pub(super) fn take(&mut self, received: &OrderReceiver) -> Option<Turn> {
        let mut turn = Turn { changes: mem::take(&mut self.changes), ..Turn::default() };
        let mut bytes = 0;
        while bytes < TURN_BYTES
            && let Some(packet) = self.packets.pop_front()
        {
            bytes += size(&packet);
            received.release(&packet);
            turn.packets.push(packet);
        }
        self.under_way = mem::take(&mut self.replies);
        let keys: HashSet<_> = self.under_way.finds.iter().flat_map(|(keys, _)| keys).copied().collect();
        turn.keys = keys.into_iter().collect();
        self.placed.extend(turn.changes.iter().filter(|(_, to)| to.is_some()).map(|(connection, _)| *connection));
        let is_something = !turn.packets.is_empty() || !turn.changes.is_empty() || !self.under_way.is_empty();
        is_something.then_some(turn)
    }

    /// It is done.
    pub(super) fn done(&mut self, turn: &Turn, found: &Found) {
        for (connection, _) in turn.changes.iter().filter(|(_, to)| to.is_none()) {
            self.placed.remove(connection);
        }
        let Replies { announced, finds } = mem::take(&mut self.under_way);
        for then in announced {
            then.complete(Ok(()));
        }
        for (keys, then) in finds {
            let found = keys.iter().filter_map(|key| found.get(key)).flatten().cloned().collect();
            then.complete(Ok(found));
        }
    }

    /// Nobody knows whether it is: what was to be announced has been told to have failed, and is withdrawn as soon as that can be done.
    pub(super) fn lost(&mut self, turn: Turn) {
        self.under_way.fail();
        for connection in turn.changes.into_keys() {
            self.changes.entry(connection).or_insert(None);
        }
    }

    /// Nothing can be done for now. Whoever waits is told so; withdrawals go on waiting.
    pub(super) fn fail(&mut self, received: &OrderReceiver) {
        self.under_way.fail();
        self.replies.fail();
        self.changes.retain(|connection, to| to.take().is_none() || self.placed.contains(connection));
        for packet in self.packets.drain(..) {
            received.release(&packet);
        }
    }

    /// Whatever was in the database is there no more.
    pub(super) fn forget_placed(&mut self) {
        self.placed.clear();
        self.changes.retain(|_, to| to.is_some());
    }
}

impl Replies {
    fn is_empty(&self) -> bool {
        self.announced.is_empty() && self.finds.is_empty()
    }

    fn fail(&mut self) {
        for then in self.announced.drain(..) {
            then.complete(Err(StoreError::Failed));
        }
        for (_, then) in self.finds.drain(..) {
            then.complete(Err(StoreError::Failed));
        }
    }
}
