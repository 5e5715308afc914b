//! Which call is for what.

use super::{
    blocks::{Terms, block, blocks, unblock},
    cancel::{Whose, cancel, cancel_all},
    connections::connections,
    keys::disconnect,
    operator::{Operator, Origin, admit},
    path::{Parameters, decoded, public_key},
    purge::{Purge, purge},
    reload::reload,
    requests::requests,
    state::Admin,
    status::status,
    webhooks::{Again, resend, webhooks},
};
use crate::{
    call_id::CallId,
    http::{
        api::{Body, BodyHead, BodyLimits, Problem, READING, read_json, reply},
        ops::{healthz, metrics, readyz},
    },
};
use http_body_util::BodyDataStream;
use hyper::body::Incoming;
use std::{
    future::{Future, pending},
    panic::resume_unwind,
    sync::Arc,
    time::Duration,
};
use tokio::task::JoinError;
use warp::{
    Reply,
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
    reply::Response,
};

const MAX_BODY_BYTES: usize = 4 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// Below it is what only administrators may see and do.
const ROOT: &str = "/admin/v1/";

/// Answers any call on the listener for administrators.
pub(super) async fn route(admin: &Arc<Admin>, origin: Origin, head: Parts, body: Incoming) -> Response {
    let app = &admin.app;
    let path = head.uri.path().to_owned();
    if let Some(path) = path.strip_prefix(ROOT) {
        return reply(app, answer(admin, origin, path, head, body).await);
    }
    let is_reading = matches!(head.method, Method::GET | Method::HEAD);
    match path.as_str() {
        "/healthz" | "/readyz" | "/metrics" if !is_reading => other_method(READING).into_response(),
        "/healthz" => healthz().into_response(),
        "/readyz" => readyz(app),
        "/metrics" => metrics(Arc::clone(app), accept(&head.headers)).await,
        path if path.ends_with('/') => Problem::slash_at_the_end().into_response(),
        _ => not_found().into_response(),
    }
}

/// Who may not call is told nothing else.
async fn answer(
    admin: &Arc<Admin>,
    origin: Origin,
    path: &str,
    head: Parts,
    body: Incoming,
) -> Result<Response, Problem> {
    let operator = admit(admin, origin, &head.headers)?;
    let call_id = head.extensions.get::<CallId>().map(CallId::as_str);
    tracing::debug!(by = operator.name, address = operator.address.map(display), call_id, "an administrator calls");
    if path.ends_with('/') {
        return Err(Problem::slash_at_the_end());
    }
    let segments: Vec<&str> = path.split('/').collect();
    let query = head.uri.query();
    match (segments.as_slice(), &head.method) {
        (["status"], &Method::GET | &Method::HEAD) => {
            Parameters::parse(query).end()?;
            Ok(status(admin).await)
        }
        (["blocks"], &Method::GET | &Method::HEAD) => {
            Parameters::parse(query).end()?;
            Ok(blocks(admin).await)
        }
        (["connections"], &Method::GET | &Method::HEAD) => connections(admin, query),
        (["requests"], &Method::GET | &Method::HEAD) => requests(admin, query),
        (["webhooks"], &Method::GET | &Method::HEAD) => webhooks(admin, query).await,
        (["status" | "blocks" | "connections" | "requests" | "webhooks"], _) => Err(other_method(READING)),
        _ => {
            Parameters::parse(query).end()?;
            let path = segments.into_iter().map(str::to_owned).collect();
            to_its_end(act(Arc::clone(admin), operator, path, head, body)).await
        }
    }
}

/// Whoever hangs up leaves nothing half done, and nothing that was done without an entry of it.
async fn to_its_end<T: Send + 'static>(act: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(act).await.map_err(JoinError::try_into_panic) {
        Ok(done) => done,
        Err(Ok(panic)) => resume_unwind(panic),
        // The runtime ends, and this with it.
        Err(Err(_)) => pending().await,
    }
}

/// Does something.
async fn act(
    admin: Arc<Admin>,
    who: Operator,
    path: Vec<String>,
    head: Parts,
    body: Incoming,
) -> Result<Response, Problem> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let (admin, who) = (&*admin, &who);
    match (path.as_slice(), &head.method) {
        (["requests", "cancel"], &Method::POST) => cancel_all(admin, who, read::<Whose>(&head, body).await?).await,
        (["requests", "cancel"], _) => Err(other_method("POST")),
        (["requests", id], &Method::DELETE) => cancel(admin, who, id).await,
        (["requests", _], _) => Err(other_method("DELETE")),
        (["purge"], &Method::POST) => purge(admin, who, read::<Purge>(&head, body).await?).await,
        (["purge"], _) => Err(other_method("POST")),
        (["reload"], &Method::POST) => reload(admin, who, admin.reloader.as_ref().ok_or_else(not_found)?).await,
        (["reload"], _) => Err(other_method("POST")),
        (["webhooks", "resend"], &Method::POST) => resend(admin, who, read::<Again>(&head, body).await?).await,
        (["webhooks", "resend"], _) => Err(other_method("POST")),
        (["keys", key, "disconnect"], &Method::POST) => disconnect(admin, who, public_key(&decoded(key)?)?),
        (["keys", _, "disconnect"], _) => Err(other_method("POST")),
        (["keys", key, "block"], &Method::PUT) => {
            let key = public_key(&decoded(key)?)?;
            block(admin, who, key, read::<Terms>(&head, body).await?).await
        }
        (["keys", key, "block"], &Method::DELETE) => unblock(admin, who, public_key(&decoded(key)?)?).await,
        (["keys", _, "block"], _) => Err(other_method("PUT, DELETE")),
        _ => Err(not_found()),
    }
}

async fn read<T: Body>(head: &Parts, body: Incoming) -> Result<T, Problem> {
    let body_head = BodyHead::of(&head.headers);
    let limits = BodyLimits { bytes: MAX_BODY_BYTES, time: BODY_TIMEOUT };
    read_json(&body_head, BodyDataStream::new(body), limits).await
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::api::assert_fields;

    #[test]
    fn the_fields_of_each_body_are_those_that_are_parsed() {
        assert_fields::<Whose>();
        assert_fields::<Purge>();
        assert_fields::<Again>();
        assert_fields::<Terms>();
    }
}
