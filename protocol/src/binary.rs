//! Binary values on the wire: standard base64 with padding, in its one canonical form (RFC 4648 §4, §3.5).

#[cfg(target_arch = "wasm32")]
use crate::base64::decode as decode_base64;
#[cfg(target_arch = "wasm32")]
pub(crate) use crate::base64::encode_to;
use crate::prelude::*;
#[cfg(not(target_arch = "wasm32"))]
use base64::{Engine as _, engine::general_purpose::STANDARD};
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
    decode_base64(text).ok_or(BinaryError::NotCanonical { what })
}

#[cfg(not(target_arch = "wasm32"))]
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Adds the base64 of `bytes` to a text.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn encode_to(text: &mut String, bytes: &[u8]) {
    STANDARD.encode_string(bytes, text);
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
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    encode_to(&mut text, bytes);
    text
}

/// Gives a fixed-size newtype `struct $name([u8; $len])` its text form: `Display`, `FromStr`, `Serialize`.
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

        impl ::core::str::FromStr for $name {
            type Err = $crate::BinaryError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::binary::decode_array($what, text).map(Self)
            }
        }

        impl ::core::fmt::Display for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str(&$crate::binary::encode(&self.0))
            }
        }

        impl ::core::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        $crate::text::serialize_as_text!($name);
    };
}
pub(crate) use base64_newtype;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_of_the_length_asked_for() {
        let length = |expected, found| Err(BinaryError::Length { what: "x", expected, found });
        assert_eq!(decode_array("x", "AAECAw=="), Ok([0, 1, 2, 3]));
        assert_eq!(decode_array("x", "AAECAwQF"), Ok([0, 1, 2, 3, 4, 5]));
        // Told from the text, before it is decoded.
        assert_eq!(decode_array::<3>("x", "????????"), length(3, 6).map(|()| [0; 3]));
        assert_eq!(decode_array::<32>("x", ""), length(32, 0).map(|()| [0; 32]));
        // As long a text, of other bytes.
        assert_eq!(decode_array::<4>("x", "AAECAwQ="), length(4, 5).map(|()| [0; 4]));
        for text in ["AAECAw", "AAECAw=", "AAECAx==", "_AECAw=="] {
            assert_eq!(decode_array::<4>("x", text), Err(BinaryError::NotCanonical { what: "x" }), "{text}");
        }
    }
}
