//! Time as the state machine sees it: milliseconds since an origin that only the caller knows.

use core::ops::{Add, Sub};

/// A moment, in milliseconds since any origin. It never runs backwards within one wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Timestamp(u64);

/// A span of time, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Millis(pub u64);

impl Timestamp {
    /// The moment `ms` milliseconds after the origin.
    pub fn from_millis(ms: u64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the origin.
    pub fn as_millis(self) -> u64 {
        self.0
    }
}

impl Add<Millis> for Timestamp {
    type Output = Self;

    fn add(self, span: Millis) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

/// The span from `earlier`, zero where `earlier` is in fact later.
impl Sub for Timestamp {
    type Output = Millis;

    fn sub(self, earlier: Self) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

/// A clock that differs by less has not stood still nor been set, in milliseconds: it was read at another moment, or is being adjusted.
const LEAST_STEP: f64 = 1000.0;

/// Longer than any request lasts: a clock that goes ahead by more was set, as after a start without battery, and the server will say what is over.
const MOST_SLEEP: f64 = 7.0 * 24.0 * 3_600_000.0;

/// The later of two clocks: one that nobody sets, and that in many systems stands still while the machine sleeps, and one that goes on, and
/// that somebody may set. What has run out by either is over. Never goes back.
#[derive(Debug, Clone, Copy)]
pub struct LaterClock {
    /// How far the second is ahead of the first, as last noticed.
    ahead: f64,
    /// For how long the first has stood still while the second went on.
    stood_still: f64,
}

impl LaterClock {
    /// Begins with what both show.
    pub fn new(monotonic: f64, wall: f64) -> Self {
        Self { ahead: wall - monotonic, stood_still: 0.0 }
    }

    /// What it shows, by the first clock's zero.
    pub fn read(&mut self, monotonic: f64, wall: f64) -> f64 {
        let ahead = wall - monotonic;
        let step = ahead - self.ahead;
        if (LEAST_STEP..=MOST_SLEEP).contains(&step) {
            self.stood_still += step;
        }
        if step.abs() >= LEAST_STEP {
            self.ahead = ahead;
        }
        monotonic + self.stood_still
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: f64 = 1_800_000_000_000.0;

    #[test]
    #[allow(clippy::float_cmp)] // whole numbers
    fn a_sleep_is_over_by_the_clock_that_went_on() {
        let mut clock = LaterClock::new(100.0, NOON);
        assert_eq!(clock.read(1_100.0, NOON + 1_000.0), 1_100.0);
        assert_eq!(clock.read(1_200.0, NOON + 61_100.0), 61_200.0, "it slept for a minute");
        assert_eq!(clock.read(2_200.0, NOON + 62_100.0), 62_200.0, "and goes on");
    }

    #[test]
    #[allow(clippy::float_cmp)]
    fn a_clock_that_is_set_back_or_read_at_another_moment_changes_nothing() {
        let mut clock = LaterClock::new(0.0, NOON);
        for n in 1..10_000 {
            let (monotonic, wall) = (f64::from(n) / 10.0, NOON + f64::from(n / 10));
            assert_eq!(clock.read(monotonic, wall), monotonic);
        }
        assert_eq!(clock.read(2_000.0, NOON - 3_600_000.0), 2_000.0);
        assert_eq!(clock.read(3_000.0, NOON - 3_599_000.0), 3_000.0);
        assert_eq!(clock.read(3_000.0, NOON - 3_589_000.0), 13_000.0, "a sleep after that counts");
        assert_eq!(clock.read(4_000.0, NOON + 1e12), 14_000.0, "nobody sleeps for 30 years");
    }
}
