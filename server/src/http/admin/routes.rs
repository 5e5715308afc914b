//! Which call is for what.

use super::{
    connections::connections,
    operator::{Origin, admit},
    path::Parameters,
    requests::requests,
    state::Admin,
    status::status,
};
use crate::http::{
    api::{Problem, READING, reply},
    ops::{healthz, metrics, readyz},
};
use std::sync::Arc;
use warp::{
    Reply,
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
    reply::Response,
};

/// Below it is what only administrators may see and do.
const ROOT: &str = "/admin/v1/";

/// Answers any call on the listener for administrators.
pub(super) async fn route(admin: &Arc<Admin>, origin: Origin, head: Parts) -> Response {
    let app = &admin.app;
    let path = head.uri.path();
    if let Some(path) = path.strip_prefix(ROOT) {
        return reply(app, answer(admin, origin, path, &head).await);
    }
    let is_reading = matches!(head.method, Method::GET | Method::HEAD);
    match path {
        "/healthz" | "/readyz" | "/metrics" if !is_reading => other_method(READING).into_response(),
        "/healthz" => healthz().into_response(),
        "/readyz" => readyz(app),
        "/metrics" => metrics(Arc::clone(app), accept(&head.headers)).await,
        _ => not_found().into_response(),
    }
}

/// Who may not call is told nothing else.
async fn answer(admin: &Arc<Admin>, origin: Origin, path: &str, head: &Parts) -> Result<Response, Problem> {
    let operator = admit(admin, origin, &head.headers)?;
    tracing::debug!(by = operator.name, address = operator.address.map(display), "an administrator calls");
    let segments: Vec<&str> = path.split('/').collect();
    let query = head.uri.query();
    match (segments.as_slice(), &head.method) {
        (["status"], &Method::GET | &Method::HEAD) => {
            Parameters::parse(query)?.end()?;
            Ok(status(admin).await)
        }
        (["connections"], &Method::GET | &Method::HEAD) => connections(admin, query),
        (["requests"], &Method::GET | &Method::HEAD) => requests(admin, query),
        (["status" | "connections" | "requests"], _) => Err(other_method(READING)),
        _ => Err(not_found()),
    }
}

fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "nothing is here")
}

fn other_method(allow: &'static str) -> Problem {
    Problem::method_not_allowed(allow, "not with this method")
}

fn accept(headers: &HeaderMap) -> Option<String> {
    headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).map(str::to_owned)
}
