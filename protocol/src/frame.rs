//! Every frame of the protocol as a type.

mod read;
mod write;

pub(crate) use read::SERVER_FIELDS;

use crate::prelude::*;
use crate::{
    BatchId, Challenge, ConnectionId, DeviceId, DeviceLabel, ErrorCode, Message, PublicKeyBytes, Purpose, Reason,
    RequestId, RequesterName, Signature, wire_name::WireName,
};
use core::{fmt, str::FromStr};
use serde::Serialize;

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

/// `challenge`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChallengeFrame {
    /// What the proof has to be over.
    pub challenge: Challenge,
}

/// `introduction`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introduction {
    /// The key the wallet holds; admitted by the session, not by the parser.
    pub public_key: PublicKeyBytes,
    /// The signature over [`Signable::Introduction`](crate::Signable::Introduction).
    pub proof: Option<Signature>,
    /// Which of the key's devices this is.
    pub device: Option<Device>,
}

/// A device among those that hold one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Device {
    /// Stable over reconnects.
    pub id: DeviceId,
    /// For people.
    pub label: DeviceLabel,
}

/// `welcome`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// Names this connection, in logs above all.
    pub connection_id: ConnectionId,
    /// The longest a wallet may be silent, in milliseconds, before the server asks and then closes.
    pub heartbeat_ms: u64,
    /// What this server allows.
    pub limits: WelcomeLimits,
}

/// The limits a server states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WelcomeLimits {
    /// The longest message it forwards, in bytes.
    pub max_message_bytes: usize,
    /// The most requests open on one connection at once.
    pub max_inflight: usize,
}

/// `sign_request`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignRequest {
    /// Names the request, on every device and at every attempt.
    pub request_id: RequestId,
    /// What to sign.
    pub message: Message,
    /// Time left, in milliseconds from the receipt of this frame: no clocks need agree.
    pub expires_in_ms: u64,
    /// 1 at first, one more at every delivery to the same key.
    pub attempt: u32,
    /// Who asks.
    pub requester: Requester,
    /// Why, as the requester claims.
    pub purpose: Option<Purpose>,
    /// Its place among requests that are shown together.
    pub batch: Option<Batch>,
}

/// A request's place in a batch: requests that are shown to a human in one prompt, or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Batch {
    /// Names the batch, on every device and at every attempt.
    pub id: BatchId,
    /// This request's place in this delivery, from 0.
    pub index: u32,
    /// How many requests of the batch this delivery consists of, sent one right after the other.
    pub size: u32,
}

/// Who asks for a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requester {
    /// The name the operator gave the requester's token.
    pub name: RequesterName,
}

/// `request_status`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestStatus {
    /// The request.
    pub request_id: RequestId,
    /// How far it has come.
    pub state: WalletState,
}

/// How far a request has come on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WalletState {
    /// The wallet has it.
    Received,
    /// A human can see it.
    Displayed,
}

impl WireName for WalletState {
    const ALL: &'static [Self] = &[Self::Received, Self::Displayed];

    fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Displayed => "displayed",
        }
    }
}

/// `sign_response`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignResponse {
    /// The request.
    pub request_id: RequestId,
    /// The message as the wallet understood it. The server compares it and returns its own.
    pub message: Message,
    /// Over the message.
    pub signature: Signature,
    /// Who decided.
    pub approved_by: Option<ApprovedBy>,
}

/// Who decided to sign: a human, or a rule the human had granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApprovedBy {
    /// Somebody looked and agreed.
    Human,
    /// The rule of this id.
    Policy(DeviceId),
}

impl fmt::Display for ApprovedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Human => f.write_str("human"),
            Self::Policy(id) => write!(f, "policy:{id}"),
        }
    }
}

impl FromStr for ApprovedBy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("policy:") {
            Some(id) => id.parse().map(Self::Policy).map_err(|error| format!("approved_by: {error}")),
            None if text == "human" => Ok(Self::Human),
            None => Err("approved_by is neither \"human\" nor \"policy:<id>\"".into()),
        }
    }
}

crate::text::serialize_as_text!(ApprovedBy);

/// `sign_reject`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignReject {
    /// The request.
    pub request_id: RequestId,
    /// Why, for programs.
    pub code: RejectCode,
    /// Why, for people.
    pub reason: Option<Reason>,
    /// How much the refusal covers.
    pub scope: RejectScope,
}

/// Why a wallet declined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejectCode {
    /// A human said no.
    UserRejected,
    /// A rule said no, or nothing was there to say yes.
    PolicyRejected,
    /// The key is locked.
    Locked,
    /// The wallet cannot sign this.
    Unsupported,
}

impl WireName for RejectCode {
    const ALL: &'static [Self] = &[Self::UserRejected, Self::PolicyRejected, Self::Locked, Self::Unsupported];

    fn as_str(self) -> &'static str {
        match self {
            Self::UserRejected => "user_rejected",
            Self::PolicyRejected => "policy_rejected",
            Self::Locked => "locked",
            Self::Unsupported => "unsupported",
        }
    }
}

/// How much a refusal covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejectScope {
    /// The request is over on every device.
    Key,
    /// Only this device will not sign; others may.
    Device,
}

impl WireName for RejectScope {
    const ALL: &'static [Self] = &[Self::Key, Self::Device];

    fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Device => "device",
        }
    }
}

/// `request_cancel`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestCancel {
    /// The request.
    pub request_id: RequestId,
    /// Why nobody waits for it here any more.
    pub cause: CancelCause,
}

/// Why a request was withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CancelCause {
    /// The backend stopped waiting.
    Cancelled,
    /// Its time ran out.
    Expired,
    /// Another device of the key has answered.
    AnsweredElsewhere,
}

impl WireName for CancelCause {
    const ALL: &'static [Self] = &[Self::Cancelled, Self::Expired, Self::AnsweredElsewhere];

    fn as_str(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::AnsweredElsewhere => "answered_elsewhere",
        }
    }
}

/// `response_ack`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseAck {
    /// The request, as the answer named it.
    pub request_id: RequestId,
    /// What became of the answer.
    pub outcome: AckOutcome,
}

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AckOutcome {
    /// It ended the request, or was counted for this device.
    Accepted,
    /// The request had ended before.
    Late,
    /// This connection had answered before.
    Duplicate,
    /// The signature does not hold over the stored message.
    BadSignature,
    /// The echoed message is not the one that was asked for.
    MessageMismatch,
    /// No such request was ever put to this key here, or so long ago that it is forgotten.
    Unknown,
}

impl WireName for AckOutcome {
    const ALL: &'static [Self] =
        &[Self::Accepted, Self::Late, Self::Duplicate, Self::BadSignature, Self::MessageMismatch, Self::Unknown];

    fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Late => "late",
            Self::Duplicate => "duplicate",
            Self::BadSignature => "bad_signature",
            Self::MessageMismatch => "message_mismatch",
            Self::Unknown => "unknown",
        }
    }
}

/// `ping` and `pong`: browsers hide the protocol's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PingPong {
    /// Chosen by the asker and sent back as it came.
    pub t: u64,
}

/// `error`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorFrame {
    /// For programs.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
    /// The request it is about, where there is one.
    pub request_id: Option<RequestId>,
}

/// `goodbye`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Goodbye {
    /// Why the server is about to close.
    pub reason: GoodbyeReason,
    /// How long to wait before connecting again, in milliseconds; add jitter.
    pub reconnect_after_ms: u64,
}

/// Why a server closes in good order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GoodbyeReason {
    /// The server is stopping.
    Shutdown,
    /// A newer connection has taken this one's place.
    Superseded,
    /// Nothing was heard, not even a pong.
    Idle,
}

impl WireName for GoodbyeReason {
    const ALL: &'static [Self] = &[Self::Shutdown, Self::Superseded, Self::Idle];

    fn as_str(self) -> &'static str {
        match self {
            Self::Shutdown => "shutdown",
            Self::Superseded => "superseded",
            Self::Idle => "idle",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FrameError, MAX_PROBLEM_CHARS};

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
