//! How many TCP connections there may be, in all and from one address.

use super::party::Party;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Counts connections.
#[derive(Debug)]
pub(in crate::http) struct ConnectionLimit {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    most: usize,
    most_of_one: usize,
    all: usize,
    of: HashMap<Party, usize>,
}

/// A connection's place; given up when dropped.
#[derive(Debug)]
pub(in crate::http) struct Permit {
    limit: Arc<ConnectionLimit>,
    party: Option<Party>,
}

/// There is no place left, for this reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) struct LimitReached(pub(in crate::http) &'static str);

impl ConnectionLimit {
    pub(in crate::http) fn new(most: usize, most_of_one: usize) -> Arc<Self> {
        Arc::new(Self { counts: Mutex::new(Counts { most, most_of_one, ..Counts::default() }) })
    }

    /// Goes by other limits from now on. Whoever has a place keeps it.
    pub(in crate::http) fn set(&self, most: usize, most_of_one: usize) {
        let mut counts = self.counts();
        (counts.most, counts.most_of_one) = (most, most_of_one);
    }

    /// Takes a place. Without an address the connection counts among all of them only: it is a proxy's.
    pub(in crate::http) fn take(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Permit, LimitReached> {
        let party = address.map(Party::from);
        let mut counts = self.counts();
        let most_of_one = counts.most_of_one;
        if counts.all >= counts.most {
            return Err(LimitReached("connections"));
        }
        if let Some(party) = party {
            let of_party = counts.of.entry(party).or_default();
            if *of_party >= most_of_one {
                return Err(LimitReached("ip_connections"));
            }
            *of_party += 1;
        }
        counts.all += 1;
        Ok(Permit { limit: Arc::clone(self), party })
    }

    /// How many there are, and how many there may be.
    pub(in crate::http) fn taken(&self) -> (usize, usize) {
        let counts = self.counts();
        (counts.all, counts.most)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Integers that are changed together cannot be left inconsistent by a panic between them.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.limit.counts();
        counts.all = counts.all.saturating_sub(1);
        let Some(party) = self.party else { return };
        if let Some(of_party) = counts.of.get_mut(&party) {
            *of_party = of_party.saturating_sub(1);
            if *of_party == 0 {
                counts.of.remove(&party);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_come_back() {
        let address = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        let limit = ConnectionLimit::new(3, 2);
        let first = limit.take(address("192.0.2.1")).unwrap();
        let _second = limit.take(address("192.0.2.1")).unwrap();
        assert_eq!(limit.take(address("192.0.2.1")).unwrap_err(), LimitReached("ip_connections"));
        assert!(limit.take(None).is_ok(), "a proxy's connections are everybody's");
        let _third = limit.take(address("192.0.2.2")).unwrap();
        assert_eq!(limit.take(address("192.0.2.3")).unwrap_err(), LimitReached("connections"));
        assert_eq!(limit.taken(), (3, 3));
        limit.set(2, 2);
        assert_eq!(limit.taken(), (3, 2), "who has a place keeps it");
        assert_eq!(limit.take(address("192.0.2.3")).unwrap_err(), LimitReached("connections"));
        limit.set(3, 2);
        drop(first);
        drop(limit.take(address("192.0.2.3")).unwrap());
        assert_eq!(limit.counts().of.len(), 2, "no entry for an address without connections");
    }
}
