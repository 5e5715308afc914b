//! `GET webhooks`: the events that are not told yet, or were given up; `POST webhooks/resend`: has them told once more.

use super::{
    actions::{Action, To, note},
    operator::Operator,
    page::{Next, Part},
    path::Parameters,
    state::Admin,
};
use crate::{
    SigningError,
    http::api::{Body, Field, FieldCode, FieldError, Kind, Problem, json, parse_any_case},
    store::{DurableStore, EventFilter, ListedEvent, RESENT_AT_ONCE, Resend, StoreError},
};
use countersign_protocol::RequestId;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, time::Duration};
use tokio::time::timeout;
use warp::reply::Response;

/// How long a step may take: beyond what one that waits for its database takes to give up.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);

/// How many requests a call may name.
const MOST_IDS: usize = 64;

/// How many steps a call takes: what fails again meanwhile would have it go on for ever.
const MOST_STEPS: usize = 20;

#[derive(Serialize)]
struct Webhooks<'a> {
    webhooks: Vec<Webhook<'a>>,
    #[serde(flatten)]
    next: Next<String>,
}

#[derive(Serialize)]
struct Webhook<'a> {
    request_id: RequestId,
    requester_id: &'a str,
    target: &'a str,
    state: &'static str,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_ms: Option<u64>,
    ended_ms: u64,
}

impl<'a> From<&'a ListedEvent> for Webhook<'a> {
    fn from(event: &'a ListedEvent) -> Self {
        let state = match (event.next_at, event.attempts) {
            (None, _) => "given_up",
            (Some(_), 0) => "waiting",
            (Some(_), _) => "retrying",
        };
        Self {
            request_id: event.request,
            requester_id: event.requester.as_str(),
            target: &event.target,
            state,
            attempts: event.attempts,
            next_attempt_ms: event.next_at.map(|at| at.as_millis()),
            ended_ms: event.ended.as_millis(),
        }
    }
}

pub(super) async fn webhooks(admin: &Admin, query: Option<&str>) -> Result<Response, Problem> {
    let mut parameters = Parameters::parse(query);
    let (target, failed) = (parameters.take("target"), parameters.take("failed").unwrap_or(false));
    let Part { after, limit } = Part::take(&mut parameters);
    parameters.end()?;
    // One more than is shown says whether there are more.
    let filter = EventFilter { target, failed, after, limit: limit + 1 };
    let events = answered(store(admin)?.events(filter)).await?;
    let shown = events.get(..limit).unwrap_or(&events);
    let next_cursor = shown.last().filter(|_| events.len() > limit).map(|last| last.place.to_string());
    Ok(json(&Webhooks { webhooks: shown.iter().map(Webhook::from).collect(), next: Next { next_cursor } }))
}

/// What is to be told once more.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Again {
    #[serde(default)]
    request_ids: Vec<String>,
    target: Option<String>,
}

impl Body for Again {
    const FIELDS: &'static [Field] =
        &[Field::defaulted("request_ids", Kind::Texts), Field::optional("target", Kind::Text)];
}

#[derive(Serialize)]
struct Resent {
    resent: usize,
    /// Of which nothing is kept, or that have not ended, or have no webhook.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown: Vec<RequestId>,
    /// There may be others of the target.
    more: bool,
}

pub(super) async fn resend(admin: &Admin, who: &Operator, again: Again) -> Result<Response, Problem> {
    match again {
        Again { request_ids, target: None } if (1..=MOST_IDS).contains(&request_ids.len()) => {
            let ids: Vec<Result<RequestId, _>> = request_ids.iter().map(|id| parse_any_case(id)).collect();
            let wrong = ids.iter().enumerate().filter(|(_, id)| id.is_err());
            let wrong = wrong.map(|(index, _)| {
                FieldError::at(format!("/request_ids/{index}"), FieldCode::Format, "is no request's id")
            });
            let wrong: Vec<_> = wrong.collect();
            if !wrong.is_empty() {
                return Err(Problem::malformed("one of request_ids is no request's id").with_errors(wrong));
            }
            let ids: BTreeSet<RequestId> = ids.into_iter().flatten().collect();
            resend_requests(admin, who, ids.into_iter().collect()).await
        }
        Again { request_ids, target: Some(target) } if request_ids.is_empty() => {
            let resent = resend_of_target(admin, target).await;
            note(admin, who, Action::Resend, &To::default(), resent.as_ref().map(|resent| resent.resent));
            Ok(json(&resent?))
        }
        Again { .. } => {
            let detail = format!("which webhooks? The body has to have request_ids, 1 to {MOST_IDS}, or target");
            Err(Problem::malformed(detail))
        }
    }
}

async fn resend_requests(admin: &Admin, who: &Operator, ids: Vec<RequestId>) -> Result<Response, Problem> {
    let resent = match store(admin) {
        Ok(store) => answered(store.resend(Resend::Requests(ids.clone()), admin.app.service.wall())).await,
        Err(problem) => Err(problem),
    };
    // An entry for each: they may be of several requesters.
    for id in &ids {
        let to = To { request_id: Some(*id), ..To::default() };
        note(admin, who, Action::Resend, &to, resent.as_ref().map(|resent| usize::from(resent.contains(id))));
    }
    let resent = resent?;
    let unknown = ids.into_iter().filter(|id| !resent.contains(id)).collect();
    Ok(json(&Resent { resent: resent.len(), unknown, more: false }))
}

async fn resend_of_target(admin: &Admin, target: String) -> Result<Resent, Problem> {
    let store = store(admin)?;
    let mut resent = 0;
    for _ in 0..MOST_STEPS {
        let step = answered(store.resend(Resend::Target(target.clone()), admin.app.service.wall())).await?;
        resent += step.len();
        if step.len() < RESENT_AT_ONCE {
            return Ok(Resent { resent, unknown: Vec::new(), more: false });
        }
    }
    Ok(Resent { resent, unknown: Vec::new(), more: true })
}

fn store(admin: &Admin) -> Result<&DurableStore, Problem> {
    Ok(admin.app.store.as_ref().ok_or(SigningError::NoStore)?)
}

async fn answered<T>(answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, Problem> {
    let answer = timeout(STEP_TIMEOUT, answer).await;
    answer.ok().and_then(Result::ok).ok_or_else(|| SigningError::StorageUnavailable.into())
}
