//! The connection: its settings, its transactions, its log.

use super::{
    columns::{Columns, Unreadable},
    error::DbError,
};
use rusqlite::{Connection, OpenFlags, Row, config::DbConfig, hooks::Wal, types::FromSql};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

/// The write-ahead log is taken over into the database when it has this many pages: 4 MiB, as SQLite itself would.
const CHECKPOINT_PAGES: i32 = 1000;
/// A log that one large transaction has made longer than this is cut back to it, in bytes.
const LOG_BYTES: u32 = 16 * 1024 * 1024;
/// How long another tool's lock on the database is waited for. Reading takes none that concerns us, as a backup does.
const BUSY_TIMEOUT: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 5000 });
/// More statements than there are.
const CACHED_STATEMENTS: usize = 64;

impl Columns for Row<'_> {
    fn integer(&self, column: &'static str) -> Result<Option<i64>, Unreadable> {
        column_of(self, column)
    }

    fn text(&self, column: &'static str) -> Result<Option<String>, Unreadable> {
        column_of(self, column)
    }

    fn bytes(&self, column: &'static str) -> Result<Option<Vec<u8>>, Unreadable> {
        column_of(self, column)
    }
}

fn column_of<T: FromSql>(row: &Row<'_>, column: &'static str) -> Result<Option<T>, Unreadable> {
    row.get(column).map_err(|_| Unreadable(column))
}

/// An open database that nobody else writes.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) connection: Connection,
    /// How many pages the write-ahead log had after the last commit.
    log_pages: Arc<AtomicI32>,
    /// What the next commits are to fail with.
    #[cfg(test)]
    pub(super) faults: std::collections::VecDeque<i32>,
}

impl Database {
    /// Opens the file, which has to be there. Others may read it meanwhile: a backup.
    pub(super) fn open(path: &Path) -> Result<Self, DbError> {
        // No `SQLITE_OPEN_URI`: a path is a path, whatever characters it has.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
        let log_pages = Arc::new(AtomicI32::new(0));
        let counter = Arc::clone(&log_pages);
        // In place of SQLite's own hook, which would take over the log while callers wait, and keep errors of that to itself.
        connection.wal_hook(Some(move |_: &mut Wal, pages| {
            counter.store(pages, Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self {
            connection,
            log_pages,
            #[cfg(test)]
            faults: std::collections::VecDeque::new(),
        })
    }

    /// Settings that a connection begins with. Nothing may have been written before.
    pub(super) fn configure(&self, max_bytes: u64) -> Result<(), DbError> {
        let set = |name, value: &dyn rusqlite::ToSql| self.connection.pragma_update(None, name, value);
        let mode: String = self.connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
        if mode != "wal" {
            return Err(DbError::Setting("journal_mode=WAL"));
        }
        // A commit is an fsync of the log.
        set("synchronous", &"FULL")?;
        set("foreign_keys", &true)?;
        set("trusted_schema", &false)?;
        set("temp_store", &"MEMORY")?;
        set("journal_size_limit", &LOG_BYTES)?;
        self.allow_bytes(max_bytes)
    }

    /// Lets it become so large.
    pub(super) fn allow_bytes(&self, max_bytes: u64) -> Result<(), DbError> {
        let pages = i64::try_from(max_bytes / self.page_bytes()?).unwrap_or(i64::MAX).min(i64::from(u32::MAX - 1));
        self.connection.pragma_update(None, "max_page_count", pages)?;
        Ok(())
    }

    pub(super) fn page_bytes(&self) -> Result<u64, DbError> {
        let bytes: u32 = self.connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
        Ok(u64::from(bytes).max(1))
    }

    /// How many pages of the database are in use.
    pub(super) fn used_pages(&self) -> Result<u64, DbError> {
        let count = |sql| self.connection.prepare_cached(sql)?.query_row([], |row| row.get::<_, u32>(0));
        Ok(u64::from(count("PRAGMA page_count")?.saturating_sub(count("PRAGMA freelist_count")?)))
    }

    pub(super) fn begin(&self) -> Result<(), DbError> {
        self.run("BEGIN IMMEDIATE")
    }

    /// Returns when everything since `begin` is on the disk.
    pub(super) fn commit(&mut self) -> Result<(), DbError> {
        #[cfg(test)]
        if let Some(code) = self.faults.pop_front() {
            return Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None).into());
        }
        self.run("COMMIT")
    }

    /// Undoes everything since `begin`. SQLite has done so itself after some errors.
    pub(super) fn roll_back(&self) -> Result<(), DbError> {
        if self.connection.is_autocommit() { Ok(()) } else { self.run("ROLLBACK") }
    }

    /// Takes over the log, where it has grown long enough, so that it does not grow for ever. As long as somebody reads what was there
    /// before, it cannot be begun anew.
    pub(super) fn checkpoint_if_due(&self) -> Result<(), DbError> {
        if self.log_pages.load(Ordering::Relaxed) < CHECKPOINT_PAGES {
            return Ok(());
        }
        if self.checkpoint()? {
            self.log_pages.store(0, Ordering::Relaxed);
        }
        Ok(())
    }

    /// By how much the log is longer than it has to be, in bytes: somebody has been reading for long.
    pub(super) fn overgrown_bytes(&self) -> Result<u64, DbError> {
        let pages = u64::try_from(self.log_pages.load(Ordering::Relaxed)).unwrap_or(0);
        Ok(pages.saturating_mul(self.page_bytes()?).saturating_sub(LOG_BYTES.into()))
    }

    /// Takes over the whole log: afterwards everything that was ever committed has been synced into the database by this process,
    /// whatever became of the fsyncs of an earlier one.
    pub(super) fn settle(&self) -> Result<(), DbError> {
        if self.checkpoint()? { Ok(()) } else { Err(DbError::Unsettled) }
    }

    /// Closes without touching the files: what is in the log stays there for the next process to find.
    pub(super) fn abandon(self) {
        // If the setting is refused, the log is taken over as at any other close, from pages that had been synced before.
        let _ = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    }

    /// Takes over of the log what nobody reads any more; whether that is all of it.
    fn checkpoint(&self) -> Result<bool, DbError> {
        let mut statement = self.connection.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?;
        Ok(statement.query_row([], |row| {
            let (busy, pages, taken_over): (bool, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(!busy && pages == taken_over)
        })?)
    }

    fn run(&self, sql: &str) -> Result<(), DbError> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }
}
