//! The real binary in a process of its own.

use crate::within;
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::{ExitStatus, Stdio},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, ChildStderr, Command},
};

/// A running `countersign`, killed when dropped.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    stderr: Option<ChildStderr>,
    /// Where it listens.
    pub address: SocketAddr,
}

impl ServerProcess {
    /// Where the binary is: beside this test's own, unless `COUNTERSIGN_BIN` says otherwise.
    pub fn binary() -> PathBuf {
        if let Some(path) = std::env::var_os("COUNTERSIGN_BIN") {
            return path.into();
        }
        let own = std::env::current_exe().unwrap();
        let folders = own.ancestors().skip(1).take(2).map(|folder| folder.join("countersign"));
        folders
            .into_iter()
            .find(|path| path.exists())
            .expect("build the binary first: cargo build -p countersign-server")
    }

    /// A command that no setting of the surroundings changes.
    pub fn command(arguments: &[&str]) -> Command {
        let mut command = Command::new(Self::binary());
        command.args(arguments).env_clear().kill_on_drop(true);
        command
    }

    /// Starts it on a port that the system chooses.
    pub async fn start(arguments: &[&str]) -> Self {
        Self::spawn(Self::command(arguments)).await
    }

    /// Starts a command of [`ServerProcess::command`] on a port that the system chooses.
    pub async fn spawn(command: Command) -> Self {
        Self::spawn_logging_to(command, Stdio::piped()).await
    }

    /// Likewise, with its log going somewhere in particular.
    pub async fn spawn_logging_to(command: Command, log: Stdio) -> Self {
        Self::spawn_at(command, (Ipv4Addr::LOCALHOST, 0).into(), log).await
    }

    /// Likewise, where it is to listen.
    pub async fn spawn_at(mut command: Command, address: SocketAddr, log: Stdio) -> Self {
        command.arg("--listen").arg(address.to_string()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line =
            within("the first line", lines.next_line()).await.unwrap().expect("the server says where it listens");
        let address = line.rsplit('/').next().and_then(|address| address.parse().ok()).expect("an address");
        let stderr = child.stderr.take();
        Self { child, stderr, address }
    }

    /// Goes away as the reader of its log.
    pub fn close_log(&mut self) {
        self.stderr = None;
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Resident memory in bytes.
    pub fn resident(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// The most resident memory it has had, in bytes.
    pub fn peak(&self) -> u64 {
        self.memory("VmHWM:")
    }

    fn memory(&self, which: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(which)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    /// Kills it, as a power failure would, and waits until it is gone.
    pub async fn kill(mut self) {
        within("the process's end", self.child.kill()).await.unwrap();
    }

    /// Sends a signal by name.
    pub async fn signal(&self, name: &str) {
        // The shell's own kill: not every machine has one as a program.
        let status = Command::new("sh").args(["-c", &format!("kill -s {name} {}", self.id())]).status().await.unwrap();
        assert!(status.success());
    }

    /// Waits for its end; the log it wrote, if it ended well.
    pub async fn wait(self) -> String {
        let (status, log) = self.end().await;
        assert!(status.success(), "{status}: {log}");
        log
    }

    /// Waits for its end, however it ends; its status and the log it wrote.
    pub async fn end(mut self) -> (ExitStatus, String) {
        let mut log = String::new();
        if let Some(stderr) = &mut self.stderr {
            within("the log", stderr.read_to_string(&mut log)).await.unwrap();
        }
        let status = within("the process's end", self.child.wait()).await.unwrap();
        (status, log)
    }
}
