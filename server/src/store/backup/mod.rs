//! A copy of a data directory, made while a server uses it.

mod check;
mod error;

use super::{
    files::{private_directory, private_file, sync_directory},
    key,
    open::DATABASE,
};
pub use check::{BackedUp, Verified, verify_backup};
pub use error::BackupError;
use error::failed;
use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

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
    let _lock = lock(target)?;
    let copy = target.join(DATABASE);
    let partial = Partial::beside(&copy)?;
    snapshot(&source, &partial.0)?;
    let backed_up = check::check(&partial.0)?;
    replace_key(data_dir, target)?;
    partial.put(&copy)?;
    sync_directory(target).map_err(failed(target))?;
    Ok(backed_up)
}

/// Keeps out another backup into the same directory, whose files have the same names. It is over with the file that is given back.
fn lock(target: &Path) -> Result<Option<File>, BackupError> {
    // Elsewhere directories cannot be opened; and on some file systems they cannot be locked, where nobody is kept out.
    if cfg!(not(unix)) {
        return Ok(None);
    }
    let directory = File::open(target).map_err(failed(target))?;
    match directory.try_lock() {
        Err(TryLockError::WouldBlock) => Err(BackupError::InUse(target.into())),
        Ok(()) | Err(TryLockError::Error(_)) => Ok(Some(directory)),
    }
}

/// Copies the database in one transaction that only reads.
fn snapshot(source: &Path, to: &Path) -> Result<(), BackupError> {
    let connection = check::open(source)?;
    check::version(&connection, source)?;
    let name = to.to_str().ok_or_else(|| failed(to)(io::Error::from(io::ErrorKind::InvalidFilename)))?;
    connection.execute("VACUUM INTO ?1", [name]).map_err(failed(to))?;
    Ok(())
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
