//! The frames with which a wallet answers a request, and what it is told of its answer.

use crate::prelude::*;
use crate::{
    DeviceId, JsonError, Message, Reason, RequestId, Signature,
    json::{Object, Writer},
    wire_name::WireName,
};
use core::{fmt, str::FromStr};

/// `request_status`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestStatus {
    /// The request.
    pub request_id: RequestId,
    /// How far it has come.
    pub state: WalletState,
}

impl RequestStatus {
    pub(super) fn read(frame: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self { request_id: frame.required("request_id")?, state: frame.name("state")? })
    }

    pub(super) fn write(&self, frame: Writer) -> Writer {
        frame.plain("request_id", &self.request_id).text("state", self.state.as_str())
    }
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

impl SignResponse {
    pub(super) fn read(frame: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self {
            request_id: frame.required("request_id")?,
            message: frame.required("message")?,
            signature: frame.required("signature")?,
            approved_by: frame.optional("approved_by")?,
        })
    }

    pub(super) fn write(&self, frame: Writer) -> Writer {
        frame
            .plain("request_id", &self.request_id)
            .base64("message", self.message.as_bytes())
            .base64("signature", self.signature.as_bytes())
            .optional(self.approved_by.as_ref(), |frame, by| frame.text("approved_by", &by.to_string()))
    }
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

impl SignReject {
    pub(super) fn read(frame: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self {
            request_id: frame.required("request_id")?,
            code: frame.name("code")?,
            reason: frame.optional("reason")?,
            scope: frame.name("scope")?,
        })
    }

    pub(super) fn write(&self, frame: Writer) -> Writer {
        frame
            .plain("request_id", &self.request_id)
            .text("code", self.code.as_str())
            .optional(self.reason.as_ref(), |frame, reason| frame.text("reason", reason.as_str()))
            .text("scope", self.scope.as_str())
    }
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

/// `response_ack`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseAck {
    /// The request, as the answer named it.
    pub request_id: RequestId,
    /// What became of the answer.
    pub outcome: AckOutcome,
}

impl ResponseAck {
    pub(super) fn read(frame: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self { request_id: frame.required("request_id")?, outcome: frame.name("outcome")? })
    }

    pub(super) fn write(&self, frame: Writer) -> Writer {
        frame.plain("request_id", &self.request_id).text("outcome", self.outcome.as_str())
    }
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
