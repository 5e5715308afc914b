//! A machine whose clock is set and whose disk is slow or broken, for one server.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::Path,
    process::Command,
    time::Duration,
};
use tempfile::TempDir;

/// What a server that is started with its [`Machine::environment`] takes for the machine it is on.
pub struct Machine {
    folder: TempDir,
    file: File,
}

/// Where each is in the shared file; `machine.c` has the same.
const CLOCK_MS: u64 = 0;
const SYNC_MS: u64 = 8;
const BROKEN: u64 = 16;

impl Machine {
    /// One that works. Needs the C compiler that Rust links with.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("machine.c");
        fs::write(&source, include_str!("machine.c")).unwrap();
        let library = folder.path().join("machine.so");
        let built = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).status();
        assert!(built.unwrap().success(), "cc builds machine.c");
        let path = folder.path().join("state");
        fs::write(&path, [0; 24]).unwrap();
        let file = File::options().write(true).open(path).unwrap();
        Self { folder, file }
    }

    /// What puts a process on it.
    pub fn environment(&self) -> [(&'static str, std::path::PathBuf); 2] {
        let path = |name: &str| Path::new(self.folder.path()).join(name);
        [("LD_PRELOAD", path("machine.so")), ("CHAOS_MACHINE", path("state"))]
    }

    /// Sets its clock, so many seconds ahead of this machine's.
    pub fn set_clock(&self, ahead_s: i64) {
        self.put(CLOCK_MS, ahead_s * 1000);
    }

    /// Has every sync take so long.
    pub fn slow_down(&self, sync: Duration) {
        self.put(SYNC_MS, i64::try_from(sync.as_millis()).unwrap());
    }

    /// Has every sync fail, or none.
    pub fn break_disk(&self, broken: bool) {
        self.put(BROKEN, i64::from(broken));
    }

    fn put(&self, at: u64, value: i64) {
        self.file.write_all_at(&value.to_ne_bytes(), at).unwrap();
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}
