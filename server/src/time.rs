//! Points in time as the pure core counts them, and the clock that tells them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{self, Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time::Instant;

/// Milliseconds since the Unix epoch (1970-01-01T00:00:00Z).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The point so many milliseconds after the epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// What the system's clock shows at this moment, right or wrong: for what others compare with theirs.
    pub fn of_the_system() -> Self {
        // A system whose clock stands before 1970 gets times since its start.
        Self(0).after(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The point `wait` later, to the millisecond.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(millis(wait)))
    }

    /// How long it is from `earlier` until this; zero if that is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The point so many milliseconds later, or earlier if that is negative; not before the epoch.
    #[must_use]
    pub fn moved(self, by_ms: i64) -> Self {
        Self(self.0.saturating_add_signed(by_ms))
    }

    fn minus(self, other: Self) -> i64 {
        let difference = i128::from(self.0) - i128::from(other.0);
        i64::try_from(difference).unwrap_or(if difference < 0 { i64::MIN } else { i64::MAX })
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A system's clock that differs by less is left alone, in milliseconds: it is being adjusted bit by bit, or was read at another moment.
const LEAST_STEP_MS: u64 = 1000;

/// How long a clock that was set has to go on undisturbed before it is the reason to forget anything.
const BELIEVED_AFTER: Duration = Duration::from_hours(24);

/// Tells the time, and never goes back: the system's clock is looked at when this one is made, and from then on the monotonic one counts.
/// All that is decided is decided by it, so that nobody who sets the system's clock ends a request or keeps it open.
///
/// What it shows is as wrong for ever as the system's was at the start. So it also knows how far the two are apart, and what is written
/// down or told to others is in the system's time ([`Clock::wall`]). Clones are the same clock.
#[derive(Debug, Clone)]
pub(crate) struct Clock(Arc<Started>);

#[derive(Debug)]
struct Started {
    epoch: Timestamp,
    at: Instant,
    /// How far the system's clock is ahead, in milliseconds, as of when somebody last looked.
    ahead: AtomicI64,
    /// When that was found to have changed, in milliseconds since the start.
    set_at: AtomicU64,
    system: System,
}

/// The clock that people look at, and may set.
#[derive(Debug)]
enum System {
    /// Since when it would have run undisturbed.
    Real(time::Instant),
    /// And where it began.
    #[cfg(feature = "simulation")]
    Simulated(Simulated, Duration),
}

/// What a simulation has the clocks show, in milliseconds.
#[cfg(feature = "simulation")]
#[derive(Debug, Clone)]
pub struct Simulated {
    /// The time that has passed.
    pub elapsed: Arc<AtomicU64>,
    /// What the system's clock shows more than that; changes where somebody sets that clock.
    pub epoch: Arc<AtomicI64>,
}

#[cfg(feature = "simulation")]
impl Simulated {
    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.elapsed.load(Ordering::Relaxed))
    }

    fn now(&self) -> Timestamp {
        Timestamp(0).after(self.elapsed()).moved(self.epoch.load(Ordering::Relaxed))
    }
}

impl Clock {
    /// A clock that agrees with the system's now.
    pub(crate) fn new() -> Self {
        Self::started(Timestamp::of_the_system(), System::Real(time::Instant::now()))
    }

    /// A clock that shows what somebody sets it to.
    #[cfg(feature = "simulation")]
    pub(crate) fn simulated(simulated: Simulated) -> Self {
        let (now, elapsed) = (simulated.now(), simulated.elapsed());
        Self::started(now, System::Simulated(simulated, elapsed))
    }

    fn started(epoch: Timestamp, system: System) -> Self {
        Self(Arc::new(Started {
            epoch,
            at: Instant::now(),
            ahead: AtomicI64::new(0),
            set_at: AtomicU64::new(0),
            system,
        }))
    }

    /// How long it has been running. Never goes back, whatever the system's clock does.
    pub(crate) fn elapsed(&self) -> Duration {
        match &self.0.system {
            System::Real(_) => self.0.at.elapsed(),
            #[cfg(feature = "simulation")]
            System::Simulated(simulated, began) => simulated.elapsed().saturating_sub(*began),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.epoch.after(self.elapsed())
    }

    /// When the clock will show `time`; now, if it has.
    pub(crate) fn instant_of(&self, time: Timestamp) -> Instant {
        let wait = time.since(self.0.epoch);
        self.0.at.checked_add(wait).unwrap_or_else(Instant::now)
    }

    /// How far the system's clock is ahead of this one, in milliseconds, as of the last [`Clock::look`]; negative if it is behind.
    pub(crate) fn ahead(&self) -> i64 {
        self.0.ahead.load(Ordering::Relaxed)
    }

    /// What the system's clock shows when this one shows `time`.
    pub(crate) fn wall(&self, time: Timestamp) -> Timestamp {
        time.moved(self.ahead())
    }

    /// What the system's clock shows; where that was set less than a day ago, and may well be set back, no more than what this one shows. For
    /// what cannot be undone.
    pub(crate) fn believed(&self) -> Timestamp {
        let wall = self.wall(self.now());
        let steady = self.elapsed().saturating_sub(Duration::from_millis(self.0.set_at.load(Ordering::Relaxed)));
        if steady < BELIEVED_AFTER { wall.min(self.now()) } else { wall }
    }

    /// Whether the system's clock has not been set since the last [`Clock::look`].
    pub(crate) fn is_steady(&self) -> bool {
        self.step().unsigned_abs() < LEAST_STEP_MS
    }

    /// Looks at the system's clock; by how much it has been set since the last time, in milliseconds, if it has.
    pub(crate) fn look(&self) -> Option<i64> {
        let step = self.step();
        (step.unsigned_abs() >= LEAST_STEP_MS).then(|| {
            self.0.ahead.store(self.ahead().saturating_add(step), Ordering::Relaxed);
            self.0.set_at.store(millis(self.elapsed()), Ordering::Relaxed);
            step
        })
    }

    fn step(&self) -> i64 {
        // Not by `elapsed`: a test that stops that for itself has set no clock.
        let ahead = match &self.0.system {
            System::Real(since) => Timestamp::of_the_system().minus(self.0.epoch.after(since.elapsed())),
            #[cfg(feature = "simulation")]
            System::Simulated(simulated, _) => simulated.now().minus(self.now()),
        };
        ahead.saturating_sub(self.ahead())
    }
}

#[cfg(all(test, feature = "simulation"))]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;
    const DAY_MS: u64 = 24 * 3_600_000;

    fn clock() -> (Clock, Simulated) {
        let simulated = Simulated { elapsed: Arc::default(), epoch: Arc::new(AtomicI64::new(1_800_000_000_000)) };
        (Clock::simulated(simulated.clone()), simulated)
    }

    #[test]
    fn goes_on_whoever_sets_the_systems() {
        let (clock, simulated) = clock();
        let start = clock.now();
        for step in [HOUR_MS, -3 * HOUR_MS] {
            simulated.epoch.fetch_add(step, Ordering::Relaxed);
            assert!(!clock.is_steady());
            assert_eq!(clock.look(), Some(step));
            assert_eq!((clock.look(), clock.now()), (None, start));
        }
        assert_eq!(clock.wall(start), start.moved(-2 * HOUR_MS));
    }

    #[test]
    fn a_clock_that_is_adjusted_bit_by_bit_was_not_set() {
        let (clock, simulated) = clock();
        simulated.epoch.fetch_add(999, Ordering::Relaxed);
        assert_eq!((clock.look(), clock.ahead()), (None, 0));
        simulated.epoch.fetch_add(1, Ordering::Relaxed);
        assert_eq!((clock.look(), clock.ahead()), (Some(1000), 1000));
    }

    #[test]
    fn is_believed_after_a_day() {
        let (clock, simulated) = clock();
        let start = clock.now();
        simulated.epoch.fetch_add(100 * HOUR_MS, Ordering::Relaxed);
        assert!(clock.look().is_some());
        assert_eq!(clock.believed(), start);
        simulated.elapsed.store(DAY_MS, Ordering::Relaxed);
        assert_eq!(clock.believed(), start.moved(124 * HOUR_MS));
        simulated.epoch.fetch_sub(200 * HOUR_MS, Ordering::Relaxed);
        assert!(clock.look().is_some());
        assert_eq!(clock.believed(), start.moved(-76 * HOUR_MS), "the lower one, as less is forgotten by it");
    }
}
