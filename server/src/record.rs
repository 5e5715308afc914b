//! A request as it is kept and shown: what was asked, how far it has come, how it ended. Plain data; who changes it is elsewhere.

use crate::{
    call_context::CallContext, cluster::NodeId, metadata::Metadata, reference::Reference, requester::RequesterId,
    time::Timestamp,
};
use countersign_protocol::{
    ApprovedBy, Batch, CancelCause, Device, Message, PublicKeyBytes, Purpose, Reason, RejectCode, RequestId,
    RequesterName, Signature,
};
use std::{fmt, ops::Deref, sync::Arc};

/// How far an open request has come. Phases may be skipped, never revisited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Waits for a wallet to connect.
    Queued,
    /// Handed to at least one wallet's connection.
    Delivered,
    /// A wallet has said that it has it.
    Received,
    /// A wallet has said that a human can see it.
    Displayed,
}

impl Phase {
    /// The phase as the API names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Delivered => "delivered",
            Self::Received => "received",
            Self::Displayed => "displayed",
        }
    }
}

/// When a request came to each of its phases; none where it skipped one or has not come there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhaseTimes {
    /// When it was asked for.
    pub queued: Timestamp,
    /// When it was first handed to a wallet's connection.
    pub delivered: Option<Timestamp>,
    /// When a wallet first said that it has it.
    pub received: Option<Timestamp>,
    /// When a wallet first said that a human can see it.
    pub displayed: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

impl PhaseTimes {
    /// Those of a request that has just been asked for.
    pub fn asked_at(now: Timestamp) -> Self {
        Self { queued: now, delivered: None, received: None, displayed: None, ended: None }
    }

    /// All of them so many milliseconds later, or earlier if that is negative.
    #[must_use]
    pub fn moved(self, by_ms: i64) -> Self {
        let Self { queued, delivered, received, displayed, ended } = self;
        let moved = |time: Option<Timestamp>| time.map(|time| time.moved(by_ms));
        Self {
            queued: queued.moved(by_ms),
            delivered: moved(delivered),
            received: moved(received),
            displayed: moved(displayed),
            ended: moved(ended),
        }
    }
}

/// The stable names of ends: the same in errors, metrics, logs and receipts, and on disk.
pub(crate) mod end_code {
    pub(crate) const SIGNED: &str = "signed";
    pub(crate) const REJECTED: &str = "rejected";
    pub(crate) const INVALID_SIGNATURE: &str = "invalid_signature";
    pub(crate) const MESSAGE_MISMATCH: &str = "message_mismatch";
    pub(crate) const DELIVERY_TIMEOUT: &str = "delivery_timeout";
    pub(crate) const TIMEOUT: &str = "timeout";
    pub(crate) const SIGNER_DISCONNECTED: &str = "signer_disconnected";
    pub(crate) const CANCELLED: &str = "cancelled";
    pub(crate) const DRAINING: &str = "draining";

    /// Those of a request that was put to somebody, and came to no signature.
    #[cfg(feature = "http")]
    pub(crate) const UNSIGNED: [&str; 7] =
        [REJECTED, INVALID_SIGNATURE, MESSAGE_MISMATCH, DELIVERY_TIMEOUT, TIMEOUT, SIGNER_DISCONNECTED, CANCELLED];
}

/// How a request ended. Set once.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// With a signature that was verified over the stored message.
    Signed {
        /// The signature.
        signature: Signature,
        /// Who decided, as the wallet says.
        approved_by: Option<ApprovedBy>,
        /// The device that signed, as it calls itself.
        device: Option<Arc<Device>>,
    },
    /// Declined for the whole key, or by the last device asked.
    Rejected {
        /// Why, for programs.
        code: RejectCode,
        /// Why, in the wallet's words.
        reason: Option<Reason>,
    },
    /// The last device asked answered with something that does not verify.
    InvalidSignature,
    /// The last device asked answered for another message.
    MessageMismatch,
    /// No wallet said in time that it has the request.
    DeliveryTimeout,
    /// Its time ran out in this phase, with a wallet of the key connected.
    Timeout(Phase),
    /// Its time ran out in this phase, with no wallet of the key connected any more.
    Disconnected(Phase),
    /// The requester withdrew it, or stopped waiting.
    Cancelled,
    /// The server stopped, and nothing of the request was to outlive it.
    Draining,
}

impl End {
    /// What the devices that still show the request are told.
    pub(crate) fn cause(&self) -> CancelCause {
        match self {
            Self::Signed { .. } | Self::Rejected { .. } => CancelCause::AnsweredElsewhere,
            Self::DeliveryTimeout | Self::Timeout(_) | Self::Disconnected(_) => CancelCause::Expired,
            Self::InvalidSignature | Self::MessageMismatch | Self::Cancelled | Self::Draining => CancelCause::Cancelled,
        }
    }

    /// Its stable name: `signed`, or the code of the error it stands for.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Signed { .. } => end_code::SIGNED,
            Self::Rejected { .. } => end_code::REJECTED,
            Self::InvalidSignature => end_code::INVALID_SIGNATURE,
            Self::MessageMismatch => end_code::MESSAGE_MISMATCH,
            Self::DeliveryTimeout => end_code::DELIVERY_TIMEOUT,
            Self::Timeout(_) => end_code::TIMEOUT,
            Self::Disconnected(_) => end_code::SIGNER_DISCONNECTED,
            Self::Cancelled => end_code::CANCELLED,
            Self::Draining => end_code::DRAINING,
        }
    }

    /// The final state, as the API names it: `signed`, `rejected`, `expired` or `cancelled`.
    pub fn state(&self) -> &'static str {
        match self {
            Self::Signed { .. } => "signed",
            Self::Rejected { .. } | Self::InvalidSignature | Self::MessageMismatch => "rejected",
            Self::DeliveryTimeout | Self::Timeout(_) | Self::Disconnected(_) => "expired",
            Self::Cancelled | Self::Draining => "cancelled",
        }
    }
}

/// Where a request's end is told. `Debug` shows the length only: such URLs often have a secret in them.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl(Box<str>);

impl From<&str> for WebhookUrl {
    fn from(url: &str) -> Self {
        Self(url.into())
    }
}

impl Deref for WebhookUrl {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookUrl({} bytes)", self.0.len())
    }
}

/// Everything about one request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// Names it.
    pub id: RequestId,
    /// The key that has to sign.
    pub public_key: PublicKeyBytes,
    /// What it has to sign.
    pub message: Arc<Message>,
    /// Whose it is; a request is shown to its requester only.
    pub requester_id: RequesterId,
    /// Who asks, as wallets show it.
    pub requester: RequesterName,
    /// Why, in the requester's words.
    pub purpose: Option<Purpose>,
    /// What its requester calls it.
    pub reference: Option<Reference>,
    /// What its requester wants to find beside it again.
    pub metadata: Option<Metadata>,
    /// Its place among requests that are shown together.
    pub batch: Option<Batch>,
    /// A wallet has to have said by then that it has it.
    pub deliver_by: Timestamp,
    /// It has to be answered by then.
    pub expires_at: Timestamp,
    /// Where its end is to be told.
    pub webhook: Option<WebhookUrl>,
    /// When it came to each phase.
    pub times: PhaseTimes,
    /// How often it has been handed to wallets.
    pub attempt: u32,
    /// How it ended; none while it is open.
    pub end: Option<End>,
    /// Which node owns it, where nodes share a database; none where nobody else could, or where it is waiting for one.
    pub node: Option<NodeId>,
    /// Who called, for as long as the process that took the call knows the request.
    pub call: Option<Arc<CallContext>>,
}

impl Record {
    /// How far it has come; for one that has ended, how far it had.
    pub fn phase(&self) -> Phase {
        let PhaseTimes { delivered, received, displayed, .. } = self.times;
        match (delivered, received, displayed) {
            (_, _, Some(_)) => Phase::Displayed,
            (_, Some(_), None) => Phase::Received,
            (Some(_), None, None) => Phase::Delivered,
            (None, None, None) => Phase::Queued,
        }
    }

    /// What it holds in memory of what its requester has sent, in bytes: what requests are bounded by.
    pub(crate) fn bytes(&self) -> usize {
        let reference = self.reference.as_ref().map_or(0, |reference| reference.as_str().len());
        self.message.len() + reference + self.metadata.as_ref().map_or(0, Metadata::bytes)
    }

    /// Moves all of its times by so many milliseconds.
    pub(crate) fn move_by(&mut self, by_ms: i64) {
        self.deliver_by = self.deliver_by.moved(by_ms);
        self.expires_at = self.expires_at.moved(by_ms);
        self.times = self.times.moved(by_ms);
    }

    /// Its state as the API names it: its phase, or how it ended.
    pub fn state(&self) -> &'static str {
        self.end.as_ref().map_or_else(|| self.phase().as_str(), End::state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::testing::record;

    /// Whoever writes a record to a log by mistake gives nothing away.
    #[test]
    fn debug_says_nothing_that_is_secret() {
        let end =
            Some(End::Rejected { code: RejectCode::UserRejected, reason: Some("secret reason".parse().unwrap()) });
        let purpose = Some("secret purpose".parse().unwrap());
        let message = Arc::new(b"secret message".to_vec().try_into().unwrap());
        let webhook = Some("https://a.example/secret".into());
        let reference = Some("secret reference".parse().unwrap());
        let metadata = Some(Metadata::new([("secret", "secret")]).unwrap());
        let shown = format!("{:?}", Record { message, purpose, reference, metadata, webhook, end, ..record(1) });
        assert!(!shown.contains("secret"), "{shown}");
    }
}
