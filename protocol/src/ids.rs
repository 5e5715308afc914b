//! Identifiers the server makes: of a request, a batch and a connection.

use core::{fmt, str::FromStr};
use thiserror::Error;
use uuid::{Builder, Uuid};

/// A text that is not an identifier in its canonical form.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what} is not a UUID in lower-case hyphenated form")]
pub struct IdError {
    what: &'static str,
}

/// Reads the one text an identifier has, so that texts may be compared. The library reads other spellings too; what it writes
/// is that one.
fn parse(text: &str) -> Option<Uuid> {
    let id = Uuid::try_parse(text).ok()?;
    (id.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == text).then_some(id)
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes a version 4 UUID (RFC 9562 §5.4) of bytes from a cryptographic random source.
            pub const fn from_random_bytes(bytes: [u8; 16]) -> Self {
                Self(Builder::from_random_bytes(bytes).into_uuid())
            }

            /// The identifier with exactly these bytes, as [`to_bytes`](Self::to_bytes) gave them.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// Its 16 bytes, for keeping it where text is too long.
            pub const fn to_bytes(self) -> [u8; 16] {
                self.0.into_bytes()
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse(text).map(Self).ok_or(IdError { what: $what })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.0.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        crate::text::serialize_as_text!($name);
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
    /// random source, of which the last 12 bits of the first two may be a counter (§6.2). Ids made one after the other lie side by side in
    /// an index that is kept in their order.
    pub const fn at(unix_ms: u64, random: [u8; 10]) -> Self {
        Self(Builder::from_unix_timestamp_millis(unix_ms, &random).into_uuid())
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
        for other in [
            "",
            "x",
            "07070707070747078707070707070707",
            "{07070707-0707-4707-8707-070707070707}",
            "urn:uuid:07070707-0707-4707-8707-070707070707",
            " 07070707-0707-4707-8707-070707070707",
            "07070707-0707-4707-8707-0707070707070",
            "0707070-70707-4707-8707-070707070707",
            "g7070707-0707-4707-8707-070707070707",
            "ABCDEF07-0707-4707-8707-070707070707",
            "abcdef07-0707-4707-8707-07070707070F",
        ] {
            assert!(other.parse::<RequestId>().is_err(), "{other}");
        }
    }
}
