//! Metadata in a column, as a JSON object, which has an escape for every character that a database does not take in a text.

use super::columns::{Columns, Unreadable};
use crate::metadata::Metadata;
use std::collections::BTreeMap;

/// The column.
pub(super) fn text(metadata: &Metadata) -> String {
    let values: BTreeMap<_, _> = metadata.iter().collect();
    // Texts in an object are always JSON.
    serde_json::to_string(&values).unwrap_or_default()
}

/// How much that is, in bytes.
pub(super) fn bytes(metadata: Option<&Metadata>) -> usize {
    metadata.map_or(0, |metadata| text(metadata).len())
}

/// Reads it back.
pub(super) fn read(row: &impl Columns) -> Result<Option<Metadata>, Unreadable> {
    let Some(text) = row.text("metadata")? else { return Ok(None) };
    let values: BTreeMap<String, String> = serde_json::from_str(&text).map_err(|_| Unreadable("metadata"))?;
    Metadata::new(values).map(Some).map_err(|_| Unreadable("metadata"))
}
