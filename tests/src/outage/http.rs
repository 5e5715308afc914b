//! One call on a connection of its own, to a server that may die at any moment.

use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode, body::Bytes, client::conn::http1::handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::{net::SocketAddr, time::Duration};
use tokio::{net::TcpStream, task::JoinHandle, time::timeout};

/// Longer than any call takes, and shorter than a run.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// There was no connection: the call did not get there.
    Refused,
    /// The connection broke, or the caller lost patience. What became of the call is open.
    Broken,
}

/// Calls the server; none where the answer did not come whole.
pub async fn call(
    address: SocketAddr,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&Value>,
) -> Option<(StatusCode, Value)> {
    call_within(PATIENCE, address, method, path, headers, body).await.ok()
}

/// Likewise, with another patience, and why where not.
///
/// # Errors
/// [`Unanswered`].
pub async fn call_within(
    patience: Duration,
    address: SocketAddr,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&Value>,
) -> Result<(StatusCode, Value), Unanswered> {
    let connecting = timeout(patience, TcpStream::connect(address)).await;
    let stream = connecting.ok().and_then(Result::ok).ok_or(Unanswered::Refused)?;
    let answer = async {
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.ok()?;
        let connection = Driver(tokio::spawn(connection));
        let mut request = Request::builder().method(method).uri(path).header("host", address.to_string());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let response = sender.send_request(request.body(Full::new(Bytes::from(body))).ok()?).await.ok()?;
        let status = response.status();
        let bytes = response.into_body().collect().await.ok()?.to_bytes();
        drop(connection);
        Some((status, serde_json::from_slice(&bytes).unwrap_or_default()))
    };
    timeout(patience, answer).await.ok().flatten().ok_or(Unanswered::Broken)
}

/// Whoever loses patience hangs up.
struct Driver<T>(JoinHandle<T>);

impl<T> Drop for Driver<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
