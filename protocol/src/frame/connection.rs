//! The frames about the connection itself: whether it lives, what went wrong, how it ends.

use crate::prelude::*;
use crate::{
    ErrorCode, JsonError, RequestId,
    json::{Object, Writer},
    wire_name::WireName,
};

/// `ping` and `pong`: browsers hide the protocol's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PingPong {
    /// Chosen by the asker and sent back as it came.
    pub t: u64,
}

impl PingPong {
    pub(super) fn read(frame: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self { t: frame.integer("t")? })
    }

    pub(super) fn write(self, frame: Writer) -> Writer {
        frame.integer("t", self.t)
    }
}

/// `error`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorFrame {
    /// For programs.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
    /// The request it is about, where there is one.
    pub request_id: Option<RequestId>,
}

impl ErrorFrame {
    pub(super) fn read(frame: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self {
            // The one list of names that may grow.
            code: ErrorCode::from_name(&frame.text("code")?).unwrap_or(ErrorCode::Unrecognised),
            message: frame.text("message")?.into_owned(),
            request_id: frame.optional("request_id")?,
        })
    }

    pub(super) fn write(&self, frame: Writer) -> Writer {
        frame
            .text("code", self.code.as_str())
            .text("message", &self.message)
            .optional(self.request_id, |frame, id| frame.plain("request_id", &id))
    }
}

/// `goodbye`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Goodbye {
    /// Why the server is about to close.
    pub reason: GoodbyeReason,
    /// How long to wait before connecting again, in milliseconds; add jitter.
    pub reconnect_after_ms: u64,
}

impl Goodbye {
    pub(super) fn read(frame: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self { reason: frame.name("reason")?, reconnect_after_ms: frame.integer("reconnect_after_ms")? })
    }

    pub(super) fn write(&self, frame: Writer) -> Writer {
        frame.text("reason", self.reason.as_str()).integer("reconnect_after_ms", self.reconnect_after_ms)
    }
}

/// Why a server closes in good order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GoodbyeReason {
    /// The server is stopping.
    Shutdown,
    /// A newer connection has taken this one's place.
    Superseded,
    /// Nothing was heard, not even a pong.
    Idle,
}

impl WireName for GoodbyeReason {
    const ALL: &'static [Self] = &[Self::Shutdown, Self::Superseded, Self::Idle];

    fn as_str(self) -> &'static str {
        match self {
            Self::Shutdown => "shutdown",
            Self::Superseded => "superseded",
            Self::Idle => "idle",
        }
    }
}
