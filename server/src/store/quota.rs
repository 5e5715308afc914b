//! How much may still be taken in, so that whatever is taken in can also end.

use super::{database::Database, error::DbError, metadata};
use crate::{record::Record, reference::Reference};

/// What is kept free for the end of each open request, in bytes: what an end is at most, its event, its place in an index.
const END_BYTES: u64 = 1024;
/// What a request takes besides its texts, in bytes.
const ROW_BYTES: u64 = 512;
/// What is kept free for the trees themselves to grow, in bytes.
const SPARE_BYTES: u64 = 64 * 1024;

/// How much the store may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) max_bytes: u64,
    /// How much of that one requester may.
    pub(super) max_share_percent: u8,
}

/// What is left for new requests, in bytes. A store that filled up with open requests could end none of them, hence forget none
/// either, and would stay full.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quota {
    left: u64,
    /// What one requester may have, ended requests included.
    share: u64,
    /// How many more requests will be open once the transaction is committed; fewer, if negative.
    opened: i64,
}

impl Quota {
    /// What is left now of SQLite's file, with so many requests open.
    pub(super) fn measure(database: &Database, limits: Limits, open: u64) -> Result<Self, DbError> {
        Ok(Self::new(limits, used(database, open)?))
    }

    /// What is left where so much is taken, the ends of what is open included.
    pub(super) fn new(limits: Limits, used: u64) -> Self {
        let Limits { max_bytes, max_share_percent } = limits;
        // Divided first: nothing that is configured may overflow.
        let percent = u64::from(max_share_percent);
        let share = if percent < 100 { max_bytes / 100 * percent + max_bytes % 100 * percent / 100 } else { u64::MAX };
        Self { left: max_bytes.saturating_sub(used).saturating_sub(SPARE_BYTES), share, opened: 0 }
    }

    /// Whether one requester may have these besides what it has `taken`.
    pub(super) fn fits_share(&self, records: &[Record], taken: u64) -> bool {
        taken.saturating_add(needed(records)) <= self.share
    }

    /// Takes what these requests need; false, and nothing taken, if it is not there.
    pub(super) fn take(&mut self, records: &[Record]) -> bool {
        let needed = needed(records);
        let Some(left) = self.left.checked_sub(needed) else { return false };
        self.left = left;
        for _ in records.iter().filter(|record| record.end.is_none()) {
            self.opened += 1;
        }
        true
    }

    /// An open request has ended.
    pub(super) fn release(&mut self) {
        self.opened -= 1;
    }

    /// How many requests are open once the transaction is committed, where so many were before.
    pub(super) fn open_after(&self, before: u64) -> u64 {
        before.saturating_add_signed(self.opened)
    }
}

/// What is taken of SQLite's file, the ends of so many open requests included, in bytes.
pub(super) fn used(database: &Database, open: u64) -> Result<u64, DbError> {
    let pages = database.used_pages()?.saturating_mul(database.page_bytes()?);
    let used = pages.saturating_add(database.overgrown_bytes()?);
    Ok(used.saturating_add(open.saturating_mul(END_BYTES)))
}

fn needed(records: &[Record]) -> u64 {
    records.iter().map(bytes).fold(0, u64::saturating_add)
}

/// A generous estimate, the same as in the table `shares`: a page that a row does not fill may be left half empty.
pub(super) fn bytes(record: &Record) -> u64 {
    // The URL stands in the request's row, and in its event's and in the index of that.
    let webhook = record.webhook.as_ref().map_or(0, |url| url.len());
    // Likewise in an index of its own.
    let reference = record.reference.as_ref().map_or("", Reference::as_str).len();
    let texts = record.message.len() + 3 * webhook + 2 * reference + metadata::bytes(record.metadata.as_ref());
    u64::try_from(texts).unwrap_or(u64::MAX).saturating_add(ROW_BYTES).saturating_mul(2).saturating_add(END_BYTES)
}
