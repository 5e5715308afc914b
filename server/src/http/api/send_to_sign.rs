//! `POST /v1/send_to_sign`: asks the wallet, and answers with the end or with where to look for it.

use super::{
    app::App,
    auth::Requester,
    call::{Caller, json},
    field_error::{FieldCode, FieldError},
    preferences::Preferences,
    problem::Problem,
    resource::Resource,
    send_to_sign_body::{Messages, SendToSignBody, ask_limits},
};
use crate::{Accepted, End, Record, SigningError, SigningRequest, connection::yield_once};
use countersign_protocol::{BatchId, Message, limits::MAX_TIMEOUT_MS};
use futures_util::future::try_join_all;
use serde::Serialize;
use std::{sync::Arc, time::Duration};
use warp::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    reply::Response,
};

/// Longer than any deadline: a request's own ends it.
const UNTIL_THE_END: Duration = Duration::from_millis(2 * MAX_TIMEOUT_MS);

/// The answer to a call with several messages.
#[derive(Serialize)]
pub(in crate::http) struct BatchAnswer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    batch_id: Option<BatchId>,
    /// Whether one is open.
    state: &'static str,
    requests: Vec<Resource<'a>>,
}

pub(in crate::http) async fn send_to_sign(
    app: &App,
    requester: Requester,
    caller: &Caller,
    preferences: Preferences,
    ask: SendToSignBody,
) -> Result<Response, Problem> {
    sent(app, requester, caller, &preferences, &ask).await.map_err(|problem| {
        if problem.is_about_the_call() {
            problem.with_errors(ask.mistakes(ask_limits(&app.service.config())))
        } else if problem.code() == SigningError::UnknownRequest.code() {
            // Of all that is asked for here, the one that is to be replaced alone has to be known.
            let detail = "names no request of this requester for this key";
            problem.with_errors(vec![FieldError::at("/replaces", FieldCode::Unknown, detail)])
        } else {
            problem
        }
    })
}

async fn sent(
    app: &App,
    requester: Requester,
    caller: &Caller,
    preferences: &Preferences,
    ask: &SendToSignBody,
) -> Result<Response, Problem> {
    let also =
        |problem: Problem| problem.with_errors(ask.mistakes_beside_values((&caller.live, &requester), preferences));
    let public_key = ask.public_key().map_err(also)?;
    requester.scope.check_writing()?;
    requester.scope.check_key(&public_key)?;
    let durable = ask.is_durable(preferences);
    match ask.messages().map_err(also)? {
        Messages::One(message) => {
            let replaces = ask.replaces().map_err(also)?;
            let request = ask
                .with_options(
                    (&caller.live, &requester),
                    app.service.request(public_key, message).call(Arc::clone(&caller.call)),
                    preferences,
                )
                .map_err(also)?;
            let request = match replaces {
                Some(replaced) => request.replaces(replaced),
                None => request,
            };
            if durable {
                // Apart, so that a call that only waits has no room for what it takes to be kept.
                Box::pin(one_durable(app, request, &requester, preferences)).await
            } else {
                one(request.requester_id(requester.id).requester(requester.name)).await
            }
        }
        Messages::Several(messages) => {
            let request = ask
                .with_options(
                    (&caller.live, &requester),
                    app.service.batch(public_key, messages).call(Arc::clone(&caller.call)),
                    preferences,
                )
                .map_err(also)?;
            if durable {
                Box::pin(several_durable(app, request, &requester, preferences)).await
            } else {
                let request = request.requester_id(requester.id).requester(requester.name);
                Ok(several(&Box::pin(request.send_for_records()).await?))
            }
        }
    }
}

async fn one(request: SigningRequest<'_>) -> Result<Response, Problem> {
    let request_id = request.id();
    let answer = request.send_for_record().await;
    // As in the driver of a connection: verifications first, then everybody's writes together.
    yield_once().await;
    let record = answer.map_err(|error| Problem::from(error).about(request_id))?;
    signed(&record)
}

async fn one_durable(
    app: &App,
    request: SigningRequest<'_>,
    requester: &Requester,
    preferences: &Preferences,
) -> Result<Response, Problem> {
    let request_id = request.id();
    let accepted =
        request.requester_id(requester.id.clone()).requester(requester.name.clone()).submit().await.map_err(
            |error| match error {
                // It may be written yet, and can be looked up then.
                SigningError::StorageUnavailable => Problem::from(error).about(request_id),
                error => error.into(),
            },
        )?;
    let [record] = ended(app, requester, preferences, &accepted)
        .await?
        .try_into()
        .map_err(|_| Problem::from(SigningError::StorageUnavailable))?;
    let record: Record = record;
    if record.end.is_none() || preferences.prefer.is_immediate() {
        let location = HeaderValue::try_from(format!("/v1/requests/{}", record.id)).ok();
        let response = later(json(&Resource::from(&record)), preferences);
        return Ok(with(response, header::LOCATION, location));
    }
    signed(&record).map(|answer| in_time(answer, preferences))
}

async fn several_durable(
    app: &App,
    request: SigningRequest<'_, Vec<Message>>,
    requester: &Requester,
    preferences: &Preferences,
) -> Result<Response, Problem> {
    let accepted = request.requester_id(requester.id.clone()).requester(requester.name.clone()).submit().await?;
    let records = ended(app, requester, preferences, &accepted).await?;
    let response = several(&records);
    let open = records.iter().any(|record| record.end.is_none());
    Ok(if open || preferences.prefer.is_immediate() {
        with(later(response, preferences), header::LOCATION, records.first().and_then(batch_location))
    } else {
        in_time(response, preferences)
    })
}

/// Where they are found: a batch of one is a request.
fn batch_location(first: &Record) -> Option<HeaderValue> {
    let location = match first.batch {
        Some(batch) => format!("/v1/batches/{}", batch.id),
        None => format!("/v1/requests/{}", first.id),
    };
    HeaderValue::try_from(location).ok()
}

/// How the requests stand when the caller has waited for as long as it wants to.
async fn ended(
    app: &App,
    requester: &Requester,
    preferences: &Preferences,
    accepted: &Accepted,
) -> Result<Vec<Record>, Problem> {
    let status = accepted.request_ids.iter().map(async |&id| {
        let record = match preferences.prefer.respond_async {
            Some(time_limit) => app.status(requester, id, time_limit).await,
            None => app.service.wait(&requester.id, id, UNTIL_THE_END).await,
        };
        record.map_err(|error| Problem::from(error).about(id))
    });
    try_join_all(status).await
}

/// The signature of a request that has ended with one, or the reason why there is none.
fn signed(record: &Record) -> Result<Response, Problem> {
    let error = match &record.end {
        Some(End::Signed { .. }) => return Ok(json(&Resource::from(record))),
        Some(end) => end.clone().into(),
        None => SigningError::Draining,
    };
    Err(Problem::from(error).about(record.id))
}

/// All of a batch, in the order of the messages.
pub(super) fn several(records: &[Record]) -> Response {
    json(&BatchAnswer::from(records))
}

impl<'a> From<&'a [Record]> for BatchAnswer<'a> {
    fn from(records: &'a [Record]) -> Self {
        let batch_id = records.first().and_then(|record| record.batch).map(|batch| batch.id);
        let state = if records.iter().any(|record| record.end.is_none()) { "open" } else { "ended" };
        Self { batch_id, state, requests: records.iter().map(Resource::from).collect() }
    }
}

/// An answer before the end.
fn later(mut response: Response, preferences: &Preferences) -> Response {
    *response.status_mut() = StatusCode::ACCEPTED;
    with(response, PREFERENCE_APPLIED, preferences.prefer.applied(true))
}

fn in_time(response: Response, preferences: &Preferences) -> Response {
    with(response, PREFERENCE_APPLIED, preferences.prefer.applied(false))
}

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

fn with(mut response: Response, name: HeaderName, value: Option<HeaderValue>) -> Response {
    if let Some(value) = value {
        response.headers_mut().insert(name, value);
    }
    response
}
