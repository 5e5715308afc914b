//! The HTTP client: one attempt, without redirects, bounded in time and in what is read.

use crate::http::{error_chain::error_chain, https};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{StatusCode, http::request};
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client as Pool, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use std::time::Duration;
use thiserror::Error;
use tokio::time::timeout;
use tokio_rustls::rustls;

/// How long one attempt may take.
const TIME_LIMIT: Duration = Duration::from_secs(15);

/// How long the rest of an answer, whose status says it all, may take.
const REST_TIME_LIMIT: Duration = Duration::from_secs(1);

/// How much of an answer is read, so that its connection can serve again; nobody looks at it.
const MOST_READ: usize = 64 * 1024;

/// How long a connection is kept for the next event, well below what servers allow.
const IDLE: Duration = Duration::from_secs(15);

/// Why an attempt had no answer.
#[derive(Debug, Error)]
pub(super) enum Unanswered {
    #[error("no answer in {} s", TIME_LIMIT.as_secs())]
    Late,
    #[error("{0}")]
    Failed(String),
}

#[derive(Debug, Clone)]
pub(super) struct Client(Pool<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Client {
    /// A client that trusts whom the system trusts. Blocks for as long as it takes to read the system's certificates.
    pub(super) fn new() -> Result<Self, rustls::Error> {
        let (connector, known) = https::connector()?;
        if known == 0 {
            tracing::warn!("the system has no root certificates: no webhook over https can be delivered");
        }
        let pool =
            Pool::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE).build(connector);
        Ok(Self(pool))
    }

    /// Sends a call to a URL; the status of the answer, whatever it is.
    pub(super) async fn post(&self, url: &str, head: request::Builder, body: Bytes) -> Result<StatusCode, Unanswered> {
        let request = head.uri(url).body(Full::new(body)).map_err(|error| Unanswered::Failed(error.to_string()))?;
        let answer = timeout(TIME_LIMIT, self.0.request(request))
            .await
            .map_err(|_| Unanswered::Late)?
            .map_err(|error| Unanswered::Failed(error_chain(&error)))?;
        let status = answer.status();
        // Read for the connection's sake, which can then be used again: an answer that is too long, breaks off or never ends is one all the
        // same.
        let rest = Limited::new(answer.into_body(), MOST_READ).collect();
        let _ = timeout(REST_TIME_LIMIT, rest).await;
        Ok(status)
    }
}
