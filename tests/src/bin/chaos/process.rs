//! What happens to the process itself: to its log, and to its time.

use crate::{World, quiet_server, row::Row};
use countersign_tests::{ServerProcess, chaos::Honest};
use std::{process::Stdio, time::Duration};

impl World {
    /// Nobody is to notice anything of what happens to the log.
    pub(crate) async fn log(
        &mut self,
        fault: &'static str,
        log: impl FnOnce() -> Stdio,
        then: impl FnOnce(&mut ServerProcess),
    ) {
        if !self.wants(fault) {
            return;
        }
        let mut server = ServerProcess::spawn_logging_to(ServerProcess::command(&[]), log()).await;
        then(&mut server);
        let wanted = self.arguments.signatures;
        let seen = Honest::live_through(server.address, None, async |honest| honest.signatures(wanted).await).await;
        let quiet = seen.noticed.is_empty();
        self.note(Row::of(fault, &server, 32, seen).expect(quiet, "somebody noticed it"));
        server.kill().await;
    }

    pub(crate) async fn stopped(&mut self) {
        const FAULT: &str = "the process stopped for 4 s (SIGSTOP, SIGCONT)";
        if !self.wants(FAULT) {
            return;
        }
        let server = quiet_server(&[]).await;
        let wanted = self.arguments.signatures;
        let seen = Honest::live_through(server.address, None, async |honest| {
            server.signal("STOP").await;
            tokio::time::sleep(Duration::from_secs(4)).await;
            server.signal("CONT").await;
            honest.signatures(wanted).await;
        })
        .await;
        let quiet = seen.noticed.is_empty();
        self.note(Row::of(FAULT, &server, 32, seen).expect(quiet, "somebody noticed more than a delay"));
        server.kill().await;
    }
}
