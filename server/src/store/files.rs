//! Directories and files that are nobody else's to read.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Read as _},
    path::Path,
};
use thiserror::Error;
use zeroize::Zeroizing;

/// Why a secret cannot be read from a file.
#[derive(Debug, Error)]
pub(crate) enum PrivateFileError {
    #[error("it cannot be read")]
    Io(#[from] io::Error),
    /// By its mode.
    #[error("it may be read by others (mode {0:03o}); it has to be 600")]
    Readable(u32),
    #[error("it has more than {0} bytes")]
    Long(u16),
}

/// The text of a file that nobody but this user may read.
pub(crate) fn read_private(file: File, max_bytes: u16) -> Result<Zeroizing<String>, PrivateFileError> {
    refuse_readable(&file)?;
    // Of its full size from the start, since growing would leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(usize::from(max_bytes) + 1));
    file.take(u64::from(max_bytes) + 1).read_to_string(&mut text)?;
    if text.len() > max_bytes.into() { Err(PrivateFileError::Long(max_bytes)) } else { Ok(text) }
}

#[cfg(unix)]
fn refuse_readable(file: &File) -> Result<(), PrivateFileError> {
    use std::os::unix::fs::MetadataExt as _;
    match file.metadata()?.mode() & 0o777 {
        mode if mode & 0o077 != 0 => Err(PrivateFileError::Readable(mode)),
        _ => Ok(()),
    }
}

/// Elsewhere who may read a file is not a matter of its mode.
#[cfg(not(unix))]
fn refuse_readable(_: &File) -> Result<(), PrivateFileError> {
    Ok(())
}

/// Makes the directory, for this user alone, and those it is in, where there is none, so that they outlast a loss of power.
/// One that is there is left as it is: its mode is the operator's.
pub(super) fn private_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Err(io::ErrorKind::NotADirectory.into()),
    };
    private_directory(parent)?;
    let mut builder = DirBuilder::new();
    // Not an error if somebody else has made it meanwhile.
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    sync_directory(parent)
}

/// Opens a file for reading and writing, for this user alone, and makes it where there is none.
pub(super) fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(file)
}

/// Makes sure that the names in a directory outlast a loss of power. Only unix lets one.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}
