//! The socket on which `countersign reload` asks, and hears what came of it.
//!
//! A signal says nothing back, and a process id that was written down may be another process's by now. A socket is the server's own, and
//! who asks is known to the kernel: its user or root, and nobody else, whatever the mode of the file.

use super::Reloader;
use crate::http::settings::SettingsError;
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    os::unix::{
        fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
        net::UnixStream as BlockingStream,
    },
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
    time::{sleep, timeout},
};

/// What is asked.
const RELOAD: &[u8] = b"reload\n";

/// How long a client has to ask, and to take the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long to wait after the system could give no socket.
const PAUSE: Duration = Duration::from_millis(100);

/// What came of a reload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// What has changed.
    Reloaded(String),
    /// Everything for which nothing has.
    Refused(Vec<String>),
}

/// A socket that is bound; its file goes with it.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    owner: u32,
}

impl ControlSocket {
    /// Binds it, in the place of one that a process has left that is gone. To be called within a runtime.
    ///
    /// # Errors
    /// [`SettingsError::ControlSocket`].
    pub fn bind(path: &Path) -> Result<Self, SettingsError> {
        Self::try_bind(path).map_err(|error| SettingsError::ControlSocket(path.into(), error))
    }

    fn try_bind(path: &Path) -> io::Result<Self> {
        match fs::symlink_metadata(path) {
            Ok(there) if !there.file_type().is_socket() => {
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file that is no socket"));
            }
            Ok(_) if BlockingStream::connect(path).is_ok() => {
                return Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens there"));
            }
            Ok(_) => fs::remove_file(path)?,
            Err(_) => {}
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, path: path.into(), owner: fs::metadata(path)?.uid() })
    }

    /// Does what is asked, one after the other, for as long as it is polled.
    pub async fn serve(self, reloader: Reloader) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => self.answer(stream, &reloader).await,
                Err(error) => {
                    tracing::warn!(%error, "no connection to the control socket could be accepted");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn answer(&self, mut stream: UnixStream, reloader: &Reloader) {
        let is_allowed = stream.peer_cred().is_ok_and(|peer| peer.uid() == self.owner || peer.uid() == 0);
        if !is_allowed {
            tracing::warn!("somebody else than the server's user asked for a reload");
            return;
        }
        let mut asked = [0; RELOAD.len()];
        // Whoever hangs up or asks for something else is told nothing.
        if !matches!(timeout(PATIENCE, stream.read_exact(&mut asked)).await, Ok(Ok(_))) || asked != RELOAD {
            return;
        }
        let reply = match reloader.reload().await {
            Ok(report) => Reply::Reloaded(report.to_string()),
            Err(mistakes) => Reply::Refused(mistakes.iter().map(ToString::to_string).collect()),
        };
        // Nothing in it has a form that JSON lacks.
        let text = serde_json::to_vec(&reply).unwrap_or_default();
        let _ = timeout(PATIENCE, stream.write_all(&text)).await;
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // Another process may have taken the place of one that was thought to be gone; who cannot remove it has nothing to say.
        let _ = fs::remove_file(&self.path);
    }
}

/// Asks the server behind a socket to reload, and waits until it has. Blocks.
///
/// # Errors
/// Where no server listens there, or it does not answer.
pub fn ask(path: &Path) -> io::Result<Reply> {
    use std::io::{Read as _, Write as _};
    let mut stream = BlockingStream::connect(path)?;
    stream.write_all(RELOAD)?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text)?;
    if text.is_empty() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it answers to its own user and to root only"));
    }
    Ok(serde_json::from_slice(&text)?)
}
