//! The bytes a backend asks to have signed.

use crate::prelude::*;
use crate::{binary, limits::MAX_MESSAGE_BYTES};
use core::{fmt, str::FromStr};
use thiserror::Error;

/// What no message may start with: 0xFF and `countersign/`.
///
/// The protocol's own signatures, such as an introduction's proof, are over bytes that start with it. Since no message does,
/// a signature of one kind can never stand for the other. 0xFF starts no UTF-8 text, JSON, JWT, DER or SSH blob.
pub const RESERVED_PREFIX: &[u8] = b"\xFFcountersign/";

/// Why bytes cannot be asked to be signed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MessageError {
    /// Not the base64 of anything.
    #[error(transparent)]
    Encoding(#[from] binary::BinaryError),
    /// No bytes: a signature over nothing says nothing, and asking for one is a mistake.
    #[error("message is empty")]
    Empty,
    /// More than [`MAX_MESSAGE_BYTES`].
    #[error("message is {found} bytes, more than {limit}")]
    TooLong {
        /// The most bytes it may have.
        limit: usize,
        /// The bytes it has, estimated from the text where that alone was too long.
        found: usize,
    },
    /// Starts with [`RESERVED_PREFIX`].
    #[error("message starts with the reserved prefix 0xFF \"countersign/\"")]
    ReservedPrefix,
}

/// Bytes that a backend asks to have signed: 1 to [`MAX_MESSAGE_BYTES`] of them, not starting with [`RESERVED_PREFIX`].
///
/// Both sides build messages through this type alone, so neither forwards or signs any other. `Debug` shows the length only.
#[derive(Clone, PartialEq, Eq)]
pub struct Message(Box<[u8]>);

impl Message {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes there are; never zero.
    #[allow(clippy::len_without_is_empty)] // an empty message cannot be made
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl TryFrom<Vec<u8>> for Message {
    type Error = MessageError;

    fn try_from(bytes: Vec<u8>) -> Result<Self, MessageError> {
        if bytes.is_empty() {
            return Err(MessageError::Empty);
        }
        if bytes.len() > MAX_MESSAGE_BYTES {
            return Err(MessageError::TooLong { limit: MAX_MESSAGE_BYTES, found: bytes.len() });
        }
        if bytes.starts_with(RESERVED_PREFIX) {
            return Err(MessageError::ReservedPrefix);
        }
        Ok(Self(bytes.into()))
    }
}

impl TryFrom<&[u8]> for Message {
    type Error = MessageError;

    fn try_from(bytes: &[u8]) -> Result<Self, MessageError> {
        // Checked before the copy, so that a huge slice costs nothing.
        if bytes.len() > MAX_MESSAGE_BYTES {
            return Err(MessageError::TooLong { limit: MAX_MESSAGE_BYTES, found: bytes.len() });
        }
        bytes.to_vec().try_into()
    }
}

impl FromStr for Message {
    type Err = MessageError;

    fn from_str(text: &str) -> Result<Self, MessageError> {
        if text.len() > MAX_MESSAGE_BYTES.div_ceil(3) * 4 {
            return Err(MessageError::TooLong { limit: MAX_MESSAGE_BYTES, found: text.len() / 4 * 3 });
        }
        binary::decode("message", text)?.try_into()
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({} bytes)", self.0.len())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Message {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&binary::encode(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_the_reserved_prefix_and_nothing_like_it() {
        assert_eq!(Message::try_from(RESERVED_PREFIX.to_vec()), Err(MessageError::ReservedPrefix));
        assert_eq!(Message::try_from(&b"\xFFcountersign/v1/introduction"[..]), Err(MessageError::ReservedPrefix));
        assert!(Message::try_from(&b"\xFFcountersign"[..]).is_ok());
        assert!(Message::try_from(&b"countersign/v1"[..]).is_ok());
    }

    #[test]
    fn has_one_to_the_most_bytes() {
        assert_eq!(Message::try_from(vec![]), Err(MessageError::Empty));
        assert!(Message::try_from(vec![0; MAX_MESSAGE_BYTES]).is_ok());
        let error = Message::try_from(vec![0; MAX_MESSAGE_BYTES + 1]).unwrap_err();
        assert_eq!(error, MessageError::TooLong { limit: MAX_MESSAGE_BYTES, found: MAX_MESSAGE_BYTES + 1 });
    }

    #[test]
    fn reads_only_canonical_base64() {
        for text in ["aGk", "aGl=", "aGk=\n", "aGk==", "_-8=", "a"] {
            assert!(matches!(text.parse::<Message>(), Err(MessageError::Encoding(_))), "{text}");
        }
        assert_eq!("aGk=".parse::<Message>().unwrap().as_bytes(), b"hi");
    }

    #[test]
    fn debug_shows_no_content() {
        assert_eq!(format!("{:?}", Message::try_from(&b"secret"[..]).unwrap()), "Message(6 bytes)");
    }
}
