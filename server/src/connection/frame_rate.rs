//! How often one connection may send a frame.

use crate::{rate::quota, time::Clock};
use governor::{
    RateLimiter,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};
use std::{num::NonZeroU32, time::Duration};

/// A connection's rate of frames.
#[derive(Debug)]
pub(super) struct FrameRate(Option<RateLimiter<NotKeyed, InMemoryState, Clock, NoOpMiddleware<Duration>>>);

impl FrameRate {
    /// So many frames per second on average; none for no limit.
    pub(super) fn new(per_second: Option<NonZeroU32>, clock: &Clock) -> Self {
        Self(per_second.map(|rate| RateLimiter::direct_with_clock(quota(rate), clock.clone())))
    }

    /// Counts a frame, and says whether it came within the rate.
    pub(super) fn allows(&self) -> bool {
        self.0.as_ref().is_none_or(|limiter| limiter.check().is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_let_through_and_then_the_rate() {
        let rate = FrameRate::new(NonZeroU32::new(1), &Clock::new());
        assert!((0..4).all(|_| rate.allows()));
        assert!(!rate.allows());
        advance(Duration::from_secs(1)).await;
        assert!(rate.allows() && !rate.allows());
    }

    #[test]
    fn no_limit_is_no_limit() {
        let rate = FrameRate::new(None, &Clock::new());
        assert!((0..100_000).all(|_| rate.allows()));
    }
}
