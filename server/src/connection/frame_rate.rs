//! How fast one connection may send: what comes faster is read later, and nothing is dropped.

use crate::{
    rate::{Quota, Taken},
    time::Clock,
};
use std::{num::NonZeroU32, time::Duration};

/// A frame counts once more for each so many bytes, since it is the bytes that take time to read.
const BYTES_OF_ONE: usize = 4096;

/// A connection's rate of frames.
#[derive(Debug)]
pub(super) struct FrameRate(Option<Limit>);

#[derive(Debug)]
struct Limit {
    quota: Quota,
    taken: Taken,
    clock: Clock,
}

impl FrameRate {
    /// So many frames per second on average; none for no limit.
    pub(super) fn new(per_second: Option<NonZeroU32>, clock: &Clock) -> Self {
        Self(per_second.map(|rate| Limit {
            quota: Quota::per_second(rate),
            taken: Taken::default(),
            clock: clock.clone(),
        }))
    }

    /// What a frame of so many bytes costs.
    pub(super) fn cost(bytes: usize) -> NonZeroU32 {
        NonZeroU32::MIN.saturating_add(u32::try_from(bytes / BYTES_OF_ONE).unwrap_or(u32::MAX))
    }

    /// Pays for a frame, or says how long to wait before paying for it again.
    pub(super) fn pay(&mut self, cost: NonZeroU32) -> Result<(), Duration> {
        let Some(Limit { quota, taken, clock }) = &mut self.0 else { return Ok(()) };
        quota.take(taken, cost, clock.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    const ONE: NonZeroU32 = NonZeroU32::MIN;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_let_through_and_then_the_rate() {
        let mut rate = FrameRate::new(Some(ONE), &Clock::new());
        assert!((0..4).all(|_| rate.pay(ONE).is_ok()));
        let wait = rate.pay(ONE).unwrap_err();
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        advance(wait).await;
        assert!(rate.pay(ONE).is_ok() && rate.pay(ONE).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_frame_costs_more_and_can_be_paid_for_at_any_rate() {
        let mut rate = FrameRate::new(Some(ONE), &Clock::new());
        let cost = FrameRate::cost(90_000);
        assert_eq!(
            (FrameRate::cost(0), FrameRate::cost(4095), FrameRate::cost(4096)),
            (ONE, ONE, ONE.saturating_add(1))
        );
        assert!(rate.pay(cost).is_ok());
        let wait = rate.pay(cost).unwrap_err();
        advance(wait).await;
        assert!(rate.pay(cost).is_ok());
    }

    #[test]
    fn no_limit_is_no_limit() {
        let mut rate = FrameRate::new(None, &Clock::new());
        assert!((0..100_000).all(|_| rate.pay(ONE).is_ok()));
    }
}
