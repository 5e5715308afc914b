//! Short texts that people read: who asks, why, which device, the reason for a refusal.

use crate::limits;
use crate::prelude::*;
use core::{fmt, str::FromStr};
use thiserror::Error;

/// Why a short text was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TextError {
    /// Nothing but white space.
    #[error("the text is empty")]
    Empty,
    /// Longer than its limit.
    #[error("the text is {found} bytes, more than {limit}")]
    TooLong {
        /// The most bytes it may have.
        limit: usize,
        /// The bytes it has.
        found: usize,
    },
    /// A control character or one that reorders what stands around it could make the text lie to its reader.
    #[error("the text has U+{0:04X}, a control or text-direction character")]
    Forbidden(u32),
}

/// A text of 1 to `MAX` bytes without control characters or characters that change the direction of writing
/// (Unicode Bidirectional Algorithm, UAX #9 §2), so that what a person reads is what was sent. `Debug` shows the length only: a purpose
/// or a reason has no place in a log.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Text<const MAX: usize>(Box<str>);

/// Names a device among those that hold one key; chosen by the wallet, stable over its reconnects.
pub type DeviceId = Text<{ limits::MAX_DEVICE_ID_BYTES }>;
/// What a person calls the device.
pub type DeviceLabel = Text<{ limits::MAX_DEVICE_LABEL_BYTES }>;
/// Who asks for a signature: the name its bearer token was given by the operator.
pub type RequesterName = Text<{ limits::MAX_REQUESTER_NAME_BYTES }>;
/// Why a signature is asked for, in the requester's own words: a claim, not a fact.
pub type Purpose = Text<{ limits::MAX_PURPOSE_BYTES }>;
/// Why a wallet declined, in its own words.
pub type Reason = Text<{ limits::MAX_REASON_BYTES }>;

impl<const MAX: usize> Text<MAX> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> FromStr for Text<MAX> {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        if text.len() > MAX {
            return Err(TextError::TooLong { limit: MAX, found: text.len() });
        }
        if text.chars().all(char::is_whitespace) {
            return Err(TextError::Empty);
        }
        match text.chars().find(|&c| misleads(c)) {
            Some(c) => Err(TextError::Forbidden(c.into())),
            None => Ok(Self(text.into())),
        }
    }
}

impl<const MAX: usize> fmt::Debug for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.0.len())
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(feature = "serde")]
impl<const MAX: usize> serde::Serialize for Text<MAX> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// `text` for an error message: at most `limit` characters, and none that could mislead a reader of a log.
pub(crate) fn printable(text: &str, limit: usize) -> Box<str> {
    let mut chars = text.chars();
    let mut cut: String = chars.by_ref().take(limit).map(|c| if misleads(c) { '\u{FFFD}' } else { c }).collect();
    if chars.next().is_some() {
        cut.push('…');
    }
    cut.into()
}

fn misleads(c: char) -> bool {
    let reorders =
        matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    c.is_control() || reorders || matches!(c, '\u{2028}' | '\u{2029}' | '\u{FEFF}')
}

/// Writes what has a text as that text.
macro_rules! serialize_as_text {
    ($name:ident) => {
        #[cfg(feature = "serde")]
        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    };
}
pub(crate) use serialize_as_text;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_people_write() {
        for text in ["Bank of Göteborg", "契約 №7", "🦊 laptop"] {
            assert_eq!(text.parse::<Purpose>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn refuses_what_would_mislead_a_reader() {
        assert_eq!("".parse::<Purpose>(), Err(TextError::Empty));
        assert_eq!(" \u{3000}".parse::<Purpose>(), Err(TextError::Empty));
        assert_eq!("a\nb".parse::<Purpose>(), Err(TextError::Forbidden(0x0A)));
        assert_eq!("pay \u{202E}001".parse::<Purpose>(), Err(TextError::Forbidden(0x202E)));
        assert_eq!("x".repeat(257).parse::<Purpose>(), Err(TextError::TooLong { limit: 256, found: 257 }));
    }
}
