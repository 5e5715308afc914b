//! Why a request ended without a signature.

use crate::pending::{End, Phase};
use countersign_protocol::{KeyError, MessageError, Reason, RejectCode};
use std::time::Duration;
use thiserror::Error;

/// Why [`send_to_sign`](crate::SigningService::send_to_sign) has no signature to return.
///
/// [`SigningError::code`] is the stable name, the same in Rust, HTTP and JavaScript; the text is for people.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SigningError {
    /// The key is not one that is admitted.
    #[error(transparent)]
    InvalidPublicKey(#[from] KeyError),
    /// The message is empty, too long, or starts with the reserved prefix.
    #[error(transparent)]
    InvalidMessage(#[from] MessageError),
    /// The message is longer than this server forwards.
    #[error("message is {found} bytes, more than this server's {limit}")]
    MessageTooLong {
        /// The server's limit, in bytes.
        limit: usize,
        /// The message's length, in bytes.
        found: usize,
    },
    /// The deadline is under a second or over seven days.
    #[error("timeout is {0:?}; it has to be from 1 s to 7 days")]
    InvalidTimeout(Duration),
    /// No wallet with this key is connected. (Elsewhere called: connection not found.)
    #[error("no wallet with this key is connected")]
    SignerNotConnected,
    /// Every wallet that had been asked went away before it answered. (Elsewhere called: channel closed.)
    #[error("the wallet disconnected before it answered")]
    SignerDisconnected,
    /// The time ran out.
    #[error("no answer in time; the request was {}", .0.as_str())]
    Timeout(Phase),
    /// The wallet declined.
    #[error("the wallet declined: {}", .code.as_str())]
    Rejected {
        /// Why, for programs.
        code: RejectCode,
        /// Why, in the wallet's words; not to be trusted as more than that.
        reason: Option<Reason>,
    },
    /// The wallet answered with a signature that does not verify over the message.
    #[error("the wallet's signature does not verify over the message")]
    InvalidSignature,
    /// The wallet answered for another message than the one it was asked to sign.
    #[error("the wallet answered for another message")]
    MessageMismatch,
    /// The key's wallets have as many open requests as they may.
    #[error("the wallet has as many open requests as it may")]
    TooManyInflight,
    /// The server has as many open requests as it may.
    #[error("the server has as many open requests as it may")]
    Overloaded,
    /// The server is stopping.
    #[error("the server is shutting down")]
    Draining,
    /// The waiting side gave up. Only ever seen by metrics: the caller that would get it is gone.
    #[error("cancelled by the requester")]
    Cancelled,
}

impl SigningError {
    /// The stable name of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidPublicKey(_) => "invalid_public_key",
            Self::InvalidMessage(MessageError::ReservedPrefix) => "reserved_prefix",
            Self::InvalidMessage(MessageError::TooLong { .. }) | Self::MessageTooLong { .. } => "message_too_long",
            Self::InvalidMessage(MessageError::Empty | MessageError::Encoding(_)) => "invalid_message",
            Self::InvalidTimeout(_) => "invalid_timeout",
            Self::SignerNotConnected => "signer_not_connected",
            Self::SignerDisconnected => "signer_disconnected",
            Self::Timeout(_) => "timeout",
            Self::Rejected { .. } => "rejected",
            Self::InvalidSignature => "invalid_signature",
            Self::MessageMismatch => "message_mismatch",
            Self::TooManyInflight => "too_many_inflight",
            Self::Overloaded => "overloaded",
            Self::Draining => "draining",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The error an end stands for, where it is not a signature.
impl From<End> for SigningError {
    fn from(end: End) -> Self {
        match end {
            // A signature is no error; its only caller has taken it out before.
            End::Signed { .. } | End::Cancelled => Self::Cancelled,
            End::Rejected { code, reason } => Self::Rejected { code, reason },
            End::InvalidSignature => Self::InvalidSignature,
            End::MessageMismatch => Self::MessageMismatch,
            End::Disconnected => Self::SignerDisconnected,
            End::Expired(phase) => Self::Timeout(phase),
            End::Draining => Self::Draining,
        }
    }
}
