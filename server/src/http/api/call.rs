//! What every call of the API goes through: who calls, whether it may, and how it is answered.

use super::{app::App, auth::Requester, call_context::call_context, live::Live, problem::Problem};
use crate::{
    call_context::CallContext,
    http::{
        listen::Peer,
        traces::{CallSpan, Traces},
    },
};
use serde::Serialize;
use std::{convert::Infallible, future::ready, ops::Deref, sync::Arc};
use warp::{
    Filter, Rejection, Reply,
    http::{HeaderMap, HeaderValue, Method, Request, header},
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

/// What no header says of a call: who sends it, and what holds for it. A filter finds it among the request's extensions.
#[derive(Clone)]
pub(in crate::http) struct Noted {
    pub(in crate::http) peer: Peer,
    pub(in crate::http) call: Arc<CallContext>,
    /// What holds for this call, whatever changes meanwhile.
    pub(in crate::http) live: Arc<Live>,
}

impl Noted {
    /// Of a request; and its span.
    pub(in crate::http) fn of<B>(
        request: &Request<B>,
        peer: Peer,
        live: Arc<Live>,
        traces: &Traces,
    ) -> (Self, CallSpan) {
        let mut call = call_context(peer.client, request.headers());
        let span = traces.begin(request.method(), request.uri().path(), &mut call);
        (Self { peer, call: Arc::new(call), live }, span)
    }

    /// With what the headers say of who calls.
    pub(in crate::http) fn caller(self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let text =
            |name| headers.get(name).map(HeaderValue::to_str).transpose().map_err(|_| Problem::senseless_headers());
        let (authorization, host) = (text(header::AUTHORIZATION)?, text(header::HOST)?);
        Ok(Caller { noted: self, authorization: authorization.map(str::to_owned), host: host.map(str::to_owned) })
    }
}

/// Who calls, as far as the request says.
pub(in crate::http) struct Caller {
    noted: Noted,
    authorization: Option<String>,
    host: Option<String>,
}

impl Deref for Caller {
    type Target = Noted;

    fn deref(&self) -> &Noted {
        &self.noted
    }
}

pub(in crate::http) fn caller() -> impl Filter<Extract = (Caller,), Error = Rejection> + Clone {
    warp::ext::get::<Noted>()
        .and(warp::header::optional::<String>("authorization"))
        .and(warp::header::optional::<String>("host"))
        .map(|noted, authorization, host| Caller { noted, authorization, host })
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
