//! How a connection is closed: the last frame, the code and reason of the close frame.

use countersign_protocol::{ErrorCode, ErrorFrame, Goodbye, GoodbyeReason, ServerFrame, WireName as _};
use std::time::Duration;

/// WebSocket close codes (RFC 6455 §7.4.1 and its registry).
pub(crate) mod close_code {
    pub(crate) const NORMAL: u16 = 1000;
    pub(crate) const PROTOCOL_ERROR: u16 = 1002;
    pub(crate) const UNSUPPORTED_DATA: u16 = 1003;
    pub(crate) const INVALID_PAYLOAD: u16 = 1007;
    pub(crate) const POLICY: u16 = 1008;
    pub(crate) const TOO_BIG: u16 = 1009;
    pub(crate) const SERVICE_RESTART: u16 = 1012;
}

/// How to close, and why.
#[derive(Debug, PartialEq, Eq)]
pub struct Close {
    /// The last frame.
    pub frame: ServerFrame,
    /// The code of the close frame.
    pub code: u16,
}

impl Close {
    pub(super) fn error(code: ErrorCode, message: impl Into<String>, close: u16) -> Self {
        Self { frame: ServerFrame::Error(ErrorFrame { code, message: message.into(), request_id: None }), code: close }
    }

    /// For whoever holds a key that an operator has blocked: coming back would be in vain.
    pub(crate) fn blocked() -> Self {
        Self::error(ErrorCode::KeyRefused, "this key is blocked here", close_code::POLICY)
    }

    pub(crate) fn goodbye(reason: GoodbyeReason, reconnect_after: Duration, code: u16) -> Self {
        let reconnect_after_ms = u64::try_from(reconnect_after.as_millis()).unwrap_or(u64::MAX);
        Self { frame: ServerFrame::Goodbye(Goodbye { reason, reconnect_after_ms }), code }
    }

    /// The stable word for the log and the close frame.
    pub(crate) fn reason(&self) -> &'static str {
        match &self.frame {
            ServerFrame::Error(error) => error.code.as_str(),
            ServerFrame::Goodbye(goodbye) => match goodbye.reason {
                GoodbyeReason::Shutdown => "shutdown",
                GoodbyeReason::Superseded => "superseded",
                GoodbyeReason::Idle => "idle",
            },
            ServerFrame::Challenge(_)
            | ServerFrame::Welcome(_)
            | ServerFrame::SignRequest(_)
            | ServerFrame::RequestCancel(_)
            | ServerFrame::ResponseAck(_)
            | ServerFrame::Ping(_)
            | ServerFrame::Pong(_) => "closed",
        }
    }
}
