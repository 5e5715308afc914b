//! Entries on their way to the writer: nobody who has one waits, and what they take is bounded.

use crate::time::Timestamp;
use std::{
    collections::VecDeque,
    mem,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// The most bytes of entries that wait to be written.
const MAX_WAITING_BYTES: usize = 64 * 1024 * 1024;

/// From here on what is new is not to be asked for, so that there is room for the ends of what is open.
const BUSY_BYTES: usize = 16 * 1024 * 1024;

/// The most bytes of entries that are written at once.
const MAX_BATCH_BYTES: usize = 512 * 1024;

/// How long entries wait for others, with which they are written.
pub(super) const GROUP: Duration = Duration::from_millis(100);

type Waiting = (Timestamp, Box<str>);

#[derive(Default)]
struct Entries {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// Entries that found no room, since it was last said how many.
    lost: u64,
    stopping: bool,
    stopped: bool,
}

/// What the writer has to do.
pub(super) struct Taken {
    pub(super) entries: Vec<Waiting>,
    /// How many are missing behind them.
    pub(super) lost: u64,
    /// Nothing follows.
    pub(super) is_last: bool,
}

#[derive(Default)]
pub(super) struct Queue {
    entries: Mutex<Entries>,
    changed: Condvar,
    lost: AtomicU64,
    /// The last write has failed.
    failing: AtomicBool,
    /// There is much to be written.
    busy: AtomicBool,
}

impl Queue {
    /// Adds an entry, or counts it as lost. Never waits for the writer.
    pub(super) fn push(&self, at: Timestamp, body: String) {
        let mut entries = self.entries();
        if entries.stopping || entries.bytes + body.len() > MAX_WAITING_BYTES {
            entries.lost += 1;
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        entries.bytes += body.len();
        entries.waiting.push_back((at, body.into()));
        self.busy.store(entries.bytes > BUSY_BYTES, Ordering::Relaxed);
        drop(entries);
        self.changed.notify_all();
    }

    /// The last entry.
    pub(super) fn stop(&self, at: Timestamp, body: String) {
        self.push(at, body);
        self.entries().stopping = true;
        self.changed.notify_all();
    }

    /// Waits until everything is written after [`Queue::stop`], no longer than `time_limit`.
    pub(super) fn wait_stopped(&self, time_limit: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.entries(), time_limit, |entries| !entries.stopped);
        waited.unwrap_or_else(PoisonError::into_inner).0.stopped
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Entries are written about as fast as they come.
    pub(super) fn keeps_up(&self) -> bool {
        !self.failing.load(Ordering::Relaxed) && !self.busy.load(Ordering::Relaxed)
    }

    // What the writer calls.

    /// Waits for entries, and for others to come with them, or no longer than `time_limit` for the first.
    pub(super) fn take(&self, time_limit: Option<Duration>) -> Taken {
        let idle = |entries: &mut Entries| entries.waiting.is_empty() && entries.lost == 0 && !entries.stopping;
        let mut entries = self.entries();
        entries = match time_limit {
            Some(limit) => {
                let waited = self.changed.wait_timeout_while(entries, limit, idle);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.changed.wait_while(entries, idle).unwrap_or_else(PoisonError::into_inner),
        };
        let few = |entries: &mut Entries| entries.bytes < MAX_BATCH_BYTES && !entries.stopping;
        if !entries.waiting.is_empty() {
            let waited = self.changed.wait_timeout_while(entries, GROUP, few);
            entries = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while bytes < MAX_BATCH_BYTES
            && let Some(entry) = entries.waiting.pop_front()
        {
            bytes += entry.1.len();
            taken.push(entry);
        }
        entries.bytes -= bytes;
        self.busy.store(entries.bytes > BUSY_BYTES, Ordering::Relaxed);
        let is_all = entries.waiting.is_empty();
        let lost = if is_all { mem::take(&mut entries.lost) } else { 0 };
        Taken { entries: taken, lost, is_last: is_all && entries.stopping }
    }

    pub(super) fn set_failing(&self, failing: bool) -> bool {
        self.failing.swap(failing, Ordering::Relaxed)
    }

    /// Waits before a write is tried again; whether the server is about to stop.
    pub(super) fn pause(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut entries = self.entries();
        while !entries.stopping {
            let Some(left) = until.checked_duration_since(Instant::now()) else { break };
            entries = self.changed.wait_timeout(entries, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        entries.stopping
    }

    pub(super) fn set_stopped(&self) {
        self.entries().stopped = true;
        self.changed.notify_all();
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
