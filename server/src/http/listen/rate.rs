//! Rate limits of the HTTP side, for each of many keys: addresses and tokens.

use crate::{rate::quota, time::Clock};
use governor::{RateLimiter, middleware::NoOpMiddleware, state::keyed::HashMapStateStore};
use std::{
    hash::Hash,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

/// After so many checks the keys that have been quiet are forgotten, so that the table cannot grow for ever.
const CHECKS_BETWEEN_SWEEPS: u32 = 4096;

/// Something came faster than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) struct RateExceeded {
    /// Which limit it was.
    pub(in crate::http) scope: &'static str,
    /// When to try again.
    pub(in crate::http) retry_after: Duration,
}

/// How often something may happen for each of many keys, such as addresses or tokens.
#[derive(Debug)]
pub(in crate::http) struct KeyedRate<K: Hash + Eq + Clone> {
    scope: &'static str,
    per_second: Option<NonZeroU32>,
    limiter: Option<RateLimiter<K, HashMapStateStore<K>, Clock, NoOpMiddleware<Duration>>>,
    checks: AtomicU32,
}

impl<K: Hash + Eq + Clone> KeyedRate<K> {
    pub(in crate::http) fn new(scope: &'static str, per_second: Option<NonZeroU32>, clock: &Clock) -> Self {
        let limiter = per_second.map(|rate| RateLimiter::hashmap_with_clock(quota(rate), clock.clone()));
        Self { scope, per_second, limiter, checks: AtomicU32::new(0) }
    }

    /// The same where the rate stays as it was, so that what was counted goes on to count; otherwise another one, which begins anew.
    pub(in crate::http) fn at(self: &Arc<Self>, per_second: Option<NonZeroU32>, clock: &Clock) -> Arc<Self> {
        if self.per_second == per_second {
            return Arc::clone(self);
        }
        Arc::new(Self::new(self.scope, per_second, clock))
    }

    /// The rate; none for no limit.
    pub(in crate::http) fn per_second(&self) -> Option<NonZeroU32> {
        self.per_second
    }

    pub(in crate::http) fn check(&self, key: &K) -> Result<(), RateExceeded> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        if self.checks.fetch_add(1, Ordering::Relaxed) % CHECKS_BETWEEN_SWEEPS == CHECKS_BETWEEN_SWEEPS - 1 {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
        limiter.check_key(key).map_err(|refused| RateExceeded {
            scope: self.scope,
            retry_after: refused.wait_time_from(limiter.clock().elapsed()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_no_more() {
        let rate = KeyedRate::new("ip", NonZeroU32::new(1), &Clock::new());
        for _ in 0..4 {
            assert_eq!(rate.check(&1), Ok(()));
        }
        let refused = rate.check(&1).unwrap_err();
        assert!(refused.scope == "ip" && refused.retry_after <= Duration::from_secs(1));
        assert_eq!(rate.check(&2), Ok(()), "another key has a quota of its own");
    }

    #[test]
    fn another_rate_holds_from_now_on_and_the_same_one_goes_on() {
        let clock = Clock::new();
        let rate = Arc::new(KeyedRate::new("ip", NonZeroU32::new(1), &clock));
        while rate.check(&1).is_ok() {}
        assert!(rate.at(NonZeroU32::new(1), &clock).check(&1).is_err());
        let higher = rate.at(NonZeroU32::new(2), &clock);
        assert_eq!((0..9).filter(|_| higher.check(&1).is_ok()).count(), 8);
        assert_eq!(rate.at(None, &clock).check(&1), Ok(()));
    }

    #[test]
    fn no_limit_is_no_limit() {
        let rate = KeyedRate::new("ip", None, &Clock::new());
        assert!((0..100_000).all(|_| rate.check(&1).is_ok()));
    }
}
