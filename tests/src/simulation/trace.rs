//! What happened: as a hash always, as text where somebody wants to read it.

use std::hash::{DefaultHasher, Hash, Hasher};

/// A log of a run, of which two can be told apart without being kept.
#[derive(Debug)]
pub(super) struct Trace {
    hash: DefaultHasher,
    lines: Option<Vec<String>>,
}

impl Trace {
    pub(super) fn new(written: bool) -> Self {
        // Its keys are fixed, so that one run's hash can be compared with another's.
        Self { hash: DefaultHasher::new(), lines: written.then(Vec::new) }
    }

    /// Takes note of something. The text is made only where it is read; `what` has to tell as much.
    pub(super) fn note(&mut self, now: u64, what: impl Hash, text: impl FnOnce() -> String) {
        now.hash(&mut self.hash);
        what.hash(&mut self.hash);
        if let Some(lines) = &mut self.lines {
            let seconds = super::environment::Seconds(now);
            lines.push(format!("{seconds} {}", text()));
        }
    }

    /// The hash of everything, and the lines where they were written.
    pub(super) fn finish(self) -> (u64, Vec<String>) {
        (self.hash.finish(), self.lines.unwrap_or_default())
    }
}
