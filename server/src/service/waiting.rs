//! A request that somebody waits for, and that ends with them.

use super::SigningService;
use crate::{SigningError, record::Record, steps::EndedBy, time::Timestamp};
use countersign_protocol::{PublicKey, PublicKeyBytes, RequestId};
use smallvec::SmallVec;
use std::num::NonZeroU32;
use tokio::sync::oneshot;

impl SigningService {
    /// Asks the wallets that are connected, for requests that end with the process; `most` is how many their requester's token lets it
    /// have.
    pub(crate) fn ask(
        &self,
        records: SmallVec<[Box<Record>; 1]>,
        most: Option<NonZeroU32>,
    ) -> Result<SmallVec<[Waiting<'_>; 1]>, SigningError> {
        let key = records.first().map(|record| record.public_key);
        let held_back = records.first().filter(|_| most.is_some()).map(|record| record.requester_id.clone());
        let count = records.len();
        let mut waiting = SmallVec::new();
        let requests = records
            .into_iter()
            .map(|record| {
                let (waiter, answer) = oneshot::channel();
                let Record { id, deliver_by, expires_at, .. } = *record;
                waiting.push(Waiting { service: self, id, deliver_by, expires_at, answer: Some(answer) });
                (record, waiter)
            })
            .collect();
        let asked = self.apply(|dispatcher, now| {
            if let Some(requester) = &held_back {
                dispatcher.check_own(requester, count, most)?;
            }
            dispatcher.ask(requests, now)
        });
        match asked {
            Ok(()) => Ok(waiting),
            Err(error) => {
                // Nothing was asked, so nothing is to be withdrawn.
                for waiting in &mut waiting {
                    waiting.answer = None;
                }
                Err(Self::unless_inadmissible(key, error))
            }
        }
    }

    /// Likewise, once it is known which wallets there are on other nodes.
    pub(crate) async fn ask_everywhere(
        &self,
        records: SmallVec<[Box<Record>; 1]>,
        most: Option<NonZeroU32>,
    ) -> Result<SmallVec<[Waiting<'_>; 1]>, SigningError> {
        let Some(key) = records.first().map(|first| first.public_key) else { return self.ask(records, most) };
        let is_located = self.locate(&key).await;
        self.wait_for_arrival(&key).await;
        self.ask(records, most).map_err(|error| Self::unless_unknown(error, is_located))
    }

    /// Only now is it worth telling a key that nobody could hold from one that nobody holds, outside the lock: it takes as long as a
    /// verification.
    fn unless_inadmissible(key: Option<PublicKeyBytes>, error: SigningError) -> SigningError {
        if error != SigningError::SignerNotConnected {
            return error;
        }
        match key.map(PublicKey::admit) {
            Some(Err(inadmissible)) => inadmissible.into(),
            Some(Ok(_)) | None => error,
        }
    }

    /// Ends what has no time left.
    pub(crate) fn handle_timeout(&self) {
        let now = self.now();
        let mut state = self.state();
        state.dispatcher.handle_timeout(now);
        self.cluster_timeout(&mut state, now);
        self.carry_out(state, now);
    }
}

/// An open request, as seen by the one who waits for it. Dropping it withdraws the request.
#[derive(Debug)]
pub struct Waiting<'a> {
    service: &'a SigningService,
    id: RequestId,
    deliver_by: Timestamp,
    expires_at: Timestamp,
    /// Taken out when the end has come.
    answer: Option<oneshot::Receiver<Box<Record>>>,
}

impl Waiting<'_> {
    /// Waits for the end, which comes in time whatever happens.
    pub(crate) async fn wait(mut self) -> Result<Box<Record>, SigningError> {
        for deadline in [self.deliver_by.min(self.expires_at), self.expires_at] {
            let Some(answer) = &mut self.answer else { break };
            let ended = tokio::select! {
                biased;
                ended = answer => Some(ended),
                () = self.service.due(deadline) => None,
            };
            if let Some(ended) = ended {
                self.answer = None;
                let ended = ended.map_err(|_| SigningError::Draining)?;
                return Ok(self.shown(ended));
            }
            self.service.handle_timeout();
        }
        // Either that put the end there, or an answer that came at the very same moment had done so already.
        let ended = self.poll().ok_or(SigningError::Draining)?;
        Ok(self.shown(ended))
    }

    fn shown(&self, mut record: Box<Record>) -> Box<Record> {
        record.move_by(self.service.clock().ahead());
        record
    }

    /// The end, if it has come.
    pub fn poll(&mut self) -> Option<Box<Record>> {
        let ended = self.answer.as_mut()?.try_recv().ok()?;
        self.answer = None;
        Some(ended)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.answer.is_some() {
            self.service.apply(|dispatcher, now| dispatcher.cancel(self.id, EndedBy::HangUp, now));
        }
    }
}
