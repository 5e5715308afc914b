//! A process that is stopped for a while, as on a machine that is suspended: what has arrived meanwhile counts.

use countersign_protocol::AckOutcome;
use countersign_tests::{Backend, ServerProcess, TestWallet};
use serde_json::json;
use std::time::Duration;

/// Beyond the request's time, and beyond twice the heartbeat.
const STOPPED: Duration = Duration::from_secs(5);

#[tokio::test]
async fn an_answer_that_came_in_time_is_not_late_because_the_server_was_stopped() {
    let server = ServerProcess::start(&["--heartbeat-ms", "2000"]).await;
    let mut wallet = TestWallet::introduced(&format!("ws://{}/ws", server.address), 1).await;
    let mut backend = Backend::connect(server.address).await;
    let body = json!({ "public_key": wallet.public_key(), "message": "aGVsbG8=", "timeout_ms": 2_000 });
    let (reply, outcome) = tokio::join!(backend.post(&body), async {
        let request = wallet.expect_request().await;
        server.signal("STOP").await;
        let answer = wallet.answer(&request);
        wallet.send(&answer).await;
        // Not to wait for anything: this is how long the machine sleeps.
        tokio::time::sleep(STOPPED).await;
        server.signal("CONT").await;
        wallet.expect_ack(request.request_id).await
    });
    assert_eq!((reply.status.as_u16(), outcome), (200, AckOutcome::Accepted), "{}", reply.text);
    // Nor was the wallet thrown out for its silence.
    let (reply, outcome) = tokio::join!(backend.post(&body), wallet.sign_next());
    assert_eq!((reply.status.as_u16(), outcome), (200, AckOutcome::Accepted), "{}", reply.text);
    server.kill().await;
}
