//! Writes an object, field by field.

use crate::binary::encode_to;
use crate::prelude::*;
use core::fmt::{self, Write as _};

/// Long enough for every frame without a message.
const USUAL_LENGTH: usize = 256;

/// A JSON object in the making, its fields in the order they were given and without white space.
///
/// Names of fields are written as they are; they need no escapes.
#[derive(Debug)]
pub struct Writer(String);

impl Default for Writer {
    fn default() -> Self {
        Self(String::with_capacity(USUAL_LENGTH))
    }
}

impl Writer {
    /// Adds a string.
    #[must_use]
    pub fn text(mut self, field: &str, text: &str) -> Self {
        self.begin(field);
        self.0.push('"');
        for c in text.chars() {
            match c {
                '"' => self.0.push_str("\\\""),
                '\\' => self.0.push_str("\\\\"),
                '\n' => self.0.push_str("\\n"),
                '\r' => self.0.push_str("\\r"),
                '\t' => self.0.push_str("\\t"),
                '\u{8}' => self.0.push_str("\\b"),
                '\u{C}' => self.0.push_str("\\f"),
                '\0'..='\u{1F}' => self.push(format_args!("\\u{:04x}", u32::from(c))),
                _ => self.0.push(c),
            }
        }
        self.0.push('"');
        self
    }

    /// Adds a string that is known to need no escapes, such as an identifier.
    #[must_use]
    pub fn plain(mut self, field: &str, text: &dyn fmt::Display) -> Self {
        self.begin(field);
        self.push(format_args!("\"{text}\""));
        self
    }

    /// Adds bytes as a string of padded base64.
    #[must_use]
    pub fn base64(mut self, field: &str, bytes: &[u8]) -> Self {
        self.begin(field);
        self.0.push('"');
        encode_to(&mut self.0, bytes);
        self.0.push('"');
        self
    }

    /// Adds an integer.
    #[must_use]
    pub fn integer(mut self, field: &str, number: u64) -> Self {
        self.begin(field);
        self.push(format_args!("{number}"));
        self
    }

    /// Adds an object.
    #[must_use]
    pub fn object(mut self, field: &str, object: Writer) -> Self {
        self.begin(field);
        self.0.push_str(&object.finish());
        self
    }

    /// Adds what `add` adds, where there is a value for it.
    #[must_use]
    pub fn optional<T>(self, value: Option<T>, add: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            Some(value) => add(self, value),
            None => self,
        }
    }

    /// The text of the whole object.
    pub fn finish(mut self) -> String {
        if self.0.is_empty() {
            self.0.push('{');
        }
        self.0.push('}');
        self.0
    }

    fn begin(&mut self, field: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.0.push('"');
        self.0.push_str(field);
        self.0.push_str("\":");
    }

    fn push(&mut self, what: fmt::Arguments<'_>) {
        // A String takes whatever is written to it.
        let _ = self.0.write_fmt(what);
    }
}
