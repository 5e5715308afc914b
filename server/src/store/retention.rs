//! What is kept, and for how long, whichever database keeps it.

use crate::time::Timestamp;
use std::time::Duration;

/// How long a request is kept after its end, if nothing else is said.
pub(super) const DEFAULT_RETENTION: Duration = Duration::from_hours(7 * 24);
/// How large the database may become, if nothing else is said, in bytes.
pub(super) const DEFAULT_MAX_BYTES: u64 = 1024 * 1024 * 1024;
/// How long beyond its time an ended request is kept while its webhook has not been told: longer than the reference server tries. Where
/// nobody delivers webhooks, as in a service that is embedded, nothing is kept for ever.
pub(super) const UNTOLD: Duration = Duration::from_hours(7 * 24);
/// When an event is tried again that was given up: beyond all times there are, and far enough from the end of integers for clocks to be set.
#[cfg(feature = "http")]
pub(crate) const NEVER: Timestamp = Timestamp::from_millis(1 << 62);
/// From here on it is never.
pub(super) const FIRST_NEVER: i64 = 1 << 61;
/// A wallet may answer late to a request that ended this long ago.
pub(super) const LATE: Duration = Duration::from_hours(1);
/// The most ended requests that late answers are looked up in.
pub(super) const MAX_LATE: usize = 16_384;

pub(super) fn before(now: Timestamp, span: Duration) -> Timestamp {
    Timestamp::from_millis(now.as_millis().saturating_sub(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
}
