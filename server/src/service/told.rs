//! What stores and hubs tell, whenever they do.

use super::{SigningService, State};
use crate::{
    cluster::{NodeId, Presence},
    dispatch::Ticket,
    record::Record,
    storage::{StoreError, Written},
    time::Timestamp,
};
use countersign_protocol::{ConnectionId, PublicKeyBytes, RequestId};

/// Everything is put to a node's wallets again.
#[derive(Debug, Clone)]
pub(super) struct Repair {
    pub(super) node: NodeId,
    /// Its connections that were known when they were looked for. One that has come meanwhile may not have been found.
    pub(super) known: Vec<ConnectionId>,
    /// There are no other keys to be looked for.
    pub(super) is_last: bool,
}

/// What came of something that was asked.
#[derive(Debug)]
pub(super) enum Told {
    Written(Ticket, Result<Written, StoreError>),
    /// What the store has of a request that a wallet named.
    Read {
        connection: ConnectionId,
        id: RequestId,
        record: Result<Option<Box<Record>>, StoreError>,
    },
    /// Which connections hold these keys, after the last of which a node may be told that everything has been put to its wallets.
    Found {
        keys: Vec<PublicKeyBytes>,
        found: Result<Vec<Presence>, StoreError>,
        repair: Option<Repair>,
    },
    /// Whether a connection is found by all nodes.
    Announced {
        connection: ConnectionId,
        announced: Result<(), StoreError>,
    },
    /// Requests that this node has come to own.
    TakenOver(Result<Vec<Record>, StoreError>),
    /// Whether it owns none any more.
    HandedOver(Result<(), StoreError>),
}

impl SigningService {
    /// Takes what was told, which may come from any thread, or at once from within the question.
    pub(super) fn take(&self, told: Told) {
        let Some(told) = self.0.told_at_once.defer(told) else { return };
        let now = self.now();
        let mut state = self.state();
        self.hear(&mut state, told, now);
        self.carry_out(state, now);
        self.0.changed.notify_waiters();
    }

    pub(super) fn hear(&self, state: &mut State, told: Told, now: Timestamp) {
        match told {
            Told::Written(ticket, mut written) => {
                if let Ok(Written::Ended(record)) = &mut written {
                    record.move_by(self.behind());
                }
                state.dispatcher.handle_written(ticket, written, now);
            }
            Told::Read { connection, id, mut record } => {
                if let Ok(Some(record)) = &mut record {
                    record.move_by(self.behind());
                }
                self.take_read(state, connection, id, record, now);
            }
            Told::Found { keys, found, repair } => self.take_found(state, &keys, found, repair, now),
            Told::Announced { connection, announced } => Self::take_announced(state, connection, announced, now),
            Told::TakenOver(records) => self.take_taken_over(state, records, now),
            Told::HandedOver(handed_over) => Self::take_handed_over(state, handed_over),
        }
    }

    /// By how much the service's own time is behind the system's, in milliseconds: what the store has is in the system's.
    pub(super) fn behind(&self) -> i64 {
        self.0.clock.ahead().saturating_neg()
    }
}
