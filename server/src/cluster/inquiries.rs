//! What wallets have said about requests that this node has not heard of, until it is known whose they are.

use super::NodeId;
use crate::time::Timestamp;
use countersign_protocol::{ConnectionId, RequestId};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Of one connection; whoever names more than it can have been asked is told that nobody knows them.
const MOST: usize = 128;
/// Frames that are kept of one: how far it has come, and an answer; the last of each kind that came.
const MOST_FRAMES: usize = 4;

/// How far one has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// The database is being asked.
    Reading,
    /// These nodes are. Where the database had named the owner, it is asked alone.
    Asking { left: BTreeSet<NodeId>, is_kept: bool },
    /// The database, or the owner, has to be asked again then.
    Waiting(Timestamp),
}

/// What is said about one request on one connection.
#[derive(Debug)]
pub(crate) struct Inquiry {
    pub(crate) step: Step,
    /// What the wallet has said.
    pub(crate) frames: Vec<String>,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Inquiries(BTreeMap<(ConnectionId, RequestId), Inquiry>);

impl Inquiries {
    /// Takes in what a wallet says; whether the request has to be looked for, or none where it asks for too many.
    pub(crate) fn add(&mut self, connection: ConnectionId, id: RequestId, frame: String) -> Option<bool> {
        if let Some(inquiry) = self.0.get_mut(&(connection, id)) {
            if inquiry.frames.len() < MOST_FRAMES && !inquiry.frames.contains(&frame) {
                inquiry.frames.push(frame);
            }
            return Some(false);
        }
        let least = (connection, RequestId::from_bytes([0; 16]));
        if self.0.range(least..).take_while(|((of, _), _)| *of == connection).count() >= MOST {
            return None;
        }
        self.0.insert((connection, id), Inquiry { step: Step::Reading, frames: vec![frame] });
        Some(true)
    }

    pub(crate) fn get_mut(&mut self, connection: ConnectionId, id: RequestId) -> Option<&mut Inquiry> {
        self.0.get_mut(&(connection, id))
    }

    pub(crate) fn remove(&mut self, connection: ConnectionId, id: RequestId) -> Option<Inquiry> {
        self.0.remove(&(connection, id))
    }

    pub(crate) fn leave(&mut self, connection: ConnectionId) {
        self.0.retain(|(of, _), _| *of != connection);
    }

    /// Takes it that this node has not got the request; what there is to do where it was the last that might.
    pub(crate) fn is_not_of(&mut self, node: NodeId, connection: ConnectionId, id: RequestId) -> Option<Exhausted> {
        let Step::Asking { left, is_kept } = &mut self.0.get_mut(&(connection, id))?.step else { return None };
        left.remove(&node);
        left.is_empty().then_some(if *is_kept { Exhausted::AskAgain } else { Exhausted::Unknown })
    }

    /// Takes it that a node is gone, likewise.
    pub(crate) fn is_gone(&mut self, node: NodeId) -> Vec<(ConnectionId, RequestId, Exhausted)> {
        let places: Vec<_> = self.0.keys().copied().collect();
        let exhausted = places
            .into_iter()
            .filter_map(|(connection, id)| Some((connection, id, self.is_not_of(node, connection, id)?)));
        exhausted.collect()
    }

    /// Those that are to be asked for again, from the database on.
    pub(crate) fn take_due(&mut self, now: Timestamp) -> Vec<(ConnectionId, RequestId)> {
        let is_due = |inquiry: &Inquiry| matches!(inquiry.step, Step::Waiting(until) if until <= now);
        let due = self.0.iter_mut().filter(|(_, inquiry)| is_due(inquiry));
        due.map(|(place, inquiry)| {
            inquiry.step = Step::Reading;
            *place
        })
        .collect()
    }

    /// Takes out what was said about these requests, which this node owns by now.
    pub(crate) fn take_of(&mut self, ids: &HashSet<RequestId>) -> Vec<(ConnectionId, String)> {
        let taken: Vec<_> = self.0.keys().copied().filter(|(_, id)| ids.contains(id)).collect();
        let said = taken.into_iter().filter_map(|place| Some((place.0, self.0.remove(&place)?.frames)));
        said.flat_map(|(connection, frames)| frames.into_iter().map(move |frame| (connection, frame))).collect()
    }

    /// Letters have been lost: whoever was asked is asked again, from the database on.
    pub(crate) fn restart(&mut self, node: Option<NodeId>, now: Timestamp) {
        for inquiry in self.0.values_mut() {
            if let Step::Asking { left, .. } = &inquiry.step
                && node.is_none_or(|node| left.contains(&node))
            {
                inquiry.step = Step::Waiting(now);
            }
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        let waiting = self.0.values().filter_map(|inquiry| match inquiry.step {
            Step::Waiting(until) => Some(until),
            Step::Reading | Step::Asking { .. } => None,
        });
        waiting.min()
    }

    #[cfg(feature = "simulation")]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What there is to do about a request that none of those who were asked has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exhausted {
    /// The database has it: ask that again, which may name another owner.
    AskAgain,
    /// Nobody has it.
    Unknown,
}
