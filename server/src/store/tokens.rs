//! Tokens as they are kept in a database that several servers share: rows that nobody has looked into yet.

use crate::time::Timestamp;

/// The most there may be: every server has all of them in memory.
pub(crate) const MOST_TOKENS: usize = 10_000;

/// The most that may be said of one, in bytes.
pub(crate) const MAX_ENTRY_BYTES: usize = 64 * 1024;

/// A token, and what is said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenRow {
    /// SHA-256 of the token.
    pub(crate) sha256: Vec<u8>,
    /// What is said of it, one byte longer than may be at most.
    pub(crate) entry: String,
    /// When that was said.
    pub(crate) changed_at: Timestamp,
}

/// What is to be told of the tokens there are.
#[derive(Debug)]
pub(crate) enum TokenNews {
    /// They are as they were.
    Unchanged,
    /// They are others.
    Changed {
        /// Tells them from others.
        digest: String,
        /// All of them, in the order in which they were made; one more than there may be at most.
        rows: Vec<TokenRow>,
    },
    /// They cannot be read, by the words of the database, which does all else.
    Unreadable(String),
}
