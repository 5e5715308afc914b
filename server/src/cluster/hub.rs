//! What a node asks of the database that all nodes share, beside keeping requests; and nothing about how that is done.

use super::{NodeId, Packet};
use crate::{record::Record, storage::Completion};
use countersign_protocol::{ConnectionId, Device, PublicKeyBytes, RequestId};
use std::{fmt, sync::Arc};

/// A wallet's connection that has proven its key, and the node that has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    /// The node.
    pub node: NodeId,
    /// The connection.
    pub connection: ConnectionId,
    /// The key.
    pub public_key: PublicKeyBytes,
    /// Which device it is.
    pub device: Option<Arc<Device>>,
}

/// Which nodes there are, by the database's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nodes {
    /// As what this node is known. It changes when the others have given it up: then whatever it had is theirs.
    pub own: NodeId,
    /// All others.
    pub others: Vec<NodeId>,
    /// Packets may have been lost since this was told last.
    pub interrupted: bool,
    /// What this node had announced is forgotten.
    pub forgotten: bool,
}

/// Who is told what comes of its own accord.
pub trait Listener: Send + Sync {
    /// Which nodes there are: once at the start, then at least each time that this changes.
    fn nodes(&self, nodes: Nodes);

    /// Packets to this node, in the order in which they came.
    fn packets(&self, packets: Vec<Packet>);

    /// The lease was renewed, and [`Hub::holds_lease`] says so; each time, after which nodes there are.
    fn renewed(&self);
}

/// Connects a node with the others. No call blocks; what is asked of a database that is away is answered
/// [`StoreError::Failed`](crate::storage::StoreError::Failed) within seconds.
pub trait Hub: fmt::Debug + Send + Sync {
    /// Begins to tell the listener.
    fn listen(&self, listener: Box<dyn Listener>);

    /// Whether it is certain that the others have not given this node up: its lease, counted by its own clocks from before it was asked
    /// for, is not over.
    fn holds_lease(&self) -> bool;

    /// Sends packets, in order. They may be lost.
    fn send(&self, packets: Vec<Packet>);

    /// Has all nodes find this connection. It is told when they do.
    fn announce(&self, presence: Presence, then: Completion<()>);

    /// Has nobody find it any more, at once or a little later; after an announcement of the same connection.
    fn withdraw(&self, connection: ConnectionId);

    /// The connections of these keys on all nodes but this one, those of nodes that are gone left out.
    fn find(&self, keys: Vec<PublicKeyBytes>, then: Completion<Vec<Presence>>);

    /// Makes this node the owner of open durable requests that have none, or one that is gone: some hundreds at most, whole batches, in
    /// the order in which they were accepted. None means that there are no more, or that another node is taking them.
    fn take_over(&self, then: Completion<Vec<Record>>);

    /// Which of these durable requests have ended, after everything that was submitted to the store before.
    fn ended(&self, ids: Vec<RequestId>, then: Completion<Vec<RequestId>>);

    /// Gives up the open durable requests of this node, after everything that was submitted to the store before.
    fn hand_over(&self, then: Completion<()>);
}
