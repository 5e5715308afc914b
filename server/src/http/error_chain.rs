//! Errors for people, where the cause says more than the error.

use std::{error::Error, iter::successors};

/// An error and what caused it, in one line.
pub(super) fn error_chain(error: &(dyn Error + 'static)) -> String {
    successors(error.source(), |&error| error.source())
        .fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
