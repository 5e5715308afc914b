//! What everything in the world stands on: its clock, its chance, its queue, its log, and who watches over it.

use super::{
    coverage::{Coverage, Seen},
    database::Database,
    events::{Event, Millis, Queue},
    invariants::Checker,
    storage::Disk,
    trace::Trace,
};
use countersign_server::{Timestamp, simulation::Simulated};
use std::{
    collections::BTreeSet,
    fmt,
    hash::Hash,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// When the world begins, in milliseconds since the epoch.
pub(super) const START: Millis = 1_750_000_000_000;

/// Something that breaks a promise on purpose, so that a test sees it noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The disk says that it has taken requests, and has not.
    DiskForgetsRequests,
    /// The disk says that it has taken an end, and has not.
    DiskForgetsEnds,
    /// The disk knows no idempotency key again.
    DiskForgetsKeys,
    /// The disk takes requests in the place of others, and leaves those open.
    DiskKeepsReplaced,
    /// The disk gives other bytes for a signature than it was given.
    DiskSpoilsSignatures,
    /// The disk does not say that a request had another end before.
    DiskConcealsEnds,
    /// Nobody looks at the clock for the service.
    ClockStands,
    /// The disk leaves deadlines where they are when the clock is set.
    DiskKeepsDeadlines,
    /// A wallet's store loses everything, and nobody knows.
    WalletForgets,
    /// A wallet goes by a clock that stands still while the machine sleeps.
    WalletKnowsNoSleep,
    /// The network tells wallets that a late answer was accepted.
    NetworkLiesAboutAnswers,
    /// The network drops the frame of a batch in which its place stands.
    NetworkTearsBatches,
    /// The network drops what wallets say of how far their requests have come.
    NetworkDropsStatuses,
    /// The network makes requests up.
    NetworkInventsRequests,
    /// The database takes any end, whoever owns the request and whether or not it is open.
    DatabaseTakesAnyEnd,
    /// Packets that come twice have another number the second time.
    HubRenumbersPackets,
    /// A node takes an end for written that it has not written.
    NodeAsksNobody,
    /// A server is told nothing of which keys are blocked.
    BlocksAreKeptQuiet,
}

/// How a run is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Whether the log is kept as text.
    pub trace: bool,
    /// What is broken on purpose.
    pub fault: Option<Fault>,
}

/// What the world stands on.
#[derive(Debug)]
pub(super) struct Environment {
    pub(super) now: Millis,
    /// The servers' clocks: one that only ever goes on, and one that may be set.
    pub(super) clocks: Simulated,
    began: Instant,
    pub(super) rng: fastrand::Rng,
    pub(super) queue: Queue,
    pub(super) trace: Trace,
    pub(super) coverage: Coverage,
    pub(super) checker: Checker,
    pub(super) disk: Arc<Mutex<Disk>>,
    pub(super) database: Database,
    /// The keys that are blocked, as whatever keeps them has it.
    pub(super) blocked: BTreeSet<usize>,
    pub(super) fault: Option<Fault>,
    /// When the latest life of a server began.
    pub(super) server_began: Millis,
    /// Nothing goes wrong any more.
    pub(super) healed: bool,
}

impl Environment {
    pub(super) fn new(seed: u64, options: Options) -> Self {
        Self {
            now: START,
            clocks: Simulated { elapsed: Arc::new(AtomicU64::new(START)), epoch: Arc::default() },
            began: Instant::now(),
            rng: fastrand::Rng::with_seed(seed),
            queue: Queue::default(),
            trace: Trace::new(options.trace),
            coverage: Coverage::default(),
            checker: Checker::default(),
            disk: Arc::default(),
            database: Database::default(),
            blocked: BTreeSet::new(),
            fault: options.fault,
            server_began: START,
            healed: false,
        }
    }

    pub(super) fn set_time(&mut self, at: Millis) {
        self.now = self.now.max(at);
        self.clocks.elapsed.store(self.now, Ordering::Relaxed);
        self.checker.now = self.now;
    }

    /// The moment as the conversations' clock shows it. Only its distance to others ever matters.
    pub(super) fn instant(&self) -> Instant {
        self.began + Duration::from_millis(self.now - START)
    }

    /// When that clock shows `instant`.
    pub(super) fn millis_of(&self, instant: Instant) -> Millis {
        START + u64::try_from(instant.saturating_duration_since(self.began).as_millis()).unwrap_or(u64::MAX)
    }

    /// How far the servers' clock is ahead that may be set, in milliseconds.
    pub(super) fn epoch(&self) -> i64 {
        self.clocks.epoch.load(Ordering::Relaxed)
    }

    /// What that clock shows.
    pub(super) fn time_of_day(&self) -> Timestamp {
        Timestamp::from_millis(self.now).moved(self.epoch())
    }

    pub(super) fn after(&mut self, wait: Millis, event: Event) {
        self.queue.push(self.now + wait, event);
    }

    pub(super) fn at(&mut self, at: Millis, event: Event) {
        self.queue.push(at.max(self.now), event);
    }

    pub(super) fn see(&mut self, seen: Seen) {
        self.coverage.see(seen);
    }

    pub(super) fn note(&mut self, what: impl Hash, text: impl FnOnce() -> String) {
        self.trace.note(self.now, what, text);
    }

    /// True so many times in a hundred.
    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.rng.u32(0..100) < percent
    }

    /// As [`Environment::chance`], but for what goes wrong.
    pub(super) fn mishap(&mut self, percent: u32) -> bool {
        self.chance(percent) && !self.healed
    }

    pub(super) fn between(&mut self, least: Millis, most: Millis) -> Millis {
        self.rng.u64(least..=most)
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill(&mut bytes);
        bytes
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.rng.usize(0..from.len())]
    }
}

/// A moment as it is printed: in seconds since the world began.
pub(super) struct Seconds(pub(super) Millis);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self.0.saturating_sub(START);
        write!(f, "{:>4}.{:03}", since / 1000, since % 1000)
    }
}
