//! Points in time as the pure core counts them, and the clock that tells them.

#[cfg(feature = "simulation")]
use std::sync::atomic::{AtomicU64, Ordering};
use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
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
        Self(self.0.saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long it is from `earlier` until this; zero if that is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// Tells the time of day, and never goes back: the system's clock is looked at once, and from then on the monotonic one counts.
/// Clones are the same clock.
#[derive(Debug, Clone)]
pub(crate) struct Clock(Arc<Started>);

#[derive(Debug)]
struct Started {
    epoch: Timestamp,
    at: Instant,
    /// What a simulation has the clock show instead, in milliseconds since the epoch.
    #[cfg(feature = "simulation")]
    simulated: Option<Arc<AtomicU64>>,
}

impl Clock {
    /// A clock that agrees with the system's now.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Started {
            epoch: Timestamp::of_the_system(),
            at: Instant::now(),
            #[cfg(feature = "simulation")]
            simulated: None,
        }))
    }

    /// A clock that shows what somebody sets it to.
    #[cfg(feature = "simulation")]
    pub(crate) fn simulated(millis: Arc<AtomicU64>) -> Self {
        Self(Arc::new(Started { epoch: Timestamp(0), at: Instant::now(), simulated: Some(millis) }))
    }

    /// How long it has been running. Never goes back, whatever the system's clock does.
    pub(crate) fn elapsed(&self) -> Duration {
        #[cfg(feature = "simulation")]
        if let Some(millis) = &self.0.simulated {
            return Duration::from_millis(millis.load(Ordering::Relaxed));
        }
        self.0.at.elapsed()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.epoch.after(self.elapsed())
    }

    /// When the clock will show `time`; now, if it has.
    pub(crate) fn instant_of(&self, time: Timestamp) -> Instant {
        let wait = time.since(self.0.epoch);
        self.0.at.checked_add(wait).unwrap_or_else(Instant::now)
    }
}
