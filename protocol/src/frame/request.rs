//! The frames that put a request to a wallet and take it back.

use crate::{
    BatchId, JsonError, Message, Purpose, RequestId, RequesterName,
    json::{Fields, Object, Writer},
    wire_name::WireName,
};

const REQUESTER_FIELDS: Fields = Fields::new(&["name"]);
const BATCH_FIELDS: Fields = Fields::new(&["id", "index", "size"]);

/// `sign_request`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignRequest {
    /// Names the request, on every device and at every attempt.
    pub request_id: RequestId,
    /// What to sign.
    pub message: Message,
    /// Time left, in milliseconds from the receipt of this frame: no clocks need agree.
    pub expires_in_ms: u64,
    /// 1 at first, one more at every delivery to the same key.
    pub attempt: u32,
    /// Who asks.
    pub requester: Requester,
    /// Why, as the requester claims.
    pub purpose: Option<Purpose>,
    /// Its place among requests that are shown together.
    pub batch: Option<Batch>,
    /// The request in whose place it is, which is over.
    pub replaces: Option<RequestId>,
}

impl SignRequest {
    pub(super) fn read(frame: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self {
            request_id: frame.required("request_id")?,
            message: frame.required("message")?,
            expires_in_ms: frame.integer("expires_in_ms")?,
            attempt: frame.integer("attempt")?,
            requester: frame.object("requester", REQUESTER_FIELDS, Requester::read)?,
            purpose: frame.optional("purpose")?,
            batch: Batch::of(frame)?,
            replaces: frame.optional("replaces")?,
        })
    }

    pub(super) fn write(&self, frame: Writer) -> Writer {
        frame
            .plain("request_id", &self.request_id)
            .base64("message", self.message.as_bytes())
            .integer("expires_in_ms", self.expires_in_ms)
            .integer("attempt", self.attempt.into())
            .object("requester", Writer::default().text("name", self.requester.name.as_str()))
            .optional(self.purpose.as_ref(), |frame, purpose| frame.text("purpose", purpose.as_str()))
            .optional(self.batch, |frame, batch| frame.object("batch", batch.write()))
            .optional(self.replaces, |frame, replaces| frame.plain("replaces", &replaces))
    }
}

/// Who asks for a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requester {
    /// The name the operator gave the requester's token.
    pub name: RequesterName,
}

impl Requester {
    fn read(requester: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self { name: requester.required("name")? })
    }
}

/// A request's place in a batch: requests that are shown to a human in one prompt, or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Batch {
    /// Names the batch, on every device and at every attempt.
    pub id: BatchId,
    /// This request's place in this delivery, from 0.
    pub index: u32,
    /// How many requests of the batch this delivery consists of, sent one right after the other.
    pub size: u32,
}

impl Batch {
    /// The batch of a `sign_request`.
    pub(crate) fn of(frame: &Object<'_>) -> Result<Option<Self>, JsonError> {
        frame.optional_object("batch", BATCH_FIELDS, Self::read)
    }

    fn read(batch: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self { id: batch.required("id")?, index: batch.integer("index")?, size: batch.integer("size")? })
    }

    fn write(self) -> Writer {
        Writer::default().plain("id", &self.id).integer("index", self.index.into()).integer("size", self.size.into())
    }
}

/// `request_cancel`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestCancel {
    /// The request.
    pub request_id: RequestId,
    /// Why nobody waits for it here any more.
    pub cause: CancelCause,
}

impl RequestCancel {
    pub(super) fn read(frame: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self { request_id: frame.required("request_id")?, cause: frame.name("cause")? })
    }

    pub(super) fn write(&self, frame: Writer) -> Writer {
        frame.plain("request_id", &self.request_id).text("cause", self.cause.as_str())
    }
}

/// Why a request was withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CancelCause {
    /// The backend stopped waiting.
    Cancelled,
    /// Its time ran out.
    Expired,
    /// Another device of the key has answered.
    AnsweredElsewhere,
}

impl WireName for CancelCause {
    const ALL: &'static [Self] = &[Self::Cancelled, Self::Expired, Self::AnsweredElsewhere];

    fn as_str(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::AnsweredElsewhere => "answered_elsewhere",
        }
    }
}
