//! The name that a requester's own books have for what it asks.

use std::{fmt, str::FromStr, sync::Arc};
use thiserror::Error;

/// The longest reference, in bytes.
const MAX_REFERENCE_BYTES: usize = 128;

/// Why a text is not a reference.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// No characters at all.
    #[error("a reference is not empty")]
    Empty,
    /// Longer than a reference may be.
    #[error("a reference is at most {limit} bytes, and this is {found}")]
    TooLong {
        /// The most bytes it may have.
        limit: usize,
        /// The bytes it has.
        found: usize,
    },
    /// A control character.
    #[error("a reference has no control characters")]
    Forbidden,
}

/// What a requester calls a request, such as the number of an order: requests are found by it. Several may have the same. 1 to 128 bytes of
/// UTF-8 without control characters; no wallet is shown it. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Reference(Arc<str>);

impl Reference {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text.is_empty() {
            return Err(ReferenceError::Empty);
        }
        if text.len() > MAX_REFERENCE_BYTES {
            return Err(ReferenceError::TooLong { limit: MAX_REFERENCE_BYTES, found: text.len() });
        }
        if text.chars().any(char::is_control) {
            return Err(ReferenceError::Forbidden);
        }
        Ok(Self(text.into()))
    }
}

/// It stands in no log.
impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reference({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_1_to_128_bytes_without_control_characters() {
        let parse = |text: &str| text.parse::<Reference>().map(|reference| reference.as_str().to_owned());
        for text in ["1042", " ", "Zoë, 支払い", &"x".repeat(128), &"é".repeat(64)] {
            assert_eq!(parse(text).as_deref(), Ok(text));
        }
        assert_eq!(parse(""), Err(ReferenceError::Empty));
        assert_eq!(parse(&"é".repeat(65)), Err(ReferenceError::TooLong { limit: 128, found: 130 }));
        for text in ["a\nb", "\0", "\u{7f}", "\u{85}"] {
            assert_eq!(parse(text), Err(ReferenceError::Forbidden), "{text:?}");
        }
    }

    #[test]
    fn debug_shows_no_content() {
        assert_eq!(format!("{:?}", "order-1042".parse::<Reference>().unwrap()), "Reference(10 bytes)");
    }
}
