//! A request that waits for its owner, or whose answer waits for an acknowledgement.

use super::delivery::Delivery;
use crate::prelude::*;
use crate::{
    effect::{End, SignTaskId, StoreTaskId},
    error::Error,
    record::{self, Answer, Contents, Record},
    time::{Millis, Timestamp},
};
use countersign_protocol::{AckOutcome, ApprovedBy, ClientFrame, Message, RequestId, SignRequest};

/// How long after its deadline an answer that was sent still waits for its acknowledgement.
pub(crate) const ACK_GRACE: Millis = Millis(30_000);

/// How far an open request has come.
#[derive(Debug, Clone)]
pub(crate) enum Stage {
    /// Not shown yet, because others of its batch have yet to come.
    Held {
        request: Box<SignRequest>,
        resumed: bool,
    },
    Undecided,
    Signing {
        task: SignTaskId,
        approved_by: ApprovedBy,
    },
    Answered(Answered),
}

/// An answer that is not acknowledged.
#[derive(Debug, Clone)]
pub(crate) struct Answered {
    pub(crate) answer: Answer,
    /// Counts the connections it was sent on, and the time before a reload as one: 0 while there has been none to send it on.
    pub(crate) connections: u32,
    /// Set while the answer has to wait for its record.
    pub(crate) storing: Option<Storing>,
    /// Whether the owner has been told how it ended, because the wallet was closed or the key could not be used.
    pub(crate) is_told: bool,
}

/// What an answer waits for, and how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Storing {
    pub(crate) task: StoreTaskId,
    pub(crate) until: Timestamp,
}

/// A request that is not over.
#[derive(Debug, Clone)]
pub(crate) struct OpenRequest {
    pub(crate) contents: Contents,
    pub(crate) message: Message,
    pub(crate) deadline: Timestamp,
    pub(crate) displayed: bool,
    /// Whether it came on the connection that lasts.
    pub(crate) is_here: bool,
    pub(crate) stage: Stage,
}

impl Answered {
    pub(crate) fn new(answer: Answer) -> Self {
        Self { answer, connections: 0, storing: None, is_told: false }
    }

    /// What an acknowledgement means, if it decides anything. A server that has forgotten the request may have used an
    /// earlier copy of the answer (specification §7.5).
    pub(crate) fn end(&self, outcome: AckOutcome) -> Option<End> {
        match (&self.answer, outcome) {
            (Answer::Rejected { .. }, _) => Some(End::Declined),
            // Of two copies on one connection, the acknowledgement of the first decides.
            (Answer::Signed { .. }, AckOutcome::Duplicate) => None,
            (Answer::Signed { .. }, AckOutcome::Accepted) => Some(End::Accepted),
            (Answer::Signed { .. }, AckOutcome::Late) => Some(End::Late),
            (Answer::Signed { .. }, AckOutcome::Unknown) if self.connections > 1 => {
                Some(End::Failed(Error::Unconfirmed))
            }
            (Answer::Signed { .. }, AckOutcome::Unknown) => Some(End::Failed(Error::UnknownRequest)),
            (Answer::Signed { .. }, AckOutcome::BadSignature) => Some(End::Failed(Error::BadSignature)),
            (Answer::Signed { .. }, AckOutcome::MessageMismatch) => Some(End::Failed(Error::MessageMismatch)),
        }
    }

    /// What it means that no acknowledgement came.
    pub(crate) fn unacknowledged(&self) -> End {
        match self.answer {
            Answer::Rejected { .. } => End::Declined,
            Answer::Signed { .. } if self.connections > 0 => End::Failed(Error::Unconfirmed),
            Answer::Signed { .. } => End::Expired,
        }
    }
}

impl OpenRequest {
    pub(crate) fn new(now: Timestamp, request: &SignRequest, resumed: bool) -> Self {
        Self {
            contents: Contents::of(request),
            message: request.message.clone(),
            deadline: now + Millis(request.expires_in_ms),
            displayed: false,
            is_here: true,
            stage: Stage::Held { request: Box::new(request.clone()), resumed },
        }
    }

    /// A repetition may bring a new deadline, never new contents: what is signed is what the human has before them.
    pub(crate) fn redeliver(&mut self, now: Timestamp, request: &SignRequest) -> Option<Delivery> {
        if self.contents != Contents::of(request) {
            return None;
        }
        self.deadline = now + Millis(request.expires_in_ms);
        self.is_here = true;
        Some(match &mut self.stage {
            Stage::Held { request: held, .. } => {
                **held = request.clone();
                Delivery::New
            }
            Stage::Undecided | Stage::Signing { .. } => Delivery::Repeated { displayed: self.displayed },
            Stage::Answered(_) => Delivery::InFlight,
        })
    }

    pub(crate) fn gives_up_at(&self) -> Timestamp {
        match &self.stage {
            Stage::Answered(Answered { connections: 1.., .. }) => self.deadline + ACK_GRACE,
            Stage::Held { .. } | Stage::Undecided | Stage::Signing { .. } | Stage::Answered(_) => self.deadline,
        }
    }

    pub(crate) fn due_at(&self) -> Timestamp {
        match &self.stage {
            Stage::Answered(Answered { storing: Some(storing), .. }) => self.gives_up_at().min(storing.until),
            Stage::Held { .. } | Stage::Undecided | Stage::Signing { .. } | Stage::Answered(_) => self.gives_up_at(),
        }
    }

    /// What its owner is told when its time is over: nothing of what they were never told of, or know to have ended.
    pub(crate) fn end_for_lack_of_time(&self) -> Option<End> {
        match &self.stage {
            Stage::Held { .. } => None,
            Stage::Undecided | Stage::Signing { .. } => Some(End::Expired),
            Stage::Answered(answered) => (!answered.is_told).then(|| answered.unacknowledged()),
        }
    }

    pub(crate) fn is_held(&self) -> bool {
        matches!(self.stage, Stage::Held { .. })
    }

    pub(crate) fn is_answered(&self) -> bool {
        matches!(self.stage, Stage::Answered(_))
    }

    pub(crate) fn record(&self, request_id: RequestId, stage: record::Stage) -> Record {
        Record { request_id, deadline: self.deadline, contents: self.contents, stage }
    }
}

/// The answer of a request that has one to send, and the count of connections it was sent on.
pub(crate) fn outgoing(id: RequestId, open: &mut OpenRequest) -> Option<(&mut u32, ClientFrame)> {
    match &mut open.stage {
        Stage::Answered(Answered { answer, connections, storing: None, .. }) => {
            Some((connections, answer.frame(id, &open.message)))
        }
        Stage::Answered(_) | Stage::Held { .. } | Stage::Undecided | Stage::Signing { .. } => None,
    }
}
