//! Rate limits: the generic cell rate algorithm of the governor crate.

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use std::num::NonZeroU32;

const SECONDS_OF_BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(3);

/// An average rate that lets bursts of four seconds' worth through.
pub(crate) fn quota(per_second: NonZeroU32) -> Quota {
    Quota::per_second(per_second).allow_burst(per_second.saturating_mul(SECONDS_OF_BURST))
}

/// How often one connection may send a frame.
#[derive(Debug)]
pub(crate) struct FrameRate(Option<DefaultDirectRateLimiter>);

impl FrameRate {
    pub(crate) fn new(per_second: Option<NonZeroU32>) -> Self {
        Self(per_second.map(|rate| RateLimiter::direct(quota(rate))))
    }

    pub(crate) fn allows(&self) -> bool {
        self.0.as_ref().is_none_or(|limiter| limiter.check().is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_no_more() {
        let rate = FrameRate::new(NonZeroU32::new(1));
        assert!((0..4).all(|_| rate.allows()));
        assert!(!rate.allows());
    }

    #[test]
    fn no_limit_is_no_limit() {
        let rate = FrameRate::new(None);
        assert!((0..100_000).all(|_| rate.allows()));
    }
}
