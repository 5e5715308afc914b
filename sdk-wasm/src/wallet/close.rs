//! What a close means: whether to connect again (specification §10).

use crate::error::{Error, printable};
use countersign_protocol::ErrorCode;

/// Why a connection closed by the other side is over, and whether to try again. `told` is what the server said last before it.
pub(crate) fn after_close(code: u16, reason: &str, told: Option<Error>) -> (Error, bool) {
    let told_code = match &told {
        Some(Error::Server { code, .. }) => Some(*code),
        Some(_) | None => None,
    };
    let again = match (code, told_code) {
        // The same introduction would fail in the same way, even where the close that says so got lost.
        (_, Some(ErrorCode::ProofRequired | ErrorCode::ProofInvalid | ErrorCode::KeyRefused)) => false,
        // These pass with time.
        (
            close_code::POLICY_VIOLATION,
            Some(ErrorCode::TooManyConnections | ErrorCode::RateLimited | ErrorCode::IntroductionTimeout),
        ) => true,
        (close_code::UNSUPPORTED_DATA | close_code::POLICY_VIOLATION | close_code::TOO_BIG, _) => false,
        (_, _) => true,
    };
    let reason = printable(reason);
    let unsaid = || if again { Error::ConnectionLost { code, reason } } else { Error::Refused(reason) };
    (told.unwrap_or_else(unsaid), again)
}

/// Close codes (RFC 6455 §7.4.1) that say the wallet did something wrong.
mod close_code {
    pub(super) const UNSUPPORTED_DATA: u16 = 1003;
    pub(super) const POLICY_VIOLATION: u16 = 1008;
    pub(super) const TOO_BIG: u16 = 1009;
}
