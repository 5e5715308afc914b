//! Why there is no backup.

use crate::store::key::KeyFileError;
use std::{error::Error as StdError, path::Path, path::PathBuf};
use thiserror::Error;

/// Why there is no backup, or none that could be restored. What was there of an earlier one is left as it was.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BackupError {
    /// There is no database.
    #[error("{} is not there: nothing to back up or to verify", .0.display())]
    Missing(PathBuf),
    /// Both are one.
    #[error("{} is the data directory itself", .0.display())]
    Same(PathBuf),
    /// Another backup into the same directory has not ended.
    #[error("another backup into {} is under way", .0.display())]
    InUse(PathBuf),
    /// A later version of this program has written it.
    #[error("{} is of version {found}, this program knows up to {known}", .path.display())]
    NewerSchema {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: usize,
        /// The latest version this program knows.
        known: usize,
    },
    /// The copy does not hold together, so the original may not either.
    #[error("{} is damaged: {said}", .path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What is wrong with it.
        said: String,
    },
    /// The server's key beside it cannot be used.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// A file could not be read or written.
    #[error("{}: {cause}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the database or the system says.
        cause: Box<dyn StdError + Send + Sync>,
    },
}

pub(super) fn failed<E: Into<Box<dyn StdError + Send + Sync>>>(path: &Path) -> impl FnOnce(E) -> BackupError {
    move |cause| BackupError::Io { path: path.into(), cause: cause.into() }
}
