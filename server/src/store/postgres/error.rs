//! What can go wrong with the database, and what it means for the store.

use crate::store::columns::Unreadable;
use std::{error::Error as StdError, path::PathBuf};
use thiserror::Error;
use tokio_postgres::error::SqlState;

/// Why the database did not do what it was told.
#[derive(Debug, Error)]
pub(super) enum DbError {
    /// PostgreSQL's own error, or the connection's.
    #[error("{}", described(.0))]
    Postgres(#[from] tokio_postgres::Error),
    /// A value that this program would not have written.
    #[error(transparent)]
    Column(#[from] Unreadable),
    /// Another server has used an idempotency key at the same moment.
    #[error("another server has used the same idempotency key at the same moment")]
    Overtaken,
    /// Statements of one connection come to different sessions of the server.
    #[error("statements of one connection do not come to one session: is there a pooler in transaction mode?")]
    Pooled,
    /// No answer in time.
    #[error("the database has not answered in time")]
    Late,
    /// The connection has ended.
    #[error("the connection has ended")]
    Closed,
}

/// What an error means for the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    /// No room now, or somebody's lock. Nothing of the transaction is there.
    Full,
    /// This one write contradicts what is there; others are not concerned.
    Refused,
    /// Somebody else was in the way for a moment. Nothing of the transaction is there.
    Again,
    /// The connection is of no use any more, and what became of the transaction is not known.
    Lost,
}

impl DbError {
    pub(super) fn severity(&self) -> Severity {
        let Self::Postgres(error) = self else {
            return match self {
                Self::Overtaken => Severity::Again,
                Self::Postgres(_) | Self::Column(_) | Self::Pooled | Self::Late | Self::Closed => Severity::Lost,
            };
        };
        match error.code() {
            Some(
                &SqlState::DISK_FULL
                | &SqlState::OUT_OF_MEMORY
                | &SqlState::CONFIGURATION_LIMIT_EXCEEDED
                | &SqlState::LOCK_NOT_AVAILABLE,
            ) => Severity::Full,
            Some(
                &SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED | &SqlState::QUERY_CANCELED,
            ) => Severity::Again,
            // Data exceptions and violated constraints.
            Some(code) if code.code().starts_with("22") || code.code().starts_with("23") => Severity::Refused,
            Some(_) | None => Severity::Lost,
        }
    }
}

/// Why there is no connection that a store can work with.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL is none of PostgreSQL's, or asks for what there is not.
    #[error("{0}")]
    Url(#[from] super::url::DatabaseUrlError),
    /// The certificates that are trusted cannot be read.
    #[error("sslrootcert {}: {cause}", .path.display())]
    Roots {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: Box<dyn StdError + Send + Sync>,
    },
    /// The system has no certificates that could be trusted.
    #[error("the system has no root certificates to verify the database's with; name a file: sslrootcert=FILE")]
    NoRoots,
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(Box<dyn StdError + Send + Sync>),
    /// A server cannot be reached, or does not let us in.
    #[error("{host}: {cause}")]
    Unreachable {
        /// Which of the URL's hosts.
        host: String,
        /// What it says.
        cause: String,
    },
    /// It has not answered in time.
    #[error("{host}: no answer within {seconds} s")]
    Late {
        /// Which of the URL's hosts.
        host: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// It takes no writes.
    #[error("{host}: takes no writes, as a standby does; name the primary too, as in postgres://a,b/…")]
    ReadOnly {
        /// Which of the URL's hosts.
        host: String,
    },
    /// Too old, or text in another encoding.
    #[error("{host}: {found}; it has to be PostgreSQL 15 or later, with a database in UTF8")]
    Unsuitable {
        /// Which of the URL's hosts.
        host: String,
        /// What it is.
        found: String,
    },
    /// The tables are gone that this server has used.
    #[error(
        "the database has no tables any more: put a backup into it, or start this server anew to begin from nothing"
    )]
    Emptied,
    /// A server of an earlier version has it, for itself alone.
    #[error("the database is in use by a server of an earlier version ({by}), which has to be alone: stop that first")]
    InUse {
        /// Who that is, as far as the database says.
        by: String,
    },
    /// Statements of one connection come to different sessions.
    #[error(
        "behind a pooler in transaction or statement mode, where no lock is kept from one transaction to the next: connect to PostgreSQL itself, or \
         set the pooler to pool_mode = session for this database"
    )]
    Pooled,
    /// A later version of this program has made it unusable for this one.
    #[error("the database is of version {found}, and this program knows up to {known}: start the later program")]
    NewerSchema {
        /// Its version.
        found: i64,
        /// The latest version this program knows.
        known: i64,
    },
    /// The tables could not be made or brought up to date.
    #[error(
        "the tables cannot be made or brought up to date: {0}. The role needs CREATE on its schema and has to own the tables; start once \
         with the URL of a role that does, or GRANT it"
    )]
    Migration(String),
    /// The role may not do what it has to.
    #[error("{0}. The role needs SELECT, INSERT, UPDATE and DELETE on all tables of the schema")]
    Privileges(String),
    /// Something else that PostgreSQL says.
    #[error("{0}")]
    Database(String),
    /// The server's key cannot be used.
    #[error(transparent)]
    Key(#[from] crate::store::KeyFileError),
    /// The thread that uses the connection cannot be started.
    #[error("the store cannot be started: {0}")]
    Start(#[from] std::io::Error),
}

impl ConnectError {
    pub(super) fn of_migration(error: tokio_postgres::Error) -> Self {
        match error.code() {
            Some(_) => Self::Migration(described(&error)),
            None => error.into(),
        }
    }
}

impl From<DbError> for ConnectError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Postgres(error) => error.into(),
            DbError::Pooled => Self::Pooled,
            DbError::Column(_) | DbError::Overtaken | DbError::Late | DbError::Closed => {
                Self::Database(error.to_string())
            }
        }
    }
}

impl From<tokio_postgres::Error> for ConnectError {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.code() {
            Some(&SqlState::INSUFFICIENT_PRIVILEGE) => Self::Privileges(described(&error)),
            // What becomes of a statement that was prepared in another session; what PgBouncer says to a transaction in statement mode.
            Some(
                &SqlState::INVALID_SQL_STATEMENT_NAME | &SqlState::DUPLICATE_PSTATEMENT | &SqlState::PROTOCOL_VIOLATION,
            ) => Self::Pooled,
            Some(_) | None => Self::Database(described(&error)),
        }
    }
}

/// What PostgreSQL says, in one line: the library's own words leave the cause out.
pub(super) fn described(error: &tokio_postgres::Error) -> String {
    if let Some(db) = error.as_db_error() {
        return format!("{} (SQLSTATE {})", db.message(), db.code().code());
    }
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
