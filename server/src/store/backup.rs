//! A copy of a data directory, made while a server uses it.

use super::{
    files::{private_directory, private_file, sync_directory},
    key,
    open::DATABASE,
    schema,
};
use rusqlite::{Connection, OpenFlags};
use std::{
    error::Error as StdError,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use thiserror::Error;

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
    /// The size of the database, in bytes.
    pub bytes: u64,
}

/// Why there is no backup. What was there of an earlier one is left as it was.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BackupError {
    /// There is no database to copy.
    #[error("{} is not there: nothing to back up", .0.display())]
    Missing(PathBuf),
    /// Both are one.
    #[error("{} is the data directory itself", .0.display())]
    Same(PathBuf),
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
        /// What SQLite's check says.
        said: String,
    },
    /// A file could not be read or written.
    #[error("{}: {cause}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the database or the system says.
        cause: Box<dyn StdError + Send + Sync>,
    },
}

/// Copies the database of a data directory, as it is at one moment, and the server's key into another directory, which is made where there
/// is none. An earlier backup there is replaced once the new one has been checked. A server may use the data directory meanwhile,
/// and is not held up. Blocks.
///
/// # Errors
/// [`BackupError`], which names the file.
pub fn backup(data_dir: &Path, target: &Path) -> Result<BackedUp, BackupError> {
    let source = data_dir.join(DATABASE);
    if !source.exists() {
        return Err(BackupError::Missing(source));
    }
    private_directory(target).map_err(failed(target))?;
    let same = |one: &Path, other: &Path| fs::canonicalize(one).ok() == fs::canonicalize(other).ok();
    if same(data_dir, target) {
        return Err(BackupError::Same(target.into()));
    }
    let copy = target.join(DATABASE);
    let partial = Partial::beside(&copy)?;
    snapshot(&source, &partial.0)?;
    let backed_up = check(&partial.0)?;
    replace_key(data_dir, target)?;
    partial.put(&copy)?;
    sync_directory(target).map_err(failed(target))?;
    Ok(backed_up)
}

/// Copies the database in one transaction that only reads.
fn snapshot(source: &Path, to: &Path) -> Result<(), BackupError> {
    let connection = open(source)?;
    match schema::version(&connection).map_err(failed(source))? {
        Some(found) if found > schema::VERSION => {
            return Err(BackupError::NewerSchema { path: source.into(), found, known: schema::VERSION });
        }
        Some(0) | None => {
            return Err(BackupError::Damaged { path: source.into(), said: "no database of this program".into() });
        }
        Some(_) => {}
    }
    let name = to.to_str().ok_or_else(|| failed(to)(io::Error::from(io::ErrorKind::InvalidFilename)))?;
    connection.execute("VACUUM INTO ?1", [name]).map_err(failed(to))?;
    Ok(())
}

/// Whether a copy is whole, and what it has.
fn check(copy: &Path) -> Result<BackedUp, BackupError> {
    let connection = open(copy)?;
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
        bytes: copy.metadata().map_err(failed(copy))?.len(),
    })
}

fn open(path: &Path) -> Result<Connection, BackupError> {
    // No `SQLITE_OPEN_URI`: a path is a path, whatever characters it has.
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed(path))?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed(path))?;
    Ok(connection)
}

/// The key never changes; a data directory of an embedded service has none.
fn replace_key(data_dir: &Path, target: &Path) -> Result<(), BackupError> {
    let (source, copy) = (data_dir.join(key::FILE), target.join(key::FILE));
    if !source.exists() {
        return Ok(());
    }
    let partial = Partial::beside(&copy)?;
    let mut to = private_file(&partial.0).map_err(failed(&partial.0))?;
    let mut from = File::open(&source).map_err(failed(&source))?;
    io::copy(&mut from, &mut to).map_err(failed(&partial.0))?;
    partial.put(&copy)
}

/// A file that is not complete, and is removed unless it becomes so.
struct Partial(PathBuf);

impl Partial {
    /// An empty one, for this user alone.
    fn beside(file: &Path) -> Result<Self, BackupError> {
        let partial = file.with_extension("partial");
        match fs::remove_file(&partial) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&partial)(error)),
            Ok(()) | Err(_) => {}
        }
        drop(private_file(&partial).map_err(failed(&partial))?);
        Ok(Self(partial))
    }

    /// Gives it its name, once it is on the disk.
    fn put(self, name: &Path) -> Result<(), BackupError> {
        File::open(&self.0).and_then(|file| file.sync_all()).map_err(failed(&self.0))?;
        fs::rename(&self.0, name).map_err(failed(name))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // After its renaming there is none.
        let _ = fs::remove_file(&self.0);
    }
}

fn failed<E: Into<Box<dyn StdError + Send + Sync>>>(path: &Path) -> impl FnOnce(E) -> BackupError {
    move |cause| BackupError::Io { path: path.into(), cause: cause.into() }
}
