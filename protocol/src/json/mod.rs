//! The JSON of the frames: one object with known fields, read strictly and written canonically (RFC 8259).
//!
//! There is one reader and one writer for both sides, small enough for a browser to download. The reader makes no tree: it keeps
//! where the values of the fields it was asked for stand, and refuses what a frame never holds: a field twice, a number that is
//! no integer of the wanted size, an array in place of an object.

mod reader;
mod scanner;
mod string;
mod writer;

pub use reader::{Fields, Object, Read};
pub use writer::Writer;

use thiserror::Error;

/// Why a text is not the JSON object that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JsonError {
    /// No JSON, or no object.
    #[error("expected {expected} at byte {at}")]
    Syntax {
        /// What JSON has there.
        expected: &'static str,
        /// Bytes before it.
        at: usize,
    },
    /// A field that has to be there and is not.
    #[error("missing field `{0}`")]
    Missing(&'static str),
    /// A field that stands twice, so that two readers could take it for two things.
    #[error("duplicate field `{0}`")]
    Duplicate(&'static str),
    /// A field whose value is not what it should be.
    #[error("`{field}`: {problem}")]
    Value {
        /// The field.
        field: &'static str,
        /// What is wrong with it. It may quote the text that was read.
        problem: Box<str>,
    },
}
