//! `POST /v1/send_to_sign`: asks the wallet and waits for the end.

use super::{App, auth::Requester, problem::Problem};
use crate::{PhaseTimes, Signed, SigningError, Timestamp};
use countersign_protocol::{
    ApprovedBy, KeyTextError, Message, MessageError, PublicKeyBytes, Purpose, RequestId, Signature,
    limits::{DEFAULT_TIMEOUT_MS, MAX_PURPOSE_BYTES, frame_bytes},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use warp::http::StatusCode;

/// The longest body, in bytes: the longest message in base64, the longest purpose with every byte escaped, and the rest.
pub(super) fn body_limit(max_message_bytes: usize) -> usize {
    frame_bytes(max_message_bytes) + 6 * MAX_PURPOSE_BYTES
}

/// The body. Texts are parsed later, so that each gets an error code of its own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    public_key: String,
    message: String,
    #[serde(default)]
    purpose: Option<String>,
    #[serde(default)]
    timeout_ms: Option<u64>,
}

/// The answer.
#[derive(Serialize)]
pub(super) struct Answer {
    request_id: RequestId,
    public_key: PublicKeyBytes,
    message: Message,
    signature: Signature,
    #[serde(skip_serializing_if = "Option::is_none")]
    approved_by: Option<ApprovedBy>,
    times: Times,
}

/// When a request came to each of its phases, in milliseconds since the Unix epoch.
#[derive(Serialize)]
pub(super) struct Times {
    queued_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    received_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    displayed_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_ms: Option<u64>,
}

impl From<PhaseTimes> for Times {
    fn from(times: PhaseTimes) -> Self {
        let PhaseTimes { queued, delivered, received, displayed, ended } = times;
        Self {
            queued_ms: queued.as_millis(),
            delivered_ms: delivered.map(Timestamp::as_millis),
            received_ms: received.map(Timestamp::as_millis),
            displayed_ms: displayed.map(Timestamp::as_millis),
            ended_ms: ended.map(Timestamp::as_millis),
        }
    }
}

pub(super) async fn send_to_sign(app: &App, requester: Requester, ask: Ask) -> Result<Answer, Problem> {
    let public_key = PublicKeyBytes::from_any_text(&ask.public_key).map_err(invalid_public_key)?;
    let message: Message = ask.message.parse().map_err(SigningError::InvalidMessage)?;
    let timeout = Duration::from_millis(ask.timeout_ms.unwrap_or(DEFAULT_TIMEOUT_MS));
    let mut request = app.service.request(public_key, message).timeout(timeout);
    if let Some(purpose) = ask.purpose {
        request = request.purpose(parse_purpose(&purpose)?);
    }
    request = request.requester(requester.name);
    let request_id = request.id();
    let answer = request.send().await;
    // As in the driver of a connection: verifications first, then everybody's writes together.
    tokio::task::yield_now().await;
    let signed = answer.map_err(|error| Problem::from(error).about(request_id))?;
    let Signed { request_id, public_key, message, signature, approved_by, times } = signed;
    let message = std::sync::Arc::unwrap_or_clone(message);
    Ok(Answer { request_id, public_key, message, signature, approved_by, times: times.into() })
}

pub(super) fn invalid_public_key(error: KeyTextError) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_public_key", error.to_string())
}

fn parse_purpose(text: &str) -> Result<Purpose, Problem> {
    text.parse().map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "invalid_purpose", format!("purpose: {error}")))
}

impl From<MessageError> for Problem {
    fn from(error: MessageError) -> Self {
        SigningError::from(error).into()
    }
}
