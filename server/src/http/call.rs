//! What every call of the API goes through: who calls, whether it may, and how it is answered.

use super::{App, accept::Peer, auth::Requester, problem::Problem};
use serde::Serialize;
use std::{convert::Infallible, sync::Arc};
use warp::{
    Filter, Rejection, Reply,
    http::{HeaderValue, header},
    reply::Response,
};

pub(super) fn with(app: &Arc<App>) -> impl Filter<Extract = (Arc<App>,), Error = Infallible> + Clone + use<> {
    let app = Arc::clone(app);
    warp::any().map(move || Arc::clone(&app))
}

/// Who calls, as far as the request says.
pub(super) struct Caller {
    peer: Peer,
    authorization: Option<String>,
    host: Option<String>,
}

pub(super) fn caller() -> impl Filter<Extract = (Caller,), Error = Rejection> + Clone {
    warp::ext::get::<Peer>()
        .and(warp::header::optional::<String>("authorization"))
        .and(warp::header::optional::<String>("host"))
        .map(|peer, authorization, host| Caller { peer, authorization, host })
}

/// Finds out who calls and whether the rate allows it.
pub(super) fn admit(app: &App, caller: &Caller) -> Result<Requester, Problem> {
    let requester = app
        .tokens
        .requester(caller.authorization.as_deref(), caller.host.as_deref())
        .map_err(|problem| refused(app, caller, problem))?;
    app.requests.check(&requester.key).map_err(|exceeded| {
        app.service.metrics().rate_limited(exceeded.scope);
        Problem::from(exceeded)
    })?;
    Ok(requester)
}

/// Counts a refusal against its address: one that keeps sending what is refused hears 429 instead.
pub(super) fn refused(app: &App, caller: &Caller, problem: Problem) -> Problem {
    match app.failures.check(&caller.peer.party) {
        Ok(()) => problem,
        Err(exceeded) => {
            app.service.metrics().rate_limited(exceeded.scope);
            exceeded.into()
        }
    }
}

pub(super) fn json(answer: &impl Serialize) -> Response {
    warp::reply::json(answer).into_response()
}

pub(super) fn reply(app: &App, result: Result<Response, Problem>) -> Response {
    let mut response = result.unwrap_or_else(|problem| {
        app.service.metrics().api_error(problem.code());
        problem.into_response()
    });
    // For one caller, once.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
