//! A service manager as systemd is one: it holds the socket, hands it to one process after the other, and is told how each of them is.

use crate::{ServerProcess, within};
use std::{
    ffi::OsStr,
    net::{SocketAddr, TcpListener},
    os::fd::OwnedFd,
    process::Stdio,
    time::Duration,
};
use tempfile::TempDir;
use tokio::{net::UnixDatagram, process::Command};

/// Has the socket as file descriptor 3, as `sd_listen_fds(3)` has it; the process id stays when the shell becomes the program.
const HAND_OVER: &str = "exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=${LISTEN_FDS:-1}; \
                         export LISTEN_PID LISTEN_FDS; exec \"$0\" \"$@\"";

/// Holds a listening socket and a socket for notifications.
#[derive(Debug)]
pub struct ServiceManager {
    listener: TcpListener,
    notifications: UnixDatagram,
    folder: TempDir,
}

impl ServiceManager {
    /// Listens on a port that the system chooses. Until a process is started, whoever connects waits.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            listener: TcpListener::bind("127.0.0.1:0").unwrap(),
            notifications: UnixDatagram::bind(folder.path().join("notify")).unwrap(),
            folder,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// The command, with what systemd would give its process.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let socket = self.listener.try_clone().unwrap();
        let mut command = Self::handing_over(OwnedFd::from(socket).into(), ServerProcess::binary());
        command.args(arguments).env("NOTIFY_SOCKET", self.folder.path().join("notify"));
        command
    }

    /// Any program, with anything at all as file descriptor 3.
    pub fn handing_over(socket: Stdio, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", HAND_OVER]).arg(program).env_clear().stdin(socket).kill_on_drop(true);
        command
    }

    /// Starts a process, and waits until it says that it is ready.
    pub async fn start(&self, arguments: &[&str]) -> ServerProcess {
        self.spawn(self.command(arguments)).await
    }

    /// Likewise, a command of [`ServiceManager::command`].
    pub async fn spawn(&self, command: Command) -> ServerProcess {
        let process = ServerProcess::spawn_at(command, self.address(), Stdio::piped()).await;
        assert_eq!(process.address, self.address());
        self.told("READY=1").await;
        process
    }

    /// Waits until this is said, among other things; all lines of that notification.
    pub async fn told(&self, line: &str) -> Vec<String> {
        within(line, async {
            loop {
                let lines = self.notification().await;
                if lines.iter().any(|said| said == line) {
                    return lines;
                }
            }
        })
        .await
    }

    /// Whether nothing is said for so long.
    pub async fn hears_nothing_for(&self, time: Duration) -> bool {
        tokio::time::timeout(time, self.notification()).await.is_err()
    }

    async fn notification(&self) -> Vec<String> {
        let mut message = [0; 1024];
        let length = self.notifications.recv(&mut message).await.unwrap();
        String::from_utf8_lossy(&message[..length]).lines().map(str::to_owned).collect()
    }
}

impl Default for ServiceManager {
    fn default() -> Self {
        Self::new()
    }
}
