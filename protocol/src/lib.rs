#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(all(target_arch = "wasm32", not(test)), no_std)]

extern crate alloc;

#[cfg(any(target_arch = "wasm32", test))]
mod base64;
mod binary;
mod error;
mod frame;
mod ids;
mod introduction;
pub mod json;
mod key;
#[cfg(feature = "key-text")]
mod key_text;
pub mod limits;
mod message;
mod prelude;
mod signable;
mod signature;
mod text;
mod unreadable;
mod verification;
mod wire_name;

pub use binary::BinaryError;
pub use error::{ErrorCode, FrameError, MAX_PROBLEM_CHARS};
pub use frame::{
    AckOutcome, ApprovedBy, Batch, CancelCause, ChallengeFrame, ClientFrame, Device, ErrorFrame, Goodbye,
    GoodbyeReason, Introduction, PingPong, RejectCode, RejectScope, RequestCancel, RequestStatus, Requester,
    ResponseAck, ServerFrame, SignReject, SignRequest, SignResponse, WalletState, Welcome, WelcomeLimits,
};
pub use ids::{BatchId, ConnectionId, IdError, RequestId};
pub use introduction::{Audience, AudienceError, Challenge, Origin, OriginError};
pub use json::JsonError;
pub use key::{KeyError, PublicKey, PublicKeyBytes};
#[cfg(feature = "key-text")]
pub use key_text::KeyTextError;
pub use message::{Message, MessageError, RESERVED_PREFIX};
pub use signable::{Signable, verify_bytes};
pub use signature::Signature;
pub use text::{DeviceId, DeviceLabel, Purpose, Reason, RequesterName, Text, TextError};
pub use unreadable::UnreadableRequest;
pub use verification::{SignatureMismatch, Verification};
pub use wire_name::{WireName, WireNameError};

/// The WebSocket subprotocol: offered by a wallet, echoed by the server when offered, not required.
pub const SUBPROTOCOL: &str = "countersign.v1";

/// The path of the WebSocket endpoint.
pub const ENDPOINT: &str = "/ws";
