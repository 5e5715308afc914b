//! The disk under the data: full, slow, broken.

use crate::{World, durable::Durable, quiet_server, row::Row, server_on};
use countersign_protocol::ServerFrame;
use countersign_tests::{
    Backend,
    chaos::{Honest, Machine},
    within,
};
use serde_json::json;
use std::{
    fs::{self, File},
    io::Write as _,
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

const ASYNC: (&str, &str) = ("prefer", "respond-async");

impl World {
    /// What was accepted ends as its wallet says, though the disk has no byte left.
    pub(crate) async fn full_disk(&mut self) {
        const FAULT: &str = "the data disk full";
        if !self.wants(FAULT) {
            return;
        }
        let Some(disk) = SmallDisk::mount() else {
            println!("| {FAULT} | skipped: mounting a small file system needs root | | | | | |");
            return;
        };
        let data = disk.0.path().join("data");
        let server = quiet_server(&["--data-dir", data.to_str().unwrap()]).await;
        let mut backend = Backend::connect(server.address).await;
        let durable = Durable::queue(&mut backend, 90, 20).await;
        disk.fill();
        let wanted = self.arguments.signatures;
        let mut refused = 0;
        let mut signed = 0;
        let seen = Honest::live_through(server.address, None, async |honest| {
            for _ in 0..5 {
                let reply = backend.post_with(&durable.call("new"), &[ASYNC]).await;
                refused += usize::from(reply.code() == (503, "storage_unavailable"));
            }
            durable.sign(server.address).await;
            signed = durable.signed(&mut backend).await;
            honest.signatures(wanted).await;
        })
        .await;
        let quiet = seen.noticed.is_empty();
        let row = Row::of(FAULT, &server, 32, seen)
            .expect(quiet, "waiting calls noticed it")
            .expect(signed == 20, format!("{signed} of 20 that were accepted ended signed"))
            .expect(refused > 0, "nothing new was refused: was the disk full?");
        self.note(row);
        server.kill().await;
        // On disk, not only said.
        disk.empty();
        let server = quiet_server(&["--data-dir", data.to_str().unwrap()]).await;
        let mut backend = Backend::connect(server.address).await;
        let signed = durable.signed(&mut backend).await;
        if signed != 20 {
            println!("  WRONG: {FAULT}: after a restart {signed} of 20 are signed");
            self.failed = true;
        }
        server.kill().await;
    }

    /// Whoever waits for a durable request is answered soon after its time, and nobody is shown what is over.
    pub(crate) async fn slow_disk(&mut self) {
        const FAULT: &str = "every fsync takes 6 s";
        if !self.wants(FAULT) {
            return;
        }
        let (machine, folder) = (Machine::new(), tempfile::tempdir().unwrap());
        let server = server_on(&machine, &folder, &["--max-pending-per-key=8"]).await;
        let mut backend = Backend::connect(server.address).await;
        let durable = Durable::queue(&mut backend, 90, 0).await;
        let mut wallet = durable.wallet(server.address).await;
        let wanted = self.arguments.signatures;
        let mut answers = Vec::new();
        let seen = Honest::live_through(server.address, None, async |honest| {
            machine.slow_down(Duration::from_secs(6));
            let asking: Vec<_> = (0..40)
                .map(|n| {
                    let mut call = durable.call(&format!("slow {n}"));
                    call["timeout_ms"] = json!(2_000);
                    let address = server.address;
                    tokio::spawn(async move {
                        let asked = Instant::now();
                        let reply = Backend::connect(address).await.post(&call).await;
                        (reply.code().1.to_owned(), asked.elapsed())
                    })
                })
                .collect();
            honest.signatures(wanted).await;
            for asked in asking {
                answers.push(asked.await.unwrap());
            }
            machine.slow_down(Duration::ZERO);
        })
        .await;
        let said = |code| answers.iter().filter(|(said, _)| said == code).count();
        let (unavailable, too_many) = (said("storage_unavailable"), said("too_many_inflight"));
        let latest = answers.iter().map(|(_, took)| *took).max().unwrap_or_default();
        // Whatever it was asked meanwhile is over: the first that it is shown is asked now, as soon as what has been written by then has made
        // room for it among the key's.
        let next = tokio::spawn(async move {
            loop {
                let reply = backend.post(&durable.call("after")).await;
                if reply.code().1 != "too_many_inflight" {
                    return reply;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let shown = wallet.expect_request().await;
        wallet.send(&wallet.answer(&shown)).await;
        let reply = within("an answer", next).await.unwrap();
        let quiet = seen.noticed.is_empty();
        self.note(
            Row::of(FAULT, &server, 72, seen)
                .expect(quiet, "waiting calls noticed it")
                .expect(
                    (unavailable, too_many) == (8, 32),
                    format!("{unavailable} unavailable, {too_many} beyond the key's 8"),
                )
                .expect(latest < Duration::from_secs(5), format!("a call for 2 s was answered after {latest:?}"))
                .expect(shown.message.as_bytes() == b"after", "a wallet was shown what was over")
                .expect(reply.status == 200, format!("after it: {}", reply.text)),
        );
        server.kill().await;
    }

    /// What was accepted ends as its wallet says, once the disk works again, without a restart.
    pub(crate) async fn broken_disk(&mut self) {
        const FAULT: &str = "every fsync fails (EIO), and then works again";
        if !self.wants(FAULT) {
            return;
        }
        let (machine, folder) = (Machine::new(), tempfile::tempdir().unwrap());
        let server = server_on(&machine, &folder, &[]).await;
        let mut backend = Backend::connect(server.address).await;
        let durable = Durable::queue(&mut backend, 90, 10).await;
        let answered_meanwhile = Durable::queue(&mut backend, 91, 1).await;
        let wanted = self.arguments.signatures / 2;
        let (mut refused, mut unready, mut signed) = (0, 0, 0);
        let seen = Honest::live_through(server.address, None, async |honest| {
            machine.break_disk(true);
            let mut wallet = answered_meanwhile.wallet(server.address).await;
            let request = wallet.expect_request().await;
            wallet.send(&wallet.answer(&request)).await;
            for _ in 0..5 {
                let reply = backend.post_with(&durable.call("new"), &[ASYNC]).await;
                refused += usize::from(reply.code() == (503, "storage_unavailable"));
                unready += usize::from(backend.get("/readyz").await.status == 503);
            }
            honest.signatures(wanted).await;
            machine.break_disk(false);
            within("the store to work again", async {
                while backend.get("/readyz").await.status != 200 {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            })
            .await;
            durable.sign(server.address).await;
            signed = durable.signed(&mut backend).await;
            // Whether an answer got there that nobody could write down shows now: it is acknowledged, or asked for once more, each time that the
            // store seemed to work.
            while let ServerFrame::SignRequest(request) = wallet.next().await {
                wallet.send(&wallet.answer(&request)).await;
            }
            signed += answered_meanwhile.signed(&mut backend).await;
            honest.signatures(wanted).await;
        })
        .await;
        let quiet = seen.noticed.is_empty();
        let row = Row::of(FAULT, &server, 32, seen);
        server.kill().await;
        let server = server_on(&machine, &folder, &[]).await;
        let mut backend = Backend::connect(server.address).await;
        let kept = durable.signed(&mut backend).await + answered_meanwhile.signed(&mut backend).await;
        self.note(
            row.expect(quiet, "waiting calls noticed it")
                .expect(
                    (refused, unready) == (5, 5),
                    format!("{refused} of 5 were refused, {unready} of 5 probes failed"),
                )
                .expect((signed, kept) == (11, 11), format!("{signed} of 11 ended signed, {kept} after a restart")),
        );
        server.kill().await;
    }
}

/// A file system of 24 MiB.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then(|| Self(folder))
    }

    /// Takes every byte that is left.
    fn fill(&self) {
        let mut file = File::create(self.0.path().join("filler")).unwrap();
        for size in [64 * 1024, 1024, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
    }

    fn empty(&self) {
        fs::remove_file(self.0.path().join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process that is being killed may still have files there.
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}
