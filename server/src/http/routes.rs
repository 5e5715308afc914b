//! Which path leads where.

use super::{
    api::{
        App, Asked, BodyHead, BodyLimits, Caller, Fields, LastEventId, Noted, OtherMethod, Preferences, Problem,
        READING, Requester, SendToSignBody, admit, ask_limits, batches, body_limit, caller, demo, get_signer,
        last_event_id, methods, mistakes_beside_values, read_json_with, refused, reply, requests, send_to_sign,
        upgrade, with_app,
    },
    config::HttpConfig,
    listen::LentBody,
    ops::{healthz, jwk_set, metrics, openapi, readyz, web_root},
};
use http_body_util::BodyDataStream;
use hyper::{Request, upgrade::OnUpgrade};
use std::{convert::Infallible, sync::Arc};
use warp::{
    Filter, Rejection, Reply,
    filters::BoxedFilter,
    filters::path::Tail,
    http::{HeaderMap, Method, StatusCode},
    reject::{self, MethodNotAllowed},
    reply::Response,
};

/// All routes as one filter that answers every request itself.
pub(super) fn routes(app: &Arc<App>, config: &HttpConfig) -> BoxedFilter<(Response,)> {
    let websocket = warp::path!("ws")
        .and(methods("GET"))
        .and(with_app(app))
        .and(warp::ext::get::<Noted>())
        .and(warp::header::headers_cloned())
        .and(warp::ext::optional::<OnUpgrade>())
        .map(|app: Arc<App>, noted: Noted, headers: HeaderMap, on_upgrade| {
            upgrade(&app, &noted.live, noted.peer, &headers, on_upgrade)
        });
    // Whoever posts there is answered by `post`, and does not get here.
    let send_to_sign = warp::path!("v1" / "send_to_sign").and(methods("POST")).and_then(nothing);
    // Not `String`: warp writes such a segment to its trace, and a whole key has no place in a log.
    let signers = warp::path!("v1" / "signers" / ..)
        .and(warp::path::tail())
        .and(methods(READING))
        .and(with_app(app))
        .and(caller())
        .then(get_signer);
    let batches_api = warp::path!("v1" / "batches" / ..)
        .and(warp::path::tail())
        .and(warp::method())
        .and(warp::query::raw().or(warp::any().map(String::new)).unify())
        .and(with_app(app))
        .and(caller())
        .then(answer_batches);
    let requests_api = warp::path!("v1" / "requests" / ..)
        .and(warp::path::tail())
        .and(warp::method())
        .and(warp::query::raw().or(warp::any().map(String::new)).unify())
        .and(last_event_id())
        .and(with_app(app))
        .and(caller())
        .then(answer_requests);
    let health = warp::path!("healthz").and(methods(READING)).map(|| healthz().into_response());
    let ready = warp::path!("readyz").and(methods(READING)).and(with_app(app)).map(|app: Arc<App>| readyz(&app));
    let metrics = warp::path!("metrics")
        .and(methods(READING))
        .and(with_app(app))
        .and(warp::header::optional::<String>("accept"))
        .then(metrics);
    let keys = warp::path!(".well-known" / "jwks.json").and(methods(READING)).and(with_app(app)).then(jwk_set);
    let description = warp::path!("openapi.json").and(methods(READING)).map(openapi);
    let own = websocket.or(send_to_sign).unify().or(batches_api).unify().or(signers).unify().or(requests_api).unify();
    let own = own.or(health).unify().or(ready).unify().or(metrics).unify().or(keys).unify().or(description).unify();
    let own = own.or(demo(app, config.demo.as_ref())).unify();
    match &config.web_root {
        Some(root) => own.or(web_root(root)).unify().recover(no_route).unify().boxed(),
        None => own.recover(no_route).unify().boxed(),
    }
}

/// The paths of [`post`].
const SEND_TO_SIGN: &str = "/v1/send_to_sign";
const BATCHES: &str = "/v1/batches";

/// The server's own paths beside those below `/v1/`. All others are the page's files, in which a folder may be meant.
const OWN_PATHS: [&str; 6] = ["/ws", "/healthz", "/readyz", "/metrics", "/openapi.json", "/.well-known/jwks.json"];
const DEMO_PATH: &str = "/demo";

/// Whether a path is one of the server's own but for a slash at its end. None of them has one, and what is taken for another path nowhere else,
/// such as in a proxy's rules, had better not be the same here.
pub(super) fn has_stray_slash(path: &str, has_demo: bool) -> bool {
    let bare = path.trim_end_matches('/');
    let is_below = |root: &str| bare.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    bare.len() < path.len() && (is_below("/v1") || OWN_PATHS.contains(&bare) || (has_demo && is_below(DEMO_PATH)))
}

/// Whether it is answered by [`post`]: the call that servers are for, on which the filters would spend more time than on anything else.
pub(super) fn posts(method: &Method, path: &str) -> Option<Post> {
    match (path, method) {
        (SEND_TO_SIGN, &Method::POST) => Some(Post::SendToSign),
        (BATCHES, &Method::POST) => Some(Post::Batch),
        (_, _) => None,
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Post {
    /// One signature or several.
    SendToSign,
    /// Several.
    Batch,
}

/// Asks the wallet.
pub(super) async fn post(app: &App, noted: Noted, request: Request<LentBody>, asked: Post) -> Response {
    let (head, body) = request.into_parts();
    let caller = match noted.caller(&head.headers) {
        Ok(caller) => caller,
        Err(problem) => return problem.into_response(),
    };
    let (preferences, body_head) = (Preferences::of(&head.headers), BodyHead::of(&head.headers));
    // Kept any longer it would be part of what waits for the wallet.
    drop(head);
    reply(app, admitted(app, &caller, preferences, (&body_head, body), asked).await)
}

async fn admitted(
    app: &App,
    caller: &Caller,
    preferences: Option<Preferences>,
    body: (&BodyHead, LentBody),
    asked: Post,
) -> Result<Response, Problem> {
    let requester = admit(app, caller)?;
    app.check_audit()?;
    let calls = app.requesters.of(&requester.id);
    calls.asks();
    let answer = read_and_ask(app, caller, requester, preferences, body, asked).await;
    answer.inspect_err(|problem| calls.came_to(problem))
}

async fn read_and_ask(
    app: &App,
    caller: &Caller,
    requester: Requester,
    preferences: Option<Preferences>,
    (head, body): (&BodyHead, LentBody),
    asked: Post,
) -> Result<Response, Problem> {
    let preferences = preferences.unwrap_or_default();
    let limits = ask_limits(&app.service.config());
    let bounds = BodyLimits { bytes: body_limit(limits.message), time: caller.live.read_timeout };
    let only_several = asked == Post::Batch;
    let whose = (&*caller.live, &requester);
    let look = |fields: &Fields| {
        let beside = mistakes_beside_values(fields.text("webhook"), whose, &preferences);
        [Asked::from(fields).mistakes(limits, only_several), beside].concat()
    };
    let ask: SendToSignBody = read_json_with(head, BodyDataStream::new(body), bounds, look)
        .await
        .and_then(|ask: SendToSignBody| {
            if only_several {
                let also = |problem: Problem| problem.with_errors(ask.mistakes_beside_values(whose, &preferences));
                ask.check_batch(limits).map_err(also)?;
            }
            Ok(ask)
        })
        .map_err(|problem| refused(app, caller, problem))?;
    send_to_sign(app, requester, caller, preferences, ask).await
}

async fn answer_requests(
    path: Tail,
    method: Method,
    query: String,
    seen: LastEventId,
    app: Arc<App>,
    caller: Caller,
) -> Response {
    reply(&app, requests(Arc::clone(&app), path.as_str(), &method, &query, seen, &caller).await)
}

async fn answer_batches(path: Tail, method: Method, query: String, app: Arc<App>, caller: Caller) -> Response {
    reply(&app, batches(&app, path.as_str(), &method, &query, &caller).await)
}

async fn nothing() -> Result<Response, Rejection> {
    Err(reject::not_found())
}

async fn no_route(rejection: Rejection) -> Result<Response, Infallible> {
    let problem = if rejection.is_not_found() {
        Problem::new(StatusCode::NOT_FOUND, "not_found", "nothing is here")
    } else if let Some(OtherMethod { allow }) = rejection.find() {
        Problem::method_not_allowed(allow, "not with this method")
    } else if rejection.find::<MethodNotAllowed>().is_some() {
        // warp's own, of the page's files.
        Problem::method_not_allowed(READING, "not with this method")
    } else {
        Problem::senseless_headers()
    };
    Ok(problem.into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_at_the_end_is_seen_of_own_paths_and_left_to_files() {
        for path in
            ["/v1/", "/v1/send_to_sign/", "/v1/requests//", "/v1/signers/x/", "/ws/", "/healthz//", "/openapi.json/"]
        {
            assert!(has_stray_slash(path, false), "{path}");
        }
        for path in ["/", "//", "/v1", "/v1/requests", "/v1x/", "/healthz", "/healthz/x/", "/assets/", "/demo/", ""] {
            assert!(!has_stray_slash(path, false), "{path}");
        }
        assert!(has_stray_slash("/demo/", true) && has_stray_slash("/demo/restart/", true));
        assert!(!has_stray_slash("/demo.html/", true));
    }
}
