//! What a call's headers ask for beyond its body: `Prefer` and `Idempotency-Key`.

use super::{prefer::Prefer, problem::Problem};
use crate::IdempotencyKey;
use warp::http::{HeaderMap, StatusCode};

const KEY: &str = "idempotency-key";

/// Nearly no call has any, so this is looked for once and carried only where there is one.
#[derive(Debug, Clone, Default)]
pub(in crate::http) struct Preferences {
    pub(in crate::http) prefer: Prefer,
    /// `Err` where it is none, or there are several.
    idempotency_key: Option<Result<IdempotencyKey, ()>>,
}

impl Preferences {
    /// None where the headers have none.
    pub(in crate::http) fn of(headers: &HeaderMap) -> Option<Self> {
        if !headers.contains_key("prefer") && !headers.contains_key(KEY) {
            return None;
        }
        let mut keys = headers.get_all(KEY).iter();
        let idempotency_key = match (keys.next(), keys.next()) {
            (None, _) => None,
            (Some(key), None) => Some(key.to_str().map_err(drop).and_then(idempotency_key)),
            (Some(_), Some(_)) => Some(Err(())),
        };
        Some(Self { prefer: Prefer::of(headers), idempotency_key })
    }

    /// Whether the request has to outlive its call.
    pub(in crate::http) fn asks_for_durability(&self) -> bool {
        self.prefer.respond_async.is_some() || self.idempotency_key.is_some()
    }

    pub(in crate::http) fn idempotency_key(&self) -> Result<Option<IdempotencyKey>, Problem> {
        self.idempotency_key.clone().transpose().map_err(|()| {
            let detail = "Idempotency-Key has to be one key of 1 to 255 visible ASCII characters";
            Problem::new(StatusCode::BAD_REQUEST, "invalid_idempotency_key", detail)
        })
    }
}

/// The key as it is, or as a quoted string of a structured field (RFC 9651 §3.3.3), which means the same.
fn idempotency_key(text: &str) -> Result<IdempotencyKey, ()> {
    let text = text.trim();
    let Some(quoted) = text.strip_prefix('"') else { return text.parse().map_err(drop) };
    let quoted = quoted.strip_suffix('"').ok_or(())?;
    let mut key = String::with_capacity(quoted.len());
    let mut rest = quoted.chars();
    while let Some(char) = rest.next() {
        key.push(match char {
            '\\' => rest.next().filter(|escaped| matches!(escaped, '"' | '\\')).ok_or(())?,
            '"' => return Err(()),
            char => char,
        });
    }
    key.parse().map_err(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_bare_and_quoted() {
        for (text, key) in [
            ("8e03978e-40d5", "8e03978e-40d5"),
            (r#""8e03978e-40d5""#, "8e03978e-40d5"),
            (r#" "a\\b\"c" "#, r#"a\b"c"#),
            ("a\"b", "a\"b"),
        ] {
            assert_eq!(idempotency_key(text).unwrap().as_str(), key, "{text}");
        }
        for text in ["", "\"", "\"\"", r#""a"#, r#""a"b""#, r#""a\x""#, r#""a\""#, r#""a b""#, "a b", &"k".repeat(256)]
        {
            assert!(idempotency_key(text).is_err(), "{text}");
        }
    }

    #[test]
    fn two_keys_are_none() {
        let mut headers = HeaderMap::new();
        assert!(Preferences::of(&headers).is_none());
        headers.append(KEY, "a".parse().unwrap());
        assert_eq!(Preferences::of(&headers).unwrap().idempotency_key().unwrap().unwrap().as_str(), "a");
        headers.append(KEY, "a".parse().unwrap());
        assert_eq!(Preferences::of(&headers).unwrap().idempotency_key().unwrap_err().code(), "invalid_idempotency_key");
    }
}
