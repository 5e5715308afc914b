//! What single columns hold, whichever database they are read from.

use crate::time::Timestamp;
use std::str::FromStr;
use thiserror::Error;

/// A column has a value that this program would not have written, or is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("column {0} has a value that cannot be read")]
pub(super) struct Unreadable(pub(super) &'static str);

/// A row, by the names of its columns; null is none.
pub(super) trait Columns {
    fn integer(&self, column: &'static str) -> Result<Option<i64>, Unreadable>;
    fn text(&self, column: &'static str) -> Result<Option<String>, Unreadable>;
    fn bytes(&self, column: &'static str) -> Result<Option<Vec<u8>>, Unreadable>;
}

/// A time as a column holds it; 64-bit integers end in the year 292 million.
pub(super) fn millis(time: Timestamp) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// A time that is always there.
pub(super) fn timestamp(row: &impl Columns, column: &'static str) -> Result<Timestamp, Unreadable> {
    optional_timestamp(row, column)?.ok_or(Unreadable(column))
}

/// A time that may be missing.
pub(super) fn optional_timestamp(row: &impl Columns, column: &'static str) -> Result<Option<Timestamp>, Unreadable> {
    let millis: Option<u64> = optional_number(row, column)?;
    Ok(millis.map(Timestamp::from_millis))
}

/// A number that is always there.
pub(super) fn number<T: TryFrom<i64>>(row: &impl Columns, column: &'static str) -> Result<T, Unreadable> {
    optional_number(row, column)?.ok_or(Unreadable(column))
}

fn optional_number<T: TryFrom<i64>>(row: &impl Columns, column: &'static str) -> Result<Option<T>, Unreadable> {
    let number = row.integer(column)?;
    number.map(|number| T::try_from(number).map_err(|_| Unreadable(column))).transpose()
}

/// Bytes that are always there.
pub(super) fn bytes(row: &impl Columns, column: &'static str) -> Result<Vec<u8>, Unreadable> {
    row.bytes(column)?.ok_or(Unreadable(column))
}

/// As many bytes as there have to be.
pub(super) fn array<const N: usize>(row: &impl Columns, column: &'static str) -> Result<[u8; N], Unreadable> {
    optional_array(row, column)?.ok_or(Unreadable(column))
}

/// Likewise, but they may be missing.
pub(super) fn optional_array<const N: usize>(
    row: &impl Columns,
    column: &'static str,
) -> Result<Option<[u8; N]>, Unreadable> {
    row.bytes(column)?.map(|bytes| bytes.try_into().map_err(|_| Unreadable(column))).transpose()
}

/// A text that is always there.
pub(super) fn text(row: &impl Columns, column: &'static str) -> Result<String, Unreadable> {
    row.text(column)?.ok_or(Unreadable(column))
}

/// A text that may be missing, parsed into its type.
pub(super) fn optional<T: FromStr>(row: &impl Columns, column: &'static str) -> Result<Option<T>, Unreadable> {
    row.text(column)?.map(|text| parsed(&text, column)).transpose()
}

/// A text, parsed into its type.
pub(super) fn parsed<T: FromStr>(text: &str, column: &'static str) -> Result<T, Unreadable> {
    text.parse().map_err(|_| Unreadable(column))
}
