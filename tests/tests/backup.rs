//! Backups of a data directory that is in use, again and again, and what a server makes of each.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_tests::{
    Backend, ServerProcess,
    restore::{Load, check},
    within,
};
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

/// As shipped, but for what one address may do: everybody comes from one here.
const SETTINGS: [&str; 2] = ["--no-rate-limit", "--log=error"];

async fn serving(data: &Path) -> ServerProcess {
    let mut command = ServerProcess::command(&SETTINGS);
    command.arg("--data-dir").arg(data);
    ServerProcess::spawn(command).await
}

async fn back_up(data: &Path, target: &Path) -> Output {
    let mut command = ServerProcess::command(&["--data-dir"]);
    within("a backup", command.arg(data).arg("backup").arg(target).output()).await.unwrap()
}

/// What a backup has, by its own word.
async fn verified(target: &Path) -> String {
    let mut command = ServerProcess::command(&["backup", "--verify"]);
    let output = within("a look at it", command.arg(target).output()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn every_backup_under_load_is_one_that_a_server_goes_on_with() {
    const BACKUPS: usize = 5;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = serving(&data).await;
    let mut load = Load::begin(server.address, 4, 4);
    let mut backups: Vec<(PathBuf, _)> = Vec::new();
    for n in 0..BACKUPS {
        load.accepted(60).await;
        let before = load.moment().await;
        let target = folder.path().join(format!("backup-{n}"));
        let output = back_up(&data, &target).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        backups.push((target, before));
    }
    load.accepted(60).await;
    let outcome = load.outcome().await;
    let (mut open, mut unknown) = (0, 0);
    for (target, before) in &backups {
        assert!(verified(target).await.starts_with("whole: "));
        assert_eq!(files(target), ["countersign.db", "server.key"]);
        let restored = serving(target).await;
        let found = check(restored.address, &outcome, before, &load).await;
        (open, unknown) = (open + found.open, unknown + found.unknown);
        restored.kill().await;
        // What it has written by then holds together as well.
        assert!(verified(target).await.starts_with("whole: "));
    }
    // Otherwise nothing was going on.
    assert!(open > 0 && unknown > 0, "{open} were open in some backup, {unknown} were not in it");
    server.kill().await;
    load.end().await;
}

/// A data directory with so many messages of 48 KiB, and the server on it.
async fn filled(data: &Path, messages: usize) -> ServerProcess {
    let server = serving(data).await;
    let mut backend = Backend::connect(server.address).await;
    let key = STANDARD.encode([
        0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e, 0xe1,
        0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
    ]);
    for n in 0..messages {
        let message = STANDARD.encode(format!("{n:048}").repeat(1024));
        let call = json!({ "public_key": key, "message": message, "queue": true, "timeout_ms": 3_600_000 });
        let reply = backend.post_with(&call, &[("prefer", "respond-async")]).await;
        assert_eq!(reply.status, 202, "{}", reply.text);
    }
    server
}

#[tokio::test]
async fn a_backup_that_is_killed_leaves_the_one_before_and_nothing_after_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let (data, target) = (folder.path().join("data"), folder.path().join("backup"));
    let server = filled(&data, 400).await;
    assert!(back_up(&data, &target).await.status.success());
    let earlier = fs::read(target.join("countersign.db")).unwrap();
    let partial = target.join("countersign.partial");
    let mut caught = 0;
    for _ in 0..20 {
        let mut command = ServerProcess::command(&["--data-dir"]);
        let mut child = command.arg(&data).arg("backup").arg(&target).spawn().unwrap();
        // The middle: something is there, and not all of it.
        within("half a copy, or its end", async {
            while partial.metadata().map_or(0, |copy| copy.len()) == 0 && child.try_wait().unwrap().is_none() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        child.kill().await.unwrap();
        caught += usize::from(partial.exists());
        assert!(verified(&target).await.starts_with("whole: 400 requests, 400 of them open, "));
        if caught == 3 {
            break;
        }
    }
    assert_eq!(caught, 3, "none was killed in the middle");
    assert_eq!(fs::read(target.join("countersign.db")).unwrap(), earlier);
    // Somebody who restores now takes half a copy with the whole one, which is in nobody's way.
    let restored = serving(&target).await;
    restored.kill().await;
    assert!(back_up(&data, &target).await.status.success());
    assert!(!files(&target).iter().any(|name| name.ends_with(".partial")), "{:?}", files(&target));
    server.kill().await;
}

/// The limit on the size of a file gives the same as a full disk, to whoever writes it: no byte more.
#[tokio::test]
async fn a_backup_that_finds_no_room_leaves_the_one_before_and_nothing_of_itself() {
    let folder = tempfile::tempdir().unwrap();
    let (data, target) = (folder.path().join("data"), folder.path().join("backup"));
    let server = filled(&data, 40).await;
    assert!(back_up(&data, &target).await.status.success());
    let earlier = fs::read(target.join("countersign.db")).unwrap();
    let program = ServerProcess::binary();
    let limited = "trap '' XFSZ; ulimit -f 1000; exec \"$0\" \"$@\"";
    let mut command = tokio::process::Command::new("sh");
    command.args(["-c", limited]).arg(program).arg("--data-dir").arg(&data).arg("backup").arg(&target);
    let output = within("its end", command.kill_on_drop(true).output()).await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("countersign.partial: "), "{said}");
    assert_eq!(files(&target), ["countersign.db", "server.key"]);
    assert_eq!(fs::read(target.join("countersign.db")).unwrap(), earlier);
    server.kill().await;
}
