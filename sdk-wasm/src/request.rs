//! The requests a wallet has been asked: those that wait for it, and a bounded memory of those that are over.

use crate::{
    effect::{End, SignTaskId},
    error::Error,
    time::{Millis, Timestamp},
};
use countersign_protocol::{
    AckOutcome, ApprovedBy, CancelCause, ClientFrame, Message, PublicKey, Reason, RejectCode, RejectScope, RequestId,
    SignReject, SignRequest, SignResponse, Signable, Signature,
};
use std::collections::{BTreeMap, VecDeque};

/// How many requests that are over are remembered, so that a repetition prompts nobody.
pub(crate) const MEMORY: usize = 256;

/// How long after its deadline an answer that was sent still waits for its acknowledgement.
pub(crate) const ACK_GRACE: Millis = Millis(30_000);

/// What this wallet answered, small enough to be remembered: the message comes again with every repetition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Signed { signature: Signature, approved_by: ApprovedBy },
    Rejected { code: RejectCode, reason: Option<Reason>, scope: RejectScope },
}

impl Answer {
    pub(crate) fn frame(&self, request_id: RequestId, message: &Message) -> ClientFrame {
        match self.clone() {
            Self::Signed { signature, approved_by } => ClientFrame::SignResponse(SignResponse {
                request_id,
                message: message.clone(),
                signature,
                approved_by: Some(approved_by),
            }),
            Self::Rejected { code, reason, scope } => {
                ClientFrame::SignReject(SignReject { request_id, code, reason, scope })
            }
        }
    }

    /// Whether the answer may be given for `message`: a signature is only ever sent beside the message it is over.
    fn fits(&self, message: &Message, key: &PublicKey) -> bool {
        match self {
            Self::Signed { signature, .. } => Signable::Message(message).verify(key, signature).is_ok(),
            Self::Rejected { .. } => true,
        }
    }

    /// What an acknowledgement means, if it decides anything. An answer that was sent on an earlier connection too may have
    /// been used under its first copy (specification §7.5).
    fn end(&self, outcome: AckOutcome, sent_before: bool) -> Option<End> {
        match (self, outcome) {
            // Of two copies on one connection, the acknowledgement of the first decides.
            (_, AckOutcome::Duplicate) => None,
            (Self::Rejected { .. }, _) => Some(End::Declined),
            (Self::Signed { .. }, AckOutcome::Accepted) => Some(End::Accepted),
            (Self::Signed { .. }, AckOutcome::Late | AckOutcome::Unknown) if sent_before => {
                Some(End::Failed(Error::Unconfirmed))
            }
            (Self::Signed { .. }, AckOutcome::Late) => Some(End::Late),
            (Self::Signed { .. }, AckOutcome::Unknown) => Some(End::Failed(Error::UnknownRequest)),
            (Self::Signed { .. }, AckOutcome::BadSignature) => Some(End::Failed(Error::BadSignature)),
            (Self::Signed { .. }, AckOutcome::MessageMismatch) => Some(End::Failed(Error::MessageMismatch)),
        }
    }

    /// What it means that no acknowledgement came.
    fn unacknowledged(&self, sent: bool) -> End {
        match self {
            Self::Rejected { .. } => End::Declined,
            Self::Signed { .. } if sent => End::Failed(Error::Unconfirmed),
            Self::Signed { .. } => End::Expired,
        }
    }
}

/// How far an open request has come.
#[derive(Debug, Clone)]
enum Stage {
    Undecided,
    Signing {
        task: SignTaskId,
        approved_by: ApprovedBy,
    },
    /// `connections` counts those the answer was sent on: 0 while there has been none to send it on.
    Answered {
        answer: Answer,
        connections: u32,
    },
}

#[derive(Debug, Clone)]
struct Open {
    request: SignRequest,
    deadline: Timestamp,
    displayed: bool,
    stage: Stage,
}

impl Open {
    fn gives_up_at(&self) -> Timestamp {
        match self.stage {
            Stage::Answered { connections: 1.., .. } => self.deadline + ACK_GRACE,
            Stage::Undecided | Stage::Signing { .. } | Stage::Answered { .. } => self.deadline,
        }
    }

    fn end_for_lack_of_time(&self) -> End {
        match &self.stage {
            Stage::Undecided | Stage::Signing { .. } => End::Expired,
            Stage::Answered { answer, connections } => answer.unacknowledged(*connections > 0),
        }
    }

    fn into_answer(self) -> Option<Answer> {
        match self.stage {
            Stage::Undecided | Stage::Signing { .. } => None,
            Stage::Answered { answer, .. } => Some(answer),
        }
    }
}

/// What a `sign_request` turns out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// To be shown. Kept as open.
    New,
    /// Known and open, its deadline and attempt now the new ones. Says whether a human has seen it.
    Repeated { displayed: bool },
    /// Answered, with the acknowledgement outstanding: the answer is to be sent once more.
    InFlight,
    /// Answered before, and this is the answer to send again.
    AnswerAgain(Answer),
    /// Over without an answer.
    Over,
    /// Open under its id, but now with other contents than were shown: withdrawn.
    Withdrawn,
    /// Answered before, but now with another message than was signed.
    Changed,
    /// One more than may be open at once.
    TooMany,
}

#[derive(Debug, Default)]
pub(crate) struct Requests {
    open: BTreeMap<RequestId, Open>,
    over: VecDeque<(RequestId, Option<Answer>)>,
}

impl Requests {
    /// Files a request that came in at `now`.
    pub(crate) fn deliver(&mut self, now: Timestamp, request: &SignRequest, most: usize, key: &PublicKey) -> Delivery {
        if let Some((_, answer)) = self.over.iter().find(|(id, _)| *id == request.request_id) {
            return match answer {
                None => Delivery::Over,
                Some(answer) if answer.fits(&request.message, key) => Delivery::AnswerAgain(answer.clone()),
                Some(_) => Delivery::Changed,
            };
        }
        let deadline = now + Millis(request.expires_in_ms);
        if let Some(open) = self.open.get_mut(&request.request_id) {
            return redeliver(open, request, deadline).unwrap_or_else(|| self.withdraw(request.request_id));
        }
        if self.open.len() >= most {
            return Delivery::TooMany;
        }
        let open = Open { request: request.clone(), deadline, displayed: false, stage: Stage::Undecided };
        self.open.insert(request.request_id, open);
        Delivery::New
    }

    /// Marks as shown to a human; true the first time.
    pub(crate) fn display(&mut self, id: RequestId) -> Result<bool, Error> {
        let open = self.open.get_mut(&id).ok_or(Error::NotOpen)?;
        Ok(!std::mem::replace(&mut open.displayed, true))
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
        Ok(open.request.message.clone())
    }

    /// The signature for `task`, unless the request is over by now.
    pub(crate) fn finish_signing(&mut self, task: SignTaskId, signature: Signature) -> Option<RequestId> {
        let (id, open, approved_by) = self.being_signed(task)?;
        open.stage = Stage::Answered { answer: Answer::Signed { signature, approved_by }, connections: 0 };
        Some(id)
    }

    /// Turns a signing that failed into a refusal, unless the request is over by now.
    pub(crate) fn fail_signing(&mut self, task: SignTaskId) -> Option<(RequestId, SignRequest)> {
        let (id, _, _) = self.being_signed(task)?;
        let answer = Answer::Rejected { code: RejectCode::Locked, reason: None, scope: RejectScope::Device };
        let open = self.open.remove(&id)?;
        self.remember(id, Some(answer));
        Some((id, open.request))
    }

    /// Declines a request that waits for its human.
    pub(crate) fn reject(&mut self, id: RequestId, answer: Answer) -> Result<(), Error> {
        self.undecided(id)?.stage = Stage::Answered { answer, connections: 0 };
        Ok(())
    }

    /// The answer of one request, for the connection that lasts.
    pub(crate) fn send(&mut self, id: RequestId) -> Option<ClientFrame> {
        let (connections, frame) = outgoing(id, self.open.get_mut(&id)?)?;
        *connections = (*connections).max(1);
        Some(frame)
    }

    /// All answers without acknowledgement, for a connection that has just been welcomed.
    pub(crate) fn send_all(&mut self) -> Vec<ClientFrame> {
        let unacknowledged = self.open.iter_mut().filter_map(|(id, open)| outgoing(*id, open));
        unacknowledged
            .map(|(connections, frame)| {
                *connections = connections.saturating_add(1);
                frame
            })
            .collect()
    }

    /// Takes an acknowledgement. None where there is nothing to acknowledge: a second copy's, or an invented one.
    pub(crate) fn acknowledge(&mut self, id: RequestId, outcome: AckOutcome) -> Option<End> {
        let end = match &self.open.get(&id)?.stage {
            Stage::Answered { answer, connections } => answer.end(outcome, *connections > 1)?,
            Stage::Undecided | Stage::Signing { .. } => return None,
        };
        self.finish(id, end)
    }

    /// Withdraws a request. One whose answer was sent is left to its acknowledgement, which says which came first.
    pub(crate) fn cancel(&mut self, id: RequestId, cause: CancelCause) -> Option<End> {
        match self.open.get(&id)?.stage {
            Stage::Answered { .. } => None,
            Stage::Undecided | Stage::Signing { .. } => self.finish(
                id,
                match cause {
                    CancelCause::Cancelled => End::Cancelled,
                    CancelCause::Expired => End::Expired,
                    CancelCause::AnsweredElsewhere => End::AnsweredElsewhere,
                },
            ),
        }
    }

    /// Ends what has no time left at `now`.
    pub(crate) fn expire(&mut self, now: Timestamp) -> Vec<(RequestId, End)> {
        let due = |open: &Open| open.gives_up_at() <= now;
        let due: Vec<_> =
            self.open.iter().filter(|(_, o)| due(o)).map(|(id, o)| (*id, o.end_for_lack_of_time())).collect();
        due.into_iter().filter_map(|(id, end)| Some((id, self.finish(id, end)?))).collect()
    }

    /// When [`Requests::expire`] next has something to do.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.open.values().map(Open::gives_up_at).min()
    }

    /// Ends everything, because the wallet is closing for `error`. What had no answer is forgotten, so that it may be asked
    /// again should the wallet be connected again: its prompt is gone with this.
    pub(crate) fn abandon(&mut self, error: &Error) -> Vec<(RequestId, End)> {
        let mut ends = Vec::new();
        for (id, open) in std::mem::take(&mut self.open) {
            let end = match &open.stage {
                Stage::Answered { answer, connections: 1.. } => answer.unacknowledged(true),
                Stage::Undecided | Stage::Signing { .. } | Stage::Answered { .. } => End::Failed(error.clone()),
            };
            if let Some(answer) = open.into_answer() {
                self.remember(id, Some(answer));
            }
            ends.push((id, end));
        }
        ends
    }

    /// Remembers the refusal of a request that was never shown; false where the id is known already.
    pub(crate) fn refuse(&mut self, id: RequestId, answer: Answer) -> bool {
        let is_new = !self.open.contains_key(&id) && !self.over.iter().any(|(known, _)| *known == id);
        if is_new {
            self.remember(id, Some(answer));
        }
        is_new
    }

    /// Takes back a prompt whose request has changed under it. An answer that is out already stands.
    fn withdraw(&mut self, id: RequestId) -> Delivery {
        match self.open.get(&id).map(|open| &open.stage) {
            Some(Stage::Undecided | Stage::Signing { .. }) => {
                self.open.remove(&id);
                let scope = RejectScope::Device;
                self.remember(id, Some(Answer::Rejected { code: RejectCode::Unsupported, reason: None, scope }));
                Delivery::Withdrawn
            }
            Some(Stage::Answered { .. }) | None => Delivery::Changed,
        }
    }

    fn undecided(&mut self, id: RequestId) -> Result<&mut Open, Error> {
        let open = self.open.get_mut(&id).ok_or(Error::NotOpen)?;
        match open.stage {
            Stage::Undecided => Ok(open),
            Stage::Signing { .. } | Stage::Answered { .. } => Err(Error::AlreadyAnswered),
        }
    }

    fn being_signed(&mut self, wanted: SignTaskId) -> Option<(RequestId, &mut Open, ApprovedBy)> {
        self.open.iter_mut().find_map(|(id, open)| match &open.stage {
            Stage::Signing { task, approved_by } if *task == wanted => {
                let approved_by = approved_by.clone();
                Some((*id, open, approved_by))
            }
            Stage::Signing { .. } | Stage::Undecided | Stage::Answered { .. } => None,
        })
    }

    fn finish(&mut self, id: RequestId, end: End) -> Option<End> {
        let open = self.open.remove(&id)?;
        self.remember(id, open.into_answer());
        Some(end)
    }

    fn remember(&mut self, id: RequestId, answer: Option<Answer>) {
        if self.over.len() == MEMORY {
            self.over.pop_front();
        }
        self.over.push_back((id, answer));
    }
}

/// The answer of a request that has one, and the count of connections it was sent on.
fn outgoing(id: RequestId, open: &mut Open) -> Option<(&mut u32, ClientFrame)> {
    match &mut open.stage {
        Stage::Answered { answer, connections } => Some((connections, answer.frame(id, &open.request.message))),
        Stage::Undecided | Stage::Signing { .. } => None,
    }
}

/// A repetition may bring a new deadline, never new contents: what is signed is what the human has before them.
fn redeliver(open: &mut Open, request: &SignRequest, deadline: Timestamp) -> Option<Delivery> {
    let known = &open.request;
    if known.message != request.message || known.requester != request.requester || known.purpose != request.purpose {
        return None;
    }
    open.deadline = deadline;
    open.request.attempt = request.attempt;
    Some(match open.stage {
        Stage::Undecided | Stage::Signing { .. } => Delivery::Repeated { displayed: open.displayed },
        Stage::Answered { .. } => Delivery::InFlight,
    })
}
