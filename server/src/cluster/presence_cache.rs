//! Which connections on other nodes hold the keys that were asked for here lately.

use super::{NodeId, Presence};
use crate::time::Timestamp;
use countersign_protocol::{ConnectionId, PublicKeyBytes};
use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

/// How long a key is watched after it was last asked for. Who asks again within that pays nothing for it.
const LINGER: Duration = Duration::from_secs(10);

/// How often it is looked whether any has not been asked for.
const BETWEEN_SWEEPS: Duration = Duration::from_secs(1);

/// What is known of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Knowledge {
    /// It is being looked for, for the first time.
    Finding,
    /// Its connections are known, and each that comes or goes is told.
    Known,
    /// It could not be looked for; it will be once more.
    Failed,
}

#[derive(Debug)]
struct Watch {
    knowledge: Knowledge,
    asked_at: Timestamp,
}

/// The watched keys, and the connections on other nodes that hold them.
#[derive(Debug, Default)]
pub(crate) struct PresenceCache {
    by_key: HashMap<PublicKeyBytes, Watch>,
    connections: HashMap<ConnectionId, (NodeId, PublicKeyBytes)>,
    next_sweep: Option<Timestamp>,
}

impl PresenceCache {
    /// What is known of a key, which is watched from now on; true where it has to be looked for.
    pub(crate) fn ask(&mut self, key: PublicKeyBytes, now: Timestamp) -> (Knowledge, bool) {
        self.next_sweep.get_or_insert(now.after(BETWEEN_SWEEPS));
        let mut is_new = false;
        let watch = self.by_key.entry(key).or_insert_with(|| {
            is_new = true;
            Watch { knowledge: Knowledge::Finding, asked_at: now }
        });
        watch.asked_at = now;
        if watch.knowledge == Knowledge::Failed {
            watch.knowledge = Knowledge::Finding;
            is_new = true;
        }
        (watch.knowledge, is_new)
    }

    pub(crate) fn is_watched(&self, key: &PublicKeyBytes) -> bool {
        self.by_key.contains_key(key)
    }

    /// All of them.
    pub(crate) fn keys(&self) -> Vec<PublicKeyBytes> {
        let mut keys: Vec<_> = self.by_key.keys().copied().collect();
        keys.sort_unstable();
        keys
    }

    /// Takes note of how looking for keys went.
    pub(crate) fn found(&mut self, keys: &[PublicKeyBytes], knowledge: Knowledge) {
        for key in keys {
            if let Some(watch) = self.by_key.get_mut(key)
                && watch.knowledge != Knowledge::Known
            {
                watch.knowledge = knowledge;
            }
        }
    }

    /// Keys that could not be looked for, to be looked for now.
    pub(crate) fn failed(&mut self) -> Vec<PublicKeyBytes> {
        let failed = self.by_key.iter_mut().filter(|(_, watch)| watch.knowledge == Knowledge::Failed);
        let mut keys: Vec<_> = failed
            .map(|(key, watch)| {
                watch.knowledge = Knowledge::Finding;
                *key
            })
            .collect();
        keys.sort_unstable();
        keys
    }

    /// Takes note of a connection; false where its key is not watched, or it is known already.
    pub(crate) fn add(&mut self, presence: &Presence) -> bool {
        let Presence { node, connection, public_key, device: _ } = *presence;
        if !self.is_watched(&public_key) || self.connections.contains_key(&connection) {
            return false;
        }
        self.connections.insert(connection, (node, public_key));
        true
    }

    /// The node that has a connection of a watched key.
    pub(crate) fn node_of(&self, connection: ConnectionId) -> Option<NodeId> {
        self.connections.get(&connection).map(|(node, _)| *node)
    }

    /// Takes note that a connection has gone; false where it was not known.
    pub(crate) fn remove(&mut self, connection: ConnectionId) -> bool {
        self.connections.remove(&connection).is_some()
    }

    /// Forgets the connections of one node, or of all, and gives them.
    pub(crate) fn remove_of(&mut self, node: Option<NodeId>) -> Vec<ConnectionId> {
        let is_of = |of: NodeId| node.is_none_or(|node| node == of);
        let gone: BTreeSet<_> = self.connections.iter().filter(|(_, (of, _))| is_of(*of)).map(|(id, _)| *id).collect();
        self.connections.retain(|connection, _| !gone.contains(connection));
        gone.into_iter().collect()
    }

    /// The connections of one node.
    pub(crate) fn of_node(&self, node: NodeId) -> Vec<ConnectionId> {
        let mut ids: Vec<_> = self.connections.iter().filter(|(_, (of, _))| *of == node).map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids
    }

    /// Those of these connections that hold any of these keys still.
    pub(crate) fn of_keys(&self, connections: &[ConnectionId], keys: &[PublicKeyBytes]) -> Vec<ConnectionId> {
        let keys: BTreeSet<_> = keys.iter().collect();
        let is_one = |id: &ConnectionId| self.connections.get(id).is_some_and(|(_, key)| keys.contains(key));
        connections.iter().copied().filter(is_one).collect()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        self.next_sweep
    }

    /// Forgets the keys that nobody has asked for of late and that have nothing open, and gives their connections.
    pub(crate) fn sweep(&mut self, now: Timestamp, is_open: impl Fn(&PublicKeyBytes) -> bool) -> Vec<ConnectionId> {
        if self.next_sweep.is_none_or(|due| now < due) {
            return Vec::new();
        }
        let before = self.by_key.len();
        self.by_key.retain(|key, watch| now < watch.asked_at.after(LINGER) || is_open(key));
        self.next_sweep = (!self.by_key.is_empty()).then(|| now.after(BETWEEN_SWEEPS));
        if self.by_key.len() == before {
            return Vec::new();
        }
        let unwatched = |key: &PublicKeyBytes| !self.by_key.contains_key(key);
        let gone: BTreeSet<_> =
            self.connections.iter().filter(|(_, (_, key))| unwatched(key)).map(|(id, _)| *id).collect();
        self.connections.retain(|connection, _| !gone.contains(connection));
        gone.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presence(n: u8) -> Presence {
        let connection = ConnectionId::from_random_bytes([n; 16]);
        Presence { node: NodeId::from_bits(n.into()), connection, public_key: [n; 32].into(), device: None }
    }

    #[test]
    fn a_key_is_looked_for_once_and_again_where_that_failed() {
        let mut cache = PresenceCache::default();
        let (key, now) = ([1; 32].into(), Timestamp::from_millis(0));
        assert_eq!(cache.ask(key, now), (Knowledge::Finding, true));
        assert_eq!(cache.ask(key, now), (Knowledge::Finding, false));
        cache.found(&[key], Knowledge::Failed);
        assert_eq!(cache.ask(key, now), (Knowledge::Finding, true));
        cache.found(&[key], Knowledge::Known);
        assert_eq!(cache.ask(key, now), (Knowledge::Known, false));
        cache.found(&[key], Knowledge::Failed);
        assert_eq!(cache.ask(key, now), (Knowledge::Known, false), "each that comes or goes is told all the same");
    }

    #[test]
    fn what_nobody_asks_for_is_forgotten_with_its_connections() {
        let mut cache = PresenceCache::default();
        let at = Timestamp::from_millis;
        for n in 1..=2 {
            cache.ask([n; 32].into(), at(0));
            assert!(cache.add(&presence(n)) && !cache.add(&presence(n)));
        }
        assert!(!cache.add(&presence(3)), "not watched");
        assert!(cache.sweep(at(999), |_| false).is_empty());
        assert!(cache.sweep(at(9_999), |_| false).is_empty());
        let is_open = |key: &PublicKeyBytes| *key == [1; 32].into();
        assert_eq!(cache.sweep(at(11_000), is_open), [presence(2).connection]);
        assert_eq!(cache.poll_timeout(), Some(at(12_000)));
        assert_eq!(cache.remove_of(None), [presence(1).connection]);
        cache.sweep(at(12_000), |_| false);
        assert_eq!(cache.poll_timeout(), None, "nothing is left");
    }
}
