//! The body of `POST /v1/send_to_sign`, and the request that is made of it.

use super::{
    any_case::parse_any_case,
    auth::Requester,
    body_fields::{Body, Field, Kind},
    field_error::{FieldCode, FieldError},
    live::{Live, WEBHOOK_NOT_ALLOWED},
    metadata::Members,
    preferences::Preferences,
    problem::Problem,
    send_to_sign_errors::{AskLimits, Asked, Has},
    whole_number,
};
use crate::{Config, Reference, SigningError, SigningRequest};
use countersign_protocol::{
    KeyTextError, Message, MessageError, PublicKeyBytes, Purpose, RequestId,
    limits::{MAX_BATCH, MAX_PURPOSE_BYTES, frame_bytes},
};
use serde::Deserialize;
use std::time::Duration;
use warp::http::StatusCode;

/// The longest body, in bytes: the longest messages in base64, the longest purpose with every byte escaped, and the rest.
pub(in crate::http) fn body_limit(max_message_bytes: usize) -> usize {
    MAX_BATCH * frame_bytes(max_message_bytes) + 6 * MAX_PURPOSE_BYTES
}

/// The body. Texts are parsed later, so that each gets an error code of its own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct SendToSignBody {
    public_key: String,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    messages: Option<Vec<String>>,
    #[serde(default)]
    purpose: Option<String>,
    #[serde(default)]
    reference: Option<String>,
    #[serde(default)]
    metadata: Option<Members>,
    #[serde(default, deserialize_with = "whole_number::optional")]
    timeout_ms: Option<u64>,
    #[serde(default, deserialize_with = "whole_number::optional")]
    delivery_timeout_ms: Option<u64>,
    #[serde(default)]
    queue: Option<bool>,
    #[serde(default)]
    webhook: Option<String>,
    #[serde(default)]
    replaces: Option<String>,
}

impl Body for SendToSignBody {
    const FIELDS: &'static [Field] = &[
        Field::required("public_key", Kind::Text),
        Field::optional("message", Kind::Text),
        Field::optional("messages", Kind::Texts),
        Field::optional("purpose", Kind::Text),
        Field::optional("reference", Kind::Text),
        Field::optional("metadata", Kind::Object),
        Field::optional("timeout_ms", Kind::Whole),
        Field::optional("delivery_timeout_ms", Kind::Whole),
        Field::optional("queue", Kind::Flag),
        Field::optional("webhook", Kind::Text),
        Field::optional("replaces", Kind::Text),
    ];
}

/// How much may be asked of a service at once.
pub(in crate::http) fn ask_limits(config: &Config) -> AskLimits {
    AskLimits { message: config.max_message_bytes, messages: MAX_BATCH.min(config.max_inflight) }
}

/// What is wrong with a call that its values alone do not show: what this requester may not name, and the headers.
pub(in crate::http) fn mistakes_beside_values(
    webhook: Option<&str>,
    (live, requester): (&Live, &Requester),
    preferences: &Preferences,
) -> Vec<FieldError> {
    let webhook = webhook.filter(|url| live.check_webhook(requester, url).is_err());
    let webhook = webhook.map(|_| FieldError::at("/webhook", FieldCode::NotAllowed, WEBHOOK_NOT_ALLOWED));
    webhook.into_iter().chain(preferences.mistake()).collect()
}

/// What is to be signed: one message, or several in one prompt.
pub(in crate::http) enum Messages {
    One(Message),
    Several(Vec<Message>),
}

impl SendToSignBody {
    pub(in crate::http) fn public_key(&self) -> Result<PublicKeyBytes, Problem> {
        PublicKeyBytes::from_any_text(&self.public_key).map_err(invalid_public_key)
    }

    pub(in crate::http) fn messages(&self) -> Result<Messages, Problem> {
        match (&self.message, &self.messages) {
            (None, Some(_)) if self.replaces.is_some() => {
                Err(Problem::malformed("replaces is not allowed beside messages: one request takes the place of one"))
            }
            (Some(message), None) => Ok(Messages::One(message.parse()?)),
            (None, Some(messages)) if (1..=MAX_BATCH).contains(&messages.len()) => {
                Ok(Messages::Several(messages.iter().map(|message| message.parse()).collect::<Result<_, _>>()?))
            }
            (None, Some(messages)) => Err(SigningError::InvalidBatch(messages.len()).into()),
            (None, None) | (Some(_), Some(_)) => Err(Problem::malformed("there has to be message, or messages")),
        }
    }

    /// Refuses a body with one message, where only several make sense.
    pub(in crate::http) fn check_batch(&self, limits: AskLimits) -> Result<(), Problem> {
        if self.message.is_none() && self.messages.is_some() {
            return Ok(());
        }
        let detail = "there has to be messages, and no message: one is asked for at /v1/send_to_sign";
        Err(Problem::malformed(detail).with_errors(self.asked().mistakes(limits, true)))
    }

    /// Everything that is wrong with the values.
    pub(in crate::http) fn mistakes(&self, limits: AskLimits) -> Vec<FieldError> {
        self.asked().mistakes(limits, false)
    }

    /// Everything else that is wrong with the call.
    pub(in crate::http) fn mistakes_beside_values(
        &self,
        whose: (&Live, &Requester),
        preferences: &Preferences,
    ) -> Vec<FieldError> {
        mistakes_beside_values(self.webhook.as_deref(), whose, preferences)
    }

    fn asked(&self) -> Asked<'_> {
        let messages = self.messages.as_ref();
        Asked {
            public_key: Some(&self.public_key),
            message: self.message.as_deref(),
            messages: messages
                .map(|all| (all.iter().take(MAX_BATCH).map(|text| Some(text.as_str())).collect(), all.len())),
            has: Has { message: self.message.is_some(), messages: messages.is_some() },
            purpose: self.purpose.as_deref(),
            reference: self.reference.as_deref(),
            metadata: self.metadata.as_ref().map(|metadata| metadata.texts().collect()),
            timeout_ms: self.timeout_ms,
            delivery_timeout_ms: self.delivery_timeout_ms,
            replaces: self.replaces.as_deref(),
        }
    }

    /// The request in whose place this one is to be.
    pub(in crate::http) fn replaces(&self) -> Result<Option<RequestId>, Problem> {
        let id = self.replaces.as_deref().map(parse_any_case).transpose();
        id.map_err(|_| Problem::malformed("replaces has to be a request's id"))
    }

    /// Whether the request outlives its call, so that an id of it is worth knowing.
    pub(in crate::http) fn is_durable(&self, preferences: &Preferences) -> bool {
        let lasts = self.queue.unwrap_or_default() || self.webhook.is_some() || self.replaces.is_some();
        lasts || preferences.asks_for_durability()
    }

    /// The request with everything that the call says of it, but for who calls.
    pub(in crate::http) fn with_options<'a, M>(
        &self,
        (live, requester): (&Live, &Requester),
        mut request: SigningRequest<'a, M>,
        preferences: &Preferences,
    ) -> Result<SigningRequest<'a, M>, Problem> {
        if let Some(timeout) = self.timeout_ms {
            request = request.timeout(Duration::from_millis(timeout));
        }
        if let Some(timeout) = self.delivery_timeout_ms {
            request = request.delivery_timeout(Duration::from_millis(timeout));
        }
        if let Some(purpose) = &self.purpose {
            request = request.purpose(parse_purpose(purpose)?);
        }
        if let Some(reference) = &self.reference {
            request = request.reference(parse_reference(reference)?);
        }
        if let Some(metadata) = &self.metadata {
            request = request.metadata(metadata.parse()?);
        }
        if let Some(key) = preferences.idempotency_key()? {
            request = request.idempotency_key(key);
        }
        if let Some(url) = &self.webhook {
            live.check_webhook(requester, url)?;
            request = request.webhook(url);
        }
        if self.queue.unwrap_or_default() {
            request = request.queue();
        }
        if let Some(most) = requester.scope.max_pending {
            request = request.max_pending(most);
        }
        Ok(request)
    }
}

pub(in crate::http) fn invalid_public_key(error: KeyTextError) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_public_key", error.to_string())
}

fn parse_purpose(text: &str) -> Result<Purpose, Problem> {
    text.parse().map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "invalid_purpose", format!("purpose: {error}")))
}

pub(in crate::http) fn parse_reference(text: &str) -> Result<Reference, Problem> {
    let invalid = |error| Problem::new(StatusCode::BAD_REQUEST, "invalid_reference", format!("reference: {error}"));
    text.parse().map_err(invalid)
}

impl From<MessageError> for Problem {
    fn from(error: MessageError) -> Self {
        SigningError::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::api::assert_fields;

    #[test]
    fn its_fields_are_those_that_are_parsed() {
        assert_fields::<SendToSignBody>();
    }
}
