//! `POST keys/{key}/disconnect`: what is done to the wallets of a key.

use super::{
    actions::{Action, To, note},
    operator::Operator,
    state::Admin,
};
use crate::http::api::{Problem, json};
use countersign_protocol::PublicKeyBytes;
use serde::Serialize;
use warp::reply::Response;

#[derive(Serialize)]
struct Disconnected {
    disconnected: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
}

pub(super) fn disconnect(admin: &Admin, who: &Operator, key: PublicKeyBytes) -> Result<Response, Problem> {
    let disconnected = admin.app.service.disconnect(&key);
    note(admin, who, Action::Disconnect, &To { public_key: Some(key), ..To::default() }, Ok(disconnected));
    Ok(json(&Disconnected { disconnected, node: admin.app.service.node().map(|node| node.to_string()) }))
}
