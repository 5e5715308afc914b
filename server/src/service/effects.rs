//! Gives the dispatcher its inputs and carries out what it asks.

use super::{SigningService, State, completed::Completed, gauge, handle::Handle, mailbox::Mail, step_log};
use crate::{
    cluster,
    dispatch::{Dispatcher, Effect, OpenRequest, SignFrame, Ticket},
    record::Record,
    steps::{Refusal, Step, why},
    storage::{Completion, Write},
    time::Timestamp,
};
use countersign_protocol::{AckOutcome, ConnectionId, RequestId, ResponseAck, ServerFrame, WireName as _};
use std::{
    mem,
    sync::{Arc, MutexGuard},
};
use tokio::sync::oneshot;

impl SigningService {
    /// Gives the dispatcher one input and carries out all that follows, before anybody else gets a turn: what it asks for has to happen
    /// in the order in which it was decided.
    pub(super) fn apply<R>(
        &self,
        input: impl FnOnce(&mut Dispatcher<Handle, oneshot::Sender<Box<Record>>>, Timestamp) -> R,
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
        loop {
            while let Some(completed) = self.0.inline_completions.next() {
                self.handle_completed(&mut state, completed, now);
                self.carry_out_effects(&mut state, now);
                self.0.changed.notify_waiters();
            }
            if !self.send_packets(&mut state, now) {
                break;
            }
        }
        self.0.metrics.pending.set(gauge(state.dispatcher.pending()));
        state.dispatcher.steps.with_progress = step_log::wants_progress() || self.0.observers.want_progress();
        let (steps, unanswered) = (state.dispatcher.steps.take(), mem::take(&mut state.unanswered));
        drop(state);
        for (at, step) in steps {
            self.report(at, &step);
        }
        for (connection, frame) in unanswered {
            self.answer(connection, &frame);
        }
    }

    /// Sends other nodes what there is for them; whether something may be left to do.
    fn send_packets(&self, state: &mut State, now: Timestamp) -> bool {
        let Some(hub) = &self.0.hub else { return false };
        self.show_waiting(state, now);
        self.carry_out_effects(state, now);
        let packets = state.cluster.as_mut().map(|cluster| cluster.flush(now)).unwrap_or_default();
        if packets.is_empty() {
            return false;
        }
        hub.send(packets);
        true
    }

    pub(super) fn carry_out_effects(&self, state: &mut State, now: Timestamp) {
        while let Some(effect) = state.dispatcher.poll_effect() {
            match effect {
                Effect::Deliver { to, frame, inflight } => self.post_request(state, to, frame, inflight, now),
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
                    state.tell_followers(id, false);
                }
                Effect::LetGo { id, shown } => {
                    for connection in shown {
                        self.lose_sight(state, connection, id, now);
                    }
                    self.take_set_aside(state, id, now);
                }
                Effect::TellOwner { id, owner } => {
                    if let Some(cluster) = &mut state.cluster {
                        cluster.overrule(id, owner);
                    }
                }
                Effect::OwnerInDoubt { id, owner } => {
                    if let Some(cluster) = &mut state.cluster {
                        cluster.doubt_end(id, owner, now);
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

    /// Takes note of a request that was refused before it was one.
    pub(crate) fn refused(&self, refusal: Refusal) {
        self.report(self.now(), &Step::Refused(refusal));
    }

    pub(super) fn post(&self, state: &mut State, to: ConnectionId, mail: Mail, now: Timestamp) {
        match state.dispatcher.handle(to) {
            Some(Handle::Here(mailbox)) => {
                let taken = mailbox.post(mail);
                self.drop_if_full(taken, state, to, now);
            }
            Some(Handle::Elsewhere(elsewhere)) => {
                let node = elsewhere.node;
                match mail {
                    Mail::Text(frame) => state.send_to(node, to, frame),
                    // Such frames are made when they are written; and the node that has a connection is who closes it.
                    Mail::Request(_) | Mail::Close(_) => {}
                }
            }
            None => {}
        }
    }

    pub(super) fn post_request(
        &self,
        state: &mut State,
        to: ConnectionId,
        frame: Arc<SignFrame>,
        inflight: usize,
        now: Timestamp,
    ) {
        match state.dispatcher.handle(to) {
            Some(Handle::Here(mailbox)) => {
                let taken = mailbox.post_request(frame, inflight);
                self.drop_if_full(taken, state, to, now);
            }
            Some(Handle::Elsewhere(elsewhere)) => {
                let node = elsewhere.node;
                if let Some(frame) = frame.to_json(now) {
                    state.send_to(node, to, frame);
                }
            }
            None => {}
        }
    }

    /// A connection that lets its mail pile up is let go: dropping its mailbox ends it.
    pub(super) fn drop_if_full(&self, taken: bool, state: &mut State, to: ConnectionId, now: Timestamp) {
        if !taken && state.dispatcher.handle(to).is_some() {
            self.depart(state, to);
            state.dispatcher.depart(to, why::STUCK, now);
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
                service.complete(Completed::Written(ticket, written));
            }
        });
        self.0.inline_completions.submit(|| store.write(write, then));
    }

    fn tell(&self, state: &mut State, open: OpenRequest<oneshot::Sender<Box<Record>>>) {
        let OpenRequest { record, waiter, .. } = open;
        // Whoever watches looks for itself, and finds the end on disk.
        drop(state.watchers.remove(&record.id));
        state.drop_set_aside(record.id);
        state.tell_followers(record.id, true);
        if let Some(waiter) = waiter {
            // Fails only where the caller is gone, who then needs no answer.
            let _ = waiter.send(record);
        }
        self.0.changed.notify_waiters();
    }

    /// Counts and logs a step, and tells whoever else looks on.
    fn report(&self, at: Timestamp, step: &Step) {
        self.count(step);
        step_log::log(step);
        self.0.observers.observe(at.moved(self.0.clock.ahead()), step);
    }

    fn count(&self, step: &Step) {
        match step {
            Step::Ended { outcome, took, .. } => self.0.metrics.request_ended(outcome, *took),
            Step::Refused(refusal) => self.0.metrics.request_refused(refusal.outcome),
            Step::Asked { .. }
            | Step::Delivered { .. }
            | Step::Received { .. }
            | Step::Displayed { .. }
            | Step::Answered { .. }
            | Step::AnsweredInVain { .. }
            | Step::TakenOver { .. }
            | Step::Introduced { .. }
            | Step::Left { .. } => {}
        }
    }
}

impl State {
    /// Sends a frame to a wallet of another node.
    fn send_to(&mut self, node: cluster::NodeId, connection: ConnectionId, frame: String) {
        if let Some(cluster) = &mut self.cluster {
            cluster.post(node, cluster::Mail::ForWallet { connection, frame });
        }
    }

    /// Says to the nodes on which somebody follows a request that it has changed.
    fn tell_followers(&mut self, id: RequestId, is_last: bool) {
        if let Some(cluster) = &mut self.cluster {
            cluster.tell_followers(id, is_last);
        }
    }
}
