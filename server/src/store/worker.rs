//! The thread that owns the database.

use super::{
    Completion, StoreError, Write,
    batch::{Batch, Command, Job, Question, Wake},
    database::Database,
    error::{DbError, Severity},
    open,
    quota::{self, Quota},
    reads,
    reserve::Reserve,
    shared::{FailedUnlessDone, Shared},
    usage::Usage,
    writes::{self, Outcome},
};
#[cfg(feature = "http")]
use super::{blocks::blocks, events, listing, purge, tokens::TokenNews};
use crate::{storage::Recovered, time::Timestamp};
use rusqlite::Connection;
use std::{
    collections::VecDeque,
    fs::File,
    mem,
    path::PathBuf,
    sync::{Arc, atomic::Ordering, mpsc::Receiver},
    time::{Duration, Instant},
};

/// How long writes that found no room wait before they are tried again, unless others come by.
const RETRY: Duration = Duration::from_secs(1);

/// How long after a failure, and then how often at first and at last, it is tried to open the database again.
const FIRST_REOPENING: Duration = Duration::from_secs(if cfg!(test) { 3600 } else { 1 });
const LAST_REOPENING: Duration = Duration::from_secs(60);

/// What the thread works with.
pub(super) struct Worker {
    pub(super) commands: Receiver<Command>,
    pub(super) dir: PathBuf,
    /// None while the store has failed.
    pub(super) database: Option<Database>,
    /// How large the database may become at most: the highest limit there was. A lower one holds for what is taken in, and leaves room for
    /// the ends of what is open.
    pub(super) page_limit: u64,
    /// How many requests are open.
    pub(super) open: u64,
    /// Writes that have to be made and found no quota.
    pub(super) postponed: Vec<Job>,
    pub(super) forgetting: VecDeque<Forgetting>,
    pub(super) on_recovery: Option<Recovered>,
    pub(super) reopening: Reopening,
    /// Space for the ends of open requests.
    pub(super) reserve: Reserve,
    /// The last write that found no room found another tool's lock.
    pub(super) is_locked: bool,
    pub(super) shared: Arc<Shared>,
    /// Last, so that the directory is ours until the database is closed.
    pub(super) _lock: File,
}

/// When it is tried again to open the database, while it has failed.
#[derive(Debug)]
pub(super) struct Reopening {
    at: Instant,
    wait: Duration,
}

impl Default for Reopening {
    fn default() -> Self {
        Self { at: Instant::now() + FIRST_REOPENING, wait: FIRST_REOPENING }
    }
}

/// Retention under way, a few requests at a time.
pub(super) struct Forgetting {
    before: Timestamp,
    forgotten: usize,
    then: Completion<usize>,
}

impl Worker {
    /// Runs until the last handle is gone and everything that had been submitted is done.
    pub(super) fn run(mut self) {
        let guard = FailedUnlessDone(Arc::clone(&self.shared));
        while let Some(batch) = Batch::next(&self.commands, self.wake()) {
            self.write(batch.jobs);
            for question in batch.questions {
                self.answer(question);
            }
            self.forget_some();
            self.take_over_log();
            self.reopen_if_due();
        }
        self.finish();
        mem::forget(guard);
    }

    fn wake(&self) -> Wake {
        if !self.forgetting.is_empty() {
            Wake::By(Instant::now())
        } else if self.database.is_none() {
            Wake::By(self.reopening.at)
        } else if !self.postponed.is_empty() {
            Wake::By(Instant::now() + RETRY)
        } else {
            Wake::Whenever
        }
    }

    /// Writes the jobs and those postponed. Whoever submitted one is told once its outcome is certain.
    fn write(&mut self, jobs: Vec<Job>) {
        let mut all = mem::take(&mut self.postponed);
        all.extend(jobs);
        if all.is_empty() {
            return;
        }
        match self.transact(&all) {
            Ok(outcomes) => {
                for (job, outcome) in all.into_iter().zip(outcomes) {
                    job.then.complete(outcome);
                }
            }
            Err(StoreError::Full) => self.keep(all),
            Err(StoreError::Failed) => {
                for job in all {
                    job.then.complete(Err(StoreError::Failed));
                }
            }
        }
    }

    /// Refuses what may be refused and keeps the rest, which may well fit without that, or in the space that is set aside for it.
    fn keep(&mut self, jobs: Vec<Job>) {
        let (refused, postponed): (Vec<_>, Vec<_>) = jobs.into_iter().partition(Job::may_be_refused);
        let smaller = !refused.is_empty();
        for job in refused {
            job.then.complete(Err(StoreError::Full));
        }
        self.postponed = postponed;
        // Space would not help against a lock.
        if smaller || (!self.is_locked && self.reserve.release()) {
            self.write(Vec::new());
        }
    }

    /// Makes all the writes in one transaction.
    fn transact(&mut self, jobs: &[Job]) -> Result<Vec<Outcome>, StoreError> {
        let Some(database) = &mut self.database else { return Err(StoreError::Failed) };
        let (began, limits) = (Instant::now(), self.shared.limits());
        let raised = limits.max_bytes.max(self.page_limit);
        let allowed = if raised == self.page_limit { Ok(()) } else { database.allow_bytes(raised) };
        let result = allowed
            .and_then(|()| Quota::measure(database, limits, self.open))
            .and_then(|quota| transaction(database, jobs, quota))
            .or_else(|error| database.roll_back().and(Err(error)));
        match result {
            Ok((outcomes, quota)) => {
                self.page_limit = raised;
                self.open = quota.open_after(self.open);
                self.note_full(outcomes.contains(&Err(StoreError::Full)));
                self.shared.committed(began.elapsed());
                Ok(outcomes)
            }
            Err(error) => Err(self.on_error(&error)),
        }
    }

    fn answer(&mut self, question: Question) {
        match question {
            Question::Read(id, then) => then.complete(self.ask(|database| reads::request(&database.connection, id))),
            Question::DueEvents(due, then) => {
                then.complete(self.ask(|database| reads::due_events(&database.connection, &due)));
            }
            // The key stands in a file beside the database, which is one server's.
            Question::Keys(_, _, then) => then.complete(Ok(Vec::new())),
            Question::OnRecovery(then) => self.on_recovery = Some(then),
            #[cfg(feature = "http")]
            Question::List(wanted, then) => {
                then.complete(self.ask(|database| listing::list(&database.connection, &wanted)));
            }
            #[cfg(feature = "http")]
            Question::Purge(scope, then) => {
                then.complete(self.ask(|database| purge::purge(&database.connection, &scope)));
            }
            #[cfg(feature = "http")]
            Question::Events(filter, then) => {
                then.complete(self.ask(|database| events::list(&database.connection, &filter)));
            }
            #[cfg(feature = "http")]
            Question::Resend(which, now, then) => {
                then.complete(self.ask(|database| events::resend(&database.connection, &which, now)));
            }
            #[cfg(feature = "http")]
            Question::NotePurge(record, then) => {
                then.complete(self.ask(|database| purge::note(&database.connection, &record)));
            }
            #[cfg(feature = "http")]
            Question::Blocks(change, now, then) => {
                then.complete(self.ask(|database| blocks(&database.connection, change.as_ref(), now)));
            }
            Question::Usage(then) => {
                let open = self.open;
                then.complete(self.ask(|database| {
                    let (events, oldest_event) = reads::events(&database.connection)?;
                    Ok(Usage { used_bytes: quota::used(database, open)?, events, oldest_event })
                }));
            }
            // Nobody else could own anything in a directory of one's own.
            #[cfg(feature = "postgres")]
            Question::TakeOver(then) => then.complete(Ok(Vec::new())),
            #[cfg(feature = "postgres")]
            Question::Ended(_, then) => then.complete(Ok(Vec::new())),
            #[cfg(feature = "http")]
            Question::Tokens(_, then) => {
                then.complete(Ok(TokenNews::Unreadable("a directory has none".into())));
            }
            #[cfg(feature = "postgres")]
            Question::HandOver(then) => then.complete(Ok(())),
            Question::Forget(before, then) => self.forgetting.push_back(Forgetting { before, forgotten: 0, then }),
            #[cfg(test)]
            Question::Reopen => self.reopening.at = Instant::now(),
            #[cfg(test)]
            Question::Fault(codes) => drop(self.ask(|database| {
                database.faults = codes.into();
                Ok(())
            })),
        }
    }

    /// Forgets a few requests, if any are to be; others may have their turn in between.
    fn forget_some(&mut self) {
        let Some(mut forgetting) = self.forgetting.pop_front() else { return };
        match self.ask(|database| reads::forget_some(&database.connection, forgetting.before)) {
            Ok((forgotten, more)) => {
                forgetting.forgotten += forgotten;
                if more {
                    self.forgetting.push_front(forgetting);
                } else {
                    forgetting.then.complete(Ok(forgetting.forgotten));
                }
            }
            Err(error) => forgetting.then.complete(Err(error)),
        }
    }

    /// After the completions: nobody has to wait for this.
    fn take_over_log(&mut self) {
        if self.postponed.is_empty() {
            self.reserve.restore();
        }
        // Without room for that the log grows until there is none for it either; the writes will tell.
        if self.database.is_some() {
            let _ = self.ask(|database| database.checkpoint_if_due());
        }
    }

    fn ask<T>(&mut self, ask: impl FnOnce(&mut Database) -> Result<T, DbError>) -> Result<T, StoreError> {
        let Some(database) = &mut self.database else { return Err(StoreError::Failed) };
        ask(database).map_err(|error| self.on_error(&error))
    }

    /// What an error means to whoever waits. Where nothing can be relied on any more, the database is let go of.
    fn on_error(&mut self, error: &DbError) -> StoreError {
        match error.severity() {
            severity @ (Severity::Full | Severity::Locked) => {
                self.is_locked = severity == Severity::Locked;
                self.note_full(true);
                StoreError::Full
            }
            Severity::Refused | Severity::Fatal => {
                tracing::error!(%error, "the store has failed and takes nothing in until its database could be opened again");
                self.shared.failed.store(true, Ordering::Release);
                if let Some(database) = self.database.take() {
                    database.abandon();
                }
                self.reopening = Reopening::default();
                StoreError::Failed
            }
        }
    }

    /// As a restart would: nothing is believed that has not been read and synced again.
    fn reopen_if_due(&mut self) {
        if self.database.is_some() || Instant::now() < self.reopening.at {
            return;
        }
        match open::reopen(&self.dir, self.page_limit, Timestamp::of_the_system()) {
            Ok((database, loaded)) => {
                tracing::warn!(open = loaded.open.len(), "the store works again");
                self.open = u64::try_from(loaded.open.len()).unwrap_or(u64::MAX);
                self.database = Some(database);
                self.shared.failed.store(false, Ordering::Release);
                if let Some(then) = &self.on_recovery {
                    then(loaded);
                }
            }
            Err(error) => {
                let wait = (2 * self.reopening.wait).min(LAST_REOPENING);
                tracing::error!(%error, wait_s = wait.as_secs(), "the store could not be opened again");
                self.reopening = Reopening { at: Instant::now() + wait, wait };
            }
        }
    }

    fn note_full(&mut self, full: bool) {
        // Said once.
        if full != self.shared.full.swap(full, Ordering::AcqRel) && full {
            tracing::warn!(
                "the store finds no room, or its database locked by another program, and takes nothing in until that is over"
            );
        }
    }

    /// The last chance for what was postponed. Retention goes on at the next start.
    fn finish(&mut self) {
        self.write(Vec::new());
        for job in mem::take(&mut self.postponed) {
            job.then.complete(Err(StoreError::Full));
        }
        for forgetting in mem::take(&mut self.forgetting) {
            forgetting.then.complete(Ok(forgetting.forgotten));
        }
    }
}

/// Makes all the writes together. Only where one of them contradicts what is there is each made apart, so that it takes no other with it.
fn transaction(database: &mut Database, jobs: &[Job], quota: Quota) -> Result<(Vec<Outcome>, Quota), DbError> {
    match attempt(database, jobs, quota, writes::apply) {
        Err(error) if error.severity() == Severity::Refused => {
            database.roll_back()?;
            attempt(database, jobs, quota, writes::apply_apart)
        }
        result => result,
    }
}

fn attempt(
    database: &mut Database,
    jobs: &[Job],
    mut quota: Quota,
    apply: fn(&Connection, &Write, &mut Quota) -> Result<Outcome, DbError>,
) -> Result<(Vec<Outcome>, Quota), DbError> {
    database.begin()?;
    let outcomes: Vec<_> =
        jobs.iter().map(|job| apply(&database.connection, &job.write, &mut quota)).collect::<Result<_, _>>()?;
    database.commit()?;
    Ok((outcomes, quota))
}
