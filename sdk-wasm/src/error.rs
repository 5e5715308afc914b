//! Everything that can go wrong in a wallet, each with a stable code for programs and a sentence for people.

use crate::prelude::*;
use countersign_protocol::{ErrorCode, WireName};
use thiserror::Error;

/// What went wrong, as the wallet's owner is told.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// A signer's public key that the protocol does not admit.
    #[error("the signer's public key is not one a wallet can have: {0}")]
    InvalidKey(Box<str>),
    /// What a signer gave that is no signature, or does not verify.
    #[error("{0}")]
    InvalidSignature(Box<str>),
    /// A URL that cannot be a server's address.
    #[error("not the address of a Countersign server: {0}")]
    InvalidUrl(Box<str>),
    /// A device id or label that the protocol does not carry.
    #[error("device: {0}")]
    InvalidDevice(Box<str>),
    /// A reason, code or scope of a rejection, or an `approvedBy`, that the protocol does not carry.
    #[error("answer: {0}")]
    InvalidAnswer(Box<str>),
    /// The key was freed and is gone from memory.
    #[error("the key was freed, so nothing can be signed with it")]
    KeyFreed,
    /// The signer gave no signature.
    #[error("the signer gave no signature: {0}")]
    SignerFailed(Box<str>),
    /// The socket could not even be made; another try would fail in the same way.
    #[error("the WebSocket could not be opened: {0}")]
    DialRefused(Box<str>),
    /// No welcome within the time for one.
    #[error("no welcome from the server within {0} ms")]
    ConnectTimeout(u64),
    /// The connection fell silent.
    #[error("nothing heard from the server, not even a pong: the connection is dead")]
    HeartbeatTimeout,
    /// The socket was closed by the other side or by the network.
    #[error("the connection was lost (close code {code}{}{reason})", if reason.is_empty() { "" } else { ": " })]
    ConnectionLost {
        /// The WebSocket close code (RFC 6455 §7.4).
        code: u16,
        /// What the other side said, cut to a length fit for printing.
        reason: Box<str>,
    },
    /// The server closed the connection for breaking its rules (1008) and did not say which.
    #[error("the server refused this connection: {0}")]
    Refused(Box<str>),
    /// A newer connection has taken this one's place.
    #[error("a newer connection of this key has taken this one's place")]
    Superseded,
    /// The server sent an `error` frame.
    #[error("the server says: {message}")]
    Server {
        /// Its stable code.
        code: ErrorCode,
        /// Its sentence, cut to a length fit for printing.
        message: Box<str>,
    },
    /// A frame this protocol does not have, or that breaks its limits.
    #[error("the server sent a frame that cannot be read: {0}")]
    BadFrame(Box<str>),
    /// A frame where the protocol has no place for it.
    #[error("the server broke the protocol: {0}")]
    Protocol(&'static str),
    /// The wallet was closed.
    #[error("the wallet was closed")]
    Closed,
    /// No open request has this id.
    #[error("this request is no longer open")]
    NotOpen,
    /// The request has an answer already.
    #[error("this request was answered before")]
    AlreadyAnswered,
    /// The backend stopped waiting.
    #[error("the requester withdrew the request")]
    Cancelled,
    /// The request's time ran out.
    #[error("the request's time ran out before it was answered")]
    Expired,
    /// Another device of this key answered.
    #[error("another device with this key answered the request")]
    AnsweredElsewhere,
    /// The signature came after the request had ended.
    #[error("the signature was not used: the requester had stopped waiting")]
    Late,
    /// The server found that the signature does not hold.
    #[error("the server refused the signature: it does not hold over the message")]
    BadSignature,
    /// The server was asked for another message than the one it sent here.
    #[error("the server refused the answer: it is about another message")]
    MessageMismatch,
    /// The server knows no such request.
    #[error("the server does not know this request")]
    UnknownRequest,
    /// The connection broke while the answer was under way, and what became of it cannot be known any more.
    #[error("the connection broke while the answer was under way: whether the signature was used is not known")]
    Unconfirmed,
    /// What should outlive the page or process could not be written down.
    #[error("the wallet's store failed, so a reload may ask again or lose an answer: {0}")]
    Storage(Box<str>),
}

impl Error {
    /// Why a signer has failed, as the host tells it.
    pub fn of_signer(code: &str, why: &str) -> Self {
        match code {
            "invalid_key" => Self::InvalidKey(printable(why)),
            "invalid_signature" => Self::InvalidSignature(printable(why)),
            "key_freed" => Self::KeyFreed,
            _ => Self::SignerFailed(printable(why)),
        }
    }

    /// The stable code. Names never change.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidKey(_) => "invalid_key",
            Self::InvalidSignature(_) => "invalid_signature",
            Self::InvalidUrl(_) => "invalid_url",
            Self::InvalidDevice(_) => "invalid_device",
            Self::InvalidAnswer(_) => "invalid_answer",
            Self::KeyFreed => "key_freed",
            Self::SignerFailed(_) => "signer_failed",
            Self::DialRefused(_) => "dial_refused",
            Self::ConnectTimeout(_) => "connect_timeout",
            Self::HeartbeatTimeout => "heartbeat_timeout",
            Self::ConnectionLost { .. } => "connection_lost",
            Self::Refused(_) => "refused",
            Self::Superseded => "superseded",
            Self::Server { code, .. } => code.as_str(),
            Self::BadFrame(_) => "bad_frame",
            Self::Protocol(_) => "protocol_error",
            Self::Closed => "closed",
            Self::NotOpen => "not_open",
            Self::AlreadyAnswered => "already_answered",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::AnsweredElsewhere => "answered_elsewhere",
            Self::Late => "late",
            Self::BadSignature => "bad_signature",
            Self::MessageMismatch => "message_mismatch",
            Self::UnknownRequest => "unknown_request",
            Self::Unconfirmed => "unconfirmed",
            Self::Storage(_) => "storage_failed",
        }
    }
}

/// Text from outside, cut to a length fit for a log line, with control characters made visible.
pub(crate) fn printable(text: &str) -> Box<str> {
    text.chars().take(200).map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}
