//! Why there is no audit log.

use super::verifier::Reason;
use std::{io, path::PathBuf};
use thiserror::Error;

/// Why an audit log cannot be opened, or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AuditError {
    /// A file cannot be read or made.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process writes to it.
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// A line is wrong, and not as a crash leaves it.
    #[error("{}, line {line}: {reason}", .path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Where, from 1.
        line: u64,
        /// Why.
        reason: Reason,
    },
    /// Nothing was signed, so that anybody could have written it.
    #[error("no head is signed: anybody can have written this")]
    NothingSigned,
    /// The head that somebody has kept is not in it.
    #[error("entry {0} of the given head is not there")]
    HeadMissing(u64),
    /// They would not fit an entry.
    #[error("more tokens than fit an entry of the log")]
    TooManyTokens,
}
