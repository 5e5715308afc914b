//! Ids as backends and administrators write them.

use std::str::FromStr;

/// Reads an id in either case, as readers of UUIDs have to (RFC 9562 §4): many a language writes them in upper case. A wallet's frames are
/// held to the one spelling of the wire.
pub(in crate::http) fn parse_any_case<T: FromStr>(text: &str) -> Result<T, T::Err> {
    text.to_ascii_lowercase().parse()
}
