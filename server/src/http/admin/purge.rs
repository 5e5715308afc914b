//! `POST purge`: erases what has ended of a requester or of a key, and leaves a record that it happened.

use super::{
    actions::{Action, To, note},
    cancel::filter,
    operator::Operator,
    state::Admin,
};
use crate::{
    SigningError,
    http::api::{Body, Field, Kind, Problem, json},
    requester::RequesterId,
    service::RequestFilter,
    store::{DurableStore, PurgeRecord, PurgeScope, PurgeStep},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::time::Duration;
use tokio::time::{Instant, timeout};
use warp::{http::StatusCode, reply::Response};

/// How long a step may take: beyond what one that waits for its database takes to give up.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);

/// How long what is open has to end.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(20);

/// What is to be erased.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Purge {
    requester: Option<String>,
    key: Option<String>,
    ended_before_ms: Option<u64>,
    #[serde(default)]
    cancel: bool,
}

impl Body for Purge {
    const FIELDS: &'static [Field] = &[
        Field::optional("requester", Kind::Text),
        Field::optional("key", Kind::Text),
        Field::optional("ended_before_ms", Kind::Whole),
        Field::defaulted("cancel", Kind::Flag),
    ];
}

#[derive(Serialize)]
struct Purged {
    requests: u64,
    events: u64,
    cancelled: usize,
    /// By which the record is found.
    scope_sha256: String,
    at_ms: u64,
}

pub(super) async fn purge(admin: &Admin, who: &Operator, wish: Purge) -> Result<Response, Problem> {
    let filter = filter(wish.requester.as_deref(), wish.key.as_deref())?;
    let purged = erase(admin, &filter, &wish).await;
    let to = To { public_key: filter.key, requester: wish.requester.as_deref(), ..To::default() };
    let count = purged.as_ref().map(|purged| usize::try_from(purged.requests).unwrap_or(usize::MAX));
    note(admin, who, Action::Purge, &to, count);
    Ok(json(&purged?))
}

async fn erase(admin: &Admin, filter: &RequestFilter, wish: &Purge) -> Result<Purged, Problem> {
    let store = admin.app.store.as_ref().ok_or(SigningError::NoStore)?;
    let mut scope = PurgeScope {
        requester: filter.requester.clone(),
        key: filter.key,
        ended_before: Timestamp::from_millis(wish.ended_before_ms.unwrap_or(i64::MAX as u64)),
        after: 0,
    };
    let (mut requests, mut events, mut cancelled) = (0, 0, 0);
    let begun = Instant::now();
    loop {
        let PurgeStep { open, requests: more, events: of_events, next } = step(store, &scope).await?;
        (requests, events) = (requests + more, events + of_events);
        if !open.is_empty() {
            if !wish.cancel || begun.elapsed() > CANCEL_TIMEOUT {
                let detail = "some of these requests are open; cancel them first, or with \"cancel\": true";
                return Err(Problem::new(StatusCode::CONFLICT, "requests_open", detail));
            }
            for id in open {
                let ended = admin.app.service.end_one(id).await;
                cancelled += usize::from(ended == Ok("cancelled"));
            }
            continue;
        }
        match next {
            Some(after) => scope.after = after,
            None => break,
        }
    }
    let record = PurgeRecord { at: Timestamp::of_the_system(), scope: digest(filter), requests, events };
    timeout(STEP_TIMEOUT, store.note_purge(record.clone()))
        .await
        .ok()
        .and_then(Result::ok)
        .ok_or(SigningError::StorageUnavailable)?;
    Ok(Purged { requests, events, cancelled, scope_sha256: record.scope, at_ms: record.at.as_millis() })
}

async fn step(store: &DurableStore, scope: &PurgeScope) -> Result<PurgeStep, Problem> {
    let step = timeout(STEP_TIMEOUT, store.purge(scope.clone())).await;
    step.ok().and_then(Result::ok).ok_or_else(|| SigningError::StorageUnavailable.into())
}

/// Says whose requests were erased only to those who know it anyway.
fn digest(filter: &RequestFilter) -> String {
    let requester = filter.requester.as_ref().map(|id| format!("requester:{}\n", RequesterId::as_str(id)));
    let key = filter.key.map(|key| format!("key:{key}\n"));
    let text: String = requester.into_iter().chain(key).collect();
    hex::encode(Sha256::digest(text))
}
