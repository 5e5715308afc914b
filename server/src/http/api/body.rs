//! Reads a request's JSON body: bounded in size and time, whatever its framing.

use super::{
    body_fields::{Body, Fields},
    field_error::{FieldCode, FieldError},
    problem::Problem,
};
use bytes::{Buf, Bytes};
use futures_util::{Stream, StreamExt};
use serde_json::error::Category;
use std::{pin::pin, time::Duration};
use warp::http::{HeaderMap, StatusCode, header};

/// What a body may take.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct BodyLimits {
    /// Its length, in bytes.
    pub(in crate::http) bytes: usize,
    /// Until it is there.
    pub(in crate::http) time: Duration,
}

/// What a call's head says of its body.
#[derive(Debug)]
pub(in crate::http) struct BodyHead {
    content_type: Option<String>,
    /// How many bytes it is to have, where that is announced.
    length: Option<u64>,
}

impl BodyHead {
    pub(in crate::http) fn of(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let length = text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
        Self { content_type: text(header::CONTENT_TYPE).map(str::to_owned), length }
    }

    /// Refuses what no body could make up for, before there is one.
    fn check(&self, limits: BodyLimits) -> Result<(), Problem> {
        // A browser sends this type across origins only after asking, which this API answers with a refusal.
        if !self.content_type.as_deref().is_some_and(is_json) {
            let detail = "the body has to be application/json";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail));
        }
        match self.length {
            Some(length) if length > limits.bytes as u64 => Err(too_large(limits.bytes)),
            Some(_) | None => Ok(()),
        }
    }
}

fn too_large(limit: usize) -> Problem {
    let detail = format!("the body is over {limit} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", detail)
}

/// Reads and parses the body.
pub(in crate::http) async fn read_json<T, B, E>(
    head: &BodyHead,
    body: impl Stream<Item = Result<B, E>>,
    limits: BodyLimits,
) -> Result<T, Problem>
where
    T: Body,
    B: Buf,
{
    read_json_with(head, body, limits, |_| Vec::new()).await
}

/// Likewise; `look` is asked what else is wrong with the values, where a field is not what it has to be.
pub(in crate::http) async fn read_json_with<T, B, E>(
    head: &BodyHead,
    body: impl Stream<Item = Result<B, E>>,
    limits: BodyLimits,
    look: impl FnOnce(&Fields) -> Vec<FieldError>,
) -> Result<T, Problem>
where
    T: Body,
    B: Buf,
{
    head.check(limits)?;
    let bytes = tokio::time::timeout(limits.time, collect(body, limits.bytes)).await.map_err(|_| {
        Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", "the body did not arrive in time")
    })??;
    parse(&bytes, look)
}

fn parse<T: Body>(bytes: &[u8], look: impl FnOnce(&Fields) -> Vec<FieldError>) -> Result<T, Problem> {
    // serde would read an array as the members in their order: a second form that nobody has documented.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| *byte != b'{') {
        return Err(refusal(vec![FieldError::at("", FieldCode::Type, "the body has to be a JSON object")]));
    }
    serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        // Its text may quote what stands there, a message too.
        Category::Data => match Fields::read(bytes, T::FIELDS) {
            Ok(fields) => {
                let values = look(&fields);
                refusal([fields.into_errors(), values].concat())
            }
            Err(error) => no_json(&error),
        },
        Category::Syntax | Category::Eof | Category::Io => no_json(&error),
    })
}

fn refusal(errors: Vec<FieldError>) -> Problem {
    let detail =
        errors.first().map_or_else(|| "the body is not of the form that it has to be".into(), FieldError::line);
    Problem::malformed(detail).with_errors(errors)
}

fn no_json(error: &serde_json::Error) -> Problem {
    // Only then its text is one of a few, with a place.
    let detail = if error.is_syntax() || error.is_eof() { error.to_string() } else { "it cannot be read".into() };
    refusal(vec![FieldError::at("", FieldCode::Format, format!("the body is no JSON: {detail}"))])
}

async fn collect<B: Buf, E>(body: impl Stream<Item = Result<B, E>>, limit: usize) -> Result<Bytes, Problem> {
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        let mut chunk = chunk.map_err(|_| Problem::malformed("the body broke off"))?;
        if bytes.len() + chunk.remaining() > limit {
            return Err(too_large(limit));
        }
        bytes.extend_from_slice(&chunk.copy_to_bytes(chunk.remaining()));
    }
    Ok(bytes.into())
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}
