//! `DELETE requests/{id}`, `POST requests/cancel`: ends what is open.

use super::{
    actions::{Action, To, note},
    operator::Operator,
    path::public_key,
    state::Admin,
};
use crate::{
    http::api::{Body, Field, FieldCode, FieldError, Kind, Problem, json, parse_any_case},
    requester::RequesterId,
    service::RequestFilter,
};
use countersign_protocol::RequestId;
use serde::{Deserialize, Serialize};
use warp::reply::Response;

#[derive(Serialize)]
struct Ended {
    request_id: RequestId,
    state: &'static str,
}

/// Whose requests.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Whose {
    requester: Option<String>,
    key: Option<String>,
}

impl Body for Whose {
    const FIELDS: &'static [Field] = &[Field::optional("requester", Kind::Text), Field::optional("key", Kind::Text)];
}

#[derive(Serialize)]
struct Cancelled {
    cancelled: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
}

pub(super) async fn cancel(admin: &Admin, who: &Operator, id: &str) -> Result<Response, Problem> {
    let id: RequestId = parse_any_case(id).map_err(|_| Problem::malformed("the path has no request's id"))?;
    let state = admin.app.service.end_one(id).await.map_err(Problem::from);
    let to = To { request_id: Some(id), ..To::default() };
    note(admin, who, Action::Cancel, &to, state.as_ref().map(|state| usize::from(*state == "cancelled")));
    Ok(json(&Ended { request_id: id, state: state? }))
}

pub(super) async fn cancel_all(admin: &Admin, who: &Operator, whose: Whose) -> Result<Response, Problem> {
    let filter = filter(whose.requester.as_deref(), whose.key.as_deref())?;
    let cancelled = admin.app.service.end_all(&filter).await;
    let to = To { public_key: filter.key, requester: whose.requester.as_deref(), ..To::default() };
    note(admin, who, Action::CancelAll, &to, Ok(cancelled));
    Ok(json(&Cancelled { cancelled, node: admin.app.service.node().map(|node| node.to_string()) }))
}

/// Everything of everybody is nothing that anybody should be one slip away from.
pub(super) fn filter(requester: Option<&str>, key: Option<&str>) -> Result<RequestFilter, Problem> {
    let requester = requester.map(|text| {
        text.parse::<RequesterId>()
            .map_err(|error| wrong("requester", &error.to_string(), Problem::malformed(format!("requester: {error}"))))
    });
    let key =
        key.map(|text| public_key(text).map_err(|problem| wrong("key", "is no key in any of the spellings", problem)));
    let (requester, key) = (requester.transpose()?, key.transpose()?);
    if requester.is_none() && key.is_none() {
        return Err(Problem::malformed("whose requests? The body has to have requester, key or both"));
    }
    Ok(RequestFilter { requester, key })
}

fn wrong(name: &str, detail: &str, problem: Problem) -> Problem {
    problem.with_errors(vec![FieldError::at(format!("/{name}"), FieldCode::Format, detail.to_owned())])
}
