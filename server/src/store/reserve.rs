//! Disk space kept for the day when there is none: an end that somebody waits for has to be written even then.

use super::files::private_file;
use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

const FILE: &str = "countersign.reserve";
/// Twice what the log takes until it is taken over into the database, where an end finds its request's page. So it lasts.
const BYTES: usize = 8 * 1024 * 1024;
/// How long to wait before what was given up is set aside again.
const REST: Duration = Duration::from_secs(60);

/// A file of which nothing is read.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    /// When it was given up, or could not be made; none while it is there.
    missing_since: Option<Instant>,
}

impl Reserve {
    /// That of a data directory, made if there is room.
    pub(super) fn in_directory(dir: &Path) -> Self {
        let mut reserve = Self { path: dir.join(FILE), missing_since: None };
        reserve.make();
        reserve
    }

    /// Gives the space to whoever writes next; false if that has been done.
    pub(super) fn release(&mut self) -> bool {
        if self.missing_since.is_some() {
            return false;
        }
        self.missing_since = Some(Instant::now());
        fs::remove_file(&self.path).is_ok()
    }

    /// Sets space aside again, some time after it was given up.
    pub(super) fn restore(&mut self) {
        if self.missing_since.is_some_and(|since| since.elapsed() >= REST) {
            self.make();
        }
    }

    fn make(&mut self) {
        self.missing_since = None;
        if fill(&self.path).is_err() {
            // Half of it helps nobody.
            let _ = fs::remove_file(&self.path);
            self.missing_since = Some(Instant::now());
        }
    }
}

/// A file that only says how long it is takes no space, so it is written.
fn fill(path: &Path) -> io::Result<()> {
    let mut file = private_file(path)?;
    if file.metadata()?.len() == BYTES as u64 {
        return Ok(());
    }
    file.set_len(0)?;
    let zeros = [0; 64 * 1024];
    for _ in 0..BYTES / zeros.len() {
        file.write_all(&zeros)?;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_there_until_it_is_needed_and_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut reserve = Reserve::in_directory(dir.path());
        let file = dir.path().join(FILE);
        assert_eq!(file.metadata().unwrap().len(), BYTES as u64);
        assert!(reserve.release() && !file.exists());
        assert!(!reserve.release());
        reserve.restore();
        assert!(!file.exists(), "not at once, or it would be in the way of what it was given up for");
        drop(Reserve::in_directory(dir.path()));
        assert!(file.exists());
    }

    #[test]
    fn a_short_one_is_made_whole() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), b"cut off").unwrap();
        drop(Reserve::in_directory(dir.path()));
        assert_eq!(dir.path().join(FILE).metadata().unwrap().len(), BYTES as u64);
    }
}
