//! Which connections hold which key.

use crate::{steps::WalletConnection, time::Timestamp};
use countersign_protocol::{ConnectionId, Device, PublicKeyBytes};
use std::{
    collections::{BTreeSet, HashMap},
    mem,
    net::IpAddr,
    sync::Arc,
};

/// A connection that holds a key. Removed by its id, never by the key: an old socket's end must not take a newer
/// connection with it.
#[derive(Debug)]
struct Holder {
    connection: ConnectionId,
    proven: bool,
    place: Place,
}

/// Where a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On this node.
    Here,
    /// On another one, which sees to how many there are.
    Elsewhere,
}

/// Where a connection comes from, and since when it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// The client's address, where it is known.
    pub(crate) address: Option<IpAddr>,
    pub(crate) at: Timestamp,
}

/// A connection, introduced or not.
#[derive(Debug)]
struct Connection<T> {
    handle: T,
    place: Place,
    arrival: Arrival,
    /// How many requests may be open on it, as it was told.
    max_inflight: usize,
    /// The key it has introduced itself with.
    key: Option<PublicKeyBytes>,
    /// It holds that key, until it is closed.
    holds: bool,
    device: Option<Arc<Device>>,
}

/// A connection of this node that has introduced itself.
#[cfg(feature = "http")]
#[derive(Debug)]
pub(crate) struct Listed<'a> {
    pub(crate) id: ConnectionId,
    pub(crate) key: PublicKeyBytes,
    pub(crate) device: Option<&'a Arc<Device>>,
    pub(crate) arrival: Arrival,
}

/// A connection that is there no more.
#[derive(Debug)]
pub(crate) struct Removed {
    /// The key it had introduced itself with.
    pub(crate) key: Option<PublicKeyBytes>,
    pub(crate) wallet: WalletConnection,
    pub(crate) since: Timestamp,
}

/// All connections, with a handle `T` for reaching each, and the keys they have introduced themselves with.
#[derive(Debug)]
pub(crate) struct Registry<T> {
    connections: HashMap<ConnectionId, Connection<T>>,
    /// How many of them are on this node.
    here: usize,
    holders: HashMap<PublicKeyBytes, Vec<Holder>>,
}

/// Why a connection is not registered under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The key has as many connections as it may.
    TooMany,
    /// The key is held by a connection that has proven it, and this one has not.
    Unproven,
    /// The key is blocked.
    Blocked,
    /// The connection is not known, or has a key.
    NotAStranger,
}

impl<T> Default for Registry<T> {
    fn default() -> Self {
        Self { connections: HashMap::new(), here: 0, holders: HashMap::new() }
    }
}

impl<T> Registry<T> {
    /// All connections of this node, introduced or not.
    pub(crate) fn len(&self) -> usize {
        self.here
    }

    /// All connections of this node, introduced or not, in the order of their ids.
    pub(crate) fn ids(&self) -> Vec<ConnectionId> {
        let mut ids: Vec<_> = self.here().map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids
    }

    /// Those of them that have introduced themselves.
    pub(crate) fn introduced(&self) -> Vec<ConnectionId> {
        let mut ids: Vec<_> = self.here().filter(|(_, held)| held.holds).map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids
    }

    /// How many these are.
    #[cfg(feature = "http")]
    pub(crate) fn introduced_count(&self) -> usize {
        self.here().filter(|(_, held)| held.key.is_some()).count()
    }

    /// What there is to say of them, of those of one key or of all, in no order.
    #[cfg(feature = "http")]
    pub(crate) fn list(&self, key: Option<&PublicKeyBytes>) -> impl Iterator<Item = Listed<'_>> {
        let is_wanted = move |own: PublicKeyBytes| key.is_none_or(|key| *key == own);
        self.here().filter_map(move |(id, held)| {
            let key = held.key.filter(|own| is_wanted(*own))?;
            Some(Listed { id: *id, key, device: held.device.as_ref(), arrival: held.arrival })
        })
    }

    fn here(&self) -> impl Iterator<Item = (&ConnectionId, &Connection<T>)> {
        self.connections.iter().filter(|(_, held)| held.place == Place::Here)
    }

    /// How many requests a connection may have open, as it was told; none on one that is not there.
    pub(crate) fn max_inflight(&self, connection: ConnectionId) -> usize {
        self.connections.get(&connection).map_or(0, |connection| connection.max_inflight)
    }

    /// Notes how many its wallet is told of.
    pub(crate) fn set_max_inflight(&mut self, connection: ConnectionId, max_inflight: usize) {
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.max_inflight = max_inflight;
        }
    }

    /// All connections that hold a key, on whatever node.
    pub(crate) fn all_holding(&self) -> BTreeSet<ConnectionId> {
        self.holders.values().flatten().map(|holder| holder.connection).collect()
    }

    /// How many connections of this node hold a key.
    #[cfg(feature = "http")]
    pub(crate) fn holding_here(&self, key: &PublicKeyBytes) -> usize {
        let holders = self.holders.get(key).into_iter().flatten();
        holders.filter(|holder| holder.place == Place::Here).count()
    }

    /// The connections of this node that hold a key.
    #[cfg(any(feature = "http", feature = "simulation"))]
    pub(crate) fn holders_here(&self, key: &PublicKeyBytes) -> Vec<ConnectionId> {
        let holders = self.holders.get(key).into_iter().flatten();
        holders.filter(|holder| holder.place == Place::Here).map(|holder| holder.connection).collect()
    }

    pub(crate) fn handle(&self, connection: ConnectionId) -> Option<&T> {
        self.connections.get(&connection).map(|connection| &connection.handle)
    }

    /// The key a connection holds, and which of its devices it is.
    pub(crate) fn holder(&self, connection: ConnectionId) -> Option<(PublicKeyBytes, Option<&Arc<Device>>)> {
        let connection = self.connections.get(&connection).filter(|connection| connection.holds)?;
        Some((connection.key?, connection.device.as_ref()))
    }

    /// What there is to say of a connection, whether it holds a key or not.
    pub(crate) fn wallet(&self, connection: ConnectionId) -> WalletConnection {
        let held = self.connections.get(&connection);
        WalletConnection {
            connection,
            device: held.and_then(|held| held.device.clone()),
            address: held.and_then(|held| held.arrival.address),
        }
    }

    /// Adds a connection that has not introduced itself yet.
    pub(crate) fn add(
        &mut self,
        connection: ConnectionId,
        handle: T,
        place: Place,
        arrival: Arrival,
        max_inflight: usize,
    ) {
        self.here += usize::from(place == Place::Here);
        let new = Connection { handle, place, arrival, max_inflight, key: None, holds: false, device: None };
        if let Some(earlier) = self.connections.insert(connection, new) {
            self.here -= usize::from(earlier.place == Place::Here);
        }
    }

    /// Registers a connection under a key, and names the unproven ones that a proven one displaces.
    pub(crate) fn introduce(
        &mut self,
        connection: ConnectionId,
        key: PublicKeyBytes,
        device: Option<Arc<Device>>,
        proven: bool,
        most: usize,
    ) -> Result<Vec<ConnectionId>, Refused> {
        let Some(stranger) = self.connections.get_mut(&connection).filter(|stranger| stranger.key.is_none()) else {
            return Err(Refused::NotAStranger);
        };
        let holders = self.holders.entry(key).or_insert_with(|| Vec::with_capacity(1));
        if !proven && holders.iter().any(|holder| holder.proven) {
            return Err(Refused::Unproven);
        }
        let displaced: Vec<_> =
            holders.iter().filter(|holder| proven && !holder.proven).map(|h| h.connection).collect();
        let place = stranger.place;
        let beside = holders.iter().filter(|h| h.place == place && !displaced.contains(&h.connection)).count();
        if place == Place::Here && beside >= most {
            return Err(Refused::TooMany);
        }
        holders.retain(|holder| !displaced.contains(&holder.connection));
        holders.push(Holder { connection, proven, place });
        stranger.key = Some(key);
        stranger.holds = true;
        stranger.device = device;
        for displaced in &displaced {
            if let Some(displaced) = self.connections.get_mut(displaced) {
                displaced.holds = false;
            }
        }
        Ok(displaced)
    }

    /// Removes a connection and, with its last one, its key.
    pub(crate) fn remove(&mut self, connection: ConnectionId) -> Option<Removed> {
        self.retire(connection);
        let wallet = self.wallet(connection);
        let Connection { place, arrival, key, .. } = self.connections.remove(&connection)?;
        self.here -= usize::from(place == Place::Here);
        Some(Removed { key, wallet, since: arrival.at })
    }

    /// Takes its key from a connection, which stays connected.
    pub(crate) fn retire(&mut self, connection: ConnectionId) {
        let Some(held) = self.connections.get_mut(&connection) else { return };
        let Some(key) = held.key.filter(|_| mem::take(&mut held.holds)) else { return };
        let Some(holders) = self.holders.get_mut(&key) else { return };
        holders.retain(|holder| holder.connection != connection);
        if holders.is_empty() {
            self.holders.remove(&key);
        }
    }

    /// The connections that hold a key.
    pub(crate) fn holding(&self, key: &PublicKeyBytes) -> impl Iterator<Item = ConnectionId> {
        self.holders.get(key).into_iter().flatten().map(|holder| holder.connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> ConnectionId {
        ConnectionId::from_random_bytes([n; 16])
    }

    fn key(n: u8) -> PublicKeyBytes {
        [n; 32].into()
    }

    fn registry() -> Registry<u8> {
        let mut registry = Registry::default();
        for n in 1..=4 {
            registry.add(id(n), n, Place::Here, Arrival { address: None, at: Timestamp::from_millis(0) }, 8);
        }
        registry
    }

    fn holding(registry: &Registry<u8>, key: PublicKeyBytes) -> Vec<ConnectionId> {
        registry.holding(&key).collect()
    }

    #[test]
    fn the_end_of_an_old_connection_leaves_the_new_one() {
        let (mut registry, key) = (registry(), key(1));
        assert_eq!(registry.introduce(id(1), key, None, true, 8), Ok(vec![]));
        assert_eq!(registry.introduce(id(2), key, None, true, 8), Ok(vec![]));
        registry.remove(id(1));
        registry.remove(id(1));
        assert_eq!(holding(&registry, key), [id(2)]);
        registry.remove(id(2));
        assert!(registry.holders.is_empty());
        assert_eq!(registry.len(), 2);
    }

    #[test]
    fn a_proven_connection_displaces_unproven_ones_and_never_the_other_way() {
        let (mut registry, key) = (registry(), key(1));
        assert_eq!(registry.introduce(id(1), key, None, false, 8), Ok(vec![]));
        assert_eq!(registry.introduce(id(2), key, None, true, 8), Ok(vec![id(1)]));
        assert_eq!(registry.introduce(id(3), key, None, false, 8), Err(Refused::Unproven));
        assert_eq!(holding(&registry, key), [id(2)]);
        registry.remove(id(1));
        assert_eq!(holding(&registry, key), [id(2)]);
    }

    #[test]
    fn connections_per_key_are_bounded_and_a_connection_has_one_key() {
        let (mut registry, first) = (registry(), key(1));
        assert!(registry.introduce(id(1), first, None, true, 2).is_ok());
        assert!(registry.introduce(id(2), first, None, true, 2).is_ok());
        assert_eq!(registry.introduce(id(3), first, None, true, 2), Err(Refused::TooMany));
        assert_eq!(registry.introduce(id(1), key(2), None, true, 2), Err(Refused::NotAStranger));
        assert!(registry.introduce(id(3), key(2), None, true, 2).is_ok());
    }
}
