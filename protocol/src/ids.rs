//! Identifiers the server makes: of a request, a batch and a connection.

use crate::prelude::*;
use core::{fmt, str::FromStr};
use thiserror::Error;

/// A text that is not an identifier in its canonical form.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what} is not a UUID in lower-case hyphenated form")]
pub struct IdError {
    what: &'static str,
}

/// Where a hyphen stands before a byte (RFC 9562 §4).
const HYPHENS_BEFORE: [usize; 4] = [4, 6, 8, 10];

/// Reads the one text an identifier has, so that texts may be compared.
fn read(text: &str) -> Option<[u8; 16]> {
    let mut digits = text.bytes();
    let mut bytes = [0; 16];
    for (at, byte) in bytes.iter_mut().enumerate() {
        if HYPHENS_BEFORE.contains(&at) && digits.next()? != b'-' {
            return None;
        }
        *byte = hex(digits.next()?)? << 4 | hex(digits.next()?)?;
    }
    digits.next().is_none().then_some(bytes)
}

fn write(bytes: &[u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if HYPHENS_BEFORE.contains(&at) {
            text.push('-');
        }
        text.extend(
            [byte >> 4, byte & 0xF].map(|digit| char::from(if digit < 10 { b'0' + digit } else { b'a' - 10 + digit })),
        );
    }
    text
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; 16]);

        impl $name {
            /// Makes a version 4 UUID (RFC 9562 §5.4) of bytes from a cryptographic random source.
            pub fn from_random_bytes(mut bytes: [u8; 16]) -> Self {
                bytes[6] = bytes[6] & 0x0F | 0x40;
                bytes[8] = bytes[8] & 0x3F | 0x80;
                Self(bytes)
            }

            /// The identifier with exactly these bytes, as [`to_bytes`](Self::to_bytes) gave them.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// Its 16 bytes, for keeping it where text is too long.
            pub const fn to_bytes(self) -> [u8; 16] {
                self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                read(text).map(Self).ok_or(IdError { what: $what })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&write(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        crate::text::serde_as_text!($name);
    };
}

id! {
    /// Names one request over its whole life and on every device that is asked.
    RequestId, "request_id"
}
id! {
    /// Names requests that are shown together.
    BatchId, "batch.id"
}
id! {
    /// Names one WebSocket connection to one server.
    ConnectionId, "connection_id"
}

impl RequestId {
    /// Makes a version 7 UUID (RFC 9562 §5.7) of the time, in milliseconds since the Unix epoch, and bytes from a cryptographic
    /// random source. Ids made one after the other lie side by side in an index that is kept in their order.
    pub fn at(unix_ms: u64, random: [u8; 10]) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&unix_ms.to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&random);
        bytes[6] = bytes[6] & 0x0F | 0x70;
        bytes[8] = bytes[8] & 0x3F | 0x80;
        Self(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_requests_have_greater_ids() {
        let (early, late) = (RequestId::at(1_800_000_000_000, [0xff; 10]), RequestId::at(1_800_000_000_001, [0; 10]));
        assert!(early < late && early.to_bytes() < late.to_bytes());
        assert_eq!(late.to_string(), "01a3185c-5001-7000-8000-000000000000");
        assert_eq!(RequestId::at(u64::MAX, [0xff; 10]).to_string(), "ffffffff-ffff-7fff-bfff-ffffffffffff");
    }

    #[test]
    fn has_one_text() {
        let id = RequestId::from_random_bytes([7; 16]);
        assert_eq!(id.to_string(), "07070707-0707-4707-8707-070707070707");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(RequestId::from_bytes(id.to_bytes()), id);
        for other in ["07070707070747078707070707070707", "{07070707-0707-4707-8707-070707070707}", "", "x"] {
            assert!(other.parse::<RequestId>().is_err(), "{other}");
        }
        assert!("ABCDEF07-0707-4707-8707-070707070707".parse::<RequestId>().is_err());
    }
}
