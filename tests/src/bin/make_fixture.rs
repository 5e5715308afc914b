//! Makes the fixture of this version's tables, which later versions are tested with for as long as they read them.
//!
//! `cargo run -p countersign-tests --bin make_fixture -- sqlite tests/fixtures/sqlite-v4`, and likewise `postgres tests/fixtures/postgres-v2`.

use clap::{Parser, ValueEnum};
use countersign_tests::{ServerProcess, fixture::make, postgres::Cluster};
use rusqlite::Connection;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What is open has more time than a request can have, so that it is open whenever a test looks: the first of January 2100.
const STAY_OPEN: &str =
    "UPDATE requests SET deliver_by = 4102444800000, expires_at = 4102444800000 WHERE ended_at IS NULL";

#[derive(Clone, Copy, ValueEnum)]
enum Store {
    Sqlite,
    Postgres,
}

/// Makes a database with requests in every phase and end, and what the API says of them.
#[derive(Parser)]
struct Arguments {
    /// What keeps the requests
    store: Store,
    /// Where to put it: a folder that is not there
    folder: PathBuf,
}

#[tokio::main]
async fn main() {
    let Arguments { store, folder } = Arguments::parse();
    fs::create_dir(&folder).expect("a fixture is made once");
    match store {
        Store::Sqlite => sqlite(&folder).await,
        Store::Postgres => postgres(&folder).await,
    }
}

async fn sqlite(folder: &Path) {
    let data = tempfile::tempdir().unwrap();
    make(folder, &[format!("--data-dir={}", data.path().display())]).await;
    let mut backup = ServerProcess::command(&["--data-dir"]);
    let status = backup.arg(data.path()).arg("backup").arg(folder).status().await.unwrap();
    assert!(status.success());
    let database = Connection::open(folder.join("countersign.db")).unwrap();
    database.execute(STAY_OPEN, []).unwrap();
}

async fn postgres(folder: &Path) {
    let cluster = Cluster::start(&["fsync=off"]).await;
    cluster.execute("postgres", "CREATE DATABASE fixture").await;
    let key = folder.join("server.key");
    let arguments = [
        format!("--database-url={}", cluster.url("fixture")),
        format!("--server-key={}", key.display()),
        "--database-tokens".to_owned(),
    ];
    make(folder, &arguments).await;
    cluster.execute("fixture", STAY_OPEN).await;
    let dump = "pg_dump --inserts --no-owner --no-privileges --no-unlogged-table-data --exclude-table-data=nodes";
    let output = cluster.shell(&format!("{dump} '{}'", cluster.url("fixture"))).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Lines of psql alone, with a random word, which some versions add.
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('\\')).collect();
    fs::write(folder.join("countersign.sql"), lines.join("\n") + "\n").unwrap();
}
