//! What a rate is: an average that lets short bursts through (the generic cell rate algorithm, ITU-T I.371). Pure: it is told the time.

use std::{num::NonZeroU32, time::Duration};

const SECONDS_OF_BURST: u32 = 4;

/// An average rate that lets bursts of four seconds' worth through.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quota {
    /// What one takes to come back, to the nanosecond.
    interval: Duration,
    burst: NonZeroU32,
}

/// What has been taken of a quota. At first nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Taken {
    /// When all of it is there again, by the clock whose time is told.
    until: Duration,
}

impl Quota {
    /// So many per second on average.
    pub(crate) fn per_second(rate: NonZeroU32) -> Self {
        let burst = rate.saturating_mul(NonZeroU32::MIN.saturating_add(SECONDS_OF_BURST - 1));
        Self { interval: Duration::from_secs(1) / rate.get(), burst }
    }

    /// Takes so many at once, or says how long to wait before asking again. More than a burst can never be had at once, and costs as much.
    ///
    /// # Errors
    /// How long to wait; nothing is taken then.
    pub(crate) fn take(self, taken: &mut Taken, count: NonZeroU32, now: Duration) -> Result<(), Duration> {
        let until = taken.until.max(now).saturating_add(self.interval.saturating_mul(count.min(self.burst).get()));
        let early = until.saturating_sub(now).saturating_sub(self.interval.saturating_mul(self.burst.get()));
        if early > Duration::ZERO {
            return Err(early);
        }
        taken.until = until;
        Ok(())
    }
}

impl Taken {
    /// Whether all of it is there again.
    pub(crate) fn is_nothing(self, now: Duration) -> bool {
        self.until <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: NonZeroU32 = NonZeroU32::MIN;

    fn quota(rate: u32) -> Quota {
        Quota::per_second(NonZeroU32::new(rate).unwrap())
    }

    #[test]
    fn in_any_time_no_more_than_a_burst_and_the_rate_are_let_through() {
        for rate in [1, 3, 7, 1000] {
            let (quota, mut taken, mut let_through) = (quota(rate), Taken::default(), 0_u64);
            let mut now = Duration::from_secs(9);
            while now < Duration::from_secs(19) {
                match quota.take(&mut taken, ONE, now) {
                    Ok(()) => let_through += 1,
                    Err(wait) => {
                        assert!(wait <= quota.interval);
                        assert_eq!(
                            quota.take(&mut taken, ONE, now + wait - Duration::from_nanos(1)),
                            Err(Duration::from_nanos(1))
                        );
                        now += wait;
                    }
                }
            }
            let most = u64::from(rate) * 14;
            assert!((most - 1..=most).contains(&let_through), "{rate} a second: {let_through}");
        }
    }

    #[test]
    fn what_was_not_taken_for_a_while_is_a_burst_and_no_more() {
        let (quota, mut taken) = (quota(2), Taken::default());
        for now in [0, 3600].map(Duration::from_secs) {
            assert!(taken.is_nothing(now));
            assert!((0..8).all(|_| quota.take(&mut taken, ONE, now).is_ok()));
            assert_eq!(quota.take(&mut taken, ONE, now), Err(Duration::from_millis(500)));
            assert!(
                !taken.is_nothing(now + Duration::from_millis(3999)) && taken.is_nothing(now + Duration::from_secs(4))
            );
        }
    }

    #[test]
    fn the_greatest_figures_are_figures() {
        let (quota, mut taken) = (quota(u32::MAX), Taken::default());
        assert_eq!(quota.take(&mut taken, NonZeroU32::MAX, Duration::MAX), Ok(()));
        assert_eq!(super::tests::quota(1).take(&mut taken, NonZeroU32::MAX, Duration::MAX), Ok(()));
    }
}
