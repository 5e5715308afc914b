//! The audit log: who asked what of which key, who decided and from where, one JSON object a line, chained by hash and signed now and then.
//!
//! `docs/operating/audit.md` is its format. Nothing in here decides what becomes of a request, and nobody who asks for one waits for it.

mod chain;
mod entry;
mod error;
mod files;
mod journal;
mod line;
mod log;
mod observe;
mod queue;
mod show;
mod signed_head;
#[cfg(test)]
mod tests;
mod verifier;
mod verify;
mod writer;

pub use chain::{Hash, Head, HeadError};
pub use entry::{AdminAction, TokenMark};
pub use error::AuditError;
pub use line::{Line, LineError};
pub use log::{AuditConfig, AuditLog, OnFull};
pub use show::{Filter, show};
pub use signed_head::{KeySet, KeySetError, SignedHeadError};
pub use verifier::{Reason, Report};
pub use verify::verify;
