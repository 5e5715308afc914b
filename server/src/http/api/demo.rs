//! The demo page's calls to have the process start anew.
//!
//! Whoever may do this stops everybody's calls. So it is off unless asked for, on a loopback address only, and a browser may do it
//! only for a page that this server has served under a name of this machine.

use super::{
    app::App,
    body::read_json,
    call::{READING, json, methods, reply, with_app},
    problem::Problem,
};
use crate::http::{loopback::is_loopback, ops::Demo};
use bytes::Buf;
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use warp::{
    Filter, Rejection,
    filters::BoxedFilter,
    http::{HeaderMap, HeaderName, StatusCode, header},
    reply::Response,
};

/// The longest body of a call, in bytes.
const BODY_LIMIT: usize = 1024;

/// Which process answers.
#[derive(Serialize)]
struct Instance<'a> {
    instance: &'a str,
}

/// A call's body: an object without members.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Restart {}

/// `GET /demo` tells which process answers, and `POST /demo/restart` asks for another.
pub(in crate::http) fn demo(app: &Arc<App>, demo: Option<&Demo>) -> BoxedFilter<(Response,)> {
    let Some(demo) = demo.cloned() else {
        return warp::any().and_then(async || Err::<Response, Rejection>(warp::reject::not_found())).boxed();
    };
    let asked = demo.clone();
    let tell = warp::path!("demo")
        .and(methods(READING))
        .and(with_app(app))
        .map(move |app: Arc<App>| reply(&app, Ok(instance(&asked))));
    let restart = warp::path!("demo" / "restart")
        .and(methods("POST"))
        .and(with_app(app))
        .and(warp::any().map(move || demo.clone()))
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(post_restart);
    tell.or(restart).unify().boxed()
}

async fn post_restart<B: Buf>(
    app: Arc<App>,
    demo: Demo,
    headers: HeaderMap,
    body: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    let answer = async {
        check(&demo, &headers)?;
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let Restart {} = read_json(content_type, body, BODY_LIMIT, app.read_timeout).await?;
        tracing::info!("the demo page asks for a restart");
        demo.restart();
        let mut response = instance(&demo);
        *response.status_mut() = StatusCode::ACCEPTED;
        Ok(response)
    };
    reply(&app, answer.await)
}

/// Refuses what no page of this server has sent. A browser says which page it was, and no script can change that; a name that
/// was rebound to this machine is no loopback name.
fn check(demo: &Demo, headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let own = text(header::HOST).filter(|host| is_loopback(host)).map(|host| format!("{}://{host}", demo.scheme()));
    if own.is_some_and(|own| text(header::ORIGIN).is_some_and(|origin| origin.eq_ignore_ascii_case(&own))) {
        return Ok(());
    }
    let detail = "only a page of this server, opened on this machine, may restart it";
    Err(Problem::new(StatusCode::FORBIDDEN, "host_not_allowed", detail))
}

fn instance(demo: &Demo) -> Response {
    json(&Instance { instance: demo.instance() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(host: &str, origin: Option<&str>) -> Result<(), Problem> {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        origin.map(|origin| headers.insert(header::ORIGIN, origin.parse().unwrap()));
        super::check(&Demo::new(false), &headers)
    }

    #[test]
    fn only_a_page_of_this_server_on_this_machine_may_restart_it() {
        for host in ["localhost:8080", "127.0.0.1:8080", "[::1]:1"] {
            assert!(check(host, Some(&format!("http://{host}"))).is_ok(), "{host}");
        }
        for (host, origin) in [
            ("localhost:8080", None),
            ("localhost:8080", Some("null")),
            ("localhost:8080", Some("http://localhost:8081")),
            ("localhost:8080", Some("https://localhost:8080")),
            ("localhost:8080", Some("http://127.0.0.1:8080")),
            ("localhost:8080", Some("http://evil.example")),
            ("rebound.example:8080", Some("http://rebound.example:8080")),
        ] {
            assert_eq!(check(host, origin).unwrap_err().code(), "host_not_allowed", "{host} {origin:?}");
        }
    }
}
