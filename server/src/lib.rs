//! Asks the wallet in somebody's browser for an Ed25519 signature and returns a verified one, or the reason why not.
//!
//! An application holds one [`SigningService`], calls [`SigningService::send_to_sign`], and hands every WebSocket of a wallet to
//! [`connection::drive`]. No web framework occurs in these types; the default feature `http` adds the reference server around
//! warp's filters, which the binary `countersign` runs.
//!
//! *Every request ends exactly once, with a verified signature or a stated reason, and the human is asked at most once.*

#![forbid(unsafe_code)]
// What only the simulation reaches is public for it.
#![cfg_attr(not(feature = "simulation"), allow(unreachable_pub))]
// And what only the reference server does, or only PostgreSQL, is left out by the linker.
#![cfg_attr(any(not(feature = "http"), not(feature = "postgres")), allow(dead_code))]
#![cfg_attr(not(feature = "http"), allow(unused_imports))]

#[cfg(feature = "http")]
pub mod audit;
mod call_context;
mod call_id;
pub mod cluster;
pub mod config;
pub mod connection;
mod dispatch;
mod error;
mod idempotency;
mod metadata;
mod metrics;
mod random;
mod rate;
mod record;
mod reference;
mod request;
mod requester;
mod service;
mod session;
pub mod steps;
mod time;
mod trace_context;

#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "simulation")]
#[doc(hidden)]
pub mod simulation;
pub mod storage;
#[cfg(feature = "store")]
pub mod store;

pub use call_context::CallContext;
pub use call_id::{CallId, CallIdError};
pub use config::Config;
pub use countersign_protocol as protocol;
pub use dispatch::Accepted;
pub use error::SigningError;
pub use idempotency::{IdempotencyKey, IdempotencyKeyError};
pub use metadata::{Metadata, MetadataError};
pub use metrics::Metrics;
pub use record::{End, Phase, PhaseTimes, Record, WebhookUrl};
pub use reference::{Reference, ReferenceError};
pub use request::SigningRequest;
pub use requester::RequesterId;
pub use service::{Signed, SigningService, Subscription};
pub use time::Timestamp;
pub use trace_context::{TraceContext, TraceContextError, TraceId};

/// Compiles the examples of the front page.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct FrontPage;
