//! Which path leads where.

use super::{
    App, HttpConfig,
    accept::Peer,
    auth::Requester,
    body::read_json,
    operations,
    page::confine,
    problem::Problem,
    send_to_sign::{body_limit, send_to_sign},
    signers::signer,
    upgrade::upgrade,
};
use bytes::Buf;
use futures_util::Stream;
use hyper::upgrade::OnUpgrade;
use serde::Serialize;
use std::{convert::Infallible, path::Path, sync::Arc};
use warp::{
    Filter, Rejection, Reply,
    filters::BoxedFilter,
    filters::path::Tail,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    reject::MethodNotAllowed,
    reply::Response,
};

/// All routes as one filter that answers every request itself.
pub(super) fn routes(app: &Arc<App>, config: &HttpConfig) -> BoxedFilter<(Response,)> {
    let websocket = warp::path!("ws")
        .and(warp::get())
        .and(with(app))
        .and(warp::ext::get::<Peer>())
        .and(warp::header::headers_cloned())
        .and(warp::ext::optional::<OnUpgrade>())
        .map(|app: Arc<App>, peer, headers: HeaderMap, on_upgrade| upgrade(&app, peer, &headers, on_upgrade));
    let ask = warp::path!("v1" / "send_to_sign")
        .and(warp::post())
        .and(with(app))
        .and(caller())
        .and(warp::header::optional::<String>("content-type"))
        .and(warp::body::stream())
        .then(post_send_to_sign);
    // Not `String`: warp writes such a segment to its trace, and a whole key has no place in a log.
    let signers =
        warp::path!("v1" / "signers" / ..).and(warp::path::tail()).and(readable()).and(with(app)).and(caller()).map(
            |key: Tail, app: Arc<App>, caller: Caller| {
                reply(
                    &app,
                    admit(&app, &caller)
                        .and_then(|_| signer(&app, key.as_str()).map_err(|problem| refused(&app, &caller, problem))),
                )
            },
        );
    let health = warp::path!("healthz").and(readable()).map(|| operations::healthz().into_response());
    let ready = warp::path!("readyz").and(readable()).and(with(app)).map(|app: Arc<App>| operations::readyz(&app));
    let metrics = warp::path!("metrics").and(readable()).and(with(app)).map(|app: Arc<App>| operations::metrics(&app));
    let own = websocket.or(ask).unify().or(signers).unify().or(health).unify().or(ready).unify().or(metrics).unify();
    match &config.web_root {
        Some(root) => own
            .or(page(root).map(|file: warp::fs::File| confine(file.into_response())))
            .unify()
            .recover(no_route)
            .unify()
            .boxed(),
        None => own.recover(no_route).unify().boxed(),
    }
}

/// The files below `root`. A path that names none of them is not found, whatever else may be odd about it.
fn page(root: &Path) -> impl Filter<Extract = (warp::fs::File,), Error = Rejection> + Clone + use<> {
    warp::fs::dir(root.to_path_buf()).or_else(|rejection: Rejection| async {
        Err(if rejection.find::<MethodNotAllowed>().is_some() { rejection } else { warp::reject::not_found() })
    })
}

fn readable() -> impl Filter<Extract = (), Error = Rejection> + Copy {
    warp::get().or(warp::head()).unify()
}

fn with(app: &Arc<App>) -> impl Filter<Extract = (Arc<App>,), Error = Infallible> + Clone + use<> {
    let app = Arc::clone(app);
    warp::any().map(move || Arc::clone(&app))
}

/// Who calls, as far as the request says.
struct Caller {
    peer: Peer,
    authorization: Option<String>,
    host: Option<String>,
}

fn caller() -> impl Filter<Extract = (Caller,), Error = Rejection> + Clone {
    warp::ext::get::<Peer>()
        .and(warp::header::optional::<String>("authorization"))
        .and(warp::header::optional::<String>("host"))
        .map(|peer, authorization, host| Caller { peer, authorization, host })
}

async fn post_send_to_sign<B: Buf>(
    app: Arc<App>,
    caller: Caller,
    content_type: Option<String>,
    body: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    let answer = async {
        let requester = admit(&app, &caller)?;
        let limit = body_limit(app.service.config().max_message_bytes);
        let ask = read_json(content_type.as_deref(), body, limit, app.read_timeout)
            .await
            .map_err(|problem| refused(&app, &caller, problem))?;
        send_to_sign(&app, requester, ask).await
    };
    reply(&app, answer.await)
}

/// Finds out who calls and whether the rate allows it.
fn admit(app: &App, caller: &Caller) -> Result<Requester, Problem> {
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
fn refused(app: &App, caller: &Caller, problem: Problem) -> Problem {
    match app.failures.check(&caller.peer.party) {
        Ok(()) => problem,
        Err(exceeded) => {
            app.service.metrics().rate_limited(exceeded.scope);
            exceeded.into()
        }
    }
}

fn reply(app: &App, result: Result<impl Serialize, Problem>) -> Response {
    let mut response = match result {
        Ok(answer) => warp::reply::json(&answer).into_response(),
        Err(problem) => {
            app.service.metrics().api_error(problem.code());
            problem.into_response()
        }
    };
    // For one caller, once.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn no_route(rejection: Rejection) -> Result<Response, Infallible> {
    let problem = if rejection.is_not_found() {
        Problem::new(StatusCode::NOT_FOUND, "not_found", "nothing is here")
    } else if rejection.find::<MethodNotAllowed>().is_some() {
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "not with this method")
    } else {
        Problem::malformed("the request's headers make no sense here")
    };
    Ok(problem.into_response())
}
