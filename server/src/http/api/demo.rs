//! The demo page's calls: which process answers, which of several servers has a wallet, and to have the process start anew.
//!
//! Whoever may do the last stops everybody's calls. So it is off unless asked for, on a loopback address only, and a browser may do it
//! only for a page that this server has served under a name of this machine.

use super::{
    app::App,
    body::{BodyHead, BodyLimits, read_json},
    body_fields::{Body, Field, Kind},
    call::{READING, json, methods, reply, with_app},
    field_error::{FieldCode, FieldError},
    problem::Problem,
    signers::public_key,
};
use crate::{
    cluster::NodeId,
    http::{loopback::is_loopback, ops::Demo},
};
use bytes::Buf;
use countersign_protocol::PublicKeyBytes;
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use warp::{
    Filter, Rejection,
    filters::{BoxedFilter, path::Tail},
    http::{HeaderMap, HeaderName, StatusCode, header},
    reply::Response,
};

/// The longest body of a call, in bytes.
const BODY_LIMIT: usize = 1024;

/// Which process answers.
#[derive(Serialize)]
struct Instance<'a> {
    instance: &'a str,
    /// Which of several servers it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
}

/// Which servers have a connection of a wallet.
#[derive(Serialize)]
struct Holders {
    public_key: PublicKeyBytes,
    nodes: Vec<String>,
}

/// The longest time for which there is no process in between.
const MAX_DOWN_MS: u64 = 60_000;

/// A call's body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Restart {
    /// For how long there is to be no process in between: the page shows what becomes of a server's wallets and requests meanwhile.
    #[serde(default)]
    down_ms: u64,
}

impl Body for Restart {
    const FIELDS: &'static [Field] = &[Field::defaulted("down_ms", Kind::Whole)];
}

/// `GET /demo` tells which process answers, `GET /demo/wallets/{public_key}` which servers have a wallet, and `POST /demo/restart` asks for
/// another process.
pub(in crate::http) fn demo(app: &Arc<App>, demo: Option<&Demo>) -> BoxedFilter<(Response,)> {
    let Some(demo) = demo.cloned() else {
        return warp::any().and_then(async || Err::<Response, Rejection>(warp::reject::not_found())).boxed();
    };
    let asked = demo.clone();
    let tell = warp::path!("demo")
        .and(methods(READING))
        .and(with_app(app))
        .map(move |app: Arc<App>| reply(&app, Ok(instance(&app, &asked))));
    let wallets = warp::path!("demo" / "wallets" / ..)
        .and(warp::path::tail())
        .and(methods(READING))
        .and(with_app(app))
        .and(warp::header::headers_cloned())
        .then(get_holders);
    let restart = warp::path!("demo" / "restart")
        .and(methods("POST"))
        .and(with_app(app))
        .and(warp::any().map(move || demo.clone()))
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(post_restart);
    tell.or(wallets).unify().or(restart).unify().boxed()
}

async fn get_holders(key: Tail, app: Arc<App>, headers: HeaderMap) -> Response {
    let answer = async {
        own_host(&headers).ok_or_else(|| not_allowed("only a page opened on this machine may ask this"))?;
        let public_key = public_key(key.as_str())?;
        let nodes = app.service.holders(&public_key).await?.iter().map(NodeId::to_string).collect();
        Ok(json(&Holders { public_key, nodes }))
    };
    reply(&app, answer.await)
}

async fn post_restart<B: Buf>(
    app: Arc<App>,
    demo: Demo,
    headers: HeaderMap,
    body: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    let answer = async {
        check(&demo, &headers)?;
        let head = BodyHead::of(&headers);
        let limits = BodyLimits { bytes: BODY_LIMIT, time: app.live().read_timeout };
        let Restart { down_ms } = read_json(&head, body, limits).await?;
        if down_ms > MAX_DOWN_MS {
            let error = FieldError::at("/down_ms", FieldCode::Range, "has to be at most 60000");
            return Err(Problem::malformed("down_ms is at most 60000").with_errors(vec![error]));
        }
        tracing::info!(down_ms, "the demo page asks for a restart");
        demo.restart(Duration::from_millis(down_ms));
        let mut response = instance(&app, &demo);
        *response.status_mut() = StatusCode::ACCEPTED;
        Ok(response)
    };
    reply(&app, answer.await)
}

/// Refuses what no page of this server has sent. A browser says which page it was, and no script can change that.
fn check(demo: &Demo, headers: &HeaderMap) -> Result<(), Problem> {
    let own = own_host(headers).map(|host| format!("{}://{host}", demo.scheme()));
    if own.is_some_and(|own| text(headers, header::ORIGIN).is_some_and(|origin| origin.eq_ignore_ascii_case(&own))) {
        return Ok(());
    }
    Err(not_allowed("only a page of this server, opened on this machine, may restart it"))
}

/// The name by which the caller knows the server, if it is one of this machine: a name that was rebound to this machine is none.
fn own_host(headers: &HeaderMap) -> Option<&str> {
    text(headers, header::HOST).filter(|host| is_loopback(host))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn not_allowed(detail: &'static str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "host_not_allowed", detail)
}

fn instance(app: &App, demo: &Demo) -> Response {
    json(&Instance { instance: demo.instance(), node: app.service.node().map(|node| node.to_string()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::api::assert_fields;

    #[test]
    fn its_fields_are_those_that_are_parsed() {
        assert_fields::<Restart>();
    }

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
