//! The JSON of the frames: one object with known fields, read strictly and written canonically (RFC 8259).
//!
//! There is one reader and one writer for both sides, small enough for a browser to download. The reader makes no tree: it keeps
//! where the values of the fields it was asked for stand, and refuses what a frame never holds: a field twice, a number that is
//! no integer of the wanted size, an array in place of an object. `tests/json_differential.rs` lists where it differs from serde_json.

mod error;
mod reader;
mod scanner;
mod string;
mod writer;

pub use error::JsonError;
pub use reader::{Fields, Object, Read};
pub use writer::Writer;
