//! A request that cannot be read, of which enough is left to refuse it by name (specification §7.1).

use countersign_protocol::{Batch, Message, MessageError, RejectScope, RequestId};
use serde::Deserialize;

/// What of a `sign_request` can still be read when the whole cannot.
#[derive(Deserialize)]
pub(crate) struct UnreadableRequest {
    #[serde(rename = "type")]
    kind: String,
    pub(crate) request_id: RequestId,
    message: Option<String>,
}

impl UnreadableRequest {
    /// `text` is within the limit of a frame.
    pub(crate) fn find(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().filter(|request: &Self| request.kind == "sign_request")
    }

    /// Its place in its batch, if that can be read: the others shall not wait for it.
    pub(crate) fn batch(text: &str) -> Option<Batch> {
        #[derive(Deserialize)]
        struct Member {
            batch: Batch,
        }

        serde_json::from_str(text).ok().map(|Member { batch }| batch)
    }

    /// No device may ever sign a message with the reserved prefix; another device may read what this one cannot.
    pub(crate) fn scope(&self) -> RejectScope {
        match self.message.as_deref().map(str::parse::<Message>) {
            Some(Err(MessageError::ReservedPrefix)) => RejectScope::Key,
            Some(Ok(_) | Err(_)) | None => RejectScope::Device,
        }
    }
}
