//! What stores and hubs answer, whenever they do.

use crate::{
    cluster::{NodeId, Presence},
    dispatch::Ticket,
    record::Record,
    storage::{StoreError, Written},
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
pub(super) enum Completed {
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
    /// Which of these requests have ended, as others may have had it.
    Ended {
        asked: Vec<RequestId>,
        ended: Result<Vec<RequestId>, StoreError>,
    },
    /// Whether it owns none any more.
    HandedOver(Result<(), StoreError>),
}
