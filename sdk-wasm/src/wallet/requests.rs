//! What a wallet does about requests: its owner's wishes, the server's frames, and the answers of key and store.

use super::{Phase, Step, Wallet};
use crate::prelude::*;
use crate::{
    effect::{CloseCode, End, Event, SignSubject, SignTask, SignTaskId, StoreTaskId, Transmit},
    error::Error,
    record::Answer,
    requests::{Arrival, Delivery, STORE_TIMEOUT, status},
    time::{Millis, Timestamp},
};
use countersign_protocol::{
    ApprovedBy, ClientFrame, FrameError, Reason, RejectCode, RejectScope, RequestId, SignReject, SignRequest,
    Signature, UnreadableRequest, WalletState, WelcomeLimits, limits::MAX_TIMEOUT_MS,
};

/// A request came again under its id with another message, requester or purpose.
pub(super) const CHANGED: Error = Error::Protocol("a request came again with other contents");

impl Wallet {
    /// Takes note that a human sees a request. Repetitions have no effect.
    ///
    /// # Errors
    /// [`Error::NotOpen`]
    pub fn displayed(&mut self, id: RequestId) -> Result<(), Error> {
        if self.requests.display(id)? {
            self.send_if_welcomed(status(id, WalletState::Displayed));
        }
        Ok(())
    }

    /// Has a request signed and answered, now or after the next reconnect. The answer is written down first, where there is a
    /// store.
    ///
    /// # Errors
    /// [`Error::NotOpen`], [`Error::AlreadyAnswered`]
    pub fn approve(&mut self, now: Timestamp, id: RequestId, approved_by: ApprovedBy) -> Result<(), Error> {
        // A page in the background gets its timers late; nothing is signed after its time for that.
        self.expire(now);
        let task = self.new_task_id();
        let message = self.requests.begin_signing(id, task, approved_by)?;
        self.signs.push(SignTask { id: task, subject: SignSubject::Message { request_id: id, message } });
        Ok(())
    }

    /// Declines a request, now or after the next reconnect. The answer is written down first, where there is a store.
    ///
    /// # Errors
    /// [`Error::NotOpen`], [`Error::AlreadyAnswered`]
    pub fn reject(
        &mut self,
        now: Timestamp,
        id: RequestId,
        code: RejectCode,
        reason: Option<Reason>,
        scope: RejectScope,
    ) -> Result<(), Error> {
        self.expire(now);
        self.requests.reject(now, id, Answer::Rejected { code, reason, scope })?;
        self.answered(id);
        Ok(())
    }

    /// The signature a [`SignTask`] asked for; that it verifies is the caller's to know, and nothing else may be given. One that
    /// nothing waits for any more is dropped.
    pub fn handle_signed(&mut self, now: Timestamp, task: SignTaskId, signature: Signature) {
        self.expire(now);
        if let Phase::Connecting { step, .. } = &mut self.phase
            && matches!(step, Step::Proof(waiting) if *waiting == task)
        {
            *step = Step::Welcome;
            self.introduce(signature);
        } else if let Some(id) = self.requests.finish_signing(now, task, signature) {
            self.answered(id);
        }
    }

    /// No signature can be had for a [`SignTask`]: the key is gone or locked. A proof's failure closes the wallet; a request's
    /// ends it here and leaves it to other devices.
    pub fn handle_sign_failed(&mut self, now: Timestamp, task: SignTaskId, error: Error) {
        self.expire(now);
        if matches!(&self.phase, Phase::Connecting { step: Step::Proof(waiting), .. } if *waiting == task) {
            self.transmits.push(Transmit::Close(CloseCode::Normal));
            self.end(Some(error));
        } else if let Some(request_id) = self.requests.fail_signing(now, task) {
            self.send_answer(request_id);
            self.events.push(Event::Ended { request_id, end: End::Failed(error) });
        }
    }

    /// What became of a [`StoreTask`](crate::effect::StoreTask). An answer that waited for it is sent either way: a promise
    /// kept in memory is better than none.
    pub fn handle_stored(&mut self, now: Timestamp, task: StoreTaskId, result: Result<(), Error>) {
        self.expire(now);
        if let Err(error) = result {
            self.events.push(Event::Error(error));
        }
        if let Some(id) = self.requests.stored(task) {
            self.send_answer(id);
        }
    }

    pub(super) fn outwait_store(&mut self, now: Timestamp) {
        for id in self.requests.outwait_store(now) {
            let what = format!("no word from it within {} ms", STORE_TIMEOUT.0);
            self.events.push(Event::Error(Error::Storage(what.into())));
            self.send_answer(id);
        }
    }

    pub(super) fn handle_request(&mut self, now: Timestamp, mut request: SignRequest, limits: WelcomeLimits) {
        request.expires_in_ms = request.expires_in_ms.min(MAX_TIMEOUT_MS);
        let id = request.request_id;
        let ready = match self.requests.arrive(id, request.batch) {
            Arrival::Complete(ready) => ready,
            Arrival::Incomplete => vec![],
            Arrival::Inconsistent(others) => return self.refuse_batch(now, id, &others),
        };
        if request.message.len() > limits.max_message_bytes {
            self.show(now, &ready);
            return self.refuse(now, id, RejectScope::Device, "the message is longer than the welcome allows");
        }
        let delivery = self.requests.deliver(now, &request, limits.max_inflight);
        self.handle_delivery(&request, delivery);
        self.show(now, &ready);
    }

    /// A frame that is none. A request among them is refused by name, so that nobody waits for it in vain.
    pub(super) fn handle_unreadable(&mut self, now: Timestamp, text: &str, error: &FrameError) {
        match UnreadableRequest::find(text) {
            Some(UnreadableRequest { request_id, batch, scope }) if matches!(self.phase, Phase::Welcomed(_)) => {
                match self.requests.arrive(request_id, batch) {
                    Arrival::Complete(ready) => self.show(now, &ready),
                    Arrival::Incomplete => {}
                    Arrival::Inconsistent(others) => self.refuse_held(&others),
                }
                self.refuse(now, request_id, scope, &error.to_string());
            }
            Some(_) | None => self.fault(error.to_string()),
        }
    }

    pub(super) fn ended(&mut self, request_id: RequestId, end: Option<End>) {
        if let Some(end) = end {
            self.events.push(Event::Ended { request_id, end });
        }
    }

    fn handle_delivery(&mut self, request: &SignRequest, delivery: Delivery) {
        let id = request.request_id;
        match delivery {
            Delivery::New | Delivery::Over => {}
            Delivery::Repeated { displayed } => {
                self.send(status(id, WalletState::Received));
                if displayed {
                    self.send(status(id, WalletState::Displayed));
                }
                let expires_in = Millis(request.expires_in_ms);
                self.events.push(Event::Repeated { request_id: id, attempt: request.attempt, expires_in });
            }
            Delivery::AnswerAgain(answer) => self.send(answer.frame(id, &request.message)),
            Delivery::InFlight => self.send_answer(id),
            Delivery::Withdrawn => {
                self.send(refusal(id, RejectScope::Device));
                self.ended(id, Some(End::Failed(CHANGED)));
            }
            Delivery::Replaced => {
                self.send(refusal(id, RejectScope::Device));
                self.events.push(Event::Error(CHANGED));
            }
            Delivery::Changed => self.events.push(Event::Error(CHANGED)),
            Delivery::TooMany => self.send(refusal(id, RejectScope::Device)),
        }
    }

    /// Shows those of `ids` that wait for it. Only now are they said to be received: a batch of which a part never comes is
    /// never shown, and the server shall see that it was not delivered rather than wait for an answer.
    fn show(&mut self, now: Timestamp, ids: &[RequestId]) {
        let asked = self.requests.show(now, ids);
        for asked in &asked {
            self.send(status(asked.request.request_id, WalletState::Received));
        }
        if !asked.is_empty() {
            self.events.push(Event::Requests(asked));
        }
    }

    fn answered(&mut self, id: RequestId) {
        self.send_answer(id);
        self.events.push(Event::Answered(id));
    }

    /// Sends an answer, unless it waits for its record or for a connection.
    fn send_answer(&mut self, id: RequestId) {
        if matches!(self.phase, Phase::Welcomed(_))
            && let Some(frame) = self.requests.send(id)
        {
            self.send(frame);
        }
    }

    /// Refuses a request without showing it, and says so. What was shown or refused before stays as it is.
    fn refuse(&mut self, now: Timestamp, id: RequestId, scope: RejectScope, why: &str) {
        if self.requests.refuse(now, id, scope) {
            self.send(refusal(id, scope));
        }
        self.fault(why.into());
    }

    fn refuse_batch(&mut self, now: Timestamp, id: RequestId, others: &[RequestId]) {
        self.refuse_held(others);
        self.refuse(now, id, RejectScope::Device, "the place of a request in its batch makes no sense");
    }

    fn refuse_held(&mut self, ids: &[RequestId]) {
        for id in ids {
            if self.requests.refuse_held(*id) {
                self.send(refusal(*id, RejectScope::Device));
            }
        }
    }
}

pub(super) fn refusal(request_id: RequestId, scope: RejectScope) -> ClientFrame {
    ClientFrame::SignReject(SignReject { request_id, code: RejectCode::Unsupported, reason: None, scope })
}
