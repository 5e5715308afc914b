//! Asking a server how it is, for who supervises it and has no other program at hand, as in an image without a shell.

use super::{error_chain::error_chain, https};
use http_body_util::Empty;
use hyper::{StatusCode, Uri, body::Bytes};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use std::time::Duration;
use thiserror::Error;
use tokio::time::timeout;

/// How long the whole of it may take: less than what asks is usually given.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// Why a server is not well.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HealthError {
    /// The TLS library found itself unusable.
    #[error("TLS: {0}")]
    Tls(#[from] tokio_rustls::rustls::Error),
    /// It said so, or there is something else at that address.
    #[error("{url} answered {status}")]
    Status {
        /// What was asked.
        url: Uri,
        /// What it answered.
        status: StatusCode,
    },
    /// There was no answer at all.
    #[error("{url}: {why}")]
    Unanswered {
        /// What was asked.
        url: Uri,
        /// In words.
        why: String,
    },
}

/// Asks a URL, and returns where it answers 200. No redirect is followed, and no body is read.
///
/// # Errors
/// [`HealthError`], after at most 5 s.
pub async fn health(url: Uri) -> Result<(), HealthError> {
    let (connector, _) = https::connector()?;
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    let unanswered = |why| HealthError::Unanswered { url: url.clone(), why };
    let answer = timeout(TIME_LIMIT, client.get(url.clone()))
        .await
        .map_err(|_| unanswered(format!("no answer in {} s", TIME_LIMIT.as_secs())))?
        .map_err(|error| unanswered(error_chain(&error)))?;
    match answer.status() {
        StatusCode::OK => Ok(()),
        status => Err(HealthError::Status { url, status }),
    }
}
