//! What is done next: everything that has queued up, to share one commit.

use super::{Completion, Event, Write, Written, due_query::DueQuery, usage};
#[cfg(feature = "http")]
use super::{
    blocks::{Block, BlockChange},
    events::{EventFilter, ListedEvent, Resend},
    listing::{Listed, Listing},
    purge::{PurgeRecord, PurgeScope, PurgeStep},
    tokens::TokenNews,
};
use crate::{record::Record, storage::Recovered, time::Timestamp};
use countersign_protocol::RequestId;
use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError},
    time::{Duration, Instant},
};
#[cfg(feature = "postgres")]
use tokio::sync::mpsc::{UnboundedReceiver, error};

/// The most writes that share a commit.
const MAX_WRITES: usize = 1024;
/// The most bytes of messages that share a commit, give or take one write: what is in a transaction is in memory.
const MAX_MESSAGE_BYTES: usize = 8 * 1024 * 1024;
/// How long news of progress may wait for a commit to ride with.
const MAX_PROGRESS_DELAY: Duration = Duration::from_millis(50);

/// A write, and who is to be told.
pub(super) struct Job {
    pub(super) write: Write,
    pub(super) then: Completion<Written>,
}

impl Job {
    /// Whether it may come to nothing where there is no room; what else there is waits until there is some.
    pub(super) fn may_be_refused(&self) -> bool {
        match self.write {
            Write::Accept { .. } | Write::Progress { .. } => true,
            Write::End { .. } | Write::EventDone { .. } | Write::EventFailed { .. } | Write::ClockSet { .. } => false,
        }
    }
}

/// Something to be asked or done outside of the writes' transaction.
pub(super) enum Question {
    Read(RequestId, Completion<Option<Record>>),
    DueEvents(DueQuery, Completion<(Vec<Event>, Option<Timestamp>)>),
    Forget(Timestamp, Completion<usize>),
    /// Notes that this key is in use, and asks for those of other servers that have been within this time.
    Keys([u8; 32], Duration, Completion<Vec<[u8; 32]>>),
    OnRecovery(Recovered),
    /// Some of a requester's own requests.
    #[cfg(feature = "http")]
    List(Box<Listing>, Completion<Listed>),
    /// Erases some of what has ended.
    #[cfg(feature = "http")]
    Purge(PurgeScope, Completion<PurgeStep>),
    /// Some of the webhook events there are.
    #[cfg(feature = "http")]
    Events(EventFilter, Completion<Vec<ListedEvent>>),
    /// Has some be told once more.
    #[cfg(feature = "http")]
    Resend(Resend, Timestamp, Completion<Vec<RequestId>>),
    /// Takes note that something was.
    #[cfg(feature = "http")]
    NotePurge(PurgeRecord, Completion<()>),
    /// Changes which keys are blocked, if it is to be, and asks for all that are.
    #[cfg(feature = "http")]
    Blocks(Option<BlockChange>, Timestamp, Completion<Vec<Block>>),
    /// Asks which tokens there are, where those are not the ones that are known.
    #[cfg(feature = "http")]
    Tokens(Option<String>, Completion<TokenNews>),
    /// How much there is.
    Usage(usage::Told),
    /// Takes over some open requests that nobody owns.
    #[cfg(feature = "postgres")]
    TakeOver(Completion<Vec<Record>>),
    /// Which of these have ended.
    #[cfg(feature = "postgres")]
    Ended(Vec<RequestId>, Completion<Vec<RequestId>>),
    /// Gives up all that this node owns.
    #[cfg(feature = "postgres")]
    HandOver(Completion<()>),
    /// Makes a store that has failed open its database now: in tests it does so by itself much later.
    #[cfg(test)]
    Reopen,
    /// Makes the next commits fail with these codes of SQLite.
    #[cfg(test)]
    Fault(Vec<i32>),
}

/// What the thread is told.
pub(super) enum Command {
    Write(Job),
    Ask(Question),
}

/// When the thread has to have something to do.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wake {
    /// Whenever somebody wants something.
    Whenever,
    /// At this time at the latest.
    By(Instant),
}

/// Writes that share a commit, and questions that are answered after it.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) jobs: Vec<Job>,
    pub(super) questions: Vec<Question>,
    message_bytes: usize,
    /// Whether somebody waits for it.
    urgent: bool,
}

impl Batch {
    /// Waits for something to do and takes whatever else has queued up by then. `None` once nobody can want anything any more.
    pub(super) fn next(commands: &Receiver<Command>, wake: Wake) -> Option<Self> {
        let mut batch = Self::default();
        match receive(commands, wake) {
            Ok(command) => batch.push(command),
            Err(RecvTimeoutError::Timeout) => return Some(batch),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
        let wait_until = match wake {
            Wake::Whenever => Instant::now() + MAX_PROGRESS_DELAY,
            Wake::By(time) => time.min(Instant::now() + MAX_PROGRESS_DELAY),
        };
        while !batch.is_full() {
            match commands.try_recv() {
                Ok(command) => batch.push(command),
                Err(TryRecvError::Disconnected) => break,
                Err(TryRecvError::Empty) if batch.urgent => break,
                Err(TryRecvError::Empty) => match receive(commands, Wake::By(wait_until)) {
                    Ok(command) => batch.push(command),
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
                },
            }
        }
        Some(batch)
    }

    /// As [`Batch::next`], for a task: what it waits for is another queue, and whoever drops the future loses nothing of it.
    #[cfg(feature = "postgres")]
    pub(super) async fn next_async(commands: &mut UnboundedReceiver<Command>, wake: Instant) -> Option<Self> {
        let mut batch = Self::default();
        match by(wake, commands.recv()).await {
            Some(Some(command)) => batch.push(command),
            Some(None) => return None,
            None => return Some(batch),
        }
        let wait_until = Instant::now() + MAX_PROGRESS_DELAY;
        let wait_until = wake.min(wait_until);
        while !batch.is_full() {
            match commands.try_recv() {
                Ok(command) => batch.push(command),
                Err(error::TryRecvError::Disconnected) => break,
                Err(error::TryRecvError::Empty) if batch.urgent => break,
                Err(error::TryRecvError::Empty) => match by(wait_until, commands.recv()).await {
                    Some(Some(command)) => batch.push(command),
                    Some(None) | None => break,
                },
            }
        }
        Some(batch)
    }

    pub(super) fn push(&mut self, command: Command) {
        match command {
            Command::Write(job) => {
                self.message_bytes += message_bytes(&job.write);
                self.urgent |= !matches!(job.write, Write::Progress { .. });
                self.jobs.push(job);
            }
            Command::Ask(question) => {
                self.urgent = true;
                self.questions.push(question);
            }
        }
    }

    #[cfg(feature = "postgres")]
    pub(super) fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.questions.is_empty()
    }

    fn is_full(&self) -> bool {
        self.jobs.len() + self.questions.len() >= MAX_WRITES || self.message_bytes >= MAX_MESSAGE_BYTES
    }
}

#[cfg(feature = "postgres")]
async fn by<T>(wake: Instant, wanted: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout_at(wake.into(), wanted).await.ok()
}

fn receive(commands: &Receiver<Command>, wake: Wake) -> Result<Command, RecvTimeoutError> {
    match wake {
        Wake::Whenever => commands.recv().map_err(RecvTimeoutError::from),
        Wake::By(time) => commands.recv_timeout(time.saturating_duration_since(Instant::now())),
    }
}

fn message_bytes(write: &Write) -> usize {
    match write {
        Write::Accept { records, .. } => records.iter().map(|record| record.bytes()).sum(),
        Write::Progress { .. }
        | Write::End { .. }
        | Write::EventDone { .. }
        | Write::EventFailed { .. }
        | Write::ClockSet { .. } => 0,
    }
}
