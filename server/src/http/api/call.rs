//! What every call of the API goes through: who calls, whether it may, and how it is answered.

use super::{
    app::App, auth::Requester, call_context::call_context, live::Live, preferences::Preferences, problem::Problem,
};
use crate::{
    call_context::CallContext,
    http::{
        listen::Peer,
        traces::{CallSpan, Traces},
    },
};
use serde::Serialize;
use std::{convert::Infallible, future::ready, sync::Arc};
use warp::{
    Filter, Rejection, Reply,
    http::{HeaderValue, Method, Request, header},
    reject::{self, Reject},
    reply::Response,
};

pub(in crate::http) fn with_app(
    app: &Arc<App>,
) -> impl Filter<Extract = (Arc<App>,), Error = Infallible> + Clone + use<> {
    let app = Arc::clone(app);
    warp::any().map(move || Arc::clone(&app))
}

/// The methods of what can only be read.
pub(in crate::http) const READING: &str = "GET, HEAD";

/// A method that the path is not for.
#[derive(Debug)]
pub(in crate::http) struct OtherMethod {
    /// Those it is for.
    pub(in crate::http) allow: &'static str,
}

impl Reject for OtherMethod {}

/// Lets these methods through, which are written as the header `Allow` has them.
pub(in crate::http) fn methods(allow: &'static str) -> impl Filter<Extract = (), Error = Rejection> + Copy {
    warp::method()
        .and_then(move |method: Method| {
            let is_allowed = allow.split(", ").any(|allowed| allowed == method.as_str());
            ready(if is_allowed { Ok(()) } else { Err(reject::custom(OtherMethod { allow })) })
        })
        .untuple_one()
}

/// Notes on a request what no filter sees: who sends it, what holds for it, and the headers that nearly no call has. Gives what to name it, and its
/// span.
pub(in crate::http) fn annotate<B>(
    request: &mut Request<B>,
    peer: Peer,
    live: Arc<Live>,
    traces: &Traces,
) -> (Arc<CallContext>, CallSpan) {
    let preferences = Preferences::of(request.headers());
    let mut call = call_context(peer.client, request.headers());
    let span = traces.begin(request.method(), request.uri().path(), &mut call);
    let call = Arc::new(call);
    let extensions = request.extensions_mut();
    extensions.insert(peer);
    extensions.insert(live);
    extensions.insert(Arc::clone(&call));
    preferences.map(|preferences| extensions.insert(preferences));
    (call, span)
}

/// Who calls, as far as the request says.
pub(in crate::http) struct Caller {
    peer: Peer,
    pub(in crate::http) call: Arc<CallContext>,
    /// What holds for this call, whatever changes meanwhile.
    pub(in crate::http) live: Arc<Live>,
    authorization: Option<String>,
    host: Option<String>,
}

pub(in crate::http) fn caller() -> impl Filter<Extract = (Caller,), Error = Rejection> + Clone {
    warp::ext::get::<Peer>()
        .and(warp::ext::get::<Arc<CallContext>>())
        .and(warp::ext::get::<Arc<Live>>())
        .and(warp::header::optional::<String>("authorization"))
        .and(warp::header::optional::<String>("host"))
        .map(|peer, call, live, authorization, host| Caller { peer, call, live, authorization, host })
}

/// Finds out who calls and whether the rate allows it.
pub(in crate::http) fn admit(app: &App, caller: &Caller) -> Result<Requester, Problem> {
    let requester = caller
        .live
        .requester(caller.authorization.as_deref(), caller.host.as_deref())
        .map_err(|problem| refused(app, caller, problem))?;
    caller.live.check_rate(&requester).map_err(|exceeded| {
        app.service.metrics().rate_limited(exceeded.scope);
        let problem = noted(app, caller, exceeded.into());
        app.requesters.of(&requester.id).came_to(&problem);
        problem
    })?;
    Ok(requester)
}

/// Counts a refusal against its address: one that keeps sending what is refused hears 429 instead.
pub(in crate::http) fn refused(app: &App, caller: &Caller, problem: Problem) -> Problem {
    let problem = match caller.live.failures.check(&caller.peer.party) {
        Ok(()) => problem,
        Err(exceeded) => {
            app.service.metrics().rate_limited(exceeded.scope);
            exceeded.into()
        }
    };
    noted(app, caller, problem)
}

fn noted(app: &App, caller: &Caller, problem: Problem) -> Problem {
    app.refusals.note(problem.code(), &caller.call);
    problem
}

pub(in crate::http) fn json(answer: &impl Serialize) -> Response {
    warp::reply::json(answer).into_response()
}

pub(in crate::http) fn reply(app: &App, result: Result<Response, Problem>) -> Response {
    let mut response = result.unwrap_or_else(|problem| {
        app.service.metrics().api_error(problem.code());
        problem.into_response()
    });
    // For one caller, once.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
