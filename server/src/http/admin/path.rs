//! What a call is about: the parts of its path, and the parameters of its query.

pub(super) use crate::http::api::{Parameters, decoded};

use crate::http::api::{Problem, invalid_public_key};
use countersign_protocol::PublicKeyBytes;

/// A key in a path or query, however it is written.
pub(super) fn public_key(text: &str) -> Result<PublicKeyBytes, Problem> {
    PublicKeyBytes::from_any_text(text).map_err(invalid_public_key)
}
