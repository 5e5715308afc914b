//! Looks up the owner of requests that wallets name and this node does not know; what the wallets say is kept meanwhile.

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
pub(crate) struct OwnerLookup {
    pub(crate) step: Step,
    /// What the wallet has said.
    pub(crate) frames: Vec<String>,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct OwnerLookups {
    owner_lookups: BTreeMap<(ConnectionId, RequestId), OwnerLookup>,
    /// Of all their frames.
    bytes: usize,
    /// How many each connection has caused.
    caused: HashMap<ConnectionId, u32>,
}

impl OwnerLookup {
    fn bytes(&self) -> usize {
        self.frames.iter().map(String::len).sum()
    }
}

impl OwnerLookups {
    /// Takes in what a wallet says; whether the request has to be looked for, or none where it asks for too many.
    pub(crate) fn add(&mut self, connection: ConnectionId, id: RequestId, frame: String) -> Option<bool> {
        let least = (connection, RequestId::from_bytes([0; 16]));
        let of_it = self.owner_lookups.range(least..).take_while(|((of, _), _)| *of == connection);
        let (count, bytes) =
            of_it.fold((0, frame.len()), |(count, bytes), (_, lookup)| (count + 1, bytes + lookup.bytes()));
        if bytes > MOST_BYTES || self.bytes + frame.len() > MOST_BYTES_OF_ALL {
            return None;
        }
        if let Some(lookup) = self.owner_lookups.get_mut(&(connection, id)) {
            if lookup.frames.len() < MOST_FRAMES && !lookup.frames.contains(&frame) {
                self.bytes += frame.len();
                lookup.frames.push(frame);
            }
            return Some(false);
        }
        let caused = self.caused.entry(connection).or_default();
        if *caused >= MOST_CAUSED || count >= MOST {
            return None;
        }
        *caused += 1;
        self.bytes += frame.len();
        self.owner_lookups.insert((connection, id), OwnerLookup { step: Step::Reading, frames: vec![frame] });
        Some(true)
    }

    pub(crate) fn get_mut(&mut self, connection: ConnectionId, id: RequestId) -> Option<&mut OwnerLookup> {
        self.owner_lookups.get_mut(&(connection, id))
    }

    pub(crate) fn remove(&mut self, connection: ConnectionId, id: RequestId) -> Option<OwnerLookup> {
        let lookup = self.owner_lookups.remove(&(connection, id))?;
        self.bytes -= lookup.bytes();
        Some(lookup)
    }

    pub(crate) fn leave(&mut self, connection: ConnectionId) {
        self.caused.remove(&connection);
        let least = (connection, RequestId::from_bytes([0; 16]));
        let of_it = self.owner_lookups.range(least..).take_while(|((of, _), _)| *of == connection);
        let ids: Vec<_> = of_it.map(|((_, id), _)| *id).collect();
        for id in ids {
            self.remove(connection, id);
        }
    }

    /// Takes it that this node has not got the request; what there is to do where it was the last that might.
    pub(crate) fn is_not_of(&mut self, node: NodeId, connection: ConnectionId, id: RequestId) -> Option<Exhausted> {
        let Step::Asking { left, is_kept } = &mut self.owner_lookups.get_mut(&(connection, id))?.step else {
            return None;
        };
        left.remove(&node);
        left.is_empty().then_some(if *is_kept { Exhausted::AskAgain } else { Exhausted::Unknown })
    }

    /// Takes it that a node is gone, likewise.
    pub(crate) fn is_gone(&mut self, node: NodeId) -> Vec<(ConnectionId, RequestId, Exhausted)> {
        let places: Vec<_> = self.owner_lookups.keys().copied().collect();
        let exhausted = places
            .into_iter()
            .filter_map(|(connection, id)| Some((connection, id, self.is_not_of(node, connection, id)?)));
        exhausted.collect()
    }

    /// Those that are to be asked for again, from the database on.
    pub(crate) fn take_due(&mut self, now: Timestamp) -> Vec<(ConnectionId, RequestId)> {
        let is_due = |lookup: &OwnerLookup| matches!(lookup.step, Step::Waiting(until) if until <= now);
        let due = self.owner_lookups.iter_mut().filter(|(_, lookup)| is_due(lookup));
        due.map(|(place, lookup)| {
            lookup.step = Step::Reading;
            *place
        })
        .collect()
    }

    /// Takes out what was said about these requests, which this node owns by now.
    pub(crate) fn take_of(&mut self, ids: &HashSet<RequestId>) -> Vec<(ConnectionId, String)> {
        let taken: Vec<_> = self.owner_lookups.keys().copied().filter(|(_, id)| ids.contains(id)).collect();
        let said = taken.into_iter().filter_map(|place| Some((place.0, self.remove(place.0, place.1)?.frames)));
        said.flat_map(|(connection, frames)| frames.into_iter().map(move |frame| (connection, frame))).collect()
    }

    /// Packets have been lost: whoever was asked is asked again, from the database on.
    pub(crate) fn restart(&mut self, node: NodeId, now: Timestamp) {
        for lookup in self.owner_lookups.values_mut() {
            if let Step::Asking { left, .. } = &lookup.step
                && left.contains(&node)
            {
                lookup.step = Step::Waiting(now);
            }
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        let waiting = self.owner_lookups.values().filter_map(|lookup| match lookup.step {
            Step::Waiting(until) => Some(until),
            Step::Reading | Step::Asking { .. } => None,
        });
        waiting.min()
    }

    #[cfg(feature = "simulation")]
    pub(crate) fn is_empty(&self) -> bool {
        self.owner_lookups.is_empty()
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
        let mut owner_lookups = OwnerLookups::default();
        let connection = ConnectionId::from_random_bytes([1; 16]);
        let id = |n: u128| RequestId::from_random_bytes(n.to_be_bytes());
        for n in 0..u128::from(MOST_CAUSED) {
            assert_eq!(owner_lookups.add(connection, id(n), "a frame".into()), Some(true), "{n}");
            owner_lookups.remove(connection, id(n));
        }
        assert_eq!(owner_lookups.add(connection, id(9_999), "a frame".into()), None);
        owner_lookups.leave(connection);
        for n in 0..MOST as u128 {
            assert_eq!(owner_lookups.add(connection, id(n), "a frame".into()), Some(true), "{n}");
        }
        assert_eq!(owner_lookups.add(connection, id(9_999), "a frame".into()), None, "at once");
        assert_eq!(owner_lookups.add(connection, id(1), "another".into()), Some(false));
    }

    #[test]
    fn what_is_kept_is_bounded_in_bytes() {
        let mut owner_lookups = OwnerLookups::default();
        let connection = ConnectionId::from_random_bytes([1; 16]);
        let id = |n: u8| RequestId::from_random_bytes([n; 16]);
        assert_eq!(owner_lookups.add(connection, id(1), "a".repeat(MOST_BYTES - 1)), Some(true));
        assert_eq!(owner_lookups.add(connection, id(2), "bb".into()), None);
        assert_eq!(owner_lookups.add(connection, id(1), "bb".into()), None, "nor of the same");
        assert_eq!(
            owner_lookups.add(ConnectionId::from_random_bytes([2; 16]), id(2), "bb".into()),
            Some(true),
            "others may"
        );
        owner_lookups.leave(connection);
        assert_eq!(owner_lookups.bytes, 2);
    }
}
