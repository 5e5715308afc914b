//! Integers as JSON Schema has them: `1000.0` and `1e3` are the integer `1000`, which some languages write so.

use serde::{
    Deserialize, Deserializer,
    de::{Error, Unexpected, Visitor},
};
use std::fmt;

/// Thirty years in milliseconds, and more than is ever meant. With a point in it a longer number need not be read exactly.
const FIRST_TOO_LONG: f64 = 1e12;

/// A field that may be left out, or be `null`.
pub(super) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(Option::<WholeNumber>::deserialize(deserializer)?.map(|WholeNumber(number)| number))
}

/// The integer that a number is, if it is one from 0.
pub(super) fn whole(number: f64) -> Option<u64> {
    // Nothing is cut off: it is an integer, and less than 10¹².
    (number.fract() == 0.0 && (0.0..FIRST_TOO_LONG).contains(&number)).then_some(number as u64)
}

/// An integer from 0, however it is written.
#[derive(Debug)]
struct WholeNumber(u64);

struct WholeNumberVisitor;

impl<'de> Deserialize<'de> for WholeNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_u64(WholeNumberVisitor)
    }
}

impl Visitor<'_> for WholeNumberVisitor {
    type Value = WholeNumber;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer from 0")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<WholeNumber, E> {
        Ok(WholeNumber(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<WholeNumber, E> {
        whole(value).map(WholeNumber).ok_or_else(|| E::invalid_value(Unexpected::Float(value), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_is_one_however_it_is_written() {
        for (text, number) in [
            ("0", 0),
            ("1000", 1_000),
            ("1000.0", 1_000),
            ("1e3", 1_000),
            ("0.0", 0),
            ("-0.0", 0),
            ("604800000.0", 604_800_000),
            ("999999999999.0", 999_999_999_999),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(serde_json::from_str::<WholeNumber>(text).unwrap().0, number, "{text}");
        }
        for text in ["-1", "-1.0", "0.5", "1e-3", "1000000000000.0", "1e300", "18446744073709551616", "\"1\"", "true"] {
            assert!(serde_json::from_str::<WholeNumber>(text).is_err(), "{text}");
        }
    }
}
