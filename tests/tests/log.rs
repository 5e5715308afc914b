//! A log that cannot be written costs lines of the log, and nothing else.

use countersign_protocol::AckOutcome;
use countersign_tests::{Backend, ServerProcess, TestWallet};
use std::{fs::OpenOptions, process::Stdio};

/// More than any pipe holds lines.
const CALLS: usize = 10_000;

/// Asks for a signature and has it, three times; the server is ready all the while, and counts what is lost of its log.
async fn signs_and_loses(server: &ServerProcess) {
    let mut wallet = TestWallet::introduced(&format!("ws://{}/ws", server.address), 1).await;
    let key = wallet.public_key();
    let mut backend = Backend::connect(server.address).await;
    for _ in 0..3 {
        let (reply, outcome) = tokio::join!(backend.ask(&key, b"hello"), wallet.sign_next());
        assert_eq!((reply.status.as_u16(), outcome), (200, AckOutcome::Accepted));
    }
    assert_eq!(backend.get("/readyz").await.status.as_u16(), 200);
    let metrics = backend.get("/metrics").await.text;
    let counted = |name: &str| metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
    assert_eq!(counted("countersign_requests_total{outcome=\"signed\"}"), Some(3));
    assert!(counted("countersign_log_lines_lost_total") > Some(0), "{metrics}");
}

async fn started(log: Stdio) -> ServerProcess {
    ServerProcess::spawn_logging_to(ServerProcess::command(&["--no-rate-limit"]), log).await
}

#[tokio::test]
async fn a_reader_that_has_gone_stops_nobody() {
    let mut server = started(Stdio::piped()).await;
    server.close_log();
    signs_and_loses(&server).await;
    server.kill().await;
}

#[tokio::test]
async fn a_full_disk_stops_nobody() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let server = started(full.into()).await;
    signs_and_loses(&server).await;
    server.kill().await;
}

#[tokio::test]
async fn a_pipe_that_nobody_empties_stops_nobody() {
    let server = started(Stdio::piped()).await;
    let mut backend = Backend::connect(server.address).await;
    let nobody = TestWallet::dial(&format!("ws://{}/ws", server.address), 2).await.public_key();
    for _ in 0..CALLS {
        assert_eq!(backend.ask(&nobody, b"hello").await.code(), (404, "signer_not_connected"));
    }
    signs_and_loses(&server).await;
    server.kill().await;
}
