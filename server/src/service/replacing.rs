//! Where a request is in whose place another one is to be, and what a caller is told for whom that cannot be.

use super::{SigningService, durable::CANCEL_TIMEOUT};
use crate::{SigningError, dispatch::Replaces, record::Record, requester::RequesterId};
use countersign_protocol::{PublicKeyBytes, RequestId};

impl SigningService {
    /// Where it is open. What is open nowhere, or not this requester's, or of another key, is looked for here, where it is not found: whether that
    /// matters is known only with the idempotency key.
    pub(super) async fn locate_replaced(
        &self,
        requester: &RequesterId,
        key: &PublicKeyBytes,
        id: RequestId,
    ) -> Result<Replaces, SigningError> {
        if self.is_open_here(id) {
            return Ok(Replaces::Here(id));
        }
        match self.record(requester, id).await {
            Ok(record) if record.public_key == *key => Ok(self.place_of(&record)),
            Ok(_) | Err(SigningError::UnknownRequest) => Ok(Replaces::Here(id)),
            Err(error) => Err(error),
        }
    }

    /// Likewise, of a request as the store has it.
    pub(crate) fn place_of(&self, record: &Record) -> Replaces {
        let state = self.state();
        let is_other = |node| state.cluster.as_ref().is_some_and(|cluster| cluster.is_other(node));
        match record.node.filter(|node| record.end.is_none() && is_other(*node)) {
            Some(owner) => Replaces::Elsewhere { id: record.id, owner, times: record.times },
            None => Replaces::Here(record.id),
        }
    }

    /// Why a request cannot give way to another one, as which it was not open; none where it has only moved.
    pub(super) async fn why_not_replaced(
        &self,
        requester: &RequesterId,
        key: &PublicKeyBytes,
        id: RequestId,
    ) -> Option<SigningError> {
        let stands = async {
            let record = self.record(requester, id).await?;
            // Its end may be on its way to the disk.
            let is_ending = record.end.is_none() && record.public_key == *key && self.is_open_here(id);
            if is_ending { self.wait(requester, id, CANCEL_TIMEOUT).await } else { Ok(record) }
        };
        match stands.await {
            Err(error) => Some(error),
            Ok(record) if record.public_key != *key => Some(SigningError::UnknownRequest),
            Ok(record) if record.end.is_some() => Some(SigningError::ReplacedRequestEnded(Box::new(record))),
            // Its end cannot be written, or another one gives way to it by now.
            Ok(_) if self.is_open_here(id) => Some(SigningError::StorageUnavailable),
            Ok(_) => None,
        }
    }
}
