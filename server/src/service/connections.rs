//! What a wallet's connection does.

use super::{
    SigningService, gauge,
    handle::Handle,
    mailbox::{Inbox, Mail, Mailbox},
    verifications::Judgement,
};
use crate::{
    dispatch::{Arrival, Check, Dispatcher, Refused, Verdict},
    record::Record,
    session::{Close, Introduced, close_code},
    steps::why,
    time::Timestamp,
};
use countersign_protocol::{
    AckOutcome, CancelCause, ClientFrame, ConnectionId, GoodbyeReason, Message, PublicKey, RequestCancel, RequestId,
    RequestStatus, ServerFrame, SignReject, SignResponse, Signable, SignatureMismatch, Verification, Welcome,
    WelcomeLimits, limits::MAX_MESSAGE_BYTES,
};
use std::{net::IpAddr, sync::Arc, time::Duration};
use tokio::sync::oneshot;

/// What has become of an answer.
#[derive(Debug)]
pub(crate) enum Answered {
    /// It is met with this; `None` where that follows later.
    With(Option<AckOutcome>),
    /// The verdict is for [`SigningService::conclude`].
    Judging(Box<Judgement>),
}

impl SigningService {
    /// Takes in a connection that has not introduced itself; `None` while draining.
    pub(crate) fn connect(&self, id: ConnectionId, address: Option<IpAddr>) -> Option<(ConnectionGuard, Inbox)> {
        let mut state = self.state();
        let (mailbox, inbox) = Mailbox::new(state.dispatcher.max_inflight());
        if !state.dispatcher.connect(id, Handle::Here(mailbox), Arrival { address, at: self.now() }) {
            return None;
        }
        self.metrics().connections.set(gauge(state.dispatcher.connections()));
        Some((ConnectionGuard { service: self.clone(), id }, inbox))
    }

    /// Registers a connection under its key. The requests it is sent wait in its mailbox, behind the welcome.
    pub(crate) fn introduce(
        &self,
        id: ConnectionId,
        introduced: &Introduced,
        heartbeat: Duration,
    ) -> Result<Welcome, Refused> {
        let config = self.config();
        let (key, device) = (introduced.key.to_bytes(), introduced.device.clone());
        let superseded = || Close::goodbye(GoodbyeReason::Superseded, config.reconnect_after, close_code::NORMAL);
        let now = self.now();
        let mut state = self.state();
        let result = state.dispatcher.introduce(id, key, device, introduced.proven, superseded, now);
        let max_inflight = state.dispatcher.max_inflight_of(id);
        if result.is_ok() {
            self.announce(&state, id);
            self.0.changed.notify_waiters();
        }
        self.carry_out(state, now);
        result.map(|()| Welcome {
            connection_id: id,
            heartbeat_ms: u64::try_from(heartbeat.as_millis()).unwrap_or(u64::MAX),
            // What there may be by then: the wallet holds the server to it for as long as the connection lasts.
            limits: WelcomeLimits { max_message_bytes: MAX_MESSAGE_BYTES, max_inflight },
        })
    }

    /// Takes a connection that is being closed out of its key's.
    pub(crate) fn retire(&self, id: ConnectionId) {
        let now = self.now();
        let mut state = self.state();
        self.depart(&mut state, id);
        state.dispatcher.retire(id, now);
        self.carry_out(state, now);
    }

    /// Takes note of how far a request has come; what the wallet is told, if it is over.
    pub(crate) fn handle_status(&self, id: ConnectionId, status: RequestStatus) -> Option<ServerFrame> {
        let request_id = status.request_id;
        let frame = || ClientFrame::RequestStatus(status);
        let cause =
            self.unless_passed_on(id, request_id, frame, |dispatcher, now| dispatcher.handle_status(id, status, now));
        cause.flatten().map(|cause| cancel(request_id, cause))
    }

    /// Does something about a request of this node, or of none; not where what the wallet has said is for another node, to which it goes. No other
    /// node comes to own it in between.
    fn unless_passed_on<R>(
        &self,
        connection: ConnectionId,
        id: RequestId,
        frame: impl FnOnce() -> ClientFrame,
        input: impl FnOnce(&mut Dispatcher<Handle, oneshot::Sender<Box<Record>>>, Timestamp) -> R,
    ) -> Option<R> {
        let now = self.now();
        let mut state = self.state();
        let is_passed_on = self.pass_on(&mut state, connection, id, frame);
        let result = (!is_passed_on).then(|| input(&mut state.dispatcher, now));
        self.carry_out(state, now);
        result
    }

    /// Begins to judge an answer, or gives its acknowledgement, unless that follows when the answer is on disk.
    pub(crate) fn handle_answer(&self, id: ConnectionId, key: &PublicKey, response: SignResponse) -> Answered {
        let SignResponse { request_id, signature, .. } = response;
        let frame = || ClientFrame::SignResponse(response.clone());
        let check = self.unless_passed_on(id, request_id, frame, |dispatcher, now| {
            dispatcher.check(&key.to_bytes(), id, request_id, Some(&signature), now)
        });
        check.map_or(Answered::With(None), |check| self.begin_judgement(id, key, response, check))
    }

    fn begin_judgement(&self, id: ConnectionId, key: &PublicKey, response: SignResponse, check: Check) -> Answered {
        let SignResponse { request_id, message, signature, approved_by } = response;
        let stored = match check {
            Check::Judge(stored) => stored,
            Check::Acknowledge(outcome) => return Answered::With(Some(outcome)),
            Check::Later => return Answered::With(None),
        };
        // Verified over the stored message, whatever the echo says, and outside the lock: it takes longer than all the rest.
        let verdict = if message != *stored {
            Verdict::MessageMismatch
        } else {
            match Verification::begin(&Signable::Message(&stored).to_bytes(), key, &signature) {
                Ok(verification) => {
                    let verification = self.0.verifications.join(verification);
                    let judgement = Judgement { request_id, message: stored, signature, approved_by, verification };
                    return Answered::Judging(judgement.into());
                }
                Err(SignatureMismatch) => Verdict::BadSignature,
            }
        };
        Answered::With(self.handle_verdict(id, key, request_id, verdict))
    }

    /// Judges an answer at last.
    pub(crate) fn conclude(&self, id: ConnectionId, key: &PublicKey, judgement: Judgement) -> Option<AckOutcome> {
        let Judgement { request_id, message, signature, approved_by, verification } = judgement;
        let verdict = match verification.conclude() {
            Ok(()) => Verdict::Signed { signature, approved_by: approved_by.clone() },
            Err(SignatureMismatch) => Verdict::BadSignature,
        };
        let frame = || {
            let message = Message::clone(&message);
            ClientFrame::SignResponse(SignResponse { request_id, message, signature, approved_by })
        };
        let now = self.now();
        let mut state = self.state();
        let is_passed_on = self.pass_on_judged(&mut state, id, request_id, frame);
        let outcome = (!is_passed_on)
            .then(|| state.dispatcher.handle_verdict(&key.to_bytes(), id, request_id, verdict, now))
            .flatten();
        self.carry_out(state, now);
        outcome
    }

    pub(crate) fn handle_reject(&self, id: ConnectionId, key: &PublicKey, reject: SignReject) -> Option<AckOutcome> {
        let frame = || ClientFrame::SignReject(reject.clone());
        let SignReject { request_id, code, scope, .. } = reject;
        let verdict = Verdict::Rejected { code, reason: reject.reason.clone(), scope };
        self.unless_passed_on(id, request_id, frame, |dispatcher, now| {
            dispatcher.handle_verdict(&key.to_bytes(), id, request_id, verdict, now)
        })
        .flatten()
    }

    /// Answers what a wallet has said about a request of this node, or of none, by way of another node or some time ago.
    pub(super) fn answer(&self, id: ConnectionId, frame: &str) {
        let reply = match ClientFrame::parse(frame) {
            Ok(ClientFrame::RequestStatus(status)) => self
                .apply(|dispatcher, now| dispatcher.handle_status(id, status, now))
                .map(|cause| cancel(status.request_id, cause)),
            Ok(ClientFrame::SignResponse(response)) => self.key_of(id).and_then(|key| {
                let SignResponse { request_id, signature, .. } = response;
                let check = self
                    .apply(|dispatcher, now| dispatcher.check(&key.to_bytes(), id, request_id, Some(&signature), now));
                let outcome = match self.begin_judgement(id, &key, response, check) {
                    Answered::With(outcome) => outcome,
                    Answered::Judging(judgement) => self.conclude(id, &key, *judgement),
                };
                outcome.map(|outcome| self.acknowledgement(request_id, outcome))
            }),
            Ok(ClientFrame::SignReject(reject)) => self.key_of(id).and_then(|key| {
                let SignReject { request_id, code, reason, scope } = reject;
                let outcome = self.handle_verdict(id, &key, request_id, Verdict::Rejected { code, reason, scope });
                outcome.map(|outcome| self.acknowledgement(request_id, outcome))
            }),
            // Nobody passes such a frame on.
            Ok(ClientFrame::Introduction(_) | ClientFrame::Ping(_) | ClientFrame::Pong(_)) | Err(_) => None,
        };
        if let Some(reply) = reply {
            let now = self.now();
            let mut state = self.state();
            let reply = Mail::Text(reply.to_json());
            match state.dispatcher.handle(id).and_then(Handle::mailbox) {
                // Where the connection is gone, so is whoever would read it.
                Some(mailbox) => drop(mailbox.post_reply(reply)),
                None => self.post(&mut state, id, reply, now),
            }
            self.carry_out(state, now);
        }
    }

    fn key_of(&self, id: ConnectionId) -> Option<Arc<PublicKey>> {
        let state = self.state();
        let (key, _) = state.dispatcher.holder(id)?;
        match state.dispatcher.handle(id)? {
            Handle::Elsewhere(elsewhere) => elsewhere.key(key),
            Handle::Here(_) => PublicKey::admit(key).ok().map(Arc::new),
        }
    }

    fn handle_verdict(
        &self,
        id: ConnectionId,
        key: &PublicKey,
        request_id: RequestId,
        verdict: Verdict,
    ) -> Option<AckOutcome> {
        self.apply(|dispatcher, now| dispatcher.handle_verdict(&key.to_bytes(), id, request_id, verdict, now))
    }
}

fn cancel(request_id: RequestId, cause: CancelCause) -> ServerFrame {
    ServerFrame::RequestCancel(RequestCancel { request_id, cause })
}

/// A connection's place among the service's, given up when its task ends in whatever way.
#[derive(Debug)]
pub(crate) struct ConnectionGuard {
    service: SigningService,
    pub(crate) id: ConnectionId,
}

impl ConnectionGuard {
    /// Gives the place up, for this reason: a short stable word. Nothing happens the second time.
    pub(crate) fn give_up(&self, why: &'static str) {
        let now = self.service.now();
        let mut state = self.service.state();
        self.service.depart(&mut state, self.id);
        state.dispatcher.depart(self.id, why, now);
        self.service.carry_out(state, now);
        self.service.metrics().connections.set(gauge(self.service.connections()));
        self.service.0.changed.notify_waiters();
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.give_up(why::ABORTED);
    }
}
