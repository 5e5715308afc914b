//! The clocks of one device, as a browser shows them to its wallet.

use super::events::Millis;
use countersign_wasm::time::{LaterClock, Timestamp};

/// What the first clock shows when a process begins: records of earlier lives have a place before that.
const BIRTH: f64 = 10_000_000.0;

/// One that nobody sets, which in many systems stands still while the machine sleeps, and the time of day.
#[derive(Debug)]
pub(super) struct Clocks {
    /// When the process began, and for how long the first clock has stood still since.
    born: Millis,
    stood_still: Millis,
    /// By how many milliseconds the time of day is ahead of the true one.
    ahead: i64,
    /// Whether it was set in this life of the process.
    pub(super) was_set: bool,
    later: LaterClock,
    /// Goes by the first clock alone, as a wallet that knew no better would.
    pub(super) knows_no_sleep: bool,
}

impl Clocks {
    pub(super) fn new(knows_no_sleep: bool) -> Self {
        let later = LaterClock::new(BIRTH, 0.0);
        Self { born: 0, stood_still: 0, ahead: 0, was_set: false, later, knows_no_sleep }
    }

    /// A process begins.
    pub(super) fn begin(&mut self, now: Millis) {
        (self.born, self.stood_still, self.was_set) = (now, 0, false);
        self.later = LaterClock::new(BIRTH, self.time_of_day(now));
    }

    /// Somebody sets the time of day.
    pub(super) fn set(&mut self, by_ms: i64) {
        self.ahead += by_ms;
        self.was_set = true;
    }

    /// The machine sleeps for so long, and its first clock with it.
    pub(super) fn stand_still(&mut self, for_ms: Millis) {
        self.stood_still += for_ms;
    }

    /// What the wallet takes the time to be.
    pub(super) fn read(&mut self, now: Millis) -> Timestamp {
        let monotonic = BIRTH + milliseconds(now.saturating_sub(self.born + self.stood_still));
        let time_of_day = if self.knows_no_sleep { monotonic } else { self.time_of_day(now) };
        timestamp(self.later.read(monotonic, time_of_day))
    }

    /// The time of day at which the wallet's own clock showed nought, as a store has to know it.
    pub(super) fn zero(&mut self, now: Millis) -> f64 {
        self.time_of_day(now) - milliseconds(self.read(now).as_millis())
    }

    fn time_of_day(&self, now: Millis) -> f64 {
        #[allow(clippy::cast_precision_loss)] // below 2^53
        let ahead = self.ahead as f64;
        milliseconds(now) + ahead
    }
}

#[allow(clippy::cast_precision_loss)] // below 2^53
pub(super) fn milliseconds(ms: Millis) -> f64 {
    ms as f64
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates
pub(super) fn timestamp(ms: f64) -> Timestamp {
    Timestamp::from_millis(ms as u64)
}
