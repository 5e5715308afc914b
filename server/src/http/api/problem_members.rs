//! What some errors say beside the members of RFC 9457.

use super::field_error::FieldError;
use crate::SigningError;
use countersign_protocol::{RequestId, WireName as _};
use serde::Serialize;

/// What some problems have beside the usual members.
#[derive(Debug, Clone, Default, Serialize)]
pub(in crate::http) struct Members {
    /// Where a request had been made; the log names it too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request_id: Option<RequestId>,
    /// Why the wallet declined, for `rejected`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reject_code: Option<&'static str>,
    /// The wallet's own words, for `rejected`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    /// How far the request had come, for `timeout` and `signer_disconnected`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) phase: Option<&'static str>,
    /// How the request ended that was to be replaced, for `replaced_request_ended`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) replaced: Option<serde_json::Value>,
    /// What is wrong with the call, one by one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) errors: Vec<FieldError>,
}

impl From<SigningError> for Members {
    fn from(error: SigningError) -> Self {
        match error {
            SigningError::Rejected { code, reason } => Self {
                reject_code: Some(code.as_str()),
                reason: reason.map(|reason| reason.to_string()),
                ..Self::default()
            },
            SigningError::Timeout(phase) | SigningError::SignerDisconnected(phase) => {
                Self { phase: Some(phase.as_str()), ..Self::default() }
            }
            SigningError::InvalidPublicKey(_)
            | SigningError::InvalidMessage(_)
            | SigningError::MessageTooLong { .. }
            | SigningError::InvalidTimeout(_)
            | SigningError::InvalidDeliveryTimeout(_)
            | SigningError::InvalidBatch(_)
            | SigningError::SignerNotConnected
            | SigningError::DeliveryTimeout
            | SigningError::InvalidSignature
            | SigningError::MessageMismatch
            | SigningError::TooManyInflight
            | SigningError::RequesterLimit
            | SigningError::Overloaded
            | SigningError::Draining
            | SigningError::Cancelled
            | SigningError::NoStore
            | SigningError::StorageUnavailable
            | SigningError::IdempotencyKeyReused
            | SigningError::KeyBlocked
            | SigningError::ReplacedRequestEnded(_)
            | SigningError::UnknownRequest => Self::default(),
        }
    }
}
