//! The requests a wallet has been asked: those that wait for it or for an acknowledgement, and a memory of those that do not.

mod batch;
mod delivery;
mod open_request;
mod open_requests;
mod recent;
mod store_queue;

pub(crate) use batch::Arrival;
pub(crate) use delivery::Delivery;
pub(crate) use open_request::ACK_GRACE;
#[cfg(test)]
pub(crate) use recent::MAX_RECENT;

use crate::prelude::*;
use crate::{
    effect::{End, Prompt, SignTaskId, StoreTask, StoreTaskId},
    error::Error,
    record::{self, Answer, Record},
    time::{Millis, Timestamp},
};
use batch::Batches;
use countersign_protocol::{
    AckOutcome, ApprovedBy, Batch, CancelCause, ClientFrame, Message, RejectCode, RejectScope, RequestId,
    RequestStatus, SignRequest, Signature, WalletState, limits::MAX_TIMEOUT_MS,
};
use open_request::{Answered, OpenRequest, Stage, Storing, outgoing};
use open_requests::OpenRequests;
use recent::{Past, Recall, Recent};
use store_queue::StoreQueue;

/// The most requests open at once, whatever the welcome says.
pub(crate) const MOST_OPEN: usize = 256;

/// How long an answer waits for its store. A store that hangs shall not keep back what a human has decided.
pub(crate) const STORE_TIMEOUT: Millis = Millis(5_000);

/// How long after its time a request is remembered, unless newer ones need the room: as long as any request lasts. A clock that was set ahead
/// makes a request seem over that the server still has open, and a human is not to be asked about that again.
pub(crate) const MEMORY: Millis = Millis(MAX_TIMEOUT_MS);

/// What the server is told of how far a request has come.
pub(crate) fn status(request_id: RequestId, state: WalletState) -> ClientFrame {
    ClientFrame::RequestStatus(RequestStatus { request_id, state })
}

#[derive(Debug)]
pub(crate) struct Requests {
    open: OpenRequests,
    recent: Recent,
    batches: Batches,
    store: StoreQueue,
}

impl Requests {
    /// `keeps` says whether there is a store.
    pub(crate) fn new(keeps: bool) -> Self {
        let (open, recent, batches) = Default::default();
        Self { open, recent, batches, store: StoreQueue::new(keeps) }
    }

    /// Takes in what an earlier life of the wallet kept of a request. Where both know it, the one that knows of a decision is
    /// right.
    pub(crate) fn restore(&mut self, now: Timestamp, record: Record) {
        // A clock that was set back would make it last for ever.
        let deadline = record.deadline.min(now + Millis(MAX_TIMEOUT_MS));
        self.take_in(now, Record { deadline, ..record });
    }

    /// Takes note that a request arrived, and says which of its batch may be shown now.
    pub(crate) fn arrive(&mut self, id: RequestId, batch: Option<Batch>) -> Arrival {
        let open = &self.open;
        self.batches.make_room(|id| open.get(*id).is_some_and(OpenRequest::is_held));
        self.batches.arrive(id, batch)
    }

    /// Files a request that came in at `now`. One that is new waits for [`Requests::show`].
    pub(crate) fn deliver(&mut self, now: Timestamp, request: &SignRequest, most: usize) -> Delivery {
        let id = request.request_id;
        let recalled = self.recent.find(id).map(|past| past.recall(request));
        match recalled {
            None | Some(Recall::Resume) => {}
            Some(Recall::AnswerAgain(answer)) => return Delivery::AnswerAgain(answer),
            Some(Recall::Changed) => return Delivery::Changed,
            Some(Recall::Over) => return Delivery::Over,
            Some(Recall::Replaced) => {
                self.settle(id, &OpenRequest::new(now, request, false), Answer::unsupported(RejectScope::Device));
                return Delivery::Replaced;
            }
        }
        if let Some(open) = self.open.get_mut(id) {
            return open.redeliver(now, request).unwrap_or_else(|| self.withdraw(id));
        }
        let here = self.open.iter().filter(|(_, open)| open.is_here && !open.is_answered()).count();
        if here >= most || self.open.len() >= MOST_OPEN {
            return Delivery::TooMany;
        }
        self.recent.take(id);
        self.open.insert(id, OpenRequest::new(now, request, recalled.is_some()));
        Delivery::New
    }

    /// Moves those of `ids` that are held on to being shown.
    pub(crate) fn show(&mut self, now: Timestamp, ids: &[RequestId]) -> Vec<Prompt> {
        ids.iter().filter_map(|id| self.show_one(now, *id)).collect()
    }

    /// Marks as shown to a human; true the first time.
    pub(crate) fn display(&mut self, id: RequestId) -> Result<bool, Error> {
        let open = self.open.get_mut(id).filter(|open| !open.is_held()).ok_or(Error::NotOpen)?;
        Ok(!core::mem::replace(&mut open.displayed, true))
    }

    /// Moves a request that waits for its human on to being signed.
    pub(crate) fn begin_signing(
        &mut self,
        id: RequestId,
        task: SignTaskId,
        approved_by: ApprovedBy,
    ) -> Result<Message, Error> {
        let open = self.undecided(id)?;
        open.stage = Stage::Signing { task, approved_by };
        Ok(open.message.clone())
    }

    /// The signature for `task`, unless the request is over by now.
    pub(crate) fn finish_signing(
        &mut self,
        now: Timestamp,
        task: SignTaskId,
        signature: Signature,
    ) -> Option<RequestId> {
        let (id, approved_by) = self.being_signed(task)?;
        self.answer(now, id, Answer::Signed { signature, approved_by });
        Some(id)
    }

    /// Turns a signing that failed into a refusal, unless the request is over by now.
    /// Its owner is told the end at once; the server is told like of any other answer.
    pub(crate) fn fail_signing(&mut self, now: Timestamp, task: SignTaskId) -> Option<RequestId> {
        let (id, _) = self.being_signed(task)?;
        self.answer(now, id, Answer::Rejected { code: RejectCode::Locked, reason: None, scope: RejectScope::Device });
        if let Some(Stage::Answered(answered)) = self.open.get_mut(id).map(|open| &mut open.stage) {
            answered.is_told = true;
        }
        Some(id)
    }

    /// Declines a request that waits for its human.
    pub(crate) fn reject(&mut self, now: Timestamp, id: RequestId, answer: Answer) -> Result<(), Error> {
        self.undecided(id)?;
        self.answer(now, id, answer);
        Ok(())
    }

    /// The answer of one request, for the connection that lasts; none while it waits for its record.
    pub(crate) fn send(&mut self, id: RequestId) -> Option<ClientFrame> {
        let (connections, frame) = outgoing(id, self.open.get_mut(id)?)?;
        *connections = (*connections).max(1);
        Some(frame)
    }

    /// All answers without acknowledgement, for a connection that has just been welcomed.
    pub(crate) fn send_all(&mut self) -> Vec<ClientFrame> {
        let unacknowledged = self.open.iter_mut().filter_map(|(id, open)| outgoing(id, open));
        unacknowledged
            .map(|(connections, frame)| {
                *connections = connections.saturating_add(1);
                frame
            })
            .collect()
    }

    /// How far each request has come that a human is asked about or that is being signed.
    pub(crate) fn shown(&self) -> Vec<ClientFrame> {
        let is_shown = |open: &OpenRequest| matches!(open.stage, Stage::Undecided | Stage::Signing { .. });
        let state = |open: &OpenRequest| if open.displayed { WalletState::Displayed } else { WalletState::Received };
        let shown = self.open.iter().filter(|(_, open)| is_shown(open));
        shown.map(|(id, open)| status(id, state(open))).collect()
    }

    /// Takes an acknowledgement. None where there is nothing to acknowledge: a second copy's, or an invented one.
    pub(crate) fn acknowledge(&mut self, id: RequestId, outcome: AckOutcome) -> Option<End> {
        let (end, is_told) = match &self.open.get(id)?.stage {
            Stage::Answered(answered) if answered.connections > 0 => (answered.end(outcome)?, answered.is_told),
            Stage::Held { .. } | Stage::Undecided | Stage::Signing { .. } | Stage::Answered(_) => return None,
        };
        self.finish(id);
        (!is_told).then_some(end)
    }

    /// Withdraws a request. One whose answer was sent is left to its acknowledgement, which says which came first.
    pub(crate) fn cancel(&mut self, id: RequestId, cause: CancelCause) -> Option<End> {
        let is_told = match self.open.get(id)?.stage {
            Stage::Answered(_) => return None,
            Stage::Held { .. } => false,
            Stage::Undecided | Stage::Signing { .. } => true,
        };
        self.finish(id);
        is_told.then_some(match cause {
            CancelCause::Cancelled => End::Cancelled,
            CancelCause::Expired => End::Expired,
            CancelCause::AnsweredElsewhere => End::AnsweredElsewhere,
        })
    }

    /// Ends what has no time left at `now`.
    pub(crate) fn expire(&mut self, now: Timestamp) -> Vec<(RequestId, End)> {
        let due = self.open.iter().filter(|(_, open)| open.gives_up_at() <= now);
        let due: Vec<_> = due.map(|(id, open)| (id, open.end_for_lack_of_time())).collect();
        for (id, _) in &due {
            self.run_out(*id);
        }
        for id in self.recent.expire(now) {
            self.store.forget(id);
        }
        due.into_iter().filter_map(|(id, end)| Some((id, end?))).collect()
    }

    /// Answers whose store has not answered in time. They wait for it no longer.
    pub(crate) fn outwait_store(&mut self, now: Timestamp) -> Vec<RequestId> {
        self.stop_storing(|storing| storing.until <= now)
    }

    /// The answer that waited for `task`, if one did. It waits no longer.
    pub(crate) fn stored(&mut self, task: StoreTaskId) -> Option<RequestId> {
        self.stop_storing(|storing| storing.task == task).pop()
    }

    /// When [`Requests::expire`] or [`Requests::outwait_store`] next has something to tell.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.open.iter().map(|(_, open)| open.due_at()).min()
    }

    /// The next change to the store.
    pub(crate) fn poll_store(&mut self) -> Option<StoreTask> {
        self.store.poll()
    }

    /// The connection is gone. What was not shown is forgotten and comes again; all else stays.
    pub(crate) fn disconnect(&mut self) {
        self.batches.clear();
        for (id, mut open) in self.open.take() {
            open.is_here = false;
            match open.stage {
                Stage::Held { resumed: true, .. } => self.remember(id, &open, Past::Shown(open.contents)),
                Stage::Held { resumed: false, .. } => {}
                Stage::Undecided | Stage::Signing { .. } | Stage::Answered(_) => self.open.insert(id, open),
            }
        }
    }

    /// Ends everything for the owner, because the wallet is closing for `error`. What had no answer may be asked again should
    /// the wallet be connected again: its prompt is gone with this. An answer is still sent then.
    pub(crate) fn abandon(&mut self, error: &Error) -> Vec<(RequestId, End)> {
        self.disconnect();
        let mut ends = Vec::new();
        for (id, mut open) in self.open.take() {
            let end = match &mut open.stage {
                Stage::Held { .. } => None,
                Stage::Undecided | Stage::Signing { .. } => Some(End::Failed(error.clone())),
                Stage::Answered(answered) => {
                    match (core::mem::replace(&mut answered.is_told, true), answered.connections) {
                        (true, _) => None,
                        (false, 1..) => Some(answered.unacknowledged()),
                        (false, 0) => Some(End::Failed(error.clone())),
                    }
                }
            };
            ends.extend(end.map(|end| (id, end)));
            if open.is_answered() {
                self.open.insert(id, open);
            } else {
                self.remember(id, &open, Past::Shown(open.contents));
            }
        }
        ends
    }

    /// Remembers the refusal of a request that was never shown; false where the id is known already.
    pub(crate) fn refuse(&mut self, now: Timestamp, id: RequestId, scope: RejectScope) -> bool {
        let is_known = self.open.contains(id) || self.recent.find(id).is_some();
        if !is_known {
            let past = Past::Answered { answer: Answer::unsupported(scope), contents: None };
            self.remember_until(id, now + Millis(MAX_TIMEOUT_MS), past);
        }
        !is_known
    }

    /// Refuses a request that is held, because its batch will never be complete; false where it is not held.
    pub(crate) fn refuse_held(&mut self, id: RequestId) -> bool {
        if !self.open.get(id).is_some_and(OpenRequest::is_held) {
            return false;
        }
        let open = self.open.remove(id);
        open.inspect(|open| self.settle(id, open, Answer::unsupported(RejectScope::Device))).is_some()
    }

    fn take_in(&mut self, now: Timestamp, record: Record) {
        let Record { request_id: id, deadline, contents, stage } = record;
        let is_decided = |past: &Past| !matches!(past, Past::Shown(_));
        let is_known = self.open.contains(id) || self.recent.find(id).is_some_and(is_decided);
        // A clock that was set ahead has it forgotten no sooner.
        let forget_at = deadline.max(now) + MEMORY;
        if is_known {
            return;
        }
        match stage {
            record::Stage::Answered { answer, message } if deadline + ACK_GRACE > now => {
                self.recent.take(id);
                let stage = Stage::Answered(Answered { connections: 1, ..Answered::new(answer) });
                self.open
                    .insert(id, OpenRequest { contents, message, deadline, displayed: false, is_here: false, stage });
            }
            // It is sent should the server ask again.
            record::Stage::Answered { answer, .. } => {
                let stage = record::Stage::Settled { answer: answer.clone() };
                self.store.keep(Record { request_id: id, deadline, contents, stage });
                self.remember_until(id, forget_at, Past::Answered { answer, contents: Some(contents) });
            }
            record::Stage::Settled { answer } => {
                self.remember_until(id, forget_at, Past::Answered { answer, contents: Some(contents) });
            }
            record::Stage::Shown => self.remember_until(id, forget_at, Past::Shown(contents)),
            record::Stage::Over => self.remember_until(id, forget_at, Past::Over),
        }
    }

    fn show_one(&mut self, now: Timestamp, id: RequestId) -> Option<Prompt> {
        let open = self.open.get_mut(id).filter(|open| open.is_held())?;
        let Stage::Held { mut request, resumed } = core::mem::replace(&mut open.stage, Stage::Undecided) else {
            return None;
        };
        request.expires_in_ms = (open.deadline - now).0;
        self.store.keep(open.record(id, record::Stage::Shown));
        Some(Prompt { request: *request, resumed })
    }

    /// Gives an undecided request its answer, which waits for its record where there is a store.
    fn answer(&mut self, now: Timestamp, id: RequestId, answer: Answer) {
        let Some(open) = self.open.get_mut(id) else { return };
        let stage = record::Stage::Answered { answer: answer.clone(), message: open.message.clone() };
        let task = self.store.keep(open.record(id, stage));
        let storing = task.map(|task| Storing { task, until: now + STORE_TIMEOUT });
        open.stage = Stage::Answered(Answered { storing, ..Answered::new(answer) });
    }

    fn stop_storing(&mut self, which: impl Fn(&Storing) -> bool) -> Vec<RequestId> {
        let mut stopped = Vec::new();
        for (id, open) in self.open.iter_mut() {
            if let Stage::Answered(answered) = &mut open.stage
                && answered.storing.take_if(|storing| which(storing)).is_some()
            {
                stopped.push(id);
            }
        }
        stopped
    }

    /// Takes back a prompt whose request has changed under it. An answer that is out already stands.
    fn withdraw(&mut self, id: RequestId) -> Delivery {
        let delivery = match self.open.get(id).map(|open| &open.stage) {
            Some(Stage::Held { .. }) => Delivery::Replaced,
            Some(Stage::Undecided | Stage::Signing { .. }) => Delivery::Withdrawn,
            Some(Stage::Answered(_)) | None => return Delivery::Changed,
        };
        if let Some(open) = self.open.remove(id) {
            self.settle(id, &open, Answer::unsupported(RejectScope::Device));
        }
        delivery
    }

    fn undecided(&mut self, id: RequestId) -> Result<&mut OpenRequest, Error> {
        let open = self.open.get_mut(id).ok_or(Error::NotOpen)?;
        match open.stage {
            Stage::Undecided => Ok(open),
            Stage::Held { .. } => Err(Error::NotOpen),
            Stage::Signing { .. } | Stage::Answered(_) => Err(Error::AlreadyAnswered),
        }
    }

    fn being_signed(&self, wanted: SignTaskId) -> Option<(RequestId, ApprovedBy)> {
        self.open.iter().find_map(|(id, open)| match &open.stage {
            Stage::Signing { task, approved_by } if *task == wanted => Some((id, approved_by.clone())),
            Stage::Signing { .. } | Stage::Held { .. } | Stage::Undecided | Stage::Answered(_) => None,
        })
    }

    /// Moves an open request into memory.
    fn finish(&mut self, id: RequestId) {
        let Some(open) = self.open.remove(id) else { return };
        match &open.stage {
            Stage::Answered(answered) => self.settle(id, &open, answered.answer.clone()),
            Stage::Held { .. } | Stage::Undecided | Stage::Signing { .. } => {
                self.remember(id, &open, Past::Over);
                self.store.forget(id);
            }
        }
    }

    /// Moves an open request into memory whose time is over by a clock that may be wrong: it is written down what became of it.
    fn run_out(&mut self, id: RequestId) {
        let Some(open) = self.open.get(id) else { return };
        match open.stage {
            Stage::Answered(_) | Stage::Held { resumed: false, .. } => return self.finish(id),
            // It was shown in an earlier life, and is to be shown again in one that has time for it.
            Stage::Held { resumed: true, .. } => {}
            Stage::Undecided | Stage::Signing { .. } => {
                self.store.keep(open.record(id, record::Stage::Over));
            }
        }
        if let Some(open) = self.open.remove(id) {
            self.remember(id, &open, Past::Over);
        }
    }

    /// Remembers an answer that needs no sending again, here and in the store.
    fn settle(&mut self, id: RequestId, open: &OpenRequest, answer: Answer) {
        self.store.keep(open.record(id, record::Stage::Settled { answer: answer.clone() }));
        self.remember(id, open, Past::Answered { answer, contents: Some(open.contents) });
    }

    fn remember(&mut self, id: RequestId, open: &OpenRequest, past: Past) {
        self.remember_until(id, open.deadline + MEMORY, past);
    }

    fn remember_until(&mut self, id: RequestId, forget_at: Timestamp, past: Past) {
        if let Some(evicted) = self.recent.remember(id, forget_at, past) {
            self.store.forget(evicted);
        }
    }
}
