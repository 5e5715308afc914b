//! What is wrong with what is asked, value by value: looked for once something is.

use super::{
    any_case::parse_any_case,
    body_fields::Fields,
    field_error::{FieldCode, FieldError, child},
};
use crate::{Metadata, MetadataError, Reference, ReferenceError};
use countersign_protocol::{
    Message, MessageError, PublicKey, Purpose, RequestId, TextError,
    limits::{DEFAULT_TIMEOUT_MS, MAX_BATCH, MAX_TIMEOUT_MS, MIN_TIMEOUT_MS},
};

/// How much may be asked at once.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct AskLimits {
    /// The longest message, in bytes.
    pub(in crate::http) message: usize,
    /// The most messages.
    pub(in crate::http) messages: usize,
}

/// A call's values, as far as they are of their types.
#[derive(Debug, Default)]
pub(in crate::http) struct Asked<'a> {
    pub(super) public_key: Option<&'a str>,
    pub(super) message: Option<&'a str>,
    /// Those that are looked at, and how many there are.
    pub(super) messages: Option<(Vec<Option<&'a str>>, usize)>,
    /// Whether there is something in these two, of whatever type.
    pub(super) has: Has,
    pub(super) purpose: Option<&'a str>,
    pub(super) reference: Option<&'a str>,
    pub(super) metadata: Option<Vec<(&'a str, Option<&'a str>)>>,
    pub(super) timeout_ms: Option<u64>,
    pub(super) delivery_timeout_ms: Option<u64>,
    pub(super) replaces: Option<&'a str>,
}

/// In which of the two ways messages are given.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Has {
    pub(super) message: bool,
    pub(super) messages: bool,
}

impl<'a> From<&'a Fields> for Asked<'a> {
    fn from(fields: &'a Fields) -> Self {
        Self {
            public_key: fields.text("public_key"),
            message: fields.text("message"),
            messages: fields.texts("messages"),
            has: Has { message: fields.mentions("message"), messages: fields.mentions("messages") },
            purpose: fields.text("purpose"),
            reference: fields.text("reference"),
            metadata: fields.members("metadata"),
            timeout_ms: fields.whole("timeout_ms"),
            delivery_timeout_ms: fields.whole("delivery_timeout_ms"),
            replaces: fields.text("replaces"),
        }
    }
}

impl Asked<'_> {
    /// Everything, in the order of the documentation. `only_several` where one message alone is not taken.
    pub(in crate::http) fn mistakes(&self, limits: AskLimits, only_several: bool) -> Vec<FieldError> {
        let mut found = Vec::new();
        if self.public_key.is_some_and(|text| PublicKey::from_any_text(text).is_err()) {
            let detail = "is no key that is admitted, in none of the spellings or in an ambiguous one";
            found.push(FieldError::at("/public_key", FieldCode::Format, detail));
        }
        self.look_at_messages(limits, only_several, &mut found);
        if let Some(Err(error)) = self.purpose.map(str::parse::<Purpose>) {
            found.push(FieldError::at(
                "/purpose",
                of_text(&error),
                "has to be 1 to 256 bytes, not white space alone, without control and text-direction characters",
            ));
        }
        if let Some(Err(error)) = self.reference.map(str::parse::<Reference>) {
            found.push(FieldError::at(
                "/reference",
                of_reference(&error),
                "has to be 1 to 128 bytes, without control characters",
            ));
        }
        if let Some(members) = &self.metadata {
            look_at_metadata(members, &mut found);
        }
        self.look_at_times(&mut found);
        if self.replaces.is_some() && self.has.messages {
            let detail = "is not allowed beside messages: one request takes the place of one";
            found.push(FieldError::at("/replaces", FieldCode::Conflict, detail));
        }
        if self.replaces.is_some_and(|id| parse_any_case::<RequestId>(id).is_err()) {
            found.push(FieldError::at("/replaces", FieldCode::Format, "has to be a request's id"));
        }
        found
    }

    fn look_at_messages(&self, limits: AskLimits, only_several: bool, found: &mut Vec<FieldError>) {
        let wanted = if only_several { "/messages" } else { "/message" };
        match self.has {
            Has { message: true, .. } if only_several => {
                found.push(FieldError::at("/message", FieldCode::Conflict, "one is asked for at /v1/send_to_sign"));
            }
            Has { message: true, messages: true } => {
                found.push(FieldError::at("/messages", FieldCode::Conflict, "is not allowed beside message"));
            }
            Has { message: false, messages: false } => {
                found.push(FieldError::at(wanted, FieldCode::Required, "has to be there"));
            }
            Has { .. } => {}
        }
        if let Some((code, detail)) = self.message.and_then(|text| of_message(text, limits)) {
            found.push(FieldError::at("/message", code, detail));
        }
        let Some((messages, count)) = &self.messages else { return };
        if !(1..=limits.messages).contains(count) {
            let detail = format!("has to be 1 to {} messages", limits.messages);
            found.push(FieldError::at("/messages", FieldCode::Range, detail));
        }
        for (index, message) in messages.iter().enumerate().take(MAX_BATCH) {
            if let Some((code, detail)) = message.and_then(|text| of_message(text, limits)) {
                found.push(FieldError::at(format!("/messages/{index}"), code, detail));
            }
        }
    }

    fn look_at_times(&self, found: &mut Vec<FieldError>) {
        let allowed = MIN_TIMEOUT_MS..=MAX_TIMEOUT_MS;
        let timeout = self.timeout_ms.unwrap_or(DEFAULT_TIMEOUT_MS);
        if !allowed.contains(&timeout) {
            let detail = format!("has to be from {MIN_TIMEOUT_MS} to {MAX_TIMEOUT_MS}");
            found.push(FieldError::at("/timeout_ms", FieldCode::Range, detail));
        }
        // Where the other is wrong it is no measure.
        let most = if allowed.contains(&timeout) { timeout } else { MAX_TIMEOUT_MS };
        if self.delivery_timeout_ms.is_some_and(|delivery| !(MIN_TIMEOUT_MS..=most).contains(&delivery)) {
            let detail = format!("has to be from {MIN_TIMEOUT_MS} to timeout_ms");
            found.push(FieldError::at("/delivery_timeout_ms", FieldCode::Range, detail));
        }
    }
}

fn of_message(text: &str, limits: AskLimits) -> Option<(FieldCode, String)> {
    let too_long = || (FieldCode::TooLong, format!("has to be at most {} bytes before base64", limits.message));
    match text.parse::<Message>() {
        Ok(message) if message.len() > limits.message => Some(too_long()),
        Ok(_) => None,
        Err(MessageError::TooLong { .. }) => Some(too_long()),
        Err(error @ (MessageError::Encoding(_) | MessageError::Empty | MessageError::ReservedPrefix)) => {
            Some((FieldCode::Format, error.to_string()))
        }
    }
}

fn of_text(error: &TextError) -> FieldCode {
    match error {
        TextError::TooLong { .. } => FieldCode::TooLong,
        TextError::Empty | TextError::Forbidden(_) => FieldCode::Format,
    }
}

fn of_reference(error: &ReferenceError) -> FieldCode {
    match error {
        ReferenceError::TooLong { .. } => FieldCode::TooLong,
        ReferenceError::Empty | ReferenceError::Forbidden => FieldCode::Format,
    }
}

fn of_metadata(error: &MetadataError) -> FieldCode {
    match error {
        MetadataError::TooMany { .. } => FieldCode::Range,
        MetadataError::ValueTooLong { .. } | MetadataError::TooLong { .. } => FieldCode::TooLong,
        MetadataError::Name => FieldCode::Format,
        MetadataError::Twice { .. } => FieldCode::Conflict,
    }
}

/// Each alone, and then what is wrong with all that are right.
fn look_at_metadata(members: &[(&str, Option<&str>)], found: &mut Vec<FieldError>) {
    const WHOLE: &str = "/metadata";
    let mut right = Vec::new();
    for (name, value) in members {
        let Some(value) = value else {
            found.push(FieldError::at(child(WHOLE, name), FieldCode::Type, "has to be a text"));
            continue;
        };
        match Metadata::new([(*name, *value)]) {
            Ok(_) => right.push((*name, *value)),
            Err(error) => found.push(FieldError::at(child(WHOLE, name), of_metadata(&error), error.to_string())),
        }
    }
    match Metadata::new(right) {
        Ok(_) => {}
        Err(MetadataError::Twice { name }) => {
            found.push(FieldError::at(child(WHOLE, &name), FieldCode::Conflict, "is there twice"));
        }
        Err(error) => found.push(FieldError::at(WHOLE, of_metadata(&error), error.to_string())),
    }
}
