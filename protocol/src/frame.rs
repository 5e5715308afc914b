//! Every frame of the protocol as a type, read strictly (specification §1) and written in its one canonical form.

mod answer;
mod connection;
mod introduction;
mod request;

pub use answer::{
    AckOutcome, ApprovedBy, RejectCode, RejectScope, RequestStatus, ResponseAck, SignReject, SignResponse, WalletState,
};
pub use connection::{ErrorFrame, Goodbye, GoodbyeReason, PingPong};
pub use introduction::{ChallengeFrame, Device, Introduction, Welcome, WelcomeLimits};
pub use request::{Batch, CancelCause, RequestCancel, Requester, SignRequest};

use crate::prelude::*;
use crate::{
    FrameError, JsonError,
    json::{Fields, Object, Writer},
    limits::MAX_FRAME_BYTES,
    text::printable,
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
    "replaces",
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

const CLIENT_TYPES: [&str; 4] = ["introduction", "request_status", "sign_response", "sign_reject"];
const SERVER_TYPES: [&str; 7] =
    ["challenge", "welcome", "sign_request", "request_cancel", "response_ack", "error", "goodbye"];

/// A frame from a wallet to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientFrame {
    /// Claims a key and proves it.
    Introduction(Introduction),
    /// Says how far a request has come on this device.
    RequestStatus(RequestStatus),
    /// Answers a request with a signature.
    SignResponse(SignResponse),
    /// Declines a request.
    SignReject(SignReject),
    /// Asks for a `pong`.
    Ping(PingPong),
    /// Answers a `ping`.
    Pong(PingPong),
}

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

    /// The frame as JSON text.
    pub fn to_json(&self) -> String {
        match self {
            Self::Introduction(introduction) => introduction.write(begun("introduction")),
            Self::RequestStatus(status) => status.write(begun("request_status")),
            Self::SignResponse(response) => response.write(begun("sign_response")),
            Self::SignReject(reject) => reject.write(begun("sign_reject")),
            Self::Ping(ping) => ping.write(begun("ping")),
            Self::Pong(pong) => pong.write(begun("pong")),
        }
        .finish()
    }
}

/// A frame from a server to a wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerFrame {
    /// Opens every connection.
    Challenge(ChallengeFrame),
    /// Accepts an introduction.
    Welcome(Welcome),
    /// Asks for a signature.
    SignRequest(SignRequest),
    /// Withdraws a request.
    RequestCancel(RequestCancel),
    /// Says what became of an answer.
    ResponseAck(ResponseAck),
    /// Says what was wrong with a frame.
    Error(ErrorFrame),
    /// Comes before every orderly close.
    Goodbye(Goodbye),
    /// Asks for a `pong`.
    Ping(PingPong),
    /// Answers a `ping`.
    Pong(PingPong),
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

    /// The frame as JSON text.
    pub fn to_json(&self) -> String {
        match self {
            Self::Challenge(challenge) => challenge.write(begun("challenge")),
            Self::Welcome(welcome) => welcome.write(begun("welcome")),
            Self::SignRequest(request) => request.write(begun("sign_request")),
            Self::RequestCancel(cancel) => cancel.write(begun("request_cancel")),
            Self::ResponseAck(ack) => ack.write(begun("response_ack")),
            Self::Error(error) => error.write(begun("error")),
            Self::Goodbye(goodbye) => goodbye.write(begun("goodbye")),
            Self::Ping(ping) => ping.write(begun("ping")),
            Self::Pong(pong) => pong.write(begun("pong")),
        }
        .finish()
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

/// A frame of which only the type is written.
fn begun(kind: &str) -> Writer {
    Writer::default().text("type", kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorCode, FrameError, MAX_PROBLEM_CHARS};

    const ID: &str = "07070707-0707-4707-8707-070707070707";

    #[test]
    fn structs_are_objects_and_names_are_strings() {
        for text in [
            r#"["ping"]"#.into(),
            r#"{"type":{"ping":null},"t":1}"#.into(),
            format!(r#"{{"type":"introduction","public_key":"{}=","device":["a","b"]}}"#, "A".repeat(43)),
            format!(r#"{{"type":"request_status","request_id":"{ID}","state":{{"received":null}}}}"#),
        ] {
            assert!(matches!(ClientFrame::parse(&text), Err(FrameError::Malformed { .. })), "{text}");
        }
        for text in [
            r#"{"type":"error","code":{"later":null},"message":""}"#.into(),
            format!(r#"{{"type":"welcome","connection_id":"{ID}","heartbeat_ms":1,"limits":[1,1]}}"#),
        ] {
            assert!(matches!(ServerFrame::parse(&text), Err(FrameError::Malformed { .. })), "{text}");
        }
    }

    #[test]
    fn an_error_says_little_however_much_was_sent() {
        let long = "\u{202E}\u{7}".repeat(10_000);
        for text in [
            format!(r#"{{"type":"ping","t":{}}}"#, serde_json::to_string(&long).unwrap()),
            format!(r#"{{"type":"request_status","request_id":"{ID}","state":"{}"}}"#, "x".repeat(60_000)),
            format!(r#"{{"type":"{}"}}"#, "y".repeat(60_000)),
        ] {
            let said = ClientFrame::parse(&text).unwrap_err().to_string();
            assert!(said.chars().count() <= MAX_PROBLEM_CHARS + 1, "{said}");
            assert!(!said.contains(['\u{202E}', '\u{7}']), "{said}");
        }
    }

    #[test]
    fn an_unreadable_frame_still_names_its_request() {
        let text = format!(r#"{{"type":"sign_response","request_id":"{ID}","message":"","signature":""}}"#);
        assert_eq!(ClientFrame::parse(&text).unwrap_err().request_id(), ID.parse().ok());
        assert_eq!(ClientFrame::parse(r#"{"type":"sign_response"}"#).unwrap_err().request_id(), None);
    }

    #[test]
    fn a_code_of_a_later_version_is_no_error() {
        let frame = ServerFrame::parse(r#"{"type":"error","code":"of_a_later_version","message":""}"#).unwrap();
        assert!(matches!(frame, ServerFrame::Error(ErrorFrame { code: ErrorCode::Unrecognised, .. })));
    }
}
