//! What is between a durable call and the store's word that it is kept.

use crate::{
    SigningError,
    cluster::NodeId,
    record::{PhaseTimes, Record},
};
use countersign_protocol::RequestId;

/// Durable requests that are being written.
#[derive(Debug)]
pub(super) struct Accepting {
    pub(super) records: Vec<Record>,
    /// Why nothing is to be taken unless it has been before; the records are none then.
    pub(super) refusal: Option<SigningError>,
    /// A repeated call finds them, if they have been taken.
    pub(super) is_repeatable: bool,
    /// The open request in whose place they are, which ends with the same write.
    pub(super) replaces: Option<Replaces>,
    /// This node has taken them over meanwhile, under another name than it has written them.
    pub(super) is_taken_over: bool,
}

/// The request in whose place others are to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Replaces {
    /// It is to be open here.
    Here(RequestId),
    /// It is open on another node. That one is told when it has ended; until then its write of any other end comes too late.
    Elsewhere { id: RequestId, owner: NodeId, times: PhaseTimes },
}

impl Replaces {
    pub(super) fn id(&self) -> RequestId {
        match self {
            Self::Here(id) | Self::Elsewhere { id, .. } => *id,
        }
    }
}
