//! The chain: each entry's hash is over its own text, in which the hash of the one before stands. No clock and no file in here.

use crate::time::Timestamp;
use sha2::{Digest as _, Sha256};
use std::{
    fmt::{self, Write as _},
    str::FromStr,
    time::{Duration, UNIX_EPOCH},
};
use thiserror::Error;

/// SHA-256 of an entry, as its `hash` and the next one's `prev` have it: 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash([u8; 32]);

impl Hash {
    /// What stands before the first entry.
    pub const ZERO: Self = Self([0; 32]);

    pub(super) fn of(text: &[u8]) -> Self {
        Self(Sha256::digest(text).into())
    }
}

impl From<[u8; 32]> for Hash {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

/// A text is no head: not `SEQ:HASH`, such as `12:` and 64 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not SEQ:HASH, a number and 64 hex digits in lower case")]
pub struct HeadError;

impl FromStr for Hash {
    type Err = HeadError;

    fn from_str(text: &str) -> Result<Self, HeadError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| HeadError)?;
        // One spelling: a changed letter is a changed log.
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) { Err(HeadError) } else { Ok(Self(bytes)) }
    }
}

/// An entry by its number and hash, with which everything before it is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The entry's number, from 1.
    pub seq: u64,
    /// Its hash.
    pub hash: Hash,
}

impl Head {
    /// That of a log without entries.
    pub const NONE: Self = Self { seq: 0, hash: Hash::ZERO };

    /// Adds an entry's line to `lines`. `body` is the entry's own part, without the braces.
    pub(super) fn append(&mut self, at: Timestamp, body: &str, lines: &mut String) {
        let seq = self.seq.saturating_add(1);
        let start = lines.len();
        // Writing to a string cannot fail.
        let _ = write!(lines, "{{\"seq\":{seq},\"time\":\"{}\",{body},\"prev\":\"{}\"}}", rfc3339(at), self.hash);
        let hash = Hash::of(lines.as_bytes().get(start..).unwrap_or_default());
        lines.pop();
        let _ = writeln!(lines, ",\"hash\":\"{hash}\"}}");
        *self = Self { seq, hash };
    }
}

impl FromStr for Head {
    type Err = HeadError;

    fn from_str(text: &str) -> Result<Self, HeadError> {
        let (seq, hash) = text.split_once(':').ok_or(HeadError)?;
        Ok(Self { seq: seq.parse().map_err(|_| HeadError)?, hash: hash.parse()? })
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

/// A time as entries have it: RFC 3339, UTC, in milliseconds.
pub(super) fn rfc3339(at: Timestamp) -> String {
    // A clock that stands beyond the year 9999 is not to end the log.
    const LAST: u64 = 253_402_300_799_999;
    let since = Duration::from_millis(at.as_millis().min(LAST));
    humantime::format_rfc3339_millis(UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)).to_string()
}

/// The same backwards.
pub(super) fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let since = humantime::parse_rfc3339(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::from_millis(0).after(since))
}
