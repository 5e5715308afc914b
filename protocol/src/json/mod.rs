//! The JSON of the frames: one object with known fields, read strictly and written canonically (RFC 8259).
//!
//! There is one reader and one writer for both sides, small enough for a browser to download. The reader makes no tree: it keeps
//! where the values of the fields it was asked for stand, and refuses what a frame never holds: a field twice, a number that is
//! no integer of the wanted size, an array in place of an object.

mod reader;
mod scanner;
mod string;
mod writer;

use crate::prelude::*;
pub use reader::{Fields, Object, Read};
pub use writer::Writer;

use core::fmt;
use thiserror::Error;

/// Why a text is not the JSON object that was asked for: what is wrong, and with which field or at which byte. It may quote the
/// text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct JsonError(Box<str>);

impl JsonError {
    /// No JSON, or no object: after `at` bytes JSON would have something else.
    fn syntax(expected: &str, at: usize) -> Self {
        Self(format!("expected {expected} at byte {at}").into())
    }

    /// A field that has to be there and is not.
    pub fn missing(field: &str) -> Self {
        Self(format!("missing field `{field}`").into())
    }

    /// A field that stands twice, so that two readers could take it for two things.
    pub fn duplicate(field: &str) -> Self {
        Self(format!("duplicate field `{field}`").into())
    }

    /// A field whose value is not what it should be.
    pub fn value(field: &str, problem: &dyn fmt::Display) -> Self {
        Self(format!("`{field}`: {problem}").into())
    }
}
