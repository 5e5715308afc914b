//! Reads frames from JSON text, strictly (specification §1): one pass over the text, whatever the order of its fields.

use super::{
    Batch, ChallengeFrame, ClientFrame, Device, ErrorFrame, Goodbye, Introduction, PingPong, RequestCancel,
    RequestStatus, Requester, ResponseAck, ServerFrame, SignReject, SignRequest, SignResponse, Welcome, WelcomeLimits,
};
use crate::{
    ErrorCode, FrameError, JsonError,
    json::{Fields, Object},
    limits::MAX_FRAME_BYTES,
    text::printable,
    wire_name::WireName,
};

/// The fields of all frames of a wallet. A frame looks at its own; the others are of no meaning in it.
const CLIENT_FIELDS: Fields = Fields::new(&[
    "type",
    "request_id",
    "message",
    "signature",
    "approved_by",
    "state",
    "code",
    "reason",
    "scope",
    "public_key",
    "proof",
    "device",
    "t",
]);

/// The fields of all frames of a server.
pub(crate) const SERVER_FIELDS: Fields = Fields::new(&[
    "type",
    "request_id",
    "message",
    "expires_in_ms",
    "attempt",
    "requester",
    "purpose",
    "batch",
    "outcome",
    "cause",
    "code",
    "reason",
    "reconnect_after_ms",
    "challenge",
    "connection_id",
    "heartbeat_ms",
    "limits",
    "t",
]);

const DEVICE_FIELDS: Fields = Fields::new(&["id", "label"]);
const LIMITS_FIELDS: Fields = Fields::new(&["max_message_bytes", "max_inflight"]);
const REQUESTER_FIELDS: Fields = Fields::new(&["name"]);
const BATCH_FIELDS: Fields = Fields::new(&["id", "index", "size"]);

const CLIENT_TYPES: [&str; 4] = ["introduction", "request_status", "sign_response", "sign_reject"];
const SERVER_TYPES: [&str; 7] =
    ["challenge", "welcome", "sign_request", "request_cancel", "response_ack", "error", "goodbye"];

impl ClientFrame {
    /// Reads a frame that a wallet sent.
    ///
    /// # Errors
    /// [`FrameError`], which names the field or type that was wrong.
    pub fn parse(text: &str) -> Result<Self, FrameError> {
        let frame = object(text, CLIENT_FIELDS)?;
        let kind = frame.text("type").map_err(|error| FrameError::malformed(&error, None))?;
        let read = match &*kind {
            "introduction" => Introduction::read(&frame).map(Self::Introduction),
            "request_status" => RequestStatus::read(&frame).map(Self::RequestStatus),
            "sign_response" => SignResponse::read(&frame).map(Self::SignResponse),
            "sign_reject" => SignReject::read(&frame).map(Self::SignReject),
            "ping" => PingPong::read(&frame).map(Self::Ping),
            "pong" => PingPong::read(&frame).map(Self::Pong),
            other => return Err(unexpected(other, &SERVER_TYPES)),
        };
        read.map_err(|error| malformed(&error, &frame))
    }
}

impl ServerFrame {
    /// Reads a frame that a server sent.
    ///
    /// # Errors
    /// [`FrameError`], which names the field or type that was wrong.
    pub fn parse(text: &str) -> Result<Self, FrameError> {
        let frame = object(text, SERVER_FIELDS)?;
        let kind = frame.text("type").map_err(|error| FrameError::malformed(&error, None))?;
        let read = match &*kind {
            "challenge" => ChallengeFrame::read(&frame).map(Self::Challenge),
            "welcome" => Welcome::read(&frame).map(Self::Welcome),
            "sign_request" => SignRequest::read(&frame).map(Self::SignRequest),
            "request_cancel" => RequestCancel::read(&frame).map(Self::RequestCancel),
            "response_ack" => ResponseAck::read(&frame).map(Self::ResponseAck),
            "error" => ErrorFrame::read(&frame).map(Self::Error),
            "goodbye" => Goodbye::read(&frame).map(Self::Goodbye),
            "ping" => PingPong::read(&frame).map(Self::Ping),
            "pong" => PingPong::read(&frame).map(Self::Pong),
            other => return Err(unexpected(other, &CLIENT_TYPES)),
        };
        read.map_err(|error| malformed(&error, &frame))
    }
}

fn object(text: &str, fields: Fields) -> Result<Object<'_>, FrameError> {
    if text.len() > MAX_FRAME_BYTES {
        return Err(FrameError::TooLarge { limit: MAX_FRAME_BYTES, found: text.len() });
    }
    Object::read(text, fields).map_err(|error| FrameError::malformed(&error, None))
}

/// Names the request where that much can be read, so that the answer can name it too.
fn malformed(error: &JsonError, frame: &Object<'_>) -> FrameError {
    FrameError::malformed(error, frame.required("request_id").ok())
}

fn unexpected(kind: &str, of_the_other_side: &[&'static str]) -> FrameError {
    match of_the_other_side.iter().find(|known| **known == kind) {
        Some(known) => FrameError::WrongDirection(known),
        None => FrameError::UnknownType(printable(kind, 40)),
    }
}

impl ChallengeFrame {
    fn read(frame: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self { challenge: frame.required("challenge")? })
    }
}

impl Introduction {
    fn read(frame: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self {
            public_key: frame.required("public_key")?,
            proof: frame.optional("proof")?,
            device: frame.optional_object("device", DEVICE_FIELDS, Device::read)?,
        })
    }
}

impl Device {
    fn read(device: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self { id: device.required("id")?, label: device.required("label")? })
    }
}

impl Welcome {
    fn read(frame: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self {
            connection_id: frame.required("connection_id")?,
            heartbeat_ms: frame.integer("heartbeat_ms")?,
            limits: frame.object("limits", LIMITS_FIELDS, WelcomeLimits::read)?,
        })
    }
}

impl WelcomeLimits {
    fn read(limits: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self {
            max_message_bytes: limits.integer("max_message_bytes")?,
            max_inflight: limits.integer("max_inflight")?,
        })
    }
}

impl SignRequest {
    fn read(frame: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self {
            request_id: frame.required("request_id")?,
            message: frame.required("message")?,
            expires_in_ms: frame.integer("expires_in_ms")?,
            attempt: frame.integer("attempt")?,
            requester: frame.object("requester", REQUESTER_FIELDS, Requester::read)?,
            purpose: frame.optional("purpose")?,
            batch: Batch::of(frame)?,
        })
    }
}

impl Batch {
    /// The batch of a `sign_request`.
    pub(crate) fn of(frame: &Object<'_>) -> Result<Option<Self>, JsonError> {
        frame.optional_object("batch", BATCH_FIELDS, Self::read)
    }

    fn read(batch: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self { id: batch.required("id")?, index: batch.integer("index")?, size: batch.integer("size")? })
    }
}

impl Requester {
    fn read(requester: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self { name: requester.required("name")? })
    }
}

impl RequestStatus {
    fn read(frame: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self { request_id: frame.required("request_id")?, state: frame.name("state")? })
    }
}

impl SignResponse {
    fn read(frame: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self {
            request_id: frame.required("request_id")?,
            message: frame.required("message")?,
            signature: frame.required("signature")?,
            approved_by: frame.optional("approved_by")?,
        })
    }
}

impl SignReject {
    fn read(frame: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self {
            request_id: frame.required("request_id")?,
            code: frame.name("code")?,
            reason: frame.optional("reason")?,
            scope: frame.name("scope")?,
        })
    }
}

impl RequestCancel {
    fn read(frame: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self { request_id: frame.required("request_id")?, cause: frame.name("cause")? })
    }
}

impl ResponseAck {
    fn read(frame: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self { request_id: frame.required("request_id")?, outcome: frame.name("outcome")? })
    }
}

impl PingPong {
    fn read(frame: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self { t: frame.integer("t")? })
    }
}

impl ErrorFrame {
    fn read(frame: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self {
            // The one list of names that may grow.
            code: ErrorCode::from_name(&frame.text("code")?).unwrap_or(ErrorCode::Unrecognised),
            message: frame.text("message")?.into_owned(),
            request_id: frame.optional("request_id")?,
        })
    }
}

impl Goodbye {
    fn read(frame: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self { reason: frame.name("reason")?, reconnect_after_ms: frame.integer("reconnect_after_ms")? })
    }
}
