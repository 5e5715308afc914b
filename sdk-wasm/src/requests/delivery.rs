//! What a `sign_request` turns out to be.

use crate::record::Answer;

/// What a `sign_request` turns out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// To be shown, once its batch is complete. Kept as open.
    New,
    /// Known and open, its deadline now the new one. Says whether a human has seen it.
    Repeated { displayed: bool },
    /// Answered, with the acknowledgement outstanding: the answer is to be sent once more.
    InFlight,
    /// Answered before, and this is the answer to send again.
    AnswerAgain(Answer),
    /// Over without an answer.
    Over,
    /// Open under its id, but now with other contents than were shown: withdrawn.
    Withdrawn,
    /// As withdrawn, but there is no prompt to take back.
    Replaced,
    /// Answered before, but now with another message than was signed.
    Changed,
    /// One more than may be open at once.
    TooMany,
}
