//! What operators, their machines and those who verify ask: health, readiness, metrics, keys, the description of the API.

use crate::{
    SigningError,
    http::api::{App, Problem},
    store::DurableStore,
};
use std::sync::Arc;
use warp::{
    Reply,
    http::{StatusCode, header},
    reply::{Response, with_header},
};

/// The process runs.
pub(in crate::http) fn healthz() -> &'static str {
    "ok\n"
}

/// New requests are taken.
pub(in crate::http) fn readyz(app: &App) -> Response {
    if app.service.is_draining() {
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "draining", "the server is shutting down")
            .into_response();
    }
    if app.store.as_ref().is_some_and(DurableStore::is_failed) {
        let detail = "nothing durable can be taken: the store has failed, is full or cannot be reached";
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "storage_unavailable", detail).into_response();
    }
    if !app.service.knows_the_others() {
        let detail = "it is not known yet which other servers share the database";
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "storage_unavailable", detail).into_response();
    }
    if let Err(problem) = app.check_audit() {
        return problem.into_response();
    }
    "ready\n".into_response()
}

/// The keys that receipts, webhooks and the audit log are signed with.
pub(in crate::http) async fn jwk_set(app: Arc<App>) -> Response {
    let keys = match (&app.store, &app.audit) {
        (Some(store), _) => {
            let of_webhooks: Vec<_> = app.live().webhook_keys.iter().map(|key| key.public_key()).collect();
            store.jwk_set(&of_webhooks).await
        }
        (None, Some(audit)) => audit.key().jwk_set(&[], &[]),
        (None, None) => return Problem::from(SigningError::NoStore).into_response(),
    };
    let keys = warp::reply::json(&keys);
    with_header(keys, header::CONTENT_TYPE, "application/jwk-set+json").into_response()
}

/// The description of the API, in OpenAPI 3.1.
pub(in crate::http) fn openapi() -> Response {
    with_header(include_str!("../api/openapi.json"), header::CONTENT_TYPE, "application/json").into_response()
}
