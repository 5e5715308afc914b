//! What can go wrong with the database, and what it means for the store.

use super::columns::Unreadable;
use rusqlite::ErrorCode;
use thiserror::Error;

/// Why the database did not do what it was told.
#[derive(Debug, Error)]
pub(super) enum DbError {
    /// SQLite's own error.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// A value that this program would not have written.
    #[error(transparent)]
    Column(#[from] Unreadable),
    /// Somebody reads what was there before the last writes, so that these cannot be taken over into the database.
    #[error("another process reads an earlier state of it")]
    Unsettled,
    /// A setting that SQLite did not take.
    #[error("SQLite refuses {0}")]
    Setting(&'static str),
}

/// What an error means for the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    /// No room now, on the disk or within the store's limit. Nothing of the transaction is there.
    Full,
    /// Another tool's lock. Nothing of the transaction is there; what is to be written waits as it does for room.
    Locked,
    /// This one write contradicts what is there; others are not concerned.
    Refused,
    /// Nothing can be relied on any more.
    ///
    /// After a failed fsync the kernel may have dropped the pages it could not write and forgotten that it did, so that a later
    /// fsync that succeeds would prove nothing about them. Only a process that reads the files afresh knows what is there.
    Fatal,
}

impl DbError {
    pub(super) fn severity(&self) -> Severity {
        match self {
            Self::Sqlite(error) => match error.sqlite_error_code() {
                // Also what SQLite makes of ENOSPC at a write. ENOSPC at an fsync is an I/O error to it, and rightly so.
                Some(ErrorCode::DiskFull) => Severity::Full,
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Severity::Locked,
                Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig) => Severity::Refused,
                Some(_) | None => Severity::Fatal,
            },
            Self::Column(_) | Self::Setting(_) | Self::Unsettled => Severity::Fatal,
        }
    }
}
