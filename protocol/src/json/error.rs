//! Why a text is not the object that was asked for.

use crate::prelude::*;
use core::fmt;
use thiserror::Error;

/// Why a text is not the JSON object that was asked for: what is wrong, and with which field or at which byte. It may quote the
/// text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct JsonError(Box<str>);

impl JsonError {
    /// No JSON, or no object: after `at` bytes JSON would have something else.
    pub(super) fn syntax(expected: &str, at: usize) -> Self {
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
