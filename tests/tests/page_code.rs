//! The Rust that the demo page shows, run.

use countersign_protocol::{AckOutcome, PublicKey};
use countersign_tests::TestServer;

#[path = "../../web-demo/src/code/ask.rs"]
mod ask;
#[path = "../../web-demo/src/code/verify.rs"]
mod verify;

#[tokio::test]
async fn what_is_asked_for_is_signed_and_checked() {
    let server = TestServer::start().await;
    let mut wallet = server.wallet(1).await;
    let key = wallet.public_key();
    let admitted = PublicKey::admit(key).unwrap();
    let (signature, outcome) = tokio::join!(ask::agree(&server.service, &admitted), wallet.sign_next());
    assert_eq!(outcome, AckOutcome::Accepted);
    let signature = signature.unwrap();
    let check = |message: &[u8]| verify::check(&key.to_string(), message, &signature);
    check(b"I agree to the terms of 1 May").unwrap();
    assert!(check(b"I agree to the terms of 2 May").is_err());
    server.finish(wallet).await;
}
