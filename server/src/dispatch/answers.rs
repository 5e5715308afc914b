//! The wallets' side: how far a request has come on a device, and what the device answers.

use super::{
    Dispatcher,
    check::Check,
    open_request::{OpenRequest, Verdict},
};
use crate::{
    record::Phase,
    steps::{EndedBy, RequestSummary, Step},
    time::Timestamp,
};
use countersign_protocol::{
    AckOutcome, CancelCause, ConnectionId, PublicKeyBytes, RequestId, RequestStatus, Signature, WalletState,
};
use std::sync::Arc;

impl<T, W> Dispatcher<T, W> {
    /// Notes how far a request has come on a device. Why it is to be taken back, if it is over for the device: it may have ended while the
    /// frame was on its way, or while the device was away and went on showing it (specification §7.5).
    pub(crate) fn handle_status(
        &mut self,
        connection: ConnectionId,
        status: RequestStatus,
        now: Timestamp,
    ) -> Option<CancelCause> {
        let phase = match status.state {
            WalletState::Received => Phase::Received,
            WalletState::Displayed => Phase::Displayed,
        };
        let id = status.request_id;
        let (key, device) = self.registry.holder(connection)?;
        let device = device.cloned();
        let Some(open) = self.open_requests.get(id).filter(|open| open.record.public_key == key) else {
            // What became of one whose end could not be written down, nobody knows yet.
            if let Some(abandoned) = self.abandoned.get_mut(&id).filter(|abandoned| abandoned.key == key) {
                abandoned.note_shown(connection, |other| self.registry.holder(other).is_some());
                return None;
            }
            self.open_requests.release(connection, id);
            let cause = self.recently_ended.cause(&key, id).unwrap_or(CancelCause::Expired);
            self.deliver_to(connection, now);
            return Some(cause);
        };
        // Said late, or again: a node in between is not to go on as though the device had it before it.
        if open.has_answered(connection) && !open.is_decided() {
            return Some(CancelCause::AnsweredElsewhere);
        }
        if !open.has_asked(connection) {
            if open.has_heard_of(device.as_ref()) {
                return Some(CancelCause::AnsweredElsewhere);
            }
            // It had the request on an earlier connection, and goes on with it on this one.
            self.open_requests.update(id, |open| open.ask(connection, device, now));
            self.open_requests.engage(connection, id);
        }
        if self.open_requests.update(id, |open| !open.is_decided() && open.advance(phase, now)) == Some(true) {
            self.note_progress(id);
            let by = self.registry.wallet(connection);
            self.note_step(id, now, |request, _| match status.state {
                WalletState::Received => Step::Received { request, by },
                WalletState::Displayed => Step::Displayed { request, by },
            });
        }
        None
    }

    /// What an answer is to be met with: a judgement, where it may count. It is matched by the key of its connection and the request's
    /// id; a request of another key is as unknown as one that never was.
    pub(crate) fn check(
        &mut self,
        key: &PublicKeyBytes,
        connection: ConnectionId,
        id: RequestId,
        signature: Option<&Signature>,
        now: Timestamp,
    ) -> Check {
        let Some(open) = self.open_requests.get(id).filter(|open| open.record.public_key == *key) else {
            if let Some(abandoned) = self.abandoned.get_mut(&id).filter(|abandoned| abandoned.key == *key) {
                // Should it be open on disk, the same answer may count once the store works again. So nothing is said until then.
                abandoned.acknowledge_later(connection, signature, |other| self.registry.holder(other).is_some());
                self.open_requests.release(connection, id);
                return Check::Later;
            }
            self.open_requests.release(connection, id);
            self.deliver_to(connection, now);
            let outcome = self.recently_ended.outcome(key, connection, id, signature);
            let by = self.registry.wallet(connection);
            self.steps.push(now, Step::AnsweredInVain { request_id: id, public_key: *key, by, outcome });
            return Check::Acknowledge(outcome);
        };
        if open.is_decided() {
            let outcome = open.outcome_of_late(signature);
            if !open.has_asked(connection) {
                // It has it from another node, and the end of the request frees no place of it.
                self.open_requests.release(connection, id);
                self.deliver_to(connection, now);
            }
            self.note_answer(connection, id, outcome, false, now);
            return self.acknowledge_later(connection, id, signature, outcome);
        }
        match open.has_answered(connection) {
            true => {
                self.note_answer(connection, id, AckOutcome::Duplicate, false, now);
                Check::Acknowledge(AckOutcome::Duplicate)
            }
            false => Check::Judge(Arc::clone(&open.record.message)),
        }
    }

    fn note_answer(
        &mut self,
        connection: ConnectionId,
        id: RequestId,
        outcome: AckOutcome,
        ends: bool,
        now: Timestamp,
    ) {
        if let Some(open) = self.open_requests.get(id) {
            let request = RequestSummary::of(&open.record, open.durable);
            self.steps.push(now, Step::Answered { request, by: self.registry.wallet(connection), outcome, ends });
        }
    }

    /// Counts a device's answer that [`Dispatcher::check`] let through and somebody has judged since; its acknowledgement, unless that
    /// follows later.
    pub(crate) fn handle_verdict(
        &mut self,
        key: &PublicKeyBytes,
        connection: ConnectionId,
        id: RequestId,
        verdict: Verdict,
        now: Timestamp,
    ) -> Option<AckOutcome> {
        let signature = match &verdict {
            Verdict::Signed { signature, .. } => Some(*signature),
            Verdict::BadSignature | Verdict::MessageMismatch | Verdict::Rejected { .. } => None,
        };
        // Judging took place outside the lock, so the request may have ended meanwhile.
        match self.check(key, connection, id, signature.as_ref(), now) {
            Check::Judge(_) => {}
            Check::Acknowledge(outcome) => return Some(outcome),
            Check::Later => return None,
        }
        let outcome = verdict.outcome();
        let wallet = self.registry.wallet(connection);
        self.open_requests.release(connection, id);
        let end = self.open_requests.update(id, |open| open.judge(wallet, verdict, now)).flatten();
        self.note_answer(connection, id, outcome, end.is_some(), now);
        let Some((end, wallet)) = end else {
            self.note_progress(id);
            let superfluous = self.open_requests.update(id, OpenRequest::take_superfluous).unwrap_or_default();
            self.withdraw(id, CancelCause::AnsweredElsewhere, &superfluous);
            self.deliver_to(connection, now);
            return Some(outcome);
        };
        self.decide(id, end, EndedBy::Wallet(wallet), now);
        match self.open_requests.get(id) {
            // Durable: it is being written, and the wallet is told with everybody else.
            Some(_) => match self.acknowledge_later(connection, id, signature.as_ref(), outcome) {
                Check::Acknowledge(outcome) => Some(outcome),
                Check::Later | Check::Judge(_) => None,
            },
            None => Some(outcome),
        }
    }

    fn acknowledge_later(
        &mut self,
        connection: ConnectionId,
        id: RequestId,
        signature: Option<&Signature>,
        outcome: AckOutcome,
    ) -> Check {
        let is_kept = self.open_requests.update(id, |open| open.acknowledge_later(connection, signature, outcome));
        if is_kept == Some(true) { Check::Later } else { Check::Acknowledge(AckOutcome::Duplicate) }
    }
}
