//! A server under test: a process of its own, on a core of its own.

use crate::{
    Fallible,
    machine::{self, BOTH_CORES, SERVER_CORE},
};
use std::{net::SocketAddr, path::Path, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader, copy, sink},
    process::{Child, Command},
    time::timeout,
};

/// How long a server may take to listen.
const START: Duration = Duration::from_secs(20);

/// Where a server says what it listens on.
#[derive(Clone, Copy)]
pub(crate) enum Announces {
    Stdout,
    Stderr,
}

/// A running server, killed when dropped.
pub(crate) struct Server {
    child: Child,
    pid: u32,
    pub(crate) address: SocketAddr,
}

/// A program on the server's core, killed when this process ends in whatever way: even where nothing is dropped any more.
pub(crate) fn on_server_core(program: &Path) -> Command {
    on_cores(program, SERVER_CORE)
}

/// The same on both cores, the load's too: for what waits for a disk, and is not measured by its processor time.
pub(crate) fn on_both_cores(program: &Path) -> Command {
    on_cores(program, BOTH_CORES)
}

fn on_cores(program: &Path, cores: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "taskset", "-c", cores]).arg(program);
    command.kill_on_drop(true).stdin(Stdio::null());
    command
}

impl Server {
    /// Starts a command of [`on_server_core`] and waits until it listens.
    pub(crate) async fn start(mut command: Command, announces: Announces) -> Fallible<Self> {
        match announces {
            Announces::Stdout => command.stdout(Stdio::piped()),
            Announces::Stderr => command.stderr(Stdio::piped()),
        };
        let mut child = command.spawn()?;
        let pid = child.id().ok_or("it has ended already")?;
        let output: Box<dyn AsyncRead + Send + Unpin> = match (announces, child.stdout.take(), child.stderr.take()) {
            (Announces::Stdout, Some(output), _) => Box::new(output),
            (Announces::Stderr, _, Some(output)) => Box::new(output),
            (Announces::Stdout | Announces::Stderr, ..) => return Err("no output to read".into()),
        };
        let mut output = BufReader::new(output);
        let address = timeout(START, announced(&mut output)).await.map_err(|_| "it does not listen")??;
        // Read on, or the server would one day wait for room in the pipe.
        tokio::spawn(async move { copy(&mut output, &mut sink()).await });
        Ok(Self { child, pid, address })
    }

    /// The processor time so far.
    pub(crate) fn cpu(&self) -> Fallible<Duration> {
        machine::cpu(self.pid)
    }

    /// The resident memory, in bytes.
    pub(crate) fn resident(&self) -> Fallible<u64> {
        machine::resident(self.pid)
    }

    /// Ends it and waits for its end.
    pub(crate) async fn stop(mut self) -> Fallible<()> {
        Ok(self.child.kill().await?)
    }
}

async fn announced(output: &mut (impl AsyncBufReadExt + Unpin)) -> Fallible<SocketAddr> {
    let mut lines = output.lines();
    while let Some(line) = lines.next_line().await? {
        let last = line.rsplit(['/', ' ']).next().and_then(|address| address.parse().ok());
        if let Some(address) = last {
            return Ok(address);
        }
    }
    Err("it ended before it listened".into())
}
