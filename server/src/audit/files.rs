//! The files of a log: the one that is written, and those before it, which are only renamed.

use super::{
    chain::Head,
    error::AuditError,
    line::{Line, read_line},
    verifier::{Resumed, Verifier},
};
use crate::store::sync_directory;
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufReader, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

/// The file that is written.
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    /// What is in it and on disk. Whatever else there may be is the rest of a write that failed, and is written again.
    bytes: u64,
}

impl LogFile {
    /// Opens the file, or makes it, for this process alone, and finds out how the log goes on.
    pub(super) fn open(path: &Path) -> Result<(Self, Resumed), AuditError> {
        let failed = |source| AuditError::Io { path: path.to_owned(), source };
        let file = open(path, OpenOptions::new().create(true)).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(AuditError::InUse(path.to_owned())),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        sync_directory(directory_of(path)).map_err(failed)?;
        let mut resumed = resume(&[path])?;
        if resumed.head == Head::NONE
            && let Some(before) = newest_rotated(path).map_err(failed)?
        {
            // A file that has just begun says nothing of the log; the one before does.
            resumed = resume(&[&before, path])?;
        }
        let bytes = file.metadata().map_err(failed)?.len();
        Ok((Self { path: path.to_owned(), file, bytes }, resumed))
    }

    /// What is in it, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds `lines`, which are on disk when this has succeeded. After a failure the same lines have to be given again: they go to the
    /// same place, so that no half of them stays.
    pub(super) fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.bytes))?;
        self.file.write_all(lines)?;
        self.file.sync_data()?;
        self.bytes += lines.len() as u64;
        Ok(())
    }

    /// Begins another file; this one, whose last entry is given, keeps its lines under the name that is returned.
    pub(super) fn rotate(&mut self, last: u64) -> io::Result<String> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let hidden = self.path.with_file_name(format!(".{name}.new"));
        let new = open(&hidden, OpenOptions::new().create(true).truncate(true))?;
        new.try_lock().map_err(io::Error::from)?;
        let rotated = self.path.with_file_name(format!("{name}.{last:012}"));
        fs::rename(&self.path, &rotated)?;
        fs::rename(&hidden, &self.path)?;
        sync_directory(directory_of(&self.path))?;
        (self.file, self.bytes) = (new, 0);
        Ok(format!("{name}.{last:012}"))
    }
}

fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    // Whoever may read the log shares the group.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o640);
    options.read(true).write(true).open(path)
}

/// Feeds the lines of files to a verifier until one is wrong beyond what a crash leaves.
pub(super) fn feed(verifier: &mut Verifier<'_>, path: &Path) -> Result<(), AuditError> {
    let failed = |source| AuditError::Io { path: path.to_owned(), source };
    let wrong = |(line, reason)| AuditError::Wrong { path: path.to_owned(), line, reason };
    let mut reader = BufReader::with_capacity(1 << 16, File::open(path).map_err(failed)?);
    let mut line = Vec::new();
    while read_line(&mut reader, &mut line).map_err(failed)? {
        verifier.take(&line).map_err(wrong)?;
    }
    Ok(())
}

/// The files by the numbers of their first entries, whatever they are called. One without any entry comes last.
pub(super) fn in_order(files: &[PathBuf]) -> Result<Vec<&Path>, AuditError> {
    let mut numbered = Vec::new();
    for path in files {
        let first = first_number(path).map_err(|source| AuditError::Io { path: path.clone(), source })?;
        numbered.push((first.unwrap_or(u64::MAX), path.as_path()));
    }
    numbered.sort_by_key(|(first, _)| *first);
    Ok(numbered.into_iter().map(|(_, path)| path).collect())
}

fn first_number(path: &Path) -> io::Result<Option<u64>> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut line = Vec::new();
    while read_line(&mut reader, &mut line)? {
        if let Ok(line) = Line::parse(&line) {
            return Ok(Some(line.seq));
        }
    }
    Ok(None)
}

fn resume(paths: &[&Path]) -> Result<Resumed, AuditError> {
    let mut verifier = Verifier::default();
    for path in paths {
        verifier.begin_file().map_err(|(line, reason)| AuditError::Wrong { path: (*path).to_owned(), line, reason })?;
        feed(&mut verifier, path)?;
    }
    Ok(verifier.resume())
}

/// The file of the log that was written before this one, by the number in its name.
fn newest_rotated(path: &Path) -> io::Result<Option<PathBuf>> {
    let own = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let number = |name: &str| name.strip_prefix(&own)?.strip_prefix('.')?.parse::<u64>().ok();
    let mut newest = None;
    for entry in fs::read_dir(directory_of(path))? {
        let entry = entry?;
        if let Some(number) = number(&entry.file_name().to_string_lossy()) {
            newest = newest.max(Some((number, entry.path())));
        }
    }
    Ok(newest.map(|(_, path)| path))
}

/// The directory that a file is in.
fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
