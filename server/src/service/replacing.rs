//! What a caller is told whose request cannot take another one's place.

use super::{SigningService, durable::CANCEL_TIMEOUT};
use crate::{SigningError, requester::RequesterId};
use countersign_protocol::{PublicKeyBytes, RequestId};

impl SigningService {
    /// Why a request cannot give way to another one, as which it is not open here.
    pub(super) async fn why_not_replaced(
        &self,
        requester: &RequesterId,
        key: &PublicKeyBytes,
        id: RequestId,
    ) -> SigningError {
        let stands = async {
            let record = self.record(requester, id).await?;
            // Its end may be on its way to the disk.
            let is_ending = record.end.is_none() && record.public_key == *key && self.is_open_here(id);
            if is_ending { self.wait(requester, id, CANCEL_TIMEOUT).await } else { Ok(record) }
        };
        match stands.await {
            Err(error) => error,
            Ok(record) if record.public_key != *key => SigningError::UnknownRequest,
            Ok(record) if record.end.is_some() => SigningError::ReplacedRequestEnded(Box::new(record)),
            // By now it may be replaced after all, or its end cannot be written.
            Ok(_) if self.is_open_here(id) => SigningError::StorageUnavailable,
            Ok(_) => SigningError::ReplacedRequestElsewhere,
        }
    }
}
