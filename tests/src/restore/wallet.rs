//! Wallets that come to a restored server with what they have answered before.

use crate::TestWallet;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_protocol::{AckOutcome, ClientFrame, RequestId, ServerFrame, SignResponse, Signable};
use ed25519_dalek::SigningKey;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

/// Has a wallet say its answers to these requests again, and answer what it is asked, until it has been told what became of all of
/// them and of those that are `open`.
pub(super) async fn answer_again(
    at: SocketAddr,
    key: &SigningKey,
    again: &[Value],
    open: &BTreeSet<RequestId>,
) -> BTreeMap<RequestId, AckOutcome> {
    let mut wallet = TestWallet::dial_from(&format!("ws://{at}/ws"), "", key.clone()).await;
    wallet.introduce().await;
    let mut told = BTreeMap::new();
    for resource in again {
        let frame = answer(key, resource);
        let ClientFrame::SignResponse(SignResponse { request_id, .. }) = &frame else { unreachable!() };
        wallet.send(&frame).await;
        // One at a time, as a wallet has no more under way than it may; what it is asked meanwhile waits for its turn.
        while !told.contains_key(request_id) {
            hear(&mut wallet, &mut told).await;
        }
    }
    while !open.iter().all(|id| told.contains_key(id)) {
        hear(&mut wallet, &mut told).await;
    }
    wallet.close().await;
    told
}

async fn hear(wallet: &mut TestWallet, told: &mut BTreeMap<RequestId, AckOutcome>) {
    match wallet.next().await {
        ServerFrame::SignRequest(request) => wallet.send(&wallet.answer(&request)).await,
        // Of the first time it was said: what is repeated is told the same, or that it came late.
        ServerFrame::ResponseAck(ack) => drop(told.entry(ack.request_id).or_insert(ack.outcome)),
        ServerFrame::RequestCancel(_)
        | ServerFrame::Challenge(_)
        | ServerFrame::Welcome(_)
        | ServerFrame::Error(_)
        | ServerFrame::Goodbye(_)
        | ServerFrame::Ping(_)
        | ServerFrame::Pong(_) => {}
    }
}

/// What this wallet has answered: signatures of one key over one message are always the same.
fn answer(key: &SigningKey, resource: &Value) -> ClientFrame {
    let bytes = STANDARD.decode(resource["message"].as_str().unwrap()).unwrap();
    let message: countersign_protocol::Message = bytes.try_into().unwrap();
    let signature = Signable::Message(&message).sign(key);
    let request_id = resource["request_id"].as_str().unwrap().parse().unwrap();
    ClientFrame::SignResponse(SignResponse { request_id, message, signature, approved_by: None })
}
