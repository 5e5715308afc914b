//! Why a server was not asked, or did not do it.

use serde_json::Value;
use std::io;
use thiserror::Error;

/// Each with the exit status of its own kind.
#[derive(Debug, Error)]
pub(crate) enum AdminError {
    /// The command makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The server refused.
    #[error("{detail} ({code})")]
    Refused {
        /// The stable code of the problem.
        code: String,
        /// For people.
        detail: String,
    },
    /// Nobody answered.
    #[error("{target}: {reason}")]
    Unreachable {
        /// Where.
        target: String,
        /// Why not.
        reason: String,
    },
    /// What was answered is nothing of ours.
    #[error("{0} is no admin API: {1}")]
    Foreign(String, String),
    /// Nobody takes what is printed.
    #[error("standard output: {0}")]
    Output(io::Error),
}

impl AdminError {
    /// Everything for which settings were not taken anew, in a line each.
    pub(crate) fn not_reloaded(answer: &Value) -> Self {
        let mistakes = answer.get("mistakes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let mistakes: Vec<_> = mistakes.iter().filter_map(Value::as_str).collect();
        Self::Refused { code: "not reloaded".into(), detail: mistakes.join("\ncountersign: ") }
    }

    /// What the command ends with: 3 where the server cannot be reached, otherwise 1.
    pub(crate) fn exit_status(&self) -> u8 {
        match self {
            Self::Unreachable { .. } => 3,
            Self::Usage(_) | Self::Refused { .. } | Self::Foreign(..) | Self::Output(_) => 1,
        }
    }
}
