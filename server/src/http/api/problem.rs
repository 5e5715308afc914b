//! Errors of the API as problem details (RFC 9457) with a stable `code`.

use super::{
    field_error::{FieldError, MOST_ERRORS},
    problem_members::Members,
    resource::Resource,
};
use crate::{SigningError, call_id::CallId, http::listen::RateExceeded};
use countersign_protocol::RequestId;
use serde::Serialize;
use std::time::Duration;
use warp::{
    Reply,
    http::{HeaderValue, StatusCode, header},
    reply::Response,
};

/// What the caller is told. Nothing in it comes from a log, a path or another caller.
#[derive(Debug, Clone)]
pub(in crate::http) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    /// Boxed, so that the results of all the functions that may fail stay small.
    members: Box<Members>,
    /// When the same call will be let through, where that is known: nothing is guessed.
    retry_after: Option<Duration>,
    /// Of a 405: the methods that are allowed instead.
    allow: Option<&'static str>,
}

/// The codes of what is wrong with a call's fields and headers.
const CALL_CODES: [&str; 13] = [
    "malformed",
    "invalid_public_key",
    "invalid_message",
    "reserved_prefix",
    "message_too_long",
    "invalid_purpose",
    "invalid_reference",
    "invalid_metadata",
    "invalid_timeout",
    "invalid_delivery_timeout",
    "invalid_batch",
    "invalid_idempotency_key",
    "webhook_not_allowed",
];

/// The members of RFC 9457 §3.1, and `code`.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    /// What the log calls the HTTP call, and its answer's `X-Request-Id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    call_id: Option<&'a str>,
    #[serde(flatten)]
    members: &'a Members,
}

impl Problem {
    pub(in crate::http) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), members: Box::default(), retry_after: None, allow: None }
    }

    pub(in crate::http) fn detail(&self) -> &str {
        &self.detail
    }

    pub(in crate::http) fn code(&self) -> &'static str {
        self.code
    }

    /// Names the request that came to nothing.
    pub(in crate::http) fn about(mut self, request_id: RequestId) -> Self {
        self.members.request_id = Some(request_id);
        self
    }

    /// Says what else is wrong one by one, as far as one problem does.
    pub(in crate::http) fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.members.errors.extend(errors);
        self.members.errors.truncate(MOST_ERRORS);
        self
    }

    /// Whether it is about what the call has in it.
    pub(in crate::http) fn is_about_the_call(&self) -> bool {
        CALL_CODES.contains(&self.code)
    }

    /// What is told, where no answer of its own can be: an event in a stream.
    pub(in crate::http) fn document<'a>(&'a self, call_id: Option<&'a CallId>) -> impl Serialize + use<'a> {
        Document {
            kind: format!("urn:countersign:error:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
            call_id: call_id.map(CallId::as_str),
            members: &self.members,
        }
    }

    /// Says which methods are allowed instead (RFC 9110 §15.5.6), as the header has it.
    pub(in crate::http) fn method_not_allowed(allow: &'static str, detail: &'static str) -> Self {
        Self { allow: Some(allow), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail) }
    }

    /// All places among the connections are taken.
    pub(in crate::http) fn no_connection_left() -> Self {
        let detail = "there are as many connections as there may be";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail)
    }

    /// Nothing new may be asked for, since there would be no entry of it.
    pub(in crate::http) fn audit_unavailable() -> Self {
        let detail = "the audit log cannot be written, and nothing new is asked for without an entry of it";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "audit_unavailable", detail)
    }

    /// A path that is no other for a slash at its end, but none at all.
    pub(in crate::http) fn slash_at_the_end() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "nothing is at a path with a slash at its end")
    }

    /// Headers that are no text, where text is to be read from them.
    pub(in crate::http) fn senseless_headers() -> Self {
        Self::malformed("the request's headers make no sense here")
    }

    pub(in crate::http) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", detail)
    }
}

impl From<RateExceeded> for Problem {
    fn from(exceeded: RateExceeded) -> Self {
        let detail = format!("more requests than allowed ({})", exceeded.scope);
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail);
        Self { retry_after: Some(exceeded.retry_after), ..problem }
    }
}

impl From<SigningError> for Problem {
    fn from(error: SigningError) -> Self {
        let status = match &error {
            SigningError::InvalidPublicKey(_)
            | SigningError::InvalidTimeout(_)
            | SigningError::InvalidDeliveryTimeout(_)
            | SigningError::InvalidBatch(_) => StatusCode::BAD_REQUEST,
            SigningError::InvalidMessage(_) if error.code() != "message_too_long" => StatusCode::BAD_REQUEST,
            SigningError::InvalidMessage(_) | SigningError::MessageTooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            SigningError::Rejected { .. } | SigningError::KeyBlocked => StatusCode::FORBIDDEN,
            SigningError::SignerNotConnected | SigningError::UnknownRequest => StatusCode::NOT_FOUND,
            SigningError::Cancelled | SigningError::ReplacedRequestEnded(_) => StatusCode::CONFLICT,
            SigningError::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            SigningError::TooManyInflight | SigningError::RequesterLimit => StatusCode::TOO_MANY_REQUESTS,
            SigningError::NoStore => StatusCode::NOT_IMPLEMENTED,
            SigningError::SignerDisconnected(_) | SigningError::InvalidSignature | SigningError::MessageMismatch => {
                StatusCode::BAD_GATEWAY
            }
            SigningError::Overloaded | SigningError::Draining | SigningError::StorageUnavailable => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            SigningError::Timeout(_) | SigningError::DeliveryTimeout => StatusCode::GATEWAY_TIMEOUT,
        };
        let problem = Self::new(status, error.code(), error.to_string());
        let replaced = if let SigningError::ReplacedRequestEnded(record) = &error {
            // Of a request's own words all are JSON; if ever one is not, the problem goes without it.
            serde_json::to_value(Resource::from(&**record)).ok()
        } else {
            None
        };
        Self { members: Box::new(Members { replaced, ..error.into() }), ..problem }
    }
}

impl Problem {
    /// Says in the answer that a problem has become what its call is called.
    pub(in crate::http) fn name_call(response: &mut Response, call_id: &CallId) -> bool {
        let problem = response.extensions_mut().remove::<Self>();
        if let Some(problem) = &problem {
            *response.body_mut() = warp::reply::json(&problem.document(Some(call_id))).into_response().into_body();
        }
        problem.is_some()
    }
}

impl Reply for Problem {
    fn into_response(self) -> Response {
        let document = warp::reply::json(&self.document(None));
        let mut response = warp::reply::with_status(document, self.status).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(wait) = self.retry_after {
            // Whole seconds, rounded up (RFC 9110 §10.2.3).
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_millis().div_ceil(1000).max(1) as u64));
        }
        if let Some(allow) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // For whoever knows what the call is called.
        response.extensions_mut().insert(self);
        response
    }
}
