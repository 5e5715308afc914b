//! Binary values on the wire: standard base64 with padding, in its one canonical form (RFC 4648 §4, §3.5).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::fmt;
use thiserror::Error;

/// Why a text is not the base64 of a value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BinaryError {
    /// Not base64, not padded, or with trailing bits that another text would also decode to.
    #[error("{what} is not canonical padded base64")]
    NotCanonical {
        /// The value that was being read.
        what: &'static str,
    },
    /// Base64 of the wrong number of bytes.
    #[error("{what} is {found} bytes, not {expected}")]
    Length {
        /// The value that was being read.
        what: &'static str,
        /// Bytes the value has by definition.
        expected: usize,
        /// Bytes that were found.
        found: usize,
    },
}

/// Decodes `text`, whose length its caller has bounded.
pub(crate) fn decode(what: &'static str, text: &str) -> Result<Vec<u8>, BinaryError> {
    STANDARD.decode(text).map_err(|_| BinaryError::NotCanonical { what })
}

/// Decodes exactly `N` bytes without allocating for a text of any other length.
pub(crate) fn decode_array<const N: usize>(what: &'static str, text: &str) -> Result<[u8; N], BinaryError> {
    if !text.len().is_multiple_of(4) {
        return Err(BinaryError::NotCanonical { what });
    }
    if text.len() != N.div_ceil(3) * 4 {
        return Err(BinaryError::Length { what, expected: N, found: text.len() / 4 * 3 });
    }
    let bytes = decode(what, text)?;
    let found = bytes.len();
    bytes.try_into().map_err(|_| BinaryError::Length { what, expected: N, found })
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Writes `bytes` as base64 without an intermediate string.
pub(crate) fn fmt(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    fmt::Display::fmt(&base64::display::Base64Display::new(bytes, &STANDARD), f)
}

/// Gives a fixed-size newtype `struct $name([u8; $len])` its text form: `Display`, `FromStr`, serde.
macro_rules! base64_newtype {
    ($name:ident, $len:literal, $what:literal) => {
        impl $name {
            /// The bytes.
            pub fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl From<[u8; $len]> for $name {
            fn from(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::BinaryError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::binary::decode_array($what, text).map(Self)
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                $crate::binary::fmt(&self.0, f)
            }
        }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        $crate::text::serde_as_text!($name);
    };
}
pub(crate) use base64_newtype;
