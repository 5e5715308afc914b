//! What is wrong with one field of a body, one parameter of a query or one header: the members of `errors` in a problem, in the form of the
//! example in RFC 9457 §3.

use serde::Serialize;
use std::borrow::Cow;

/// The most that one problem lists: a mistake in every field, message and text of the metadata are fewer.
pub(in crate::http) const MOST_ERRORS: usize = 48;

/// The longest name that is shown, of those that callers make up.
const MOST_NAME_BYTES: usize = 64;

/// What is wrong, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::http) enum FieldCode {
    /// It has to be there.
    Required,
    /// It is of another JSON type than it has to be.
    Type,
    /// There is no such field or parameter, or nothing that is called as it says.
    Unknown,
    /// A number, or how many there are, is out of its limits.
    Range,
    /// A text is longer than it may be.
    TooLong,
    /// A text is not of its form.
    Format,
    /// It is there twice, or beside what excludes it.
    Conflict,
    /// It is of its form, and not one of those that the operator allows.
    NotAllowed,
}

/// Where the mistake is: a member of its own for each kind of place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Place {
    /// In the body (RFC 6901).
    Pointer(String),
    /// In the query.
    Parameter(String),
    /// In the head.
    Header(&'static str),
}

/// One mistake. Nothing of the call is quoted in it but names of fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::http) struct FieldError {
    #[serde(flatten)]
    place: Place,
    code: FieldCode,
    detail: Cow<'static, str>,
}

impl FieldError {
    /// About what a pointer points at, as [`child`] makes them.
    pub(in crate::http) fn at(
        pointer: impl Into<String>,
        code: FieldCode,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { place: Place::Pointer(pointer.into()), code, detail: detail.into() }
    }

    /// About a parameter of the query.
    pub(in crate::http) fn of_parameter(name: &str, code: FieldCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { place: Place::Parameter(printable(name)), code, detail: detail.into() }
    }

    /// About a header, by its usual spelling.
    pub(in crate::http) fn of_header(name: &'static str, code: FieldCode, detail: &'static str) -> Self {
        Self { place: Place::Header(name), code, detail: detail.into() }
    }

    /// Both in one line.
    pub(in crate::http) fn line(&self) -> String {
        let place = match &self.place {
            Place::Pointer(place) | Place::Parameter(place) => place.as_str(),
            Place::Header(place) => place,
        };
        if place.is_empty() { self.detail.to_string() } else { format!("{place}: {}", self.detail) }
    }
}

/// A pointer to a member. What points at a name that had better not be shown points at what the member is in.
pub(in crate::http) fn child(parent: &str, name: &str) -> String {
    if is_shown(name) { format!("{parent}/{}", name.replace('~', "~0").replace('/', "~1")) } else { parent.to_owned() }
}

/// Whether a name is shown as it is: a short one that nobody takes for something else.
pub(in crate::http) fn is_shown(name: &str) -> bool {
    name.len() <= MOST_NAME_BYTES && name.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// A name as it may be shown: cut, and with a mark for each character that is not.
pub(in crate::http) fn printable(name: &str) -> String {
    if is_shown(name) {
        return name.to_owned();
    }
    let marked = |char: char| if matches!(char, ' '..='~') { char } else { char::REPLACEMENT_CHARACTER };
    let mut text: String = name.chars().take(MOST_NAME_BYTES).map(marked).collect();
    if name.chars().nth(MOST_NAME_BYTES).is_some() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_exact_or_points_at_the_parent() {
        for (name, pointer) in [
            ("purpose", "/a/purpose"),
            ("a/b~c", "/a/a~1b~0c"),
            ("", "/a/"),
            ("a \"b\"", "/a/a \"b\""),
            ("a\nb", "/a"),
            ("\u{202e}a", "/a"),
            (&"x".repeat(64), &format!("/a/{}", "x".repeat(64))),
            (&"x".repeat(65), "/a"),
        ] {
            assert_eq!(child("/a", name), pointer, "{name:?}");
        }
    }

    #[test]
    fn a_name_that_somebody_made_up_is_short_and_legible() {
        assert_eq!(printable("stat"), "stat");
        assert_eq!(printable("a\u{0}b\u{202e}"), "a\u{fffd}b\u{fffd}");
        assert_eq!(printable(&"x".repeat(1_000_000)), format!("{}…", "x".repeat(64)));
    }

    #[test]
    fn it_has_the_members_of_the_document() {
        let error = FieldError::at("/messages/3", FieldCode::TooLong, "too long");
        let json = serde_json::to_value(&error).unwrap();
        assert_eq!(json, serde_json::json!({ "pointer": "/messages/3", "code": "too_long", "detail": "too long" }));
        assert_eq!(error.line(), "/messages/3: too long");
        let error = FieldError::of_parameter("state", FieldCode::Format, "no");
        let json = serde_json::to_value(&error).unwrap();
        assert_eq!(json, serde_json::json!({ "parameter": "state", "code": "format", "detail": "no" }));
        let error = FieldError::of_header("Idempotency-Key", FieldCode::TooLong, "no");
        let json = serde_json::to_value(&error).unwrap();
        assert_eq!(json, serde_json::json!({ "header": "Idempotency-Key", "code": "too_long", "detail": "no" }));
        assert_eq!(FieldError::at("", FieldCode::Type, "an object").line(), "an object");
        assert_eq!(serde_json::to_value(FieldCode::NotAllowed).unwrap(), "not_allowed");
    }
}
