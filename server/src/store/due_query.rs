//! Which webhook events are asked for.

use crate::time::Timestamp;

/// Which webhook events are asked for.
#[derive(Debug)]
pub(super) struct DueQuery {
    pub(super) target: Box<str>,
    /// Of requests that were asked for together the first that has an event stands for all, and is due when all have ended.
    pub(super) batches_together: bool,
    pub(super) now: Timestamp,
    pub(super) limit: usize,
}
