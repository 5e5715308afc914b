//! A request that cannot be read, of which enough is left to refuse it by name (specification §7.1).

use crate::{Batch, Message, MessageError, RejectScope, RequestId, frame::SERVER_FIELDS, json::Object};

/// What of a `sign_request` can still be read when the whole cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnreadableRequest {
    /// The request.
    pub request_id: RequestId,
    /// Its place in its batch, if that can be read: the others shall not wait for it.
    pub batch: Option<Batch>,
    /// How far the refusal goes. No device may ever sign a message with the reserved prefix; another device may read what this
    /// one cannot.
    pub scope: RejectScope,
}

impl UnreadableRequest {
    /// Looks for it in a text that is within the limit of a frame and that [`ServerFrame::parse`](crate::ServerFrame::parse)
    /// has refused.
    pub fn find(text: &str) -> Option<Self> {
        let frame = Object::read(text, SERVER_FIELDS).ok()?;
        if frame.text("type").ok()? != "sign_request" {
            return None;
        }
        let scope = match frame.text("message").ok().map(|message| message.parse::<Message>()) {
            Some(Err(MessageError::ReservedPrefix)) => RejectScope::Key,
            Some(Ok(_) | Err(_)) | None => RejectScope::Device,
        };
        Some(Self {
            request_id: frame.required("request_id").ok()?,
            batch: Batch::of(&frame).unwrap_or_default(),
            scope,
        })
    }
}
