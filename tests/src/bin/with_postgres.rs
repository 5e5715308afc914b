//! Runs a command beside a PostgreSQL of its own, which is gone afterwards.
//!
//! `with_postgres cargo test -p countersign-server --lib postgres -- --ignored`

use countersign_tests::postgres::Cluster;
use std::process::ExitCode;
use tokio::process::Command;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let program = arguments.next().expect("a command to run");
    // Nothing has to outlive the machine.
    let cluster = Cluster::start(&["fsync=off", "synchronous_commit=off", "full_page_writes=off"]).await;
    let mut command = Command::new(program);
    command.args(arguments).env("COUNTERSIGN_TEST_POSTGRES", cluster.prefix()).kill_on_drop(true);
    let status = command.status().await.unwrap();
    if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
