//! Lines of the log about calls that were refused: whoever sends many of them fills no disk.

use crate::{call_context::CallContext, call_id::CallId};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The least time between two lines about the same code.
const BETWEEN_LINES: Duration = Duration::from_secs(1);

/// Logs refused calls, one a second at most for each code, and how many there were without a line.
#[derive(Debug, Default)]
pub(in crate::http) struct RefusalLog(Mutex<HashMap<&'static str, Logged>>);

/// What was logged of one code.
#[derive(Debug)]
struct Logged {
    last: Instant,
    /// Calls since then.
    unlogged: u64,
}

impl RefusalLog {
    /// Takes note of a call that was refused with this code.
    pub(in crate::http) fn note(&self, code: &'static str, call: &CallContext) {
        let Some(unlogged) = self.count(code, Instant::now()) else { return };
        tracing::info!(
            target: "countersign_server::call",
            code,
            caller_address = call.address.map(tracing::field::display),
            call_id = call.call_id.as_ref().map(CallId::as_str),
            trace_id = call.trace.map(|trace| tracing::field::display(trace.trace_id)),
            unlogged,
            "call refused"
        );
    }

    /// How many calls with this code had no line since the last one; none where this one has none either.
    fn count(&self, code: &'static str, now: Instant) -> Option<u64> {
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match codes.get_mut(code) {
            Some(logged) if now.duration_since(logged.last) < BETWEEN_LINES => {
                logged.unlogged += 1;
                None
            }
            Some(logged) => {
                logged.last = now;
                Some(std::mem::take(&mut logged.unlogged))
            }
            None => {
                codes.insert(code, Logged { last: now, unlogged: 0 });
                Some(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_one_line_a_second_which_counts_the_others() {
        let (log, start) = (RefusalLog::default(), Instant::now());
        assert_eq!(log.count("unauthorized", start), Some(0));
        for millis in [0, 1, 999] {
            assert_eq!(log.count("unauthorized", start + Duration::from_millis(millis)), None);
        }
        assert_eq!(log.count("malformed", start), Some(0), "each has lines of its own");
        assert_eq!(log.count("unauthorized", start + BETWEEN_LINES), Some(3));
        assert_eq!(log.count("unauthorized", start + 2 * BETWEEN_LINES), Some(0));
    }
}
