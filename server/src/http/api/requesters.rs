//! What each requester's calls came to, counted for its operator.

use super::{auth::Tokens, problem::Problem};
use crate::{record::end_code, requester::RequesterId};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// The most requesters that are counted each by itself. Further ones are counted together.
pub(in crate::http) const MAX_COUNTED: usize = 100;

/// What one requester's calls came to.
#[derive(Debug, Default)]
pub(in crate::http) struct Calls {
    asked: AtomicU64,
    refused: AtomicU64,
}

impl Calls {
    /// A call asks for signatures.
    pub(in crate::http) fn asks(&self) {
        self.asked.fetch_add(1, Ordering::Relaxed);
    }

    /// A call came to this.
    pub(in crate::http) fn came_to(&self, problem: &Problem) {
        if !end_code::UNSIGNED.contains(&problem.code()) {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many asked for signatures, and how many were refused.
    pub(in crate::http) fn counts(&self) -> (u64, u64) {
        (self.asked.load(Ordering::Relaxed), self.refused.load(Ordering::Relaxed))
    }
}

/// The requesters that are counted by themselves, those of configured tokens, and all others together.
#[derive(Debug, Default)]
pub(in crate::http) struct Requesters {
    known: RwLock<BTreeMap<RequesterId, Arc<Calls>>>,
    other: Arc<Calls>,
}

impl Requesters {
    pub(in crate::http) fn of_tokens(tokens: &Tokens) -> Self {
        let requesters = Self::default();
        requesters.know(tokens);
        requesters
    }

    /// The one that this requester is counted with.
    pub(in crate::http) fn of(&self, id: &RequesterId) -> Arc<Calls> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.get(id).unwrap_or(&self.other))
    }

    /// Counts the requesters of these tokens by themselves from now on, as far as there is room. One that has no token any more keeps what
    /// was counted.
    pub(in crate::http) fn know(&self, tokens: &Tokens) {
        let ids: BTreeSet<_> = tokens.requester_ids().collect();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for id in ids {
            if known.len() < MAX_COUNTED && !known.contains_key(id) {
                known.insert(id.clone(), Arc::default());
            }
        }
    }

    /// Those by themselves, in order, and the others.
    pub(in crate::http) fn all(&self) -> (BTreeMap<RequesterId, Arc<Calls>>, Arc<Calls>) {
        (self.known.read().unwrap_or_else(PoisonError::into_inner).clone(), Arc::clone(&self.other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SigningError, http::api::TokenEntry};

    fn tokens(count: usize) -> Tokens {
        let entry = |n| TokenEntry {
            id: Some(format!("r{n:03}")),
            name: "a".into(),
            sha256: format!("{n:064x}"),
            ..TokenEntry::default()
        };
        Tokens::from_entries(&(0..count).map(entry).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn so_many_are_counted_each_and_the_rest_together() {
        let requesters = Requesters::of_tokens(&tokens(MAX_COUNTED + 50));
        requesters.know(&tokens(MAX_COUNTED + 50));
        for id in ["r000", "r100", "r149", "never configured"] {
            requesters.of(&id.parse().unwrap()).asks();
        }
        let (known, other) = requesters.all();
        assert_eq!(known.len(), MAX_COUNTED);
        assert_eq!(known.values().map(|calls| calls.counts().0).sum::<u64>(), 1);
        assert_eq!(other.counts(), (3, 0));
    }

    #[test]
    fn what_a_wallet_declined_was_not_refused() {
        let calls = Calls::default();
        calls.came_to(&SigningError::InvalidSignature.into());
        calls.came_to(&SigningError::RequesterLimit.into());
        assert_eq!(calls.counts(), (0, 1));
    }
}
