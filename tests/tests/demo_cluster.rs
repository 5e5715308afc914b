//! `make cluster` leaves nothing behind.

use countersign_tests::within;
use std::{collections::BTreeSet, fs, path::PathBuf, process::Stdio};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

/// The processes of whose command these words are a part.
fn processes_with(words: &str) -> BTreeSet<String> {
    let all = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let has = |path: &PathBuf| {
        fs::read(path.join("cmdline")).is_ok_and(|command| String::from_utf8_lossy(&command).contains(words))
    };
    all.filter(has).map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

#[tokio::test]
#[ignore = "needs Caddy and PostgreSQL: make cluster-browser-tests"]
async fn an_interrupt_ends_everything_and_leaves_nothing_behind() {
    let pages = tempfile::tempdir().unwrap();
    let web_root = pages.path().to_str().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo_cluster"));
    command.args(["--web-root", web_root]).stdout(Stdio::piped()).process_group(0).kill_on_drop(true);
    let mut cluster = command.spawn().unwrap();
    let mut lines = BufReader::new(cluster.stdout.take().unwrap()).lines();
    let mut said = String::new();
    while let Some(line) = within("what it says", lines.next_line()).await.unwrap() {
        said += &line;
        if line.contains("Ctrl-C") {
            break;
        }
    }
    let folder = said.split_once("logs are in ").unwrap().1.split_once(". ").unwrap().0;
    assert!(fs::exists(folder).unwrap());
    let servers = processes_with(web_root);
    assert_eq!(servers.len(), 4, "this program and three servers");
    let commands = servers.iter().filter_map(|id| fs::read_to_string(format!("/proc/{id}/cmdline")).ok());
    let socket = commands.filter_map(|command| Some(command.split_once("postgres@")?.1.split_once('/')?.0.to_owned()));
    let database = socket.max().unwrap().replace("%2F", "/");
    assert!(fs::exists(&database).unwrap() && !processes_with(&database).is_empty(), "{database}");
    assert_eq!(processes_with(folder).len(), 1, "the balancer");

    // As the terminal does with all of its foreground.
    let interrupt = format!("kill -s INT -- -{}", cluster.id().unwrap());
    assert!(Command::new("sh").args(["-c", &interrupt]).status().await.unwrap().success());
    assert!(within("its end", cluster.wait()).await.unwrap().success());
    for left in [web_root, folder, &database] {
        assert_eq!(processes_with(left), BTreeSet::new(), "{left}");
    }
    assert!(!fs::exists(folder).unwrap() && !fs::exists(&database).unwrap());
}
