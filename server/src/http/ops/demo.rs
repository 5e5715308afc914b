//! For the demo page: has the process end and start anew, so that a visitor sees what survives it.
//!
//! Whoever may do this stops everybody's calls. So it is off unless asked for, on a loopback address only, and a browser may do it
//! only for a page that this server has served under a name of this machine.

use crate::http::{
    api::{App, Problem, READING, json, methods, read_json, reply, with_app},
    loopback::is_loopback,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Buf;
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::sync::Notify;
use warp::{
    Filter, Rejection,
    filters::BoxedFilter,
    http::{HeaderMap, HeaderName, StatusCode, header},
    reply::Response,
};

/// The longest body of a call, in bytes.
const BODY_LIMIT: usize = 1024;

/// That this process may be told to start anew, and whether it has been.
#[derive(Debug, Clone)]
pub struct Demo {
    wanted: Arc<Notify>,
    /// Drawn at random: another process, another value.
    instance: String,
    /// What a page's origin begins with.
    scheme: &'static str,
}

/// Which process answers.
#[derive(Serialize)]
struct Instance<'a> {
    instance: &'a str,
}

/// A call's body: an object without members.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Restart {}

impl Demo {
    pub(in crate::http) fn new(tls: bool) -> Self {
        Self {
            wanted: Arc::default(),
            instance: URL_SAFE_NO_PAD.encode(crate::random::bytes::<12>()),
            scheme: if tls { "https" } else { "http" },
        }
    }

    /// Resolves when somebody has asked for another process. What asked has its answer a moment later.
    pub async fn restart_wanted(&self) {
        self.wanted.notified().await;
    }

    /// Refuses what no page of this server has sent. A browser says which page it was, and no script can change that; a name that
    /// was rebound to this machine is no loopback name.
    fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let own = text(header::HOST).filter(|host| is_loopback(host)).map(|host| format!("{}://{host}", self.scheme));
        if own.is_some_and(|own| text(header::ORIGIN).is_some_and(|origin| origin.eq_ignore_ascii_case(&own))) {
            return Ok(());
        }
        let detail = "only a page of this server, opened on this machine, may restart it";
        Err(Problem::new(StatusCode::FORBIDDEN, "host_not_allowed", detail))
    }

    fn instance(&self) -> Response {
        json(&Instance { instance: &self.instance })
    }
}

/// `GET /demo` tells which process answers, and `POST /demo/restart` asks for another.
pub(in crate::http) fn demo(app: &Arc<App>, demo: Option<&Demo>) -> BoxedFilter<(Response,)> {
    let Some(demo) = demo.cloned() else {
        return warp::any().and_then(async || Err::<Response, Rejection>(warp::reject::not_found())).boxed();
    };
    let asked = demo.clone();
    let tell = warp::path!("demo")
        .and(methods(READING))
        .and(with_app(app))
        .map(move |app: Arc<App>| reply(&app, Ok(asked.instance())));
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
        demo.check(&headers)?;
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let Restart {} = read_json(content_type, body, BODY_LIMIT, app.read_timeout).await?;
        tracing::info!("the demo page asks for a restart");
        demo.wanted.notify_one();
        let mut response = demo.instance();
        *response.status_mut() = StatusCode::ACCEPTED;
        Ok(response)
    };
    reply(&app, answer.await)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(host: &str, origin: Option<&str>) -> Result<(), Problem> {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        origin.map(|origin| headers.insert(header::ORIGIN, origin.parse().unwrap()));
        Demo::new(false).check(&headers)
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

    #[test]
    fn another_process_is_told_apart() {
        assert_ne!(Demo::new(false).instance, Demo::new(false).instance);
    }
}
