//! Lines of a log as they are read again: nothing in them is believed before the hash over them holds.

use super::chain::{Hash, parse_rfc3339};
use crate::time::Timestamp;
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;
use std::{collections::HashSet, fmt, io, io::BufRead};
use thiserror::Error;

/// The longest line that is written or read, in bytes.
pub(super) const MAX_LINE_BYTES: usize = 1024 * 1024;

/// `,"hash":"` and `"}`, with 64 digits in between.
const TAIL_BYTES: usize = 9 + 64 + 2;

/// Why a line is no entry.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LineError {
    /// Longer than any entry.
    #[error("longer than {MAX_LINE_BYTES} bytes")]
    TooLong,
    /// It has no end.
    #[error("cut off")]
    CutOff,
    /// It is not JSON, or has a field twice.
    #[error("not a JSON object whose fields stand once each: {0}")]
    Json(String),
    /// A field that every entry has is missing, or is no such thing, or the fields do not stand in their order.
    #[error("the field {0} is missing or malformed")]
    Field(&'static str),
    /// Something in it was changed.
    #[error("the hash is not that of the line")]
    Hash,
}

/// One entry.
#[derive(Debug)]
pub struct Line {
    /// Its number.
    pub seq: u64,
    /// When it was.
    pub time: Timestamp,
    /// What it is of.
    pub event: String,
    pub(super) prev: Hash,
    pub(super) hash: Hash,
    /// All fields, in their order.
    pub members: Vec<(String, Value)>,
}

impl Line {
    /// Reads a line with its line feed, and checks the hash over it.
    ///
    /// # Errors
    /// [`LineError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, LineError> {
        if bytes.len() > MAX_LINE_BYTES {
            return Err(LineError::TooLong);
        }
        let text = bytes.strip_suffix(b"\n").ok_or(LineError::CutOff)?;
        let Object(members) = serde_json::from_slice(text).map_err(|error| LineError::Json(error.to_string()))?;
        let field = |name: &'static str, at: Option<usize>| {
            let found = at.and_then(|at| members.get(at)).filter(|(found, _)| found == name);
            found.map(|(_, value)| value).ok_or(LineError::Field(name))
        };
        let text_of = |name, at| field(name, at)?.as_str().ok_or(LineError::Field(name));
        let count = members.len();
        let seq = field("seq", Some(0))?.as_u64().ok_or(LineError::Field("seq"))?;
        let time = parse_rfc3339(text_of("time", Some(1))?).ok_or(LineError::Field("time"))?;
        let event = text_of("event", Some(2))?.to_owned();
        let prev = text_of("prev", count.checked_sub(2))?.parse().map_err(|_| LineError::Field("prev"))?;
        let hash = text_of("hash", count.checked_sub(1))?.parse().map_err(|_| LineError::Field("hash"))?;
        let (head, tail) =
            text.split_at_checked(text.len().saturating_sub(TAIL_BYTES)).ok_or(LineError::Field("hash"))?;
        if tail != format!(",\"hash\":\"{hash}\"}}").as_bytes() {
            return Err(LineError::Field("hash"));
        }
        if Hash::of(&[head, b"}"].concat()) != hash {
            return Err(LineError::Hash);
        }
        Ok(Self { seq, time, event, prev, hash, members })
    }

    /// One of its fields.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.members.iter().find(|(found, _)| found == name).map(|(_, value)| value)
    }

    /// One of its fields that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.field(name)?.as_str()
    }

    /// One of its fields that is a count.
    pub fn count(&self, name: &str) -> Option<u64> {
        self.field(name)?.as_u64()
    }
}

/// Reads the next line with its line feed, or so much of it that it is too long; false at the end.
pub(super) fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    Ok(io::Read::take(reader, MAX_LINE_BYTES as u64 + 1).read_until(b'\n', line)? > 0)
}

/// The members of an object. A name that stands twice is an error, at any depth: different readers would read different things.
struct Object(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Unique).and_then(|value| match value {
            Unambiguous::Object(members) => Ok(Self(members)),
            Unambiguous::Other(_) => Err(D::Error::custom("not an object")),
        })
    }
}

enum Unambiguous {
    Object(Vec<(String, Value)>),
    Other(Value),
}

impl From<Unambiguous> for Value {
    fn from(value: Unambiguous) -> Self {
        match value {
            Unambiguous::Object(members) => Self::Object(members.into_iter().collect()),
            Unambiguous::Other(value) => value,
        }
    }
}

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Unique)
    }
}

struct Unique;

impl<'de> Visitor<'de> for Unique {
    type Value = Unambiguous;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unambiguous, A::Error> {
        let (mut names, mut members) = (HashSet::new(), Vec::new());
        while let Some((name, value)) = map.next_entry::<String, Unambiguous>()? {
            if !names.insert(name.clone()) {
                return Err(A::Error::custom("a field stands twice"));
            }
            members.push((name, value.into()));
        }
        Ok(Unambiguous::Object(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Unambiguous, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element::<Unambiguous>()? {
            elements.push(element.into());
        }
        Ok(Unambiguous::Other(Value::Array(elements)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Unambiguous, E> {
        Ok(Unambiguous::Other(text.into()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Unambiguous, E> {
        Ok(Unambiguous::Other(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Unambiguous, E> {
        Ok(Unambiguous::Other(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Unambiguous, E> {
        Ok(Unambiguous::Other(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Unambiguous, E> {
        Ok(Unambiguous::Other(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Unambiguous, E> {
        Ok(Unambiguous::Other(Value::Null))
    }
}
