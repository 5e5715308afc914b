//! Reading compact JSON just far enough.

/// The text of a string field without escapes.
///
/// The answering side must cost less than the server it measures, so it does not parse what it was sent; what matters, the
/// signature, is compared in full.
pub(crate) fn field<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = json;
    loop {
        rest = rest.split_once('"')?.1;
        if let Some(value) = rest.strip_prefix(name).and_then(|rest| rest.strip_prefix("\":\"")) {
            return value.split_once('"').map(|(value, _)| value);
        }
        rest = rest.split_once('"')?.1;
    }
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn finds_a_field_among_others() {
        let json = r#"{"type":"sign_request","n":1,"request_id":"7","requester":{"name":"a"},"message":"aGk="}"#;
        assert_eq!(field(json, "request_id"), Some("7"));
        assert_eq!(field(json, "message"), Some("aGk="));
        assert_eq!(field(json, "signature"), None);
        assert_eq!(field("", "type"), None);
    }
}
