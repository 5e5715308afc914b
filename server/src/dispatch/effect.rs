//! What the dispatcher asks of the world around it.

use super::{open_request::OpenRequest, sign_frame::SignFrame};
use crate::{SigningError, cluster::NodeId, session::Close, storage::Write};
use countersign_protocol::{AckOutcome, ConnectionId, RequestId};
use smallvec::SmallVec;
use std::sync::Arc;

/// Something to be carried out, in order, outside the state machine.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // an effect lives from the queue to the world; boxing an end would cost every request an allocation
pub(crate) enum Effect<W> {
    /// Hand a request to a connection that has `inflight` others. One that cannot take it has to be removed.
    Deliver { to: ConnectionId, frame: Arc<SignFrame>, inflight: usize },
    /// Send a frame. A connection that cannot take it has to be removed.
    Send { to: ConnectionId, text: String },
    /// Tell a wallet what became of its answer, now that it is known.
    Acknowledge { to: ConnectionId, request_id: RequestId, outcome: AckOutcome },
    /// Send the frame, then close.
    Close { to: ConnectionId, close: Close },
    /// Submit a write. Where there is a ticket, its outcome is to be handed to `handle_written`.
    Write { write: Write, ticket: Option<Ticket> },
    /// Tell the caller whose durable requests begin with this one whether they were taken.
    Accepted { first: RequestId, accepted: Result<Accepted, SigningError> },
    /// A durable request has come to another phase.
    Progressed(RequestId),
    /// A request is another node's by now, or nobody knows. These connections show it, and keep its place until it is known what becomes of it.
    LetGo { id: RequestId, shown: SmallVec<[ConnectionId; 1]> },
    /// A request of another node has ended on disk. Its owner has to be told.
    TellOwner { id: RequestId, owner: NodeId },
    /// Likewise, where nobody knows whether it has.
    OwnerInDoubt { id: RequestId, owner: NodeId },
    /// A request has ended, and if it is durable, that is on disk. Its waiter, if it has one, is to be told.
    Ended(OpenRequest<W>),
}

/// Names a write that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ticket {
    /// Of requests, by the first of them.
    Accept(RequestId),
    /// Of a request's end.
    End(RequestId),
}

/// Durable requests that have been taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The requests, in the order of their messages.
    pub request_ids: Vec<RequestId>,
    /// Whether an earlier call with the same idempotency key had made them.
    pub replayed: bool,
}
