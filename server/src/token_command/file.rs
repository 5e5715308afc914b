//! The file of tokens: read, written whole or not at all, and the server told.

use crate::settings_command::Mistakes;
use countersign_server::http::{Reply, Settings, TokenEntry, ask};
use serde::Serialize;
use std::{
    error::Error,
    fs::{self, File},
    io::{ErrorKind, Write as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;

/// What a file of tokens begins with.
const HEAD: &str = "# Written by `countersign token`. What is not a [[token]] is lost.\n\n";

/// A new file is its owner's alone.
const NEW_MODE: u32 = 0o600;

/// The file, and the server that reads it.
pub(super) struct TokensFile {
    pub(super) path: PathBuf,
    /// Held while the file is read and written, so that of two commands neither loses what the other does.
    _lock: File,
    control_socket: Option<PathBuf>,
}

#[derive(Serialize)]
struct Written<'a> {
    token: &'a [TokenEntry],
}

impl TokensFile {
    /// The file, and what is in it.
    pub(super) fn open(
        path: PathBuf,
        control_socket: Option<PathBuf>,
    ) -> Result<(Self, Vec<TokenEntry>), Box<dyn Error>> {
        // A link stays one.
        let path = fs::canonicalize(&path).unwrap_or(path);
        let lock = lock(&path).map_err(|error| format!("--tokens-file {}: {error}", path.display()))?;
        let tokens = if path.exists() { Settings::from_file(&path).map_err(Mistakes)?.token } else { Vec::new() };
        Ok((Self { path, _lock: lock, control_socket }, tokens))
    }

    /// Writes the file, whole or not at all, with the mode and owner it has, and has the server read it.
    #[allow(clippy::print_stdout)]
    pub(super) fn write(self, tokens: &[TokenEntry]) -> Result<(), Box<dyn Error>> {
        let text = format!("{HEAD}{}", toml::to_string(&Written { token: tokens })?);
        replace(&self.path, &text).map_err(|error| format!("--tokens-file {}: {error}", self.path.display()))?;
        let Some(socket) = &self.control_socket else {
            println!("Written to {}; it holds when the server has read it: countersign reload", self.path.display());
            return Ok(());
        };
        let untold =
            |why: String| format!("{} is written, and the server has not taken it: {why}", self.path.display());
        match ask(socket) {
            Ok(Reply::Reloaded(report)) => {
                println!("Written to {}, and taken by the server; {report}", self.path.display());
                Ok(())
            }
            Ok(Reply::Refused(mistakes)) => Err(untold(mistakes.join("\ncountersign: ")).into()),
            // As before the first start.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
                let (path, socket) = (self.path.display(), socket.display());
                println!("Written to {path}; no server is at {socket}, and the next one takes it when it starts");
                Ok(())
            }
            Err(error) => Err(untold(format!("--control-socket {}: {error}", socket.display())).into()),
        }
    }
}

fn folder(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn lock(file: &Path) -> std::io::Result<File> {
    let folder = File::open(folder(file))?;
    folder.lock()?;
    Ok(folder)
}

fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let mut next = NamedTempFile::new_in(folder(file))?;
    next.write_all(text.as_bytes())?;
    match fs::metadata(file) {
        Ok(before) => {
            let now = next.as_file().metadata()?;
            if (now.uid(), now.gid()) != (before.uid(), before.gid()) {
                chown(next.path(), Some(before.uid()), Some(before.gid()))?;
            }
            next.as_file().set_permissions(before.permissions())?;
        }
        Err(_) => next.as_file().set_permissions(fs::Permissions::from_mode(NEW_MODE))?,
    }
    next.as_file().sync_all()?;
    next.persist(file)?;
    File::open(folder(file))?.sync_all()
}
