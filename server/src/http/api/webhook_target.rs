//! Where ends may be told: exactly the URLs that the operator names, so that a request cannot send the server anywhere else.

use super::webhook_secrets::WebhookSecrets;
use crate::{
    http::{BatchEvents, loopback::is_loopback},
    requester::RequesterId,
};
use hyper::Uri;
use std::{fmt, str::FromStr, sync::Arc};
use thiserror::Error;

/// The longest URL, in bytes.
const MAX_BYTES: usize = 2048;

/// A URL that requests may name as their webhook: `https`, or `http` to this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookTarget {
    url: Arc<str>,
    secrets: WebhookSecrets,
    /// Whose requests may name it; any where nothing is said.
    requesters: Option<Vec<RequesterId>>,
    batches: BatchEvents,
}

/// Why a text is no such URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WebhookTargetError {
    /// It is no absolute URL, or over 2,048 bytes.
    #[error("not an absolute URL of up to {MAX_BYTES} bytes")]
    Url,
    /// What is told could be read on the way.
    #[error("it has to be https, or http to this machine")]
    Scheme,
    /// A name and password would be kept with every request and sent where they may be logged.
    #[error("it must not have a user name or password")]
    Credentials,
    /// A fragment is never sent.
    #[error("it must not have a fragment")]
    Fragment,
}

impl WebhookTarget {
    /// The URL, as the operator wrote it.
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// The same, with whatever is told to it signed with these secrets as well.
    #[must_use]
    pub fn with_secrets(self, secrets: WebhookSecrets) -> Self {
        Self { secrets, ..self }
    }

    /// The same, for the requests of these alone, and of tokens that name it.
    #[must_use]
    pub fn for_requesters(self, requesters: Vec<RequesterId>) -> Self {
        Self { requesters: Some(requesters), ..self }
    }

    /// The same, told so of requests that were asked for together.
    #[must_use]
    pub fn telling_batches(self, batches: BatchEvents) -> Self {
        Self { batches, ..self }
    }

    /// Whether requests that were asked for together are told together.
    pub(in crate::http) fn tells_batches_together(&self) -> bool {
        self.batches == BatchEvents::Together
    }

    /// The URL, shared.
    pub(in crate::http) fn url(&self) -> &Arc<str> {
        &self.url
    }

    /// Whose requests may name it; any where nothing is said.
    pub(in crate::http) fn requesters(&self) -> Option<&[RequesterId]> {
        self.requesters.as_deref()
    }

    pub(in crate::http) fn secrets(&self) -> &WebhookSecrets {
        &self.secrets
    }
}

impl FromStr for WebhookTarget {
    type Err = WebhookTargetError;

    fn from_str(text: &str) -> Result<Self, WebhookTargetError> {
        let url: Uri = text.parse().map_err(|_| WebhookTargetError::Url)?;
        let authority = url.authority().filter(|_| text.len() <= MAX_BYTES).ok_or(WebhookTargetError::Url)?.as_str();
        // The parser drops a fragment without a word.
        if text.contains('#') {
            return Err(WebhookTargetError::Fragment);
        }
        if authority.contains('@') {
            return Err(WebhookTargetError::Credentials);
        }
        match url.scheme_str() {
            Some("https") => {}
            Some("http") if is_loopback(authority) => {}
            Some(_) | None => return Err(WebhookTargetError::Scheme),
        }
        Ok(Self { url: text.into(), secrets: WebhookSecrets::default(), requesters: None, batches: BatchEvents::Each })
    }
}

impl fmt::Display for WebhookTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_https_or_this_machine() {
        for url in [
            "https://hooks.example/countersign?for=1042",
            "https://hooks.example:8443",
            "https://192.0.2.1/x",
            "http://localhost:9000/hook",
            "http://127.0.0.1/hook",
            "http://[::1]:9000/hook",
        ] {
            assert_eq!(url.parse::<WebhookTarget>().unwrap().as_str(), url);
        }
        for (url, error) in [
            ("", WebhookTargetError::Url),
            ("/hook", WebhookTargetError::Url),
            ("hooks.example/hook", WebhookTargetError::Url),
            ("https://hooks.example/a b", WebhookTargetError::Url),
            ("http://hooks.example/", WebhookTargetError::Scheme),
            ("http://localhost.evil.example/", WebhookTargetError::Scheme),
            ("http://169.254.169.254/latest/meta-data", WebhookTargetError::Scheme),
            ("ftp://hooks.example/", WebhookTargetError::Scheme),
            ("https://user:secret@hooks.example/", WebhookTargetError::Credentials),
            ("https://hooks.example/#part", WebhookTargetError::Fragment),
        ] {
            assert_eq!(url.parse::<WebhookTarget>().unwrap_err(), error, "{url}");
        }
        let long = format!("https://hooks.example/{}", "x".repeat(MAX_BYTES));
        assert_eq!(long.parse::<WebhookTarget>(), Err(WebhookTargetError::Url));
    }
}
