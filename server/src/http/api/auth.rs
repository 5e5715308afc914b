//! Who may use the API: bearer tokens (RFC 6750), known only by their hash, each naming its requester.

use super::{
    problem::Problem,
    scope::{Scope, is_key_prefix, time},
};
use crate::{http::loopback::is_loopback, requester::RequesterId, time::Timestamp};
use countersign_protocol::RequesterName;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{collections::HashMap, fmt, num::NonZeroU32, sync::Arc};
use thiserror::Error;
use warp::http::StatusCode;

/// A token as an operator configures it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenEntry {
    /// Whose requests are asked with it, for good; the name where there is none. Tokens with the same id are one requester's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The requester's name, shown by wallets. May change, where there is an id.
    pub name: String,
    /// SHA-256 of the token, in hex. Tokens are random, so a plain hash cannot be guessed backwards.
    pub sha256: String,
    /// Until when it holds, in the form of RFC 3339; for ever where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// Keys in base64url, or how they begin, that it is for; any where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// Those of the webhook targets that it may name; all where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_targets: Option<Vec<String>>,
    /// It may look at requests and keys, and neither ask nor withdraw.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub read_only: bool,
    /// API calls a second, in the place of `--requests-per-second`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<NonZeroU32>,
    /// Requests that its requester may have open on a server, beyond which none is taken with it; at most the share of one requester.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_pending: Option<NonZeroU32>,
    /// It holds no more, and what becomes of its requester's open requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Revocation>,
}

/// What becomes of open requests when a token is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Revocation {
    /// They end, once their requester has no token that holds.
    End,
    /// They go on.
    Keep,
}

impl TokenEntry {
    /// The token's hash, and whose it is.
    pub(super) fn parse(&self) -> Result<([u8; 32], Requester), TokenError> {
        let name = self.name.parse().map_err(|error| TokenError::Name(self.name.clone(), error))?;
        let mut hash = [0; 32];
        hex::decode_to_slice(&self.sha256, &mut hash).map_err(|_| TokenError::Hash(self.name.clone()))?;
        let id = self.requester_id().parse().map_err(|error| TokenError::Id(self.name.clone(), error))?;
        Ok((hash, Requester { id, name, scope: Arc::new(self.scope()?) }))
    }

    fn scope(&self) -> Result<Scope, TokenError> {
        let expires = self
            .expires
            .as_deref()
            .map(|text| time(text).ok_or_else(|| TokenError::Expires(self.name.clone(), text.into())));
        if let Some(wrong) = self.keys.iter().find(|key| !is_key_prefix(key)) {
            return Err(TokenError::Key(self.name.clone(), wrong.clone()));
        }
        Ok(Scope {
            token_id: self.token_id(),
            is_revoked: self.revoked.is_some(),
            expires: expires.transpose()?,
            keys: self.keys.clone(),
            webhook_targets: self.webhook_targets.clone(),
            read_only: self.read_only,
            requests_per_second: self.requests_per_second,
            max_pending: self.max_pending,
        })
    }

    /// Names the token itself: the first 8 hex digits of its hash, as in the audit log.
    pub fn token_id(&self) -> String {
        self.sha256.chars().take(8).collect::<String>().to_ascii_lowercase()
    }

    /// Whether it holds now: it is neither revoked nor over.
    pub fn is_valid(&self) -> bool {
        self.scope().is_ok_and(|scope| scope.is_valid())
    }

    /// When it is over, where that is said.
    pub(in crate::http) fn end(&self) -> Option<Timestamp> {
        self.expires.as_deref().and_then(time)
    }

    /// Whether it is held to certain keys, webhooks, reading, a rate or a number of requests.
    pub(in crate::http) fn is_scoped(&self) -> bool {
        let Self { keys, webhook_targets, read_only, requests_per_second, max_pending, .. } = self;
        let has_limits = requests_per_second.is_some() || max_pending.is_some();
        !keys.is_empty() || webhook_targets.is_some() || *read_only || has_limits
    }

    /// Whose requests are asked with it.
    pub fn requester_id(&self) -> &str {
        self.id.as_deref().unwrap_or(&self.name)
    }
}

/// Why a configured token cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TokenError {
    /// The name is empty, too long or has control characters.
    #[error("token name {0:?}: {1}")]
    Name(String, countersign_protocol::TextError),
    /// The id is empty, too long or has control characters.
    #[error("token {0:?}: its id {1}")]
    Id(String, countersign_protocol::TextError),
    /// The hash is not 64 hex digits.
    #[error("token {0:?}: sha256 is not 64 hex digits")]
    Hash(String),
    /// The time is none.
    #[error("token {0:?}: expires {1:?} is no time such as 2030-12-31T00:00:00Z")]
    Expires(String, String),
    /// No key begins so.
    #[error("token {0:?}: {1:?} is neither a key in base64url nor how one begins")]
    Key(String, String),
    /// One token would have two names, of which one would be lost.
    #[error("tokens {0:?} and {1:?} have the same sha256")]
    SameHash(String, String),
}

/// The tokens that are accepted.
#[derive(Clone, Default)]
pub struct Tokens {
    known: Arc<HashMap<[u8; 32], Requester>>,
    /// Where there is none, nobody may use the API.
    are_required: bool,
}

impl Tokens {
    /// Reads configured tokens.
    ///
    /// # Errors
    /// [`TokenError`], which names the entry.
    pub fn from_entries(entries: &[TokenEntry]) -> Result<Self, TokenError> {
        let (tokens, errors) = Self::what_is_right_of(entries);
        errors.into_iter().next().map_or(Ok(tokens), Err)
    }

    /// Reads what of configured tokens makes sense, and says of the others what is wrong.
    pub(in crate::http) fn what_is_right_of(entries: &[TokenEntry]) -> (Self, Vec<TokenError>) {
        let (mut tokens, mut errors) = (HashMap::<_, Requester>::new(), Vec::new());
        for entry in entries {
            match entry.parse() {
                Ok((hash, requester)) => {
                    if let Some(other) = tokens.insert(hash, requester) {
                        errors.push(TokenError::SameHash(other.name.as_str().into(), entry.name.clone()));
                    }
                }
                Err(error) => errors.push(error),
            }
        }
        (Self { known: Arc::new(tokens), are_required: false }, errors)
    }

    /// The same; where there is none, nobody may use the API, rather than everybody on this machine: there may be some later.
    #[must_use]
    pub fn required(self) -> Self {
        Self { are_required: true, ..self }
    }

    /// Whether everybody on this machine may use the API: there is none.
    pub fn is_open(&self) -> bool {
        self.known.is_empty() && !self.are_required
    }

    /// Whether this requester may call: with one of them that holds or, where there is none, as everybody.
    pub(in crate::http) fn has(&self, id: &RequesterId) -> bool {
        let has_token = self.known.values().any(|known| known.id == *id && known.scope.is_valid());
        has_token || (self.is_open() && anybody().is_ok_and(|anybody| anybody.id == *id))
    }

    /// Whose they are.
    pub(in crate::http) fn requester_ids(&self) -> impl Iterator<Item = &RequesterId> {
        self.known.values().map(|requester| &requester.id)
    }

    /// What each that has a rate of its own is good for.
    pub(super) fn with_own_rates(&self) -> impl Iterator<Item = &Scope> {
        self.known.values().map(|requester| &*requester.scope).filter(|scope| scope.requests_per_second.is_some())
    }

    /// A new token, for the requester of that id or a new one, and the lines an operator puts into the configuration. The token itself is
    /// kept nowhere.
    ///
    /// # Errors
    /// [`TokenError::Name`] and [`TokenError::Id`].
    pub fn generate(name: &str, id: Option<&str>) -> Result<(String, TokenEntry), TokenError> {
        let id = id.map_or_else(|| hex::encode(crate::random::bytes::<8>()), str::to_owned);
        let token = format!("cs_{}", hex::encode(crate::random::bytes::<32>()));
        let sha256 = hex::encode(hash(&token));
        let entry = TokenEntry { id: Some(id), name: name.into(), sha256, ..TokenEntry::default() };
        Self::from_entries(std::slice::from_ref(&entry))?;
        Ok((token, entry))
    }

    /// Who a request comes from, by its `Authorization` and `Host` headers.
    ///
    /// Tokens are looked up by their hash, so the time this takes says nothing about a token. Without tokens the request has to
    /// name a loopback host: a web page that rebinds its own name to 127.0.0.1 cannot use the API through a browser.
    pub(in crate::http) fn requester(
        &self,
        authorization: Option<&str>,
        host: Option<&str>,
    ) -> Result<Requester, Problem> {
        if self.is_open() {
            if host.is_some_and(is_loopback) {
                return anybody();
            }
            let detail = "without tokens the API answers on localhost only";
            return Err(Problem::new(StatusCode::FORBIDDEN, "host_not_allowed", detail));
        }
        let token = authorization.and_then(bearer);
        match token.and_then(|token| self.known.get(&hash(token))) {
            Some(requester) => requester.scope.check().map(|()| requester.clone()),
            None => {
                let detail = if token.is_some() { "the token is not known here" } else { "a bearer token is needed" };
                Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail))
            }
        }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.known.values().map(|requester| &requester.name)).finish()
    }
}

/// Whoever sent an API request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct Requester {
    /// What its requests, its keys and its rate are counted under.
    pub(in crate::http) id: RequesterId,
    /// What wallets show.
    pub(in crate::http) name: RequesterName,
    /// What its token is good for.
    pub(in crate::http) scope: Arc<Scope>,
}

/// The requester where there are no tokens: some program on this machine.
fn anybody() -> Result<Requester, Problem> {
    let name = "local backend".parse().map_err(|error| Problem::malformed(format!("requester: {error}")))?;
    Ok(Requester { id: RequesterId::from(&name), name, scope: Arc::default() })
}

fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_token_is_known_by_its_hash_alone() {
        let (token, entry) = Tokens::generate("Example Bank", None).unwrap();
        let tokens = Tokens::from_entries(std::slice::from_ref(&entry)).unwrap();
        let shown = format!("{tokens:?}");
        assert_eq!(shown, "[Text(12 bytes)]");
        assert!(!entry.sha256.contains(&token));
        let requester = tokens.requester(Some(&format!("bearer {token}")), Some("any.example")).unwrap();
        assert_eq!(requester.name.as_str(), "Example Bank");
    }

    #[test]
    fn other_tokens_are_refused() {
        let (token, entry) = Tokens::generate("a", None).unwrap();
        let tokens = Tokens::from_entries(&[entry]).unwrap();
        for authorization in [None, Some("Bearer"), Some("Bearer x"), Some(token.as_str()), Some("Basic eA==")] {
            assert!(tokens.requester(authorization, Some("localhost")).is_err(), "{authorization:?}");
        }
    }

    #[test]
    fn without_tokens_only_loopback_names_are_served() {
        let tokens = Tokens::default();
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:80", "127.1.2.3", "[::1]:8080", "[::1]"] {
            assert!(tokens.requester(None, Some(host)).is_ok(), "{host}");
        }
        for host in [None, Some("evil.example"), Some("localhost.evil.example:8080"), Some("192.0.2.1"), Some("")] {
            assert!(tokens.requester(None, host).is_err(), "{host:?}");
        }
    }

    #[test]
    fn where_tokens_are_required_and_there_is_none_nobody_is_served() {
        let tokens = Tokens::default().required();
        assert_eq!(tokens.requester(None, Some("localhost")).unwrap_err().code(), "unauthorized");
        assert!(!tokens.has(&"local backend".parse().unwrap()));
    }

    #[test]
    fn a_bad_entry_is_named() {
        let entry = |name: &str, sha256: &str| {
            [TokenEntry { name: name.into(), sha256: sha256.into(), ..TokenEntry::default() }]
        };
        assert!(matches!(Tokens::from_entries(&entry("", &"0".repeat(64))), Err(TokenError::Name(..))));
        let twice = [entry("a", &"0".repeat(64)), entry("b", &"0".repeat(64))].concat();
        assert_eq!(Tokens::from_entries(&twice).unwrap_err(), TokenError::SameHash("a".into(), "b".into()));
        for hash in ["", "00", &"g".repeat(64), &"+f".repeat(32), &"é".repeat(32)] {
            assert_eq!(Tokens::from_entries(&entry("a", hash)).unwrap_err(), TokenError::Hash("a".into()));
        }
    }
}
