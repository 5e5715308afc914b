//! What is between a durable call and the store's word that it is kept.

use super::replacing::Replaces;
use crate::{SigningError, record::Record};

/// Durable requests that are being written.
#[derive(Debug)]
pub(super) struct Accepting {
    pub(super) records: Vec<Record>,
    /// Why nothing is to be taken unless it has been before; the records are none then.
    pub(super) refusal: Option<SigningError>,
    /// A repeated call finds them, if they have been taken.
    pub(super) is_repeatable: bool,
    /// The open request in whose place they are, which ends with the same write.
    pub(super) replaces: Option<Replaces>,
}
