//! `GET blocks`, `PUT` and `DELETE keys/{key}/block`: keys of which nothing is to be asked.

use super::{
    actions::{Action, To, note},
    operator::Operator,
    state::Admin,
};
use crate::{
    http::api::{Body, Field, FieldCode, FieldError, Kind, Problem, json},
    store::{Block, BlockChange},
    time::Timestamp,
};
use countersign_protocol::{PublicKeyBytes, Reason};
use serde::{Deserialize, Serialize};
use warp::reply::Response;

#[derive(Serialize)]
struct Listing<'a> {
    blocks: Vec<Blocked<'a>>,
    durable: bool,
}

#[derive(Serialize)]
struct Blocked<'a> {
    public_key: PublicKeyBytes,
    fingerprint: String,
    since_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    until_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// For how long, and why.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Terms {
    reason: Option<String>,
    until_ms: Option<u64>,
}

impl Body for Terms {
    const FIELDS: &'static [Field] = &[Field::optional("reason", Kind::Text), Field::optional("until_ms", Kind::Whole)];
}

#[derive(Serialize)]
struct Changed {
    public_key: PublicKeyBytes,
    blocked: bool,
    was_blocked: bool,
    disconnected: usize,
    durable: bool,
}

pub(super) async fn blocks(admin: &Admin) -> Response {
    let blocks = admin.app.blocks.list().await;
    let blocks = blocks.iter().map(|block| Blocked {
        public_key: block.public_key,
        fingerprint: block.public_key.fingerprint(),
        since_ms: block.since.as_millis(),
        until_ms: block.until.map(Timestamp::as_millis),
        reason: block.reason.as_ref().map(Reason::as_str),
    });
    json(&Listing { blocks: blocks.collect(), durable: admin.app.blocks.are_durable() })
}

pub(super) async fn block(
    admin: &Admin,
    who: &Operator,
    public_key: PublicKeyBytes,
    terms: Terms,
) -> Result<Response, Problem> {
    let reason = terms.reason.as_deref().map(str::parse::<Reason>).transpose();
    let reason = reason.map_err(|error| {
        let wrong = FieldError::at("/reason", FieldCode::Format, error.to_string());
        Problem::malformed(wrong.line()).with_errors(vec![wrong])
    })?;
    let since = Timestamp::of_the_system();
    let until = terms.until_ms.map(Timestamp::from_millis);
    if until.is_some_and(|until| until <= since) {
        let wrong = FieldError::at("/until_ms", FieldCode::Range, "is over");
        return Err(Problem::malformed("until_ms is over").with_errors(vec![wrong]));
    }
    let change = BlockChange::Block(Block { public_key, since, until, reason });
    changed(admin, who, Action::Block, public_key, change).await
}

pub(super) async fn unblock(admin: &Admin, who: &Operator, public_key: PublicKeyBytes) -> Result<Response, Problem> {
    changed(admin, who, Action::Unblock, public_key, BlockChange::Unblock(public_key)).await
}

async fn changed(
    admin: &Admin,
    who: &Operator,
    action: Action,
    public_key: PublicKeyBytes,
    change: BlockChange,
) -> Result<Response, Problem> {
    let changed = admin.app.blocks.change(change).await;
    let to = To { public_key: Some(public_key), ..To::default() };
    note(admin, who, action, &to, changed.as_ref().map(|(closed, _)| *closed));
    let (disconnected, was_blocked) = changed?;
    let (blocked, durable) = (action == Action::Block, admin.app.blocks.are_durable());
    Ok(json(&Changed { public_key, blocked, was_blocked, disconnected, durable }))
}
