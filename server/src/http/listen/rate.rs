//! Rate limits of the HTTP side, for each of many keys: addresses and tokens.

use crate::{
    rate::{Quota, Taken},
    time::Clock,
};
use std::{
    collections::HashMap,
    hash::Hash,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
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
    limiter: Option<Limiter<K>>,
}

#[derive(Debug)]
struct Limiter<K> {
    quota: Quota,
    clock: Clock,
    table: Mutex<Table<K>>,
}

#[derive(Debug)]
struct Table<K> {
    /// Who is not in it has taken nothing.
    taken: HashMap<K, Taken>,
    checks: u32,
}

impl<K: Hash + Eq + Clone> KeyedRate<K> {
    pub(in crate::http) fn new(scope: &'static str, per_second: Option<NonZeroU32>, clock: &Clock) -> Self {
        let limiter = per_second.map(|rate| Limiter {
            quota: Quota::per_second(rate),
            clock: clock.clone(),
            table: Mutex::new(Table { taken: HashMap::new(), checks: 0 }),
        });
        Self { scope, per_second, limiter }
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
        limiter.take(key).map_err(|retry_after| RateExceeded { scope: self.scope, retry_after })
    }
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    fn take(&self, key: &K) -> Result<(), Duration> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        // Read under the lock, so that it does not go back.
        let now = self.clock.elapsed();
        table.checks += 1;
        if table.checks == CHECKS_BETWEEN_SWEEPS {
            table.sweep(now);
        }
        if let Some(taken) = table.taken.get_mut(key) {
            return self.quota.take(taken, NonZeroU32::MIN, now);
        }
        let mut taken = Taken::default();
        self.quota.take(&mut taken, NonZeroU32::MIN, now)?;
        table.taken.insert(key.clone(), taken);
        Ok(())
    }
}

impl<K: Hash + Eq> Table<K> {
    fn sweep(&mut self, now: Duration) {
        self.checks = 0;
        self.taken.retain(|_, taken| !taken.is_nothing(now));
        self.taken.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

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

    #[tokio::test(start_paused = true)]
    async fn who_is_quiet_is_forgotten_and_who_is_not_stays() {
        let rate = KeyedRate::new("ip", NonZeroU32::new(1), &Clock::new());
        let keys = || rate.limiter.as_ref().unwrap().table.lock().unwrap().taken.len();
        for key in 1..CHECKS_BETWEEN_SWEEPS {
            assert_eq!(rate.check(&key), Ok(()));
        }
        assert_eq!(keys(), 4095);
        // All but those of this moment.
        advance(Duration::from_secs(1)).await;
        assert_eq!(rate.check(&0), Ok(()));
        assert_eq!(keys(), 1);
        while rate.check(&0).is_ok() {}
        (1..2 * CHECKS_BETWEEN_SWEEPS).for_each(|_| assert!(rate.check(&0).is_err()));
    }

    #[test]
    fn no_limit_is_no_limit() {
        let rate = KeyedRate::new("ip", None, &Clock::new());
        assert!((0..100_000).all(|_| rate.check(&1).is_ok()));
    }
}
