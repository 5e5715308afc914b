//! A request as it is put to wallets, before it is text.

use crate::{record::Record, time::Timestamp};
use countersign_protocol::{Batch, Message, Purpose, RequestId, Requester, RequesterName, ServerFrame, SignRequest};
use std::{
    sync::{Arc, Weak},
    time::Duration,
};

/// The `sign_request` of one delivery, for all connections that it goes to. It becomes text when it is about to be written, so that a
/// wallet which takes nothing keeps no copy of a long message, and says how much time is left then; and it keeps no message alive
/// whose request is over. One of a batch does, until it is written: the wallet shows nothing before it has them all, so those that are
/// over come too, and are taken back.
#[derive(Debug)]
pub struct SignFrame {
    id: RequestId,
    message: Weak<Message>,
    held: Option<Arc<Message>>,
    expires_at: Timestamp,
    attempt: u32,
    requester: RequesterName,
    purpose: Option<Purpose>,
    company: Company,
}

/// What else a request has to do with. Of the two there is one at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Company {
    None,
    /// It is one of several that are shown together.
    Batch(Batch),
    /// It is in the place of one that is over.
    Replaced(RequestId),
}

impl Company {
    fn of(batch: Option<Batch>, replaces: Option<RequestId>) -> Self {
        match (batch, replaces) {
            (Some(batch), _) => Self::Batch(batch),
            (None, Some(replaced)) => Self::Replaced(replaced),
            (None, None) => Self::None,
        }
    }

    fn batch(self) -> Option<Batch> {
        match self {
            Self::Batch(batch) => Some(batch),
            Self::None | Self::Replaced(_) => None,
        }
    }

    fn replaces(self) -> Option<RequestId> {
        match self {
            Self::Replaced(replaced) => Some(replaced),
            Self::None | Self::Batch(_) => None,
        }
    }
}

impl SignFrame {
    /// That of a request, as the `place.0`th of `place.1`, and in the place of another.
    pub(super) fn new(record: &Record, place: (usize, usize), replaces: Option<RequestId>) -> Self {
        // A batch is far below what these can count.
        let (index, size) = (u32::try_from(place.0).unwrap_or(u32::MAX), u32::try_from(place.1).unwrap_or(u32::MAX));
        Self {
            id: record.id,
            message: Arc::downgrade(&record.message),
            held: (size > 1).then(|| Arc::clone(&record.message)),
            expires_at: record.expires_at,
            attempt: record.attempt,
            requester: record.requester.clone(),
            purpose: record.purpose.clone(),
            company: Company::of(record.batch.map(|batch| Batch { id: batch.id, index, size }), replaces),
        }
    }

    /// That of a request which another node has, with the message that it does not keep.
    pub(crate) fn received(request: SignRequest, now: Timestamp) -> (Self, Arc<Message>) {
        let SignRequest { request_id, message, expires_in_ms, attempt, requester, purpose, batch, replaces } = request;
        let message = Arc::new(message);
        let expires_at = now.after(Duration::from_millis(expires_in_ms));
        let Requester { name: requester } = requester;
        let held = batch.filter(|batch| batch.size > 1).map(|_| Arc::clone(&message));
        let weak = Arc::downgrade(&message);
        let company = Company::of(batch, replaces);
        (Self { id: request_id, message: weak, held, expires_at, attempt, requester, purpose, company }, message)
    }

    /// The same as the `index`th of `size` that are shown together: others of its batch may be over by now.
    #[must_use]
    pub(crate) fn placed(&self, index: usize, size: usize) -> Self {
        let (index, size) = (u32::try_from(index).unwrap_or(u32::MAX), u32::try_from(size).unwrap_or(u32::MAX));
        Self {
            id: self.id,
            message: Weak::clone(&self.message),
            held: self.held.clone().filter(|_| size > 1),
            expires_at: self.expires_at,
            attempt: self.attempt,
            requester: self.requester.clone(),
            purpose: self.purpose.clone(),
            company: match self.company {
                Company::Batch(batch) => Company::Batch(Batch { id: batch.id, index, size }),
                alone @ (Company::None | Company::Replaced(_)) => alone,
            },
        }
    }

    /// Its place among those that are shown together, where it is not alone.
    pub(crate) fn batch(&self) -> Option<Batch> {
        self.company.batch().filter(|batch| batch.size > 1)
    }

    /// The frame as it is to be sent at `now`; none once nobody waits for the signature any more.
    pub(crate) fn to_json(&self, now: Timestamp) -> Option<String> {
        let message = self.held.clone().or_else(|| self.message.upgrade())?;
        let expires_in_ms = self.expires_at.as_millis().checked_sub(now.as_millis()).filter(|left| *left > 0)?;
        let frame = ServerFrame::SignRequest(SignRequest {
            request_id: self.id,
            message: Message::clone(&message),
            expires_in_ms,
            attempt: self.attempt,
            requester: Requester { name: self.requester.clone() },
            purpose: self.purpose.clone(),
            batch: self.company.batch(),
            replaces: self.company.replaces(),
        });
        Some(frame.to_json())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::testing::record;

    #[test]
    fn what_is_over_is_not_put_to_a_wallet_unless_others_wait_for_it_there() {
        let (alone, together) = (SignFrame::new(&record(1), (0, 1), None), SignFrame::new(&record(2), (0, 2), None));
        assert_eq!(alone.to_json(Timestamp::from_millis(0)), None, "its record is gone");
        assert!(
            together.to_json(Timestamp::from_millis(0)).is_some(),
            "the wallet shows the other one when it has both"
        );
    }
}
