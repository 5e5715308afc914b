//! Why a request ended without a signature.

use crate::record::{End, Phase, Record, end_code};
use countersign_protocol::{KeyError, MessageError, Reason, RejectCode, WireName as _, limits::MAX_BATCH};
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
    /// The time for the delivery is over a request's own, or none.
    #[error("delivery timeout is {0:?}; it has to be from 1 s to the timeout")]
    InvalidDeliveryTimeout(Duration),
    /// A batch of no messages, or of more than one prompt shows.
    #[error("a batch has {0} messages; it has to be from 1 to {MAX_BATCH}")]
    InvalidBatch(usize),
    /// No wallet with this key is connected. (Elsewhere called: connection not found.)
    #[error("no wallet with this key is connected")]
    SignerNotConnected,
    /// The wallet went away and did not come back in time. (Elsewhere called: channel closed.)
    #[error("the wallet disconnected, and did not come back in time; the request was {}", .0.as_str())]
    SignerDisconnected(Phase),
    /// No wallet said in time that it has the request: it sleeps, or its network does.
    #[error("no wallet said in time that it has the request")]
    DeliveryTimeout,
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
    /// An operator of the server has blocked the key.
    #[error("this key is blocked by the server's operator")]
    KeyBlocked,
    /// The key's wallets have as many open requests as they may.
    #[error("the wallet has as many open requests as it may")]
    TooManyInflight,
    /// The server has as many open requests as it may.
    #[error("the server has as many open requests as it may")]
    Overloaded,
    /// This requester has as many open requests, or bytes in them, as one may.
    #[error("this requester has as many open requests as one may")]
    RequesterLimit,
    /// The server is stopping.
    #[error("the server is shutting down")]
    Draining,
    /// The requester withdrew the request, or stopped waiting.
    #[error("cancelled by the requester")]
    Cancelled,
    /// The request would have to outlive the process, and this service keeps nothing.
    #[error("this server keeps no requests")]
    NoStore,
    /// The disk is full or has failed, so nothing can be promised.
    #[error("the server cannot write requests down at present")]
    StorageUnavailable,
    /// The idempotency key has been used for another request.
    #[error("the idempotency key has been used for another request")]
    IdempotencyKeyReused,
    /// There is no such request, or it is not this requester's, or it ended so long ago that it is forgotten.
    #[error("no such request is known")]
    UnknownRequest,
    /// The request in whose place another one was to be has ended, and none was made: whoever has decided is not asked again. How it ended is in
    /// its record.
    #[error("the request to be replaced has ended ({}), and no other was made", .0.state())]
    ReplacedRequestEnded(Box<Record>),
}

/// Every [`SigningError::code`] there is.
pub(crate) const CODES: [&str; 25] = [
    "invalid_public_key",
    "reserved_prefix",
    "message_too_long",
    "invalid_message",
    "invalid_timeout",
    "invalid_delivery_timeout",
    "invalid_batch",
    "signer_not_connected",
    end_code::SIGNER_DISCONNECTED,
    end_code::DELIVERY_TIMEOUT,
    end_code::TIMEOUT,
    end_code::REJECTED,
    end_code::INVALID_SIGNATURE,
    end_code::MESSAGE_MISMATCH,
    "key_blocked",
    "too_many_inflight",
    "overloaded",
    "requester_limit",
    end_code::DRAINING,
    end_code::CANCELLED,
    "no_store",
    "storage_unavailable",
    "idempotency_key_reused",
    "unknown_request",
    "replaced_request_ended",
];

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
            Self::InvalidDeliveryTimeout(_) => "invalid_delivery_timeout",
            Self::InvalidBatch(_) => "invalid_batch",
            Self::SignerDisconnected(_) => end_code::SIGNER_DISCONNECTED,
            Self::DeliveryTimeout => end_code::DELIVERY_TIMEOUT,
            Self::Timeout(_) => end_code::TIMEOUT,
            Self::Rejected { .. } => end_code::REJECTED,
            Self::InvalidSignature => end_code::INVALID_SIGNATURE,
            Self::MessageMismatch => end_code::MESSAGE_MISMATCH,
            Self::KeyBlocked => "key_blocked",
            Self::TooManyInflight => "too_many_inflight",
            Self::Overloaded => "overloaded",
            Self::RequesterLimit => "requester_limit",
            Self::Draining => end_code::DRAINING,
            Self::Cancelled => end_code::CANCELLED,
            Self::NoStore => "no_store",
            Self::StorageUnavailable => "storage_unavailable",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::UnknownRequest => "unknown_request",
            Self::ReplacedRequestEnded(_) => "replaced_request_ended",
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
            End::DeliveryTimeout => Self::DeliveryTimeout,
            End::Disconnected(phase) => Self::SignerDisconnected(phase),
            End::Timeout(phase) => Self::Timeout(phase),
            End::Draining => Self::Draining,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_and_its_error_have_one_name() {
        let ends = [
            End::Rejected { code: RejectCode::Locked, reason: None },
            End::InvalidSignature,
            End::MessageMismatch,
            End::DeliveryTimeout,
            End::Timeout(Phase::Displayed),
            End::Disconnected(Phase::Received),
            End::Cancelled,
            End::Draining,
        ];
        for end in ends {
            assert_eq!(end.code(), SigningError::from(end.clone()).code());
        }
    }
}
