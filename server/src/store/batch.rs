//! What is done next: everything that has queued up, to share one commit.

use super::{Completion, Event, Write, Written};
use crate::{record::Record, storage::Recovered, time::Timestamp};
use countersign_protocol::RequestId;
use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError},
    time::{Duration, Instant},
};

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

/// Something to be asked or done outside of the writes' transaction.
pub(super) enum Question {
    Read(RequestId, Completion<Option<Record>>),
    DueEvents(Box<str>, Timestamp, usize, Completion<(Vec<Event>, Option<Timestamp>)>),
    Forget(Timestamp, Completion<usize>),
    OnRecovery(Recovered),
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

    fn push(&mut self, command: Command) {
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

    fn is_full(&self) -> bool {
        self.jobs.len() + self.questions.len() >= MAX_WRITES || self.message_bytes >= MAX_MESSAGE_BYTES
    }
}

fn receive(commands: &Receiver<Command>, wake: Wake) -> Result<Command, RecvTimeoutError> {
    match wake {
        Wake::Whenever => commands.recv().map_err(RecvTimeoutError::from),
        Wake::By(time) => commands.recv_timeout(time.saturating_duration_since(Instant::now())),
    }
}

fn message_bytes(write: &Write) -> usize {
    match write {
        Write::Accept { records, .. } => records.iter().map(|record| record.message.len()).sum(),
        Write::Progress { .. }
        | Write::End { .. }
        | Write::EventDone { .. }
        | Write::EventFailed { .. }
        | Write::ClockSet { .. } => 0,
    }
}
