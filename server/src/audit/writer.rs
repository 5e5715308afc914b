//! The thread that writes: entries in groups, each on disk before the next; what cannot be written is tried again.

use super::{
    entry::{Entry, TokenMark},
    files::LogFile,
    journal::Journal,
    queue::{Queue, Taken},
};
use crate::time::Timestamp;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How long after a write that failed it is tried again.
const RETRY: Duration = Duration::from_secs(1);

pub(super) struct Writer {
    pub(super) queue: Arc<Queue>,
    pub(super) journal: Journal,
    pub(super) file: LogFile,
    pub(super) max_bytes: u64,
    pub(super) tokens: Arc<Mutex<Vec<TokenMark>>>,
}

impl Writer {
    pub(super) fn run(mut self) {
        // However short the log is, its beginning is under a signature; and that is there before there is much that could fill the disk.
        self.journal.sign(Timestamp::of_the_system());
        let mut goes_on = self.write();
        while goes_on {
            goes_on = self.write_next();
        }
        // Whoever waits for that may have the file next.
        let Self { queue, file, .. } = self;
        drop(file);
        queue.set_stopped();
    }

    /// Writes what has queued up, or waits for that; false where the log ends with it.
    fn write_next(&mut self) -> bool {
        let Taken { entries, lost, is_last } = self.queue.take(self.journal.sign_in(Timestamp::of_the_system()));
        for (at, body) in entries {
            self.journal.append(at, &body);
        }
        let now = Timestamp::of_the_system();
        if lost > 0 {
            self.journal.add(now, &Entry::Gap { lost });
        }
        if is_last || self.journal.sign_in(now).is_some_and(|wait| wait.is_zero()) {
            self.journal.sign(now);
        }
        let is_written = self.write();
        if is_written && is_last {
            tracing::info!(head = %self.journal.head(), "the audit log ends here");
        } else if is_written && self.file.bytes() >= self.max_bytes {
            self.rotate(now);
        }
        is_written && !is_last
    }

    /// Has everything on disk, however often it takes; false where the server stops before.
    fn write(&mut self) -> bool {
        let lines = self.journal.take_lines();
        if lines.is_empty() {
            return true;
        }
        while let Err(error) = self.file.write(lines.as_bytes()) {
            if !self.queue.set_failing(true) {
                tracing::error!(%error, "the audit log cannot be written; it is tried again every second");
            }
            if self.queue.pause(RETRY) && self.file.write(lines.as_bytes()).is_err() {
                tracing::error!("the server stops, and the end of the audit log could not be written");
                return false;
            }
        }
        if self.queue.set_failing(false) {
            tracing::warn!(lost = self.queue.lost(), "the audit log can be written again");
        }
        true
    }

    fn rotate(&mut self, now: Timestamp) {
        self.journal.sign(now);
        if !self.write() {
            return;
        }
        let head = self.journal.head();
        match self.file.rotate(head.seq) {
            Ok(name) => {
                tracing::info!(file = name, %head, "the audit log goes on in a new file");
                let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner).clone();
                self.journal.begin_file(now, Some(&name), &tokens);
                self.write();
            }
            // The next write tries it again.
            Err(error) => tracing::error!(%error, "the audit log cannot begin a new file, and goes on in this one"),
        }
    }
}
