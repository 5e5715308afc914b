//! What a backend in Rust does with the client that openapi-generator makes.

use countersign_generated::{
    apis::{Error, asking_api::*, configuration::Configuration, requests_api::*},
    models::{Ask, AskBatch},
};
use serde_json::json;
use std::env::var;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (key, nobody, message) = (var("KEY").unwrap(), var("NOBODY").unwrap(), var("MESSAGE").unwrap());
    let configuration = Configuration { base_path: var("COUNTERSIGN_URL").unwrap(), ..Configuration::new() };
    let one = || Ask::new(key.clone(), message.clone());
    let signed = send_to_sign(&configuration, one(), None, None).await.unwrap();
    let several = AskBatch::new(key.clone(), vec![message.clone(), message.clone()]);
    let batch = send_batch(&configuration, several, None, None).await.unwrap();
    let accepted = send_to_sign(&configuration, one(), Some("respond-async"), Some("rust")).await.unwrap();
    let id = accepted.request_id.to_string();
    let ended = get_request(&configuration, &id, Some(30)).await.unwrap();
    let receipt = get_receipt(&configuration, &id).await.unwrap();
    let unasked = Ask::new(nobody, message.clone());
    let Err(Error::ResponseError(refused)) = send_to_sign(&configuration, unasked, None, None).await else {
        panic!("no error of the API");
    };
    let Some(SendToSignError::Status400(problem)) = refused.entity else { panic!("no problem: {}", refused.content) };
    let seen = json!({
        "signature": signed.signature,
        "batch": batch.requests.iter().map(|request| &request.signature).collect::<Vec<_>>(),
        // The client does not say which status of success it was.
        "accepted": 202,
        "request_id": id,
        "state": ended.state,
        "ended_ms": ended.times.ended_ms,
        "receipt": receipt.receipt,
        "error": problem.code,
        "errorStatus": problem.status,
    });
    println!("{seen}");
}
