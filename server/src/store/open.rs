//! Opening a store: the directory, the lock, the schema, what is in it.

use super::{
    KeyFileError, Loaded,
    columns::Unreadable,
    database::Database,
    error::DbError,
    files::{private_directory, private_file, sync_directory},
    key,
    quota::Limits,
    reads,
    reserve::Reserve,
    retention::{DEFAULT_MAX_BYTES, DEFAULT_RETENTION, LATE, MAX_LATE, before},
    schema,
};
use crate::time::Timestamp;
use rusqlite::ErrorCode;
use std::{
    error::Error as StdError,
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use thiserror::Error;

pub(super) const DATABASE: &str = "countersign.db";
const LOCK: &str = "countersign.lock";

/// The least a store can do anything in, in bytes.
pub(crate) const MIN_MAX_BYTES: u64 = 256 * 1024;

/// Where a store is, and how much it keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// The directory; made, for this user alone, where there is none.
    pub dir: PathBuf,
    /// How long a request is kept after its end. Seven days if not set.
    pub retention: Duration,
    /// The most the database may take on the disk, in bytes, besides a log of up to 16 MiB. 1 GiB if not set, 256 KiB at least.
    pub max_bytes: u64,
    /// Percent of that which requests of one requester may take, ended ones that are still kept included; beyond it they are refused with
    /// [`SigningError::RequesterLimit`](crate::SigningError::RequesterLimit). 100, for no limit, if not set.
    pub max_share_percent: u8,
}

impl StoreConfig {
    /// A store in this directory.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), retention: DEFAULT_RETENTION, max_bytes: DEFAULT_MAX_BYTES, max_share_percent: 100 }
    }
}

/// Why a store cannot be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The directory cannot be made, or nothing can be written in it.
    #[error("the data directory {} cannot be made or written to", .path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process has it, or another store of this one.
    #[error("the data directory {} is in use by another process", .path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// There is a key, and nothing of the requests that were taken under it.
    #[error(
        "{} is empty or missing, but {} is there: put the database back from a backup, or take the key away to begin anew",
        .path.display(), .key.display()
    )]
    Lost {
        /// The database.
        path: PathBuf,
        /// The server's key.
        key: PathBuf,
    },
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
    /// It is no database, or none that this program has written, or damaged.
    #[error("{} is damaged, or no database of this program", .path.display())]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// What the database says.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// It could not be read or written.
    #[error("{} cannot be read or written", .path.display())]
    Io {
        /// The database, or a file beside it.
        path: PathBuf,
        /// What the database or the system says.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The server's key beside it cannot be used.
    #[error(transparent)]
    Key(#[from] KeyFileError),
}

/// A store that has been opened, and what its thread is to begin with.
pub(super) struct Opened {
    pub(super) lock: File,
    pub(super) database: Database,
    pub(super) limits: Limits,
    pub(super) reserve: Reserve,
    pub(super) loaded: Loaded,
}

pub(super) fn open(config: &StoreConfig, now: Timestamp) -> Result<Opened, OpenError> {
    let lock = lock(&config.dir)?;
    let path = config.dir.join(DATABASE);
    let failed = |source: io::Error| OpenError::Io { path: path.clone(), source: source.into() };
    // Requests that a server has promised to keep are not to be forgotten because a file was.
    let key = config.dir.join(key::FILE);
    if path.metadata().map_or(0, |metadata| metadata.len()) == 0 && key.exists() {
        return Err(OpenError::Lost { path, key });
    }
    // SQLite gives its other files the mode of this one.
    drop(private_file(&path).map_err(failed)?);
    sync_directory(&config.dir).map_err(failed)?;
    let max_bytes = config.max_bytes.max(MIN_MAX_BYTES);
    let database = database(&path, max_bytes)?;
    let loaded = load(&database, now).map_err(|error| classify(&path, error))?;
    let limits = Limits { max_bytes, max_share_percent: config.max_share_percent };
    Ok(Opened { lock, database, limits, reserve: Reserve::in_directory(&config.dir), loaded })
}

/// Held as long as the store is open. SQLite's own lock would do between processes, but not within one.
fn lock(dir: &Path) -> Result<File, OpenError> {
    let unusable = |source| OpenError::Directory { path: dir.to_owned(), source };
    private_directory(dir).map_err(unusable)?;
    let path = dir.join(LOCK);
    let file = private_file(&path).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(OpenError::Io { path, source: source.into() }),
    }
}

/// Opens the database again after it had failed, behind the same lock, and reads what is in it: everything that is read then has been synced
/// anew.
pub(super) fn reopen(dir: &Path, max_bytes: u64, now: Timestamp) -> Result<(Database, Loaded), OpenError> {
    let path = dir.join(DATABASE);
    let database = database(&path, max_bytes)?;
    let loaded = load(&database, now).map_err(|error| classify(&path, error))?;
    Ok((database, loaded))
}

fn database(path: &Path, max_bytes: u64) -> Result<Database, OpenError> {
    let classify = |error| classify(path, error);
    let database = Database::open(path).map_err(classify)?;
    let found = match schema::version(&database.connection).map_err(classify)? {
        Some(version) if version > schema::VERSION => {
            return Err(OpenError::NewerSchema { path: path.to_owned(), found: version, known: schema::VERSION });
        }
        Some(version) => version,
        None => return Err(classify(Unreadable("user_version").into())),
    };
    database.configure(max_bytes).map_err(classify)?;
    schema::migrate(&database.connection, found).map_err(classify)?;
    database.settle().map_err(classify)?;
    Ok(database)
}

fn load(database: &Database, now: Timestamp) -> Result<Loaded, DbError> {
    let connection = &database.connection;
    Ok(Loaded {
        open: reads::open_requests(connection)?,
        ended: reads::ended_since(connection, before(now, LATE), MAX_LATE)?,
    })
}

fn classify(path: &Path, error: DbError) -> OpenError {
    let code = match &error {
        DbError::Sqlite(error) => error.sqlite_error_code(),
        DbError::Column(_) => Some(ErrorCode::DatabaseCorrupt),
        DbError::Unsettled => Some(ErrorCode::DatabaseBusy),
        DbError::Setting(_) => None,
    };
    let path = path.to_owned();
    match code {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            OpenError::InUse { path: path.parent().map_or_else(|| path.clone(), Path::to_owned) }
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => OpenError::Corrupt { path, source: error.into() },
        // A decoding error without a code of SQLite's is a value of the wrong type.
        None if matches!(error, DbError::Sqlite(_)) => OpenError::Corrupt { path, source: error.into() },
        Some(_) | None => OpenError::Io { path, source: error.into() },
    }
}
