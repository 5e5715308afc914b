//! What single columns hold.

use super::error::DbError;
use crate::time::Timestamp;
use rusqlite::Row;
use std::str::FromStr;

/// A time as SQLite holds it; its integers end in the year 292 million.
pub(super) fn millis(time: Timestamp) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// A time that is always there.
pub(super) fn timestamp(row: &Row<'_>, column: &'static str) -> Result<Timestamp, DbError> {
    let millis: i64 = row.get(column)?;
    u64::try_from(millis).map(Timestamp::from_millis).map_err(|_| DbError::Column(column))
}

/// A time that may be missing.
pub(super) fn optional_timestamp(row: &Row<'_>, column: &'static str) -> Result<Option<Timestamp>, DbError> {
    let millis: Option<i64> = row.get(column)?;
    millis.map(|_| timestamp(row, column)).transpose()
}

/// A text that may be missing, parsed into its type.
pub(super) fn optional<T: FromStr>(row: &Row<'_>, column: &'static str) -> Result<Option<T>, DbError> {
    let text: Option<Box<str>> = row.get(column)?;
    text.map(|text| parsed(&text, column)).transpose()
}

/// A text, parsed into its type.
pub(super) fn parsed<T: FromStr>(text: &str, column: &'static str) -> Result<T, DbError> {
    text.parse().map_err(|_| DbError::Column(column))
}
