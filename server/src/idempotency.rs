//! The key by which a caller's repeated call is known.

use std::str::FromStr;
use thiserror::Error;

/// The most characters of a key.
const MOST_CHARS: usize = 255;

/// Names a call, so that the same call made again makes no second request: 1 to 255 visible ASCII characters, chosen by the caller.
/// A random UUID serves well.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(Box<str>);

/// A text that is no idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("an idempotency key is 1 to 255 visible ASCII characters")]
pub struct IdempotencyKeyError;

impl IdempotencyKey {
    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdempotencyKey {
    type Err = IdempotencyKeyError;

    fn from_str(text: &str) -> Result<Self, IdempotencyKeyError> {
        let allowed = (1..=MOST_CHARS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if allowed { Ok(Self(text.into())) } else { Err(IdempotencyKeyError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_visible_and_bounded() {
        let longest = "k".repeat(MOST_CHARS);
        for key in ["1", "8e03978e-40d5-43dd-bc93-6894a57f9324", "\"quoted\"", &longest] {
            assert_eq!(key.parse::<IdempotencyKey>().unwrap().as_str(), key);
        }
        for key in ["", " ", "a b", "é", "a\n", &"k".repeat(MOST_CHARS + 1)] {
            assert_eq!(key.parse::<IdempotencyKey>(), Err(IdempotencyKeyError), "{key:?}");
        }
    }
}
