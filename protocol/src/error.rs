//! What is wrong with a frame, as a stable code and a sentence.

use crate::prelude::*;
use crate::{JsonError, RequestId, text::printable, wire_name::WireName};
use core::fmt;
use thiserror::Error;

/// The stable code of an `error` frame. Names never change; a later version may add some, which read as [`ErrorCode::Unrecognised`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// Not a JSON object of the form its `type` asks for.
    Malformed,
    /// A `type` this version does not know.
    UnknownType,
    /// A `type` that only the other side sends.
    WrongDirection,
    /// A binary WebSocket message; frames are text.
    BinaryFrame,
    /// Longer than the stated limit.
    FrameTooLarge,
    /// A frame other than `introduction` on a connection that has not introduced itself.
    IntroductionRequired,
    /// No introduction within the time for one.
    IntroductionTimeout,
    /// A second introduction on one connection.
    AlreadyIntroduced,
    /// An introduction without `proof`.
    ProofRequired,
    /// A proof that does not hold over this challenge, key, audience and origin.
    ProofInvalid,
    /// A public key that is not admitted.
    KeyRefused,
    /// Frames came faster than allowed.
    RateLimited,
    /// So many errors that the connection is closed.
    TooManyErrors,
    /// As many connections as this key may have.
    TooManyConnections,
    /// A code of a later version.
    Unrecognised,
}

impl WireName for ErrorCode {
    const ALL: &'static [Self] = &[
        Self::Malformed,
        Self::UnknownType,
        Self::WrongDirection,
        Self::BinaryFrame,
        Self::FrameTooLarge,
        Self::IntroductionRequired,
        Self::IntroductionTimeout,
        Self::AlreadyIntroduced,
        Self::ProofRequired,
        Self::ProofInvalid,
        Self::KeyRefused,
        Self::RateLimited,
        Self::TooManyErrors,
        Self::TooManyConnections,
        Self::Unrecognised,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownType => "unknown_type",
            Self::WrongDirection => "wrong_direction",
            Self::BinaryFrame => "binary_frame",
            Self::FrameTooLarge => "frame_too_large",
            Self::IntroductionRequired => "introduction_required",
            Self::IntroductionTimeout => "introduction_timeout",
            Self::AlreadyIntroduced => "already_introduced",
            Self::ProofRequired => "proof_required",
            Self::ProofInvalid => "proof_invalid",
            Self::KeyRefused => "key_refused",
            Self::RateLimited => "rate_limited",
            Self::TooManyErrors => "too_many_errors",
            Self::TooManyConnections => "too_many_connections",
            Self::Unrecognised => "unrecognised",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The most characters that [`FrameError::Malformed`] says what is wrong in, however long the frame was.
pub const MAX_PROBLEM_CHARS: usize = 200;

/// Why a text is not a frame of the expected direction.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Longer than `limit` bytes.
    #[error("frame is {found} bytes, more than {limit}")]
    TooLarge {
        /// The most bytes it may have.
        limit: usize,
        /// The bytes it has.
        found: usize,
    },
    /// Not JSON, not an object with a `type`, or a field that does not hold what it should.
    #[error("{problem}")]
    Malformed {
        /// What is wrong, in at most [`MAX_PROBLEM_CHARS`] printable characters. It may quote the frame: fit for the peer
        /// that sent it, not for a log.
        problem: Box<str>,
        /// The request the frame names, where that much could be read.
        request_id: Option<RequestId>,
    },
    /// A type of no version of this protocol known here; cut to a length fit for printing.
    #[error("unknown type \"{0}\"")]
    UnknownType(Box<str>),
    /// A type of the other direction.
    #[error("{0} is only ever sent the other way")]
    WrongDirection(&'static str),
}

impl FrameError {
    /// The code to answer with.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::TooLarge { .. } => ErrorCode::FrameTooLarge,
            Self::Malformed { .. } => ErrorCode::Malformed,
            Self::UnknownType(_) => ErrorCode::UnknownType,
            Self::WrongDirection(_) => ErrorCode::WrongDirection,
        }
    }

    /// The request that the unreadable frame names, for the `error` or `sign_reject` that answers it.
    pub fn request_id(&self) -> Option<RequestId> {
        match self {
            Self::Malformed { request_id, .. } => *request_id,
            Self::TooLarge { .. } | Self::UnknownType(_) | Self::WrongDirection(_) => None,
        }
    }

    pub(crate) fn malformed(error: &JsonError, request_id: Option<RequestId>) -> Self {
        Self::Malformed { problem: printable(&error.to_string(), MAX_PROBLEM_CHARS), request_id }
    }
}
