//! What operators and their machines ask: health, readiness, metrics.

use super::{App, problem::Problem};
use warp::{
    Reply,
    http::{StatusCode, header},
    reply::{Response, with_header},
};

/// The process runs.
pub(super) fn healthz() -> &'static str {
    "ok\n"
}

/// New requests are taken.
pub(super) fn readyz(app: &App) -> Response {
    if app.service.is_draining() {
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "draining", "the server is shutting down")
            .into_response();
    }
    "ready\n".into_response()
}

/// The metrics, in the OpenMetrics text format 1.0.
pub(super) fn metrics(app: &App) -> Response {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    with_header(app.service.metrics().to_text(), header::CONTENT_TYPE, content_type).into_response()
}
