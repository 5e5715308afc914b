//! How spans get to the collector: the HTTP client that webhooks go by too, within a time limit.

use crate::http::https;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client as Pool, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use std::{env, fmt, time::Duration};
use tokio::time::timeout;
use tokio_rustls::rustls;

/// How much of an answer is read: it says at most how many spans were refused.
const MOST_READ: usize = 64 * 1024;

/// How long a connection is kept for the next spans.
const IDLE: Duration = Duration::from_secs(15);

/// What the specification has where the environment says nothing.
const TIME_LIMIT: Duration = Duration::from_secs(10);

pub(super) struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
    time_limit: Duration,
}

impl Client {
    /// A client that trusts whom the system trusts. Blocks for as long as it takes to read the system's certificates.
    pub(super) fn new() -> Result<Self, rustls::Error> {
        let in_ms = |name| env::var(name).ok()?.parse().ok().map(Duration::from_millis);
        let time_limit = in_ms("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT").or_else(|| in_ms("OTEL_EXPORTER_OTLP_TIMEOUT"));
        let (connector, _) = https::connector()?;
        let pool =
            Pool::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE).build(connector);
        Ok(Self { pool, time_limit: time_limit.unwrap_or(TIME_LIMIT) })
    }
}

#[async_trait::async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let exchange = async {
            let (head, body) = self.pool.request(request.map(Full::new)).await?.into_parts();
            let body = Limited::new(body, MOST_READ).collect().await?.to_bytes();
            Ok(Response::from_parts(head, body))
        };
        timeout(self.time_limit, exchange).await?
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}
