//! What a rate is: an average that lets short bursts through, by the service's own clock.

use crate::time::Clock;
use governor::{Quota, clock};
use std::{num::NonZeroU32, time::Duration};

const SECONDS_OF_BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(3);

/// An average rate that lets bursts of four seconds' worth through.
pub(crate) fn quota(per_second: NonZeroU32) -> Quota {
    Quota::per_second(per_second).allow_burst(per_second.saturating_mul(SECONDS_OF_BURST))
}

/// So that paused tests and the simulation decide how fast something is, as they do everything else about time.
impl clock::Clock for Clock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.elapsed()
    }
}
