//! How a wallet's answer is met, before it is verified.

use countersign_protocol::{AckOutcome, Message};
use std::sync::Arc;

/// What a wallet's answer is to be met with.
#[derive(Debug)]
pub(crate) enum Check {
    /// The message it has to be judged by.
    Judge(Arc<Message>),
    /// It counts for nothing, or for nothing new.
    Acknowledge(AckOutcome),
    /// The request's end is being written, and the acknowledgement follows that; or could not be, and none follows.
    Later,
}
