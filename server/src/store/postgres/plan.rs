//! What becomes of the writes of one transaction, as far as that can be told before they are made.

use crate::{
    cluster::NodeId,
    idempotency::IdempotencyKey,
    requester::RequesterId,
    storage::{StoreError, Write, Written},
    store::quota::{self, Limits, Quota},
};
use countersign_protocol::RequestId;
use std::collections::{BTreeMap, HashMap};

/// What a write comes to, if the transaction is committed.
pub(super) type Outcome = Result<Written, StoreError>;

/// What is there before them.
pub(super) struct Known {
    limits: Limits,
    /// What each key stands for.
    pub(super) keys: HashMap<(RequesterId, IdempotencyKey), ([u8; 32], Vec<RequestId>)>,
    /// Of requests that may have been taken, those that were, and whose they are.
    pub(super) requests: HashMap<RequestId, Option<NodeId>>,
    /// What is to be said of those that are to be replaced, where they are not open, or not the node's which was said to have them.
    pub(super) replaced: HashMap<RequestId, Written>,
    /// What each requester has taken, in bytes.
    taken: HashMap<RequesterId, u64>,
    used: u64,
}

impl Known {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            keys: HashMap::new(),
            requests: HashMap::new(),
            replaced: HashMap::new(),
            taken: HashMap::new(),
            used: 0,
        }
    }

    pub(super) fn has_taken(&mut self, requester: RequesterId, bytes: u64) {
        self.used = self.used.saturating_add(bytes);
        self.taken.insert(requester, bytes);
    }
}

/// Decides about one write after the other, each as if those before it had been made.
pub(super) struct Plan {
    known: Known,
    quota: Quota,
    /// What each requester takes besides, in bytes. In an order that is always the same, so that two servers do not wait for each other.
    shares: BTreeMap<RequesterId, i64>,
}

impl Plan {
    pub(super) fn new(known: Known) -> Self {
        let quota = Quota::new(known.limits, known.used);
        Self { known, quota, shares: BTreeMap::new() }
    }

    /// What becomes of it; none where it is to be made.
    pub(super) fn decide(&mut self, write: &Write) -> Option<Outcome> {
        let Write::Accept { records, idempotency, replaced } = write else { return None };
        let Some(first) = records.first() else { return Some(Ok(self.earlier(write).unwrap_or(Written::Done))) };
        if let Some(owner) = self.known.requests.get(&first.id) {
            return Some(Ok(Written::Accepted(*owner)));
        }
        if let Some(earlier) = self.earlier(write) {
            return Some(Ok(earlier));
        }
        if let Some(stands) = replaced.as_ref().and_then(|replaced| self.known.replaced.get(&replaced.id)) {
            return Some(Ok(stands.clone()));
        }
        let taken = self.known.taken.entry(first.requester_id.clone()).or_default();
        if !self.quota.fits_share(records, *taken) {
            return Some(Ok(Written::OverShare));
        }
        if !self.quota.take(records) {
            return Some(Err(StoreError::Full));
        }
        let bytes = records.iter().map(quota::bytes).fold(0, u64::saturating_add);
        *taken = taken.saturating_add(bytes);
        *self.shares.entry(first.requester_id.clone()).or_default() += i64::try_from(bytes).unwrap_or(i64::MAX);
        if let Some(idempotency) = idempotency {
            let ids = records.iter().map(|record| record.id).collect();
            let name = (idempotency.requester.clone(), idempotency.key.clone());
            self.known.keys.insert(name, (idempotency.fingerprint, ids));
        }
        None
    }

    /// What this requester has asked under the key before.
    fn earlier(&self, write: &Write) -> Option<Written> {
        let Write::Accept { idempotency: Some(idempotency), .. } = write else { return None };
        let name = (idempotency.requester.clone(), idempotency.key.clone());
        let (fingerprint, ids) = self.known.keys.get(&name)?;
        Some(if *fingerprint == idempotency.fingerprint { Written::Existing(ids.clone()) } else { Written::Reused })
    }

    pub(super) fn into_shares(self) -> BTreeMap<RequesterId, i64> {
        self.shares
    }
}
