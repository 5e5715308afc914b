//! Databases of earlier versions, which are kept in tests/fixtures for ever, and what the present program makes of each.

use countersign_tests::{
    ServerProcess, WebhookReceiver,
    documents::repository,
    fixture::{Expected, check},
    postgres::Cluster,
};
use rusqlite::Connection;
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// The first versions of which there are fixtures. What has been released stays.
const FIRST_SQLITE: u32 = 4;
const FIRST_POSTGRES: u32 = 2;

fn fixture(store: &str, version: u32) -> PathBuf {
    repository().join(format!("tests/fixtures/{store}-v{version}"))
}

/// A copy that a server may write to.
fn copy(fixture: &Path) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixture).unwrap_or_else(|error| panic!("{}: {error}", fixture.display())) {
        let path = entry.unwrap().path();
        let to = folder.path().join(path.file_name().unwrap());
        fs::copy(&path, &to).unwrap();
        // As no checkout has them.
        fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).unwrap();
    }
    folder
}

fn expected(folder: &Path) -> Expected {
    serde_json::from_str(&fs::read_to_string(folder.join("expected.json")).unwrap()).unwrap()
}

/// The version of the tables that this program makes.
async fn present_version() -> u32 {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    ServerProcess::start(&["--data-dir", data, "--log=error"]).await.kill().await;
    let output = ServerProcess::command(&["backup", "--verify", data]).output().await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let (_, rest) = said.split_once("tables of version ").unwrap();
    rest.split(',').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn every_version_of_a_data_directory_keeps_its_meaning() {
    for version in FIRST_SQLITE..=present_version().await {
        let folder = copy(&fixture("sqlite", version));
        let mut hook = WebhookReceiver::start(&[]).await;
        let database = Connection::open(folder.path().join("countersign.db")).unwrap();
        let elsewhere = [expected(folder.path()).hook, hook.url()];
        for column in ["requests SET webhook", "events SET target"] {
            let name = column.rsplit(' ').next().unwrap();
            let moved = database.execute(&format!("UPDATE {column} = ?2 WHERE {name} = ?1"), elsewhere.each_ref());
            assert!(moved.unwrap() > 0, "version {version}: {column}");
        }
        drop(database);
        check(folder.path(), &mut hook, &[format!("--data-dir={}", folder.path().display())]).await;
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
async fn every_version_of_a_database_keeps_its_meaning() {
    let cluster = Cluster::start(&["fsync=off"]).await;
    let mut version = FIRST_POSTGRES;
    loop {
        let folder = copy(&fixture("postgres", version));
        let mut hook = WebhookReceiver::start(&[]).await;
        let text = fs::read_to_string(folder.path().join("countersign.sql")).unwrap();
        let text = text.replace(&expected(folder.path()).hook, &hook.url());
        let database = format!("v{version}");
        cluster.execute("postgres", &format!("CREATE DATABASE {database}")).await;
        cluster.execute(&database, &text).await;
        let key = folder.path().join("server.key");
        let arguments =
            [format!("--database-url={}", cluster.url(&database)), format!("--server-key={}", key.display())];
        check(folder.path(), &mut hook, &arguments).await;
        let present = cluster.execute(&database, "SELECT version FROM public.countersign_schema").await;
        if present.trim() == version.to_string() {
            break;
        }
        version += 1;
    }
}
