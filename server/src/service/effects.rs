//! Gives the dispatcher its inputs and carries out what it asks.

use super::{
    SigningService, State,
    ended::Ended,
    gauge,
    mailbox::{Mail, Mailbox},
};
use crate::{
    SigningError,
    dispatch::{Dispatcher, Effect, OpenRequest, Ticket},
    record::Record,
    storage::{Completion, StoreError, Write, Written},
    time::Timestamp,
};
use countersign_protocol::{AckOutcome, ConnectionId, RequestId, ResponseAck, ServerFrame, WireName as _};
use std::{mem, sync::MutexGuard};
use tokio::sync::oneshot;

impl SigningService {
    /// Gives the dispatcher one input and carries out all that follows, before anybody else gets a turn: what it asks for has to happen
    /// in the order in which it was decided.
    pub(super) fn apply<R>(
        &self,
        input: impl FnOnce(&mut Dispatcher<Mailbox, oneshot::Sender<Box<Record>>>, Timestamp) -> R,
    ) -> R {
        let now = self.now();
        let mut state = self.state();
        let result = input(&mut state.dispatcher, now);
        self.carry_out(state, now);
        result
    }

    /// Carries out all that the dispatcher asks for, gives up the state, and only then counts and logs: that may take its time, and
    /// nobody waits for it.
    pub(super) fn carry_out(&self, mut state: MutexGuard<'_, State>, now: Timestamp) {
        self.carry_out_effects(&mut state, now);
        // What a store has told meanwhile could not be taken in there: this thread has the state locked.
        while let Some((ticket, written)) = self.0.told_at_once.next() {
            state.dispatcher.handle_written(ticket, written, now);
            self.carry_out_effects(&mut state, now);
            self.0.changed.notify_waiters();
        }
        self.0.metrics.pending.set(gauge(state.dispatcher.pending()));
        let ended = mem::take(&mut state.ended);
        drop(state);
        for ended in ended {
            self.report(&ended);
        }
    }

    fn carry_out_effects(&self, state: &mut State, now: Timestamp) {
        while let Some(effect) = state.dispatcher.poll_effect() {
            match effect {
                Effect::Deliver { to, frame, inflight } => {
                    let taken =
                        state.dispatcher.handle(to).is_some_and(|mailbox| mailbox.post_request(frame, inflight));
                    self.drop_if_full(taken, state, to, now);
                }
                Effect::Send { to, text } => self.post(state, to, Mail::Text(text), now),
                Effect::Acknowledge { to, request_id, outcome } => {
                    let text = self.acknowledgement(request_id, outcome).to_json();
                    self.post(state, to, Mail::Text(text), now);
                }
                Effect::Close { to, close } => self.post(state, to, Mail::Close(Box::new(close)), now),
                Effect::Write { write, ticket } => self.write(write, ticket),
                Effect::Accepted { first, accepted } => {
                    if accepted.is_ok() {
                        self.0.deadlines.notify_one();
                    }
                    if let Some(waiter) = state.acceptances.remove(&first) {
                        // Fails only where the caller is gone; its requests are taken all the same.
                        let _ = waiter.send(accepted);
                    }
                }
                Effect::Progressed(id) => {
                    if let Some(watchers) = state.watchers.get(&id) {
                        watchers.send_replace(());
                    }
                }
                Effect::Ended(open) => self.tell(state, open),
            }
        }
    }

    /// Says what became of an answer, and counts it.
    pub(crate) fn acknowledgement(&self, request_id: RequestId, outcome: AckOutcome) -> ServerFrame {
        self.0.metrics.answered(outcome.as_str());
        ServerFrame::ResponseAck(ResponseAck { request_id, outcome })
    }

    /// Counts and logs a request that was refused before it was one.
    pub(crate) fn refused(&self, error: &SigningError) {
        self.0.metrics.request_refused(error.code());
        tracing::info!(outcome = error.code(), "request refused");
    }

    fn post(&self, state: &mut State, to: ConnectionId, mail: Mail, now: Timestamp) {
        let taken = state.dispatcher.handle(to).is_some_and(|mailbox| mailbox.post(mail));
        self.drop_if_full(taken, state, to, now);
    }

    /// A connection that lets its mail pile up is let go: dropping its mailbox ends it.
    fn drop_if_full(&self, taken: bool, state: &mut State, to: ConnectionId, now: Timestamp) {
        if !taken && state.dispatcher.handle(to).is_some() {
            state.dispatcher.disconnect(to, now);
            self.0.metrics.connections.set(gauge(state.dispatcher.connections()));
            self.0.changed.notify_waiters();
        }
    }

    pub(super) fn write(&self, mut write: Write, ticket: Option<Ticket>) {
        // Without a store nothing durable is taken, so nothing of it is ever written.
        let Some(store) = &self.0.store else { return };
        write.move_by(self.0.clock.ahead());
        let service = self.clone();
        let then = Completion::new(move |written| {
            if let Some(ticket) = ticket {
                service.take_written(ticket, written);
            }
        });
        self.0.told_at_once.submit(|| store.write(write, then));
    }

    /// Takes the outcome of a write, which a store may tell from any thread, or at once from within the submission.
    fn take_written(&self, ticket: Ticket, mut written: Result<Written, StoreError>) {
        if let Ok(Written::Ended(record)) = &mut written {
            record.move_by(self.0.clock.ahead().saturating_neg());
        }
        let Some(written) = self.0.told_at_once.defer((ticket, written)) else { return };
        self.apply(|dispatcher, now| dispatcher.handle_written(written.0, written.1, now));
        self.0.changed.notify_waiters();
    }

    fn tell(&self, state: &mut State, open: OpenRequest<oneshot::Sender<Box<Record>>>) {
        let OpenRequest { record, waiter, .. } = open;
        state.ended.extend(Ended::of(&record));
        // Whoever watches looks for itself, and finds the end on disk.
        drop(state.watchers.remove(&record.id));
        if let Some(waiter) = waiter {
            // Fails only where the caller is gone, who then needs no answer.
            let _ = waiter.send(record);
        }
        self.0.changed.notify_waiters();
    }

    fn report(&self, ended: &Ended) {
        let Ended { id, key, outcome, took } = ended;
        self.0.metrics.request_ended(outcome, *took);
        tracing::info!(request = %id, key = &**key, outcome, ms = took.as_millis(), "request ended");
    }
}
