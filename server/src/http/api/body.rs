//! Reads a request's JSON body: bounded in size and time, whatever its framing.

use super::problem::Problem;
use bytes::{Buf, Bytes};
use futures_util::{Stream, StreamExt};
use serde::de::DeserializeOwned;
use std::{pin::pin, time::Duration};
use warp::http::StatusCode;

/// Reads and parses the body.
pub(in crate::http) async fn read_json<T, B, E>(
    content_type: Option<&str>,
    body: impl Stream<Item = Result<B, E>>,
    limit: usize,
    time_limit: Duration,
) -> Result<T, Problem>
where
    T: DeserializeOwned,
    B: Buf,
{
    // A browser sends this type across origins only after asking, which this API answers with a refusal.
    if !content_type.is_some_and(is_json) {
        let detail = "the body has to be application/json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail));
    }
    let bytes = tokio::time::timeout(time_limit, collect(body, limit)).await.map_err(|_| {
        Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", "the body did not arrive in time")
    })??;
    // serde would read an array as the members in their order: a second form that nobody has documented.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| *byte != b'{') {
        return Err(Problem::malformed("the body has to be a JSON object"));
    }
    serde_json::from_slice(&bytes).map_err(|error| Problem::malformed(shortened(error.to_string())))
}

/// serde quotes what it did not expect, however long.
fn shortened(mut text: String) -> String {
    const MOST_BYTES: usize = 200;
    if text.len() > MOST_BYTES {
        text.truncate(text.floor_char_boundary(MOST_BYTES));
        text.push('…');
    }
    text
}

async fn collect<B: Buf, E>(body: impl Stream<Item = Result<B, E>>, limit: usize) -> Result<Bytes, Problem> {
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        let mut chunk = chunk.map_err(|_| Problem::malformed("the body broke off"))?;
        if bytes.len() + chunk.remaining() > limit {
            let detail = format!("the body is over {limit} bytes");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", detail));
        }
        bytes.extend_from_slice(&chunk.copy_to_bytes(chunk.remaining()));
    }
    Ok(bytes.into())
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}
