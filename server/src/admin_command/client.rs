//! One call at a time, each on a connection of its own.

use super::{error::AdminError, target::Target};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Method, Request, StatusCode, client::conn::http1::handshake, header};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::{error::Error, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{self, ClientConfig, RootCertStore, pki_types::ServerName},
};

/// How long an answer may take. Beyond what a server takes to end very many requests.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// No answer is longer.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// RFC 3986 §2.3.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(super) struct Client {
    target: Target,
    token: Option<String>,
}

impl Client {
    pub(super) fn new(target: Target, token: Option<String>) -> Self {
        Self { target, token }
    }

    /// Calls what is at a path below the API's root; what is answered, if it is done.
    pub(super) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, AdminError> {
        match timeout(TIME_LIMIT, self.send(method, path, body)).await {
            Ok(Ok((status, body))) => self.read(status, &body),
            Ok(Err(error)) => Err(self.unreachable(error.to_string())),
            Err(_) => Err(self.unreachable(format!("no answer in {} s", TIME_LIMIT.as_secs()))),
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<(StatusCode, Bytes), Box<dyn Error + Send + Sync>> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/admin/v1/{path}"))
            .header(header::HOST, self.target.authority());
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::new(Bytes::from(body.map(|body| body.to_string()).unwrap_or_default())))?;
        let (mut sender, connection) = handshake(TokioIo::new(self.connect().await?)).await?;
        let connection = tokio::spawn(connection);
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, MOST_BYTES).collect().await?.to_bytes();
        connection.abort();
        Ok((head.status, body))
    }

    async fn connect(&self) -> Result<Box<dyn Duplex>, Box<dyn Error + Send + Sync>> {
        match &self.target {
            Target::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
            Target::Tcp { host, port, tls } => {
                let name = host.trim_matches(['[', ']']);
                let stream = TcpStream::connect((name, *port)).await?;
                if !*tls {
                    return Ok(Box::new(stream));
                }
                let name = ServerName::try_from(name.to_owned())?;
                Ok(Box::new(connector()?.connect(name, stream).await?))
            }
        }
    }

    fn read(&self, status: StatusCode, body: &[u8]) -> Result<Value, AdminError> {
        let foreign = |what: String| AdminError::Foreign(self.target.to_string(), what);
        let answer: Value = serde_json::from_slice(body).map_err(|_| foreign(format!("it answers {status}")))?;
        if status.is_success() {
            return Ok(answer);
        }
        let text = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
        match (text("code"), text("detail")) {
            (Some(code), Some(detail)) => Err(AdminError::Refused { code, detail }),
            _ => Err(foreign(format!("it answers {status}"))),
        }
    }

    fn unreachable(&self, reason: String) -> AdminError {
        AdminError::Unreachable { target: self.target.to_string(), reason }
    }
}

/// What a connection is read from and written to, whichever it is.
trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

/// Trusts whom the system trusts.
fn connector() -> Result<TlsConnector, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// A path with a query of what is given.
pub(super) fn path(path: &str, parameters: Vec<(&str, Option<String>)>) -> String {
    let given = parameters.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", encoded(&value?))));
    let query: Vec<_> = given.collect();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
}

/// One segment of a path, or one value of a query.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}
