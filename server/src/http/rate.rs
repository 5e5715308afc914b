//! Rate limits of the HTTP side, for each of many keys: addresses and tokens.

use crate::limits::quota;
use governor::{
    DefaultKeyedRateLimiter, RateLimiter,
    clock::{Clock, DefaultClock},
};
use std::{
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// After so many checks the keys that have been quiet are forgotten, so that the table cannot grow for ever.
const CHECKS_BETWEEN_SWEEPS: u32 = 4096;

/// Something came faster than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RateExceeded {
    /// Which limit it was.
    pub(crate) scope: &'static str,
    /// When to try again.
    pub(crate) retry_after: Duration,
}

/// How often something may happen for each of many keys, such as addresses or tokens.
#[derive(Debug)]
pub(crate) struct KeyedRate<K: Hash + Eq + Clone> {
    scope: &'static str,
    limiter: Option<DefaultKeyedRateLimiter<K>>,
    checks: AtomicU32,
}

impl<K: Hash + Eq + Clone> KeyedRate<K> {
    pub(crate) fn new(scope: &'static str, per_second: Option<NonZeroU32>) -> Self {
        let limiter = per_second.map(|rate| RateLimiter::keyed(quota(rate)));
        Self { scope, limiter, checks: AtomicU32::new(0) }
    }

    pub(crate) fn check(&self, key: &K) -> Result<(), RateExceeded> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        if self.checks.fetch_add(1, Ordering::Relaxed) % CHECKS_BETWEEN_SWEEPS == CHECKS_BETWEEN_SWEEPS - 1 {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
        limiter.check_key(key).map_err(|refused| RateExceeded {
            scope: self.scope,
            retry_after: refused.wait_time_from(DefaultClock::default().now()),
        })
    }
}

/// One party on the network: an IPv4 address, or an IPv6 /64, which is what one customer commonly gets (RFC 6177 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Party(IpAddr);

impl From<IpAddr> for Party {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(v4) => v4.into(),
            IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_no_more() {
        let rate = KeyedRate::new("ip", NonZeroU32::new(1));
        for _ in 0..4 {
            assert_eq!(rate.check(&1), Ok(()));
        }
        let refused = rate.check(&1).unwrap_err();
        assert!(refused.scope == "ip" && refused.retry_after <= Duration::from_secs(1));
        assert_eq!(rate.check(&2), Ok(()), "another key has a quota of its own");
    }

    #[test]
    fn no_limit_is_no_limit() {
        let rate = KeyedRate::new("ip", None);
        assert!((0..100_000).all(|_| rate.check(&1).is_ok()));
    }

    #[test]
    fn an_ipv6_customer_is_one_party() {
        let party = |text: &str| Party::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(party("2001:db8::1"), party("2001:db8::ffff:2"));
        assert_ne!(party("2001:db8::1"), party("2001:db8:0:1::1"));
        assert_eq!(party("::ffff:192.0.2.1"), party("192.0.2.1"));
        assert_ne!(party("192.0.2.1"), party("192.0.2.2"));
    }
}
