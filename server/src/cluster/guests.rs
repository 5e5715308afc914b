//! Requests of other nodes that wallets here have been asked.

use super::NodeId;
use crate::dispatch::SignFrame;
use countersign_protocol::{ConnectionId, Message, RequestId};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

/// Of the requests of other nodes on one connection, those that wait for room there.
const MOST_WAITING: usize = 256;

/// A request of another node, on one connection.
#[derive(Debug)]
pub(crate) struct Guest {
    /// Which node decides it.
    pub(crate) owner: NodeId,
    /// What the wallet is to be shown, with the message, which the frame does not keep; none where it has it from elsewhere.
    pub(crate) frame: Option<(Arc<SignFrame>, Arc<Message>)>,
    /// It has been put to the wallet. Others wait for room. Changed by [`Guests::show`] alone.
    pub(crate) is_shown: bool,
    /// The owner may have said that it is over, or somebody else owns it by now.
    pub(crate) is_stale: bool,
    /// The wallet's answer, until it is acknowledged: the frame.
    pub(crate) answer: Option<String>,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Guests {
    guests: BTreeMap<(ConnectionId, RequestId), Guest>,
    /// Those that are not shown.
    waiting: BTreeSet<(ConnectionId, RequestId)>,
}

/// One that was taken out.
pub(crate) type Taken = (ConnectionId, RequestId, Guest);

impl Guests {
    pub(crate) fn get_mut(&mut self, connection: ConnectionId, id: RequestId) -> Option<&mut Guest> {
        self.guests.get_mut(&(connection, id))
    }

    /// Takes one in; false where too many wait already.
    pub(crate) fn insert(&mut self, connection: ConnectionId, id: RequestId, guest: Guest) -> bool {
        let place = (connection, id);
        if guest.is_shown {
            self.waiting.remove(&place);
        } else if self.of(connection).filter(|(_, other)| !other.is_shown).count() >= MOST_WAITING {
            return false;
        } else {
            self.waiting.insert(place);
        }
        self.guests.insert(place, guest);
        true
    }

    pub(crate) fn remove(&mut self, connection: ConnectionId, id: RequestId) -> Option<Guest> {
        self.waiting.remove(&(connection, id));
        self.guests.remove(&(connection, id))
    }

    /// Takes it that one is put to its wallet now; its frame.
    pub(crate) fn show(&mut self, connection: ConnectionId, id: RequestId) -> Option<Arc<SignFrame>> {
        self.waiting.remove(&(connection, id));
        let guest = self.guests.get_mut(&(connection, id))?;
        guest.is_shown = true;
        guest.frame.as_ref().map(|(frame, _)| Arc::clone(frame))
    }

    /// Forgets those of a connection that has gone.
    pub(crate) fn leave(&mut self, connection: ConnectionId) {
        let ids: Vec<_> = self.of(connection).map(|(id, _)| id).collect();
        for id in ids {
            self.remove(connection, id);
        }
    }

    /// Those that wait for room, each connection's in the order of their ids.
    pub(crate) fn waiting(&self) -> Vec<(ConnectionId, RequestId)> {
        self.waiting.iter().copied().collect()
    }

    /// Takes it that what a node has said may not have come whole.
    pub(crate) fn distrust(&mut self, owner: NodeId) {
        for guest in self.guests.values_mut().filter(|guest| guest.owner == owner) {
            guest.is_stale = true;
        }
    }

    /// Takes out those that a node, or any, has not said again.
    pub(crate) fn take_stale(&mut self, owner: Option<NodeId>) -> Vec<Taken> {
        let is_taken = |guest: &Guest| guest.is_stale && owner.is_none_or(|owner| owner == guest.owner);
        let taken: Vec<_> = self.guests.iter().filter(|(_, guest)| is_taken(guest)).map(|(place, _)| *place).collect();
        let out = taken.into_iter().filter_map(|place| Some((place.0, place.1, self.remove(place.0, place.1)?)));
        out.collect()
    }

    /// Takes out those of these requests, whose owner this node is by now.
    pub(crate) fn take_of(&mut self, ids: &HashSet<RequestId>) -> Vec<Taken> {
        let taken: Vec<_> = self.guests.keys().copied().filter(|(_, id)| ids.contains(id)).collect();
        let out = taken.into_iter().filter_map(|place| Some((place.0, place.1, self.remove(place.0, place.1)?)));
        out.collect()
    }

    #[cfg(feature = "simulation")]
    pub(crate) fn is_empty(&self) -> bool {
        self.guests.is_empty()
    }

    fn of(&self, connection: ConnectionId) -> impl Iterator<Item = (RequestId, &Guest)> {
        let least = (connection, RequestId::from_bytes([0; 16]));
        self.guests
            .range(least..)
            .take_while(move |((of, _), _)| *of == connection)
            .map(|((_, id), guest)| (*id, guest))
    }
}
