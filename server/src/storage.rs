//! What the service asks of whoever keeps its requests, and nothing about how they are kept.

use crate::{
    cluster::NodeId,
    idempotency::IdempotencyKey,
    record::{End, PhaseTimes, Record},
    requester::RequesterId,
    time::Timestamp,
};
use countersign_protocol::RequestId;
use std::fmt;
use thiserror::Error;

/// Something to be written, in the order it was submitted. Times are what the system's clock shows.
#[derive(Debug, Clone)]
pub enum Write {
    /// Take in requests, all or none; with an idempotency key, unless this requester has used the key before.
    Accept {
        /// The requests, all of one requester. With none the key is looked up, and nothing is written.
        records: Vec<Record>,
        /// By what a repetition is known.
        idempotency: Option<Idempotency>,
        /// How an open request of the same requester ends with it, in whose place they are; neither is done without the other. Where it is not
        /// open any more, or another node's than said, nothing is written.
        replaced: Option<Box<Replaced>>,
    },
    /// How far a request has come. Nobody waits for it.
    Progress {
        /// The request.
        id: RequestId,
        /// When it came to each phase.
        times: PhaseTimes,
        /// How often it has been handed to wallets.
        attempt: u32,
    },
    /// How a request ended, unless it has another end already: the first one stands. Where its record has a webhook, the event is enqueued
    /// with it.
    End {
        /// The request.
        id: RequestId,
        /// How it ended.
        end: End,
        /// When it came to each phase.
        times: PhaseTimes,
    },
    /// The event of this request was delivered.
    EventDone {
        /// The request.
        id: RequestId,
    },
    /// The event of this request was not taken, and is to be tried again, or never.
    EventFailed {
        /// The request.
        id: RequestId,
        /// How often it has been tried.
        attempts: u32,
        /// When to try again.
        next_at: Timestamp,
    },
    /// The system's clock was set. What is open and what is still to be told has as much time left as before, so all of its times move;
    /// what has ended stays as it was noted. Like an end, it is to be written sooner or later, before all that is submitted after it.
    ClockSet {
        /// By how many milliseconds; negative if it was set back.
        by_ms: i64,
    },
}

impl Write {
    /// Moves the times of a request in it by so many milliseconds.
    pub(crate) fn move_by(&mut self, by_ms: i64) {
        match self {
            Self::Accept { records, idempotency: _, replaced } => {
                records.iter_mut().for_each(|record| record.move_by(by_ms));
                if let Some(replaced) = replaced {
                    replaced.times = replaced.times.moved(by_ms);
                }
            }
            Self::Progress { times, .. } | Self::End { times, .. } => *times = times.moved(by_ms),
            Self::EventDone { .. } | Self::EventFailed { .. } | Self::ClockSet { .. } => {}
        }
    }
}

/// How a request ends in whose place others are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// The request.
    pub id: RequestId,
    /// How it ends.
    pub end: End,
    /// When it came to each phase.
    pub times: PhaseTimes,
    /// Whose it is, where that is another node.
    pub owner: Option<NodeId>,
}

/// By what a repeated call is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// Whose key it is: each requester has keys of its own.
    pub requester: RequesterId,
    /// The caller's own key.
    pub key: IdempotencyKey,
    /// SHA-256 over what was asked for.
    pub fingerprint: [u8; 32],
}

/// What came of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// It is on disk.
    Done,
    /// Requests were accepted, and are on disk as that node's, or nobody's, of several that share the database: others may have given up the one that
    /// asked for it, which owns nothing of it then.
    Accepted(Option<NodeId>),
    /// Nothing was written: the idempotency key has been used before, for the same, which made these requests.
    Existing(Vec<RequestId>),
    /// Nothing was written: the idempotency key has been used before, for something else.
    Reused,
    /// Nothing was written: this requester has as much in the store as one may.
    OverShare,
    /// Nothing was written: the request, or the one to be replaced, had ended before, by whomever, and this is how. It is this end that is to
    /// be told.
    Ended(Box<Record>),
    /// Nothing was written: the request is open, and another node owns it by now. Nobody here is to be told an end.
    Elsewhere,
    /// Nothing was written: there is no such request. The database was put back to a time before it was accepted. Nobody is to be told an end
    /// that is kept nowhere.
    Unknown,
}

/// Why a write or a read came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum StoreError {
    /// There is no room. There may be later.
    #[error("the store is full")]
    Full,
    /// The disk failed; whether what was under way got there shows when the store has been opened again.
    #[error("the store has failed")]
    Failed,
}

/// Whom a store tells, once, what came of a write or a read. Dropping it tells [`StoreError::Failed`], so that nobody waits for a store
/// that has lost its way. It may be told at once, by whoever submitted, or later from any thread.
pub struct Completion<T>(Option<Then<T>>);

type Then<T> = Box<dyn FnOnce(Result<T, StoreError>) + Send>;

impl<T> Completion<T> {
    /// Has `then` told.
    pub fn new(then: impl FnOnce(Result<T, StoreError>) + Send + 'static) -> Self {
        Self(Some(Box::new(then)))
    }

    /// Tells it. A write has to be on disk by then.
    pub fn complete(mut self, result: Result<T, StoreError>) {
        if let Some(then) = self.0.take() {
            then(result);
        }
    }
}

impl<T> Drop for Completion<T> {
    fn drop(&mut self) {
        if let Some(then) = self.0.take() {
            then(Err(StoreError::Failed));
        }
    }
}

impl<T> fmt::Debug for Completion<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Completion")
    }
}

/// Is told what is on disk.
pub type Recovered = Box<dyn Fn(Loaded) + Send>;

/// Keeps requests that have to outlive the process.
pub trait Storage: fmt::Debug + Send + Sync {
    /// Submits a write, and does not wait for it. Ends that find no room are tried again until there is some.
    fn write(&self, write: Write, then: Completion<Written>);

    /// Whom to tell what is on disk, once the store works again after it had failed: what was under way then may be there or not. One that
    /// never comes back does nothing.
    fn on_recovery(&self, then: Recovered) {
        drop(then);
    }

    /// Looks up a request among what is on disk; none where there is no such request.
    fn read(&self, id: RequestId, then: Completion<Option<Record>>);

    /// Forgets what ended longer ago than it is to be kept, as of `now`. [`SigningService::maintain`](crate::SigningService::maintain) asks
    /// for it once an hour. A store that keeps everything does nothing.
    fn forget(&self, now: Timestamp) {
        let _ = now;
    }
}

/// What a store has kept of an earlier process, or of the time before it failed.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Requests that are open.
    pub open: Vec<Record>,
    /// Requests that have ended lately, oldest first.
    pub ended: Vec<Record>,
}
