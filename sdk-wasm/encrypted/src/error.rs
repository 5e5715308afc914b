//! Why a key is neither encrypted nor decrypted.

use thiserror::Error;

/// Why a key is neither encrypted nor decrypted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// A binary value of another length than the format has.
    #[error("the {what} is {found} bytes, not {expected}")]
    Length {
        /// Which value.
        what: &'static str,
        /// Its bytes.
        found: usize,
        /// The format's.
        expected: usize,
    },
    /// A cost that no file has.
    #[error("{what} of the key derivation is {found}, and has to be {least} to {most}")]
    Cost {
        /// Which part of it.
        what: &'static str,
        /// What it is.
        found: u32,
        /// The least there is.
        least: u32,
        /// The most there is.
        most: u32,
    },
    /// There is not as much memory as the key derivation takes.
    #[error("the key derivation needs {0} KiB of memory, and there is not that much here")]
    NoMemory(u32),
    /// Another passphrase than the one it was encrypted with, or an altered file.
    #[error("the passphrase is wrong, or the export was altered")]
    WrongPassphrase,
}

impl Error {
    /// The stable code. Names never change.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Length { .. } | Self::Cost { .. } => "invalid_export",
            Self::NoMemory(_) => "no_memory",
            Self::WrongPassphrase => "wrong_passphrase",
        }
    }
}
