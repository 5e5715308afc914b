//! What a backend calls one of its calls, so that it finds it again in the log.

use crate::random;
use std::{fmt, str::FromStr};
use thiserror::Error;

/// The most bytes of one.
const MAX_BYTES: usize = 128;

/// Names one call of the API in logs on both sides: 1 to 128 visible ASCII characters. Nothing is decided by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallId(Box<str>);

/// The text is empty, longer than 128 bytes, or has something in it beside visible ASCII characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not 1 to 128 visible ASCII characters")]
pub struct CallIdError;

impl CallId {
    /// A new one: 32 hex digits.
    pub fn random() -> Self {
        Self(format!("{:032x}", u128::from_be_bytes(random::bytes())).into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CallId {
    type Err = CallIdError;

    fn from_str(text: &str) -> Result<Self, CallIdError> {
        let is_one = (1..=MAX_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_one { Ok(Self(text.into())) } else { Err(CallIdError) }
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visible_ascii_of_a_bounded_length_is_taken_and_nothing_else() {
        for text in ["a", "!~", &"x".repeat(128), CallId::random().as_str()] {
            assert_eq!(text.parse::<CallId>().map(|id| id.to_string()), Ok(text.to_owned()));
        }
        for text in ["", " ", "a b", "a\n", "\u{7f}", "\u{e9}", &"x".repeat(129)] {
            assert_eq!(text.parse::<CallId>(), Err(CallIdError), "{text:?}");
        }
    }
}
