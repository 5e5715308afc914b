//! The name a requester gives an act, so that doing it again is the same as doing it once.

use std::{fmt, str::FromStr};
use thiserror::Error;

/// The longest idempotency key, in bytes.
const MAX_IDEMPOTENCY_KEY_BYTES: usize = 255;

/// Why a text is not an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IdempotencyKeyError {
    /// No characters at all.
    #[error("the idempotency key is empty")]
    Empty,
    /// Longer than a key may be.
    #[error("the idempotency key is {found} bytes, more than {limit}")]
    TooLong {
        /// The most bytes it may have.
        limit: usize,
        /// The bytes it has.
        found: usize,
    },
    /// A character that is not visible ASCII.
    #[error("the idempotency key has a character that is not visible ASCII")]
    Forbidden,
}

/// Names one act of one requester: 1 to 255 visible ASCII characters (0x21 to 0x7E).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(Box<str>);

impl IdempotencyKey {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdempotencyKey {
    type Err = IdempotencyKeyError;

    fn from_str(text: &str) -> Result<Self, IdempotencyKeyError> {
        if text.is_empty() {
            return Err(IdempotencyKeyError::Empty);
        }
        if text.len() > MAX_IDEMPOTENCY_KEY_BYTES {
            return Err(IdempotencyKeyError::TooLong { limit: MAX_IDEMPOTENCY_KEY_BYTES, found: text.len() });
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(IdempotencyKeyError::Forbidden);
        }
        Ok(Self(text.into()))
    }
}

/// Backends put order numbers and worse into such keys, so a log gets the length only.
impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdempotencyKey({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_1_to_255_visible_ascii_characters() {
        let parse = |text: &str| text.parse::<IdempotencyKey>().map(|key| key.as_str().to_owned());
        for text in ["a", "order-1042", "~!\"", &"x".repeat(255)] {
            assert_eq!(parse(text).as_deref(), Ok(text));
        }
        assert_eq!(parse(""), Err(IdempotencyKeyError::Empty));
        assert_eq!(parse(&"x".repeat(256)), Err(IdempotencyKeyError::TooLong { limit: 255, found: 256 }));
        for text in [" ", "a b", "a\n", "é", "\u{7f}"] {
            assert_eq!(parse(text), Err(IdempotencyKeyError::Forbidden), "{text:?}");
        }
    }

    #[test]
    fn debug_shows_no_content() {
        assert_eq!(format!("{:?}", "order-1042".parse::<IdempotencyKey>().unwrap()), "IdempotencyKey(10 bytes)");
    }
}
