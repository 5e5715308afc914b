//! The lines that the log has of each step.

use crate::steps::{Refusal, Step};

/// Whether the lines of those steps of which there are several for each request are logged.
pub(super) fn wants_progress() -> bool {
    tracing::enabled!(tracing::Level::DEBUG)
}

/// Writes a step's line, if it has one at the level that is logged.
pub(super) fn log(step: &Step) {
    match step {
        Step::Ended { request, outcome, by, took, .. } => {
            let key = request.public_key.fingerprint();
            tracing::info!(request = %request.id, key, outcome, by = by.as_str(), ms = took.as_millis(), "request ended");
        }
        Step::Refused(Refusal { outcome, .. }) => tracing::info!(outcome, "request refused"),
        Step::Introduced { public_key, wallet, proven } => {
            let key = public_key.fingerprint();
            tracing::debug!(connection = %wallet.connection, key, proven, "wallet introduced");
        }
        Step::Left { public_key, wallet, why, .. } => {
            tracing::debug!(connection = %wallet.connection, key = public_key.fingerprint(), why, "wallet left");
        }
        Step::Asked { .. }
        | Step::Delivered { .. }
        | Step::Received { .. }
        | Step::Displayed { .. }
        | Step::Answered { .. }
        | Step::AnsweredInVain { .. }
        | Step::TakenOver { .. } => {}
    }
}
