//! What a copy has, and whether a server could start with it.

use super::error::{BackupError, failed};
use crate::{
    record::{End, Record},
    store::{
        key::{self, KeyFileError, ServerKey},
        open::DATABASE,
        retention::FIRST_NEVER,
        rows::{self, COLUMNS},
        schema,
    },
};
use countersign_protocol::{PublicKey, Signable};
use rusqlite::{Connection, OpenFlags};
use std::{io, path::Path, time::Duration};

/// How long a server that is writing is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// What a backup has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackedUp {
    /// How many requests there are.
    pub requests: u64,
    /// How many of them are open.
    pub open: u64,
    /// How many ends are still to be told to webhooks.
    pub events: u64,
    /// The size of the database, in bytes.
    pub bytes: u64,
    /// The version of its tables. A server that knows a later one brings them up to that when it starts.
    pub version: usize,
}

/// A backup that has been looked through.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// What it has.
    pub contents: BackedUp,
    /// The thumbprint (RFC 7638) of the server's key beside it, as its receipts and `/.well-known/jwks.json` have it; none where there is
    /// no key.
    pub key_id: Option<String>,
}

/// Looks through a backup, or the data directory of a server that is stopped, and changes nothing: whether the database holds together, whether this program
/// can read every request in it, whether every signature verifies over its message, and whether the key is one. Requests of an
/// earlier version's tables are counted and not read. Blocks, for some 40 µs a request.
///
/// # Errors
/// [`BackupError`], which names the file.
pub fn verify_backup(dir: &Path) -> Result<Verified, BackupError> {
    let database = dir.join(DATABASE);
    if !database.exists() {
        return Err(BackupError::Missing(database));
    }
    let contents = check(&database)?;
    if contents.version == schema::VERSION {
        read_all(&database)?;
    }
    let key_id = match ServerKey::read(&dir.join(key::FILE)) {
        Ok(key) => Some(key.key_id().to_owned()),
        Err(KeyFileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    Ok(Verified { contents, key_id })
}

/// Whether a copy is whole, and what it has.
pub(super) fn check(copy: &Path) -> Result<BackedUp, BackupError> {
    let connection = open(copy)?;
    let version = version(&connection, copy)?;
    let said: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(failed(copy))?;
    if said != "ok" {
        return Err(BackupError::Damaged { path: copy.into(), said });
    }
    let count = |sql: &str| {
        connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs).map_err(failed(copy))
    };
    Ok(BackedUp {
        requests: count("SELECT count(*) FROM requests")?,
        open: count("SELECT count(*) FROM requests WHERE ended_at IS NULL")?,
        events: count(&format!("SELECT count(*) FROM events WHERE next_at < {FIRST_NEVER}"))?,
        bytes: copy.metadata().map_err(failed(copy))?.len(),
        version,
    })
}

/// The version of a database that this program can read.
pub(super) fn version(connection: &Connection, path: &Path) -> Result<usize, BackupError> {
    match schema::version(connection).map_err(failed(path))? {
        Some(found) if found > schema::VERSION => {
            Err(BackupError::NewerSchema { path: path.into(), found, known: schema::VERSION })
        }
        Some(0) | None => Err(BackupError::Damaged { path: path.into(), said: "no database of this program".into() }),
        Some(version) => Ok(version),
    }
}

/// SQLite has no checksums: a byte that has changed in a message shows by its signature alone.
fn read_all(path: &Path) -> Result<(), BackupError> {
    let connection = open(path)?;
    let mut statement = connection.prepare(&format!("SELECT {COLUMNS} FROM requests")).map_err(failed(path))?;
    let mut rows = statement.query([]).map_err(failed(path))?;
    while let Some(row) = rows.next().map_err(failed(path))? {
        let damaged = |said| BackupError::Damaged { path: path.into(), said };
        let record = rows::record(row).map_err(|error| damaged(error.to_string()))?;
        if !holds(&record) {
            return Err(damaged(format!("the signature of {} does not verify", record.id)));
        }
    }
    Ok(())
}

fn holds(record: &Record) -> bool {
    let Some(End::Signed { signature, .. }) = &record.end else { return true };
    PublicKey::admit(record.public_key)
        .is_ok_and(|key| Signable::Message(&record.message).verify(&key, signature).is_ok())
}

pub(super) fn open(path: &Path) -> Result<Connection, BackupError> {
    // No `SQLITE_OPEN_URI`: a path is a path, whatever characters it has.
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed(path))?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed(path))?;
    Ok(connection)
}
