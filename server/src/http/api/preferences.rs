//! What a call's headers ask for beyond its body: `Prefer` and `Idempotency-Key`.

use super::{
    field_error::{FieldCode, FieldError},
    prefer::Prefer,
    problem::Problem,
};
use crate::{IdempotencyKey, IdempotencyKeyError};
use warp::http::{HeaderMap, StatusCode};

const KEY: &str = "idempotency-key";
/// As people write it.
const KEY_NAME: &str = "Idempotency-Key";
const WHAT_A_KEY_IS: &str = "has to be one key of 1 to 255 visible ASCII characters";

/// Nearly no call has any, so this is looked for once and carried only where there is one.
#[derive(Debug, Clone, Default)]
pub(in crate::http) struct Preferences {
    pub(in crate::http) prefer: Prefer,
    /// `Err` where it is none, or there are several: what is wrong.
    idempotency_key: Option<Result<IdempotencyKey, FieldCode>>,
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
            (Some(key), None) => Some(key.to_str().map_err(|_| FieldCode::Format).and_then(idempotency_key)),
            (Some(_), Some(_)) => Some(Err(FieldCode::Conflict)),
        };
        Some(Self { prefer: Prefer::of(headers), idempotency_key })
    }

    /// Whether the request has to outlive its call.
    pub(in crate::http) fn asks_for_durability(&self) -> bool {
        self.prefer.respond_async.is_some() || self.idempotency_key.is_some()
    }

    pub(in crate::http) fn idempotency_key(&self) -> Result<Option<IdempotencyKey>, Problem> {
        self.idempotency_key.clone().transpose().map_err(|_| {
            let detail = format!("{KEY_NAME} {WHAT_A_KEY_IS}");
            Problem::new(StatusCode::BAD_REQUEST, "invalid_idempotency_key", detail)
        })
    }

    /// What is wrong with the headers.
    pub(in crate::http) fn mistake(&self) -> Option<FieldError> {
        let code = self.idempotency_key.as_ref()?.as_ref().err()?;
        Some(FieldError::of_header(KEY_NAME, *code, WHAT_A_KEY_IS))
    }
}

/// The key as it is, or as a quoted string of a structured field (RFC 9651 §3.3.3), which means the same.
fn idempotency_key(text: &str) -> Result<IdempotencyKey, FieldCode> {
    let text = text.trim();
    let Some(quoted) = text.strip_prefix('"') else { return parsed(text) };
    let quoted = quoted.strip_suffix('"').ok_or(FieldCode::Format)?;
    let mut key = String::with_capacity(quoted.len());
    let mut rest = quoted.chars();
    while let Some(char) = rest.next() {
        key.push(match char {
            '\\' => rest.next().filter(|escaped| matches!(escaped, '"' | '\\')).ok_or(FieldCode::Format)?,
            '"' => return Err(FieldCode::Format),
            char => char,
        });
    }
    parsed(&key)
}

fn parsed(key: &str) -> Result<IdempotencyKey, FieldCode> {
    key.parse().map_err(|error| match error {
        IdempotencyKeyError::TooLong { .. } => FieldCode::TooLong,
        IdempotencyKeyError::Empty | IdempotencyKeyError::Forbidden => FieldCode::Format,
    })
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
        for text in ["", "\"", "\"\"", r#""a"#, r#""a"b""#, r#""a\x""#, r#""a\""#, r#""a b""#, "a b"] {
            assert_eq!(idempotency_key(text), Err(FieldCode::Format), "{text}");
        }
        assert_eq!(idempotency_key(&"k".repeat(256)), Err(FieldCode::TooLong));
    }

    #[test]
    fn two_keys_are_none() {
        let mut headers = HeaderMap::new();
        assert!(Preferences::of(&headers).is_none());
        headers.append(KEY, "a".parse().unwrap());
        assert_eq!(Preferences::of(&headers).unwrap().idempotency_key().unwrap().unwrap().as_str(), "a");
        headers.append(KEY, "a".parse().unwrap());
        let several = Preferences::of(&headers).unwrap();
        assert_eq!(several.idempotency_key().unwrap_err().code(), "invalid_idempotency_key");
        assert_eq!(several.mistake(), Some(FieldError::of_header(KEY_NAME, FieldCode::Conflict, WHAT_A_KEY_IS)));
    }
}
