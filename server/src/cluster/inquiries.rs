//! What wallets have said about requests that this node has not heard of, until it is known whose they are.

use super::NodeId;
use crate::time::Timestamp;
use countersign_protocol::{ConnectionId, RequestId};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Of one connection; whoever names more than it can have been asked is told that nobody knows them.
const MOST: usize = 128;
/// Of one connection in its life: each costs the database and all nodes something, and a wallet that makes requests up is not worth that.
const MOST_CAUSED: u32 = 1_024;
/// Frames that are kept of one: how far it has come, twice, and an answer.
const MOST_FRAMES: usize = 4;
/// Bytes of frames that are kept of one connection, and of all: an answer may have 88 KiB, and the database may be away for long.
const MOST_BYTES: usize = 1024 * 1024;
const MOST_BYTES_OF_ALL: usize = 64 * 1024 * 1024;

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
pub(crate) struct Inquiries {
    inquiries: BTreeMap<(ConnectionId, RequestId), Inquiry>,
    /// Of all their frames.
    bytes: usize,
    /// How many each connection has caused.
    caused: HashMap<ConnectionId, u32>,
}

impl Inquiry {
    fn bytes(&self) -> usize {
        self.frames.iter().map(String::len).sum()
    }
}

impl Inquiries {
    /// Takes in what a wallet says; whether the request has to be looked for, or none where it asks for too many.
    pub(crate) fn add(&mut self, connection: ConnectionId, id: RequestId, frame: String) -> Option<bool> {
        let least = (connection, RequestId::from_bytes([0; 16]));
        let of_it = self.inquiries.range(least..).take_while(|((of, _), _)| *of == connection);
        let (count, bytes) =
            of_it.fold((0, frame.len()), |(count, bytes), (_, inquiry)| (count + 1, bytes + inquiry.bytes()));
        if bytes > MOST_BYTES || self.bytes + frame.len() > MOST_BYTES_OF_ALL {
            return None;
        }
        if let Some(inquiry) = self.inquiries.get_mut(&(connection, id)) {
            if inquiry.frames.len() < MOST_FRAMES && !inquiry.frames.contains(&frame) {
                self.bytes += frame.len();
                inquiry.frames.push(frame);
            }
            return Some(false);
        }
        let caused = self.caused.entry(connection).or_default();
        if *caused >= MOST_CAUSED || count >= MOST {
            return None;
        }
        *caused += 1;
        self.bytes += frame.len();
        self.inquiries.insert((connection, id), Inquiry { step: Step::Reading, frames: vec![frame] });
        Some(true)
    }

    pub(crate) fn get_mut(&mut self, connection: ConnectionId, id: RequestId) -> Option<&mut Inquiry> {
        self.inquiries.get_mut(&(connection, id))
    }

    pub(crate) fn remove(&mut self, connection: ConnectionId, id: RequestId) -> Option<Inquiry> {
        let inquiry = self.inquiries.remove(&(connection, id))?;
        self.bytes -= inquiry.bytes();
        Some(inquiry)
    }

    pub(crate) fn leave(&mut self, connection: ConnectionId) {
        self.caused.remove(&connection);
        let least = (connection, RequestId::from_bytes([0; 16]));
        let of_it = self.inquiries.range(least..).take_while(|((of, _), _)| *of == connection);
        let ids: Vec<_> = of_it.map(|((_, id), _)| *id).collect();
        for id in ids {
            self.remove(connection, id);
        }
    }

    /// Takes it that this node has not got the request; what there is to do where it was the last that might.
    pub(crate) fn is_not_of(&mut self, node: NodeId, connection: ConnectionId, id: RequestId) -> Option<Exhausted> {
        let Step::Asking { left, is_kept } = &mut self.inquiries.get_mut(&(connection, id))?.step else { return None };
        left.remove(&node);
        left.is_empty().then_some(if *is_kept { Exhausted::AskAgain } else { Exhausted::Unknown })
    }

    /// Takes it that a node is gone, likewise.
    pub(crate) fn is_gone(&mut self, node: NodeId) -> Vec<(ConnectionId, RequestId, Exhausted)> {
        let places: Vec<_> = self.inquiries.keys().copied().collect();
        let exhausted = places
            .into_iter()
            .filter_map(|(connection, id)| Some((connection, id, self.is_not_of(node, connection, id)?)));
        exhausted.collect()
    }

    /// Those that are to be asked for again, from the database on.
    pub(crate) fn take_due(&mut self, now: Timestamp) -> Vec<(ConnectionId, RequestId)> {
        let is_due = |inquiry: &Inquiry| matches!(inquiry.step, Step::Waiting(until) if until <= now);
        let due = self.inquiries.iter_mut().filter(|(_, inquiry)| is_due(inquiry));
        due.map(|(place, inquiry)| {
            inquiry.step = Step::Reading;
            *place
        })
        .collect()
    }

    /// Takes out what was said about these requests, which this node owns by now.
    pub(crate) fn take_of(&mut self, ids: &HashSet<RequestId>) -> Vec<(ConnectionId, String)> {
        let taken: Vec<_> = self.inquiries.keys().copied().filter(|(_, id)| ids.contains(id)).collect();
        let said = taken.into_iter().filter_map(|place| Some((place.0, self.remove(place.0, place.1)?.frames)));
        said.flat_map(|(connection, frames)| frames.into_iter().map(move |frame| (connection, frame))).collect()
    }

    /// Letters have been lost: whoever was asked is asked again, from the database on.
    pub(crate) fn restart(&mut self, node: NodeId, now: Timestamp) {
        for inquiry in self.inquiries.values_mut() {
            if let Step::Asking { left, .. } = &inquiry.step
                && left.contains(&node)
            {
                inquiry.step = Step::Waiting(now);
            }
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        let waiting = self.inquiries.values().filter_map(|inquiry| match inquiry.step {
            Step::Waiting(until) => Some(until),
            Step::Reading | Step::Asking { .. } => None,
        });
        waiting.min()
    }

    #[cfg(feature = "simulation")]
    pub(crate) fn is_empty(&self) -> bool {
        self.inquiries.is_empty()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_makes_requests_up_is_looked_after_no_more() {
        let mut inquiries = Inquiries::default();
        let connection = ConnectionId::from_random_bytes([1; 16]);
        let id = |n: u128| RequestId::from_random_bytes(n.to_be_bytes());
        for n in 0..u128::from(MOST_CAUSED) {
            assert_eq!(inquiries.add(connection, id(n), "a frame".into()), Some(true), "{n}");
            inquiries.remove(connection, id(n));
        }
        assert_eq!(inquiries.add(connection, id(9_999), "a frame".into()), None);
        inquiries.leave(connection);
        for n in 0..MOST as u128 {
            assert_eq!(inquiries.add(connection, id(n), "a frame".into()), Some(true), "{n}");
        }
        assert_eq!(inquiries.add(connection, id(9_999), "a frame".into()), None, "at once");
        assert_eq!(inquiries.add(connection, id(1), "another".into()), Some(false));
    }

    #[test]
    fn what_is_kept_is_bounded_in_bytes() {
        let mut inquiries = Inquiries::default();
        let connection = ConnectionId::from_random_bytes([1; 16]);
        let id = |n: u8| RequestId::from_random_bytes([n; 16]);
        assert_eq!(inquiries.add(connection, id(1), "a".repeat(MOST_BYTES - 1)), Some(true));
        assert_eq!(inquiries.add(connection, id(2), "bb".into()), None);
        assert_eq!(inquiries.add(connection, id(1), "bb".into()), None, "nor of the same");
        assert_eq!(
            inquiries.add(ConnectionId::from_random_bytes([2; 16]), id(2), "bb".into()),
            Some(true),
            "others may"
        );
        inquiries.leave(connection);
        assert_eq!(inquiries.bytes, 2);
    }
}
