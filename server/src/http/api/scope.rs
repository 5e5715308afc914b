//! What a token is good for: for how long, for which keys and webhooks, and whether it asks or only looks.

use super::problem::Problem;
use crate::time::Timestamp;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_protocol::PublicKeyBytes;
use std::{num::NonZeroU32, time::UNIX_EPOCH};
use warp::http::StatusCode;

/// The characters of a key in base64url.
const KEY_CHARACTERS: usize = 43;

/// What a token is good for. By default everything, for ever.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::http) struct Scope {
    /// Names the token.
    pub(super) token_id: String,
    pub(super) is_revoked: bool,
    pub(super) expires: Option<Timestamp>,
    /// What a key in base64url has to begin with: one of these. Any key where there is none.
    pub(super) keys: Vec<String>,
    /// Which of the operator's webhook targets; all where nothing is said.
    pub(super) webhook_targets: Option<Vec<String>>,
    pub(super) read_only: bool,
    /// Calls a second, in the place of what others have.
    pub(super) requests_per_second: Option<NonZeroU32>,
    /// Requests that its requester may have open.
    pub(super) max_pending: Option<NonZeroU32>,
}

impl Scope {
    /// Whether the token holds now, by the system's clock.
    pub(super) fn is_valid(&self) -> bool {
        !self.is_revoked && !self.is_over()
    }

    fn is_over(&self) -> bool {
        self.expires.is_some_and(|expires| Timestamp::of_the_system() >= expires)
    }

    /// Whether anything may be done with it.
    pub(super) fn check(&self) -> Result<(), Problem> {
        let detail = match (self.is_revoked, self.is_over()) {
            (true, _) => "the token has been revoked",
            (false, true) => "the token has expired",
            (false, false) => return Ok(()),
        };
        Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail))
    }

    /// Whether something may be asked for, or withdrawn.
    pub(in crate::http) fn check_writing(&self) -> Result<(), Problem> {
        if self.read_only {
            return Err(Problem::new(StatusCode::FORBIDDEN, "read_only", "the token may look, and ask for nothing"));
        }
        Ok(())
    }

    /// Whether all keys are within it.
    pub(in crate::http) fn has_every_key(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether this key is.
    pub(in crate::http) fn check_key(&self, key: &PublicKeyBytes) -> Result<(), Problem> {
        let text = URL_SAFE_NO_PAD.encode(key.as_bytes());
        if self.has_every_key() || self.keys.iter().any(|prefix| text.starts_with(prefix.as_str())) {
            return Ok(());
        }
        Err(Problem::new(StatusCode::FORBIDDEN, "key_not_allowed", "the token is not for this key"))
    }
}

/// Whether a text is a key in base64url, or the beginning of one.
pub(super) fn is_key_prefix(text: &str) -> bool {
    let is_in_alphabet = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=KEY_CHARACTERS).contains(&text.len()) && text.bytes().all(is_in_alphabet)
}

/// A time in the form of RFC 3339.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    let since = humantime::parse_rfc3339(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::from_millis(u64::try_from(since.as_millis()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_allowed_by_itself_or_by_how_it_begins() {
        let (key, other) = (PublicKeyBytes::from([7; 32]), PublicKeyBytes::from([8; 32]));
        let whole = URL_SAFE_NO_PAD.encode([7; 32]);
        for prefix in [&whole[..], &whole[..8], &whole[..1]] {
            assert!(is_key_prefix(prefix));
            let scope = Scope { keys: vec!["zzzz".into(), prefix.into()], ..Scope::default() };
            assert!(scope.check_key(&key).is_ok());
            assert_eq!(scope.check_key(&other).is_ok(), other_begins_with(prefix));
        }
        assert!(Scope::default().check_key(&key).is_ok());
        for text in ["", "a+b", "a=", &"a".repeat(44)] {
            assert!(!is_key_prefix(text), "{text}");
        }
    }

    fn other_begins_with(prefix: &str) -> bool {
        URL_SAFE_NO_PAD.encode([8; 32]).starts_with(prefix)
    }

    #[test]
    fn a_token_ends_with_its_time() {
        let at = |text: &str| Scope { expires: Some(time(text).unwrap()), ..Scope::default() };
        assert!(at("2999-01-01T00:00:00Z").check().is_ok());
        assert_eq!(at("2001-01-01T00:00:00Z").check().unwrap_err().code(), "unauthorized");
        assert_eq!((time("tomorrow"), time("1960-01-01T00:00:00Z")), (None, None));
    }
}
