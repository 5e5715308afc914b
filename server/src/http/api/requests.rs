//! `/v1/requests/{id}`: how a durable request stands, to its requester alone.

use super::{
    any_case::parse_any_case,
    app::App,
    auth::Requester,
    call::{Caller, READING, admit, json, refused},
    events::events,
    last_event_id::LastEventId,
    list::{cancel_all, list},
    prefer::MOST_WAIT,
    problem::Problem,
    query::Parameters,
    resource::Resource,
};
use crate::{Record, SigningError};
use countersign_protocol::RequestId;
use serde::Serialize;
use std::{sync::Arc, time::Duration};
use warp::{
    Reply,
    http::{Method, StatusCode, header},
    reply::{Response, with_header},
};

/// What is asked of a request.
enum Question {
    Show { wait: Duration },
    Events { seen: LastEventId },
    Receipt(ReceiptForm),
    Cancel,
}

/// A receipt as it is, or in JSON for clients that read nothing else, as many generated ones.
#[derive(Clone, Copy)]
enum ReceiptForm {
    Compact,
    Json,
}

#[derive(Serialize)]
struct ReceiptInJson {
    receipt: String,
}

pub(in crate::http) async fn requests(
    app: Arc<App>,
    path: &str,
    method: &Method,
    query: &str,
    seen: LastEventId,
    caller: &Caller,
) -> Result<Response, Problem> {
    if path.is_empty() {
        return all(app, method, query, caller).await;
    }
    let (id, question) = question(path, method, seen)?;
    let requester = admit(&app, caller)?;
    let malformed = |problem| refused(&app, caller, problem);
    let id: RequestId =
        parse_any_case(id).map_err(|_| malformed(Problem::malformed("the path has no request's id")))?;
    let question = question.with_query(query).map_err(malformed)?;
    if !app.service.keeps_requests() {
        return Err(SigningError::NoStore.into());
    }
    answer(app, requester, id, question, caller).await
}

/// What is asked of all of a requester's.
async fn all(app: Arc<App>, method: &Method, query: &str, caller: &Caller) -> Result<Response, Problem> {
    let answer = match *method {
        Method::GET | Method::HEAD => list(&app, admit(&app, caller)?, query).await,
        Method::DELETE => cancel_all(&app, admit(&app, caller)?, query).await,
        _ => return Err(other_method("GET, HEAD, DELETE")),
    };
    answer.map_err(|problem| if problem.code() == "malformed" { refused(&app, caller, problem) } else { problem })
}

/// What a path below `/v1/requests/` and a method mean.
fn question<'a>(path: &'a str, method: &Method, seen: LastEventId) -> Result<(&'a str, Question), Problem> {
    let (id, part) = path.split_once('/').unwrap_or((path, ""));
    let question = match (part, method) {
        (_, _) if id.is_empty() => return Err(not_found()),
        ("", &Method::GET | &Method::HEAD) if id == path => Question::Show { wait: Duration::ZERO },
        ("", &Method::DELETE) if id == path => Question::Cancel,
        ("events", &Method::GET | &Method::HEAD) => Question::Events { seen },
        ("receipt", &Method::GET | &Method::HEAD) => Question::Receipt(ReceiptForm::Compact),
        ("receipt.json", &Method::GET | &Method::HEAD) => Question::Receipt(ReceiptForm::Json),
        ("events" | "receipt" | "receipt.json", _) => return Err(other_method(READING)),
        ("", _) if id == path => return Err(other_method("GET, HEAD, DELETE")),
        _ => return Err(not_found()),
    };
    Ok((id, question))
}

fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "nothing is here")
}

fn other_method(allow: &'static str) -> Problem {
    Problem::method_not_allowed(allow, "not with this method")
}

impl Question {
    /// Only one parameter means anything, and only where a request is shown.
    fn with_query(self, query: &str) -> Result<Self, Problem> {
        match self {
            Self::Show { .. } => Ok(Self::Show { wait: wait(query)? }),
            Self::Events { .. } | Self::Receipt(_) | Self::Cancel => Parameters::of_form(query).end().map(|()| self),
        }
    }
}

fn wait(query: &str) -> Result<Duration, Problem> {
    let mut parameters = Parameters::of_form(query);
    let wait = parameters.take_within("wait", 0..=MOST_WAIT.as_secs()).unwrap_or_default();
    parameters.end()?;
    Ok(Duration::from_secs(wait))
}

async fn answer(
    app: Arc<App>,
    requester: Requester,
    id: RequestId,
    question: Question,
    caller: &Caller,
) -> Result<Response, Problem> {
    if matches!(question, Question::Cancel) {
        requester.scope.check_writing()?;
    }
    if !requester.scope.has_every_key() {
        requester.scope.check_key(&app.service.record(&requester.id, id).await?.public_key)?;
    }
    match question {
        Question::Show { wait } => Ok(shown(&app.status(&requester, id, wait).await?)),
        Question::Events { seen } => events(app, requester, id, seen, caller).await,
        Question::Receipt(form) => receipt(&app, &app.service.record(&requester.id, id).await?, form),
        Question::Cancel => Ok(shown(&app.service.cancel(&requester.id, id).await?)),
    }
}

fn shown(record: &Record) -> Response {
    json(&Resource::from(record))
}

fn receipt(app: &App, record: &Record, form: ReceiptForm) -> Result<Response, Problem> {
    // A service may keep its requests elsewhere, where there is no key to sign with.
    let store = app.store.as_ref().ok_or(SigningError::NoStore)?;
    let receipt = store.receipt(record).ok_or_else(|| {
        Problem::new(StatusCode::CONFLICT, "not_ended", "the request is open; it has a receipt when it has ended")
            .about(record.id)
    })?;
    Ok(match form {
        ReceiptForm::Compact => with_header(receipt, header::CONTENT_TYPE, "application/jose").into_response(),
        ReceiptForm::Json => json(&ReceiptInJson { receipt }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_a_wait_or_nothing() {
        assert_eq!(wait("").unwrap(), Duration::ZERO);
        assert_eq!(wait("wait=60").unwrap(), Duration::from_secs(60));
        for query in
            ["wait=", "wait=61", "wait=+1", "wait=-1", "wait=1.5", "wait=1&wait=2", "x=1", "wait=99999999999999999999"]
        {
            assert_eq!(wait(query).unwrap_err().code(), "malformed", "{query}");
        }
    }

    #[test]
    fn other_paths_and_methods_are_told_apart() {
        let code = |path, method: Method| {
            question(path, &method, LastEventId::default()).map_err(|problem| problem.code()).err()
        };
        for (path, method) in [("x", Method::GET), ("x", Method::DELETE), ("x/events", Method::HEAD)] {
            assert_eq!(code(path, method), None, "{path}");
        }
        for path in ["", "/", "x/", "x/y", "x/events/", "/events"] {
            assert_eq!(code(path, Method::GET), Some("not_found"), "{path}");
        }
        for (path, method) in [("x", Method::POST), ("x/events", Method::DELETE), ("x/receipt", Method::OPTIONS)] {
            assert_eq!(code(path, method), Some("method_not_allowed"), "{path}");
        }
    }
}
