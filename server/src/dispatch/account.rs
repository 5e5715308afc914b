//! What requests hold together, each from the moment it is asked for until it is let go of, in whatever table it is meanwhile.

use crate::{SigningError, record::Record, requester::RequesterId};
use countersign_protocol::PublicKeyBytes;
use std::{
    collections::{HashMap, hash_map::Entry},
    hash::Hash,
    num::NonZeroU32,
};

/// What all requests together may hold, and how much of that one requester may.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Capacity {
    pub(crate) max_inflight: usize,
    pub(crate) max_connections_per_key: usize,
    pub(crate) max_pending: usize,
    pub(crate) max_pending_per_key: usize,
    pub(crate) max_pending_bytes: usize,
    /// Percent of each of the others, but for connections, that requests of one requester may take.
    pub(crate) max_share_percent: u8,
}

impl Capacity {
    /// Whether one requester may take less than there is.
    fn has_shares(&self) -> bool {
        self.max_share_percent < 100
    }

    /// How much of `most` one requester may take; something in any case.
    pub(super) fn share(&self, most: usize) -> usize {
        if !self.has_shares() {
            return most;
        }
        // Divided first: nothing that is configured may overflow.
        let percent = usize::from(self.max_share_percent);
        (most / 100 * percent + most % 100 * percent / 100).max(1)
    }
}

/// What somebody's requests hold.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Held {
    requests: usize,
    /// Of messages, references and metadata.
    bytes: usize,
}

/// What requests hold: all, each key's, each requester's.
#[derive(Debug, Default)]
pub(crate) struct Account {
    all: Held,
    of_key: HashMap<PublicKeyBytes, Held>,
    of_requester: HashMap<RequesterId, Held>,
    /// Of one requester for one key, where requesters have shares.
    of_both: HashMap<(RequesterId, PublicKeyBytes), Held>,
}

impl Account {
    /// How many requests there are.
    pub(super) fn requests(&self) -> usize {
        self.all.requests
    }

    /// Whether requests like this one, `bytes` together, may be added.
    pub(super) fn check(
        &self,
        capacity: &Capacity,
        first: &Record,
        requests: usize,
        bytes: usize,
    ) -> Result<(), SigningError> {
        let fits = |held: Option<&Held>, most: usize, most_bytes: usize| {
            let Held { requests: held, bytes: held_bytes } = held.copied().unwrap_or_default();
            held.saturating_add(requests) <= most && held_bytes.saturating_add(bytes) <= most_bytes
        };
        let Capacity { max_pending, max_pending_per_key, max_pending_bytes, .. } = *capacity;
        if !fits(Some(&self.all), max_pending, max_pending_bytes) {
            return Err(SigningError::Overloaded);
        }
        if !fits(self.of_key.get(&first.public_key), max_pending_per_key, usize::MAX) {
            return Err(SigningError::TooManyInflight);
        }
        if !capacity.has_shares() {
            return Ok(());
        }
        let requester = &first.requester_id;
        let (share, share_bytes) = (capacity.share(max_pending), capacity.share(max_pending_bytes));
        let both = (requester.clone(), first.public_key);
        if !fits(self.of_requester.get(requester), share, share_bytes)
            || !fits(self.of_both.get(&both), capacity.share(max_pending_per_key), usize::MAX)
        {
            return Err(SigningError::RequesterLimit);
        }
        Ok(())
    }

    /// Whether a requester may have so many requests more, where its token lets it have `most`.
    pub(super) fn check_own(
        &self,
        requester: &RequesterId,
        requests: usize,
        most: Option<NonZeroU32>,
    ) -> Result<(), SigningError> {
        let Some(most) = most else { return Ok(()) };
        let most = usize::try_from(most.get()).unwrap_or(usize::MAX);
        if self.requests_of(requester).saturating_add(requests) <= most {
            Ok(())
        } else {
            Err(SigningError::RequesterLimit)
        }
    }

    /// How many requests a requester has.
    pub(super) fn requests_of(&self, requester: &RequesterId) -> usize {
        self.of_requester.get(requester).map_or(0, |held| held.requests)
    }

    /// A request holds something from now on.
    pub(super) fn add(&mut self, capacity: &Capacity, record: &Record) {
        let bytes = record.bytes();
        self.all.add(bytes);
        self.of_key.entry(record.public_key).or_default().add(bytes);
        self.of_requester.entry(record.requester_id.clone()).or_default().add(bytes);
        // Where one may take all there is, nobody asks what each takes of a key's.
        if capacity.has_shares() {
            self.add_share(record);
        }
    }

    fn add_share(&mut self, record: &Record) {
        self.of_both.entry((record.requester_id.clone(), record.public_key)).or_default().add(record.bytes());
    }

    /// It holds nothing any more.
    pub(super) fn remove(&mut self, capacity: &Capacity, record: &Record) {
        let bytes = record.bytes();
        self.all.remove(bytes);
        remove(self.of_key.entry(record.public_key), bytes);
        remove(self.of_requester.entry(record.requester_id.clone()), bytes);
        if capacity.has_shares() {
            remove(self.of_both.entry((record.requester_id.clone(), record.public_key)), bytes);
        }
    }

    /// Counts by another capacity from now on what all this holds.
    pub(super) fn change<'a>(
        &mut self,
        before: &Capacity,
        capacity: &Capacity,
        held: impl Iterator<Item = &'a Record>,
    ) {
        if before.has_shares() == capacity.has_shares() {
            return;
        }
        self.of_both.clear();
        if capacity.has_shares() {
            held.for_each(|record| self.add_share(record));
        }
    }

    /// Whether nobody holds anything.
    #[cfg(any(test, feature = "simulation"))]
    pub(super) fn is_empty(&self) -> bool {
        let Self { all, of_key, of_requester, of_both } = self;
        *all == Held::default() && of_key.is_empty() && of_requester.is_empty() && of_both.is_empty()
    }
}

impl Held {
    fn add(&mut self, bytes: usize) {
        self.requests += 1;
        self.bytes += bytes;
    }

    fn remove(&mut self, bytes: usize) {
        self.requests -= 1;
        self.bytes -= bytes;
    }
}

/// What holds nothing is forgotten.
fn remove<K: Eq + Hash>(entry: Entry<'_, K, Held>, bytes: usize) {
    if let Entry::Occupied(mut held) = entry {
        held.get_mut().remove(bytes);
        if held.get().requests == 0 {
            held.remove();
        }
    }
}
