//! What waits for the database, and whom it is for.

use super::write::Group;
use crate::{
    storage::{Completion, Recovered, StoreError},
    store::batch::{Batch, Job, Question},
    time::Timestamp,
};
use std::{collections::VecDeque, mem};

#[derive(Default)]
pub(super) struct Waiting {
    /// Writes that a transaction was begun for whose outcome nobody knows. They are made by themselves before all others.
    pub(super) unresolved: Option<Group>,
    /// What has come since.
    pub(super) batch: Batch,
    /// Writes that have to be made and found no room.
    pub(super) postponed: Vec<Job>,
    pub(super) forgetting: VecDeque<Forgetting>,
    pub(super) on_recovery: Option<Recovered>,
}

/// Retention under way, a few requests at a time.
pub(super) struct Forgetting {
    pub(super) before: Timestamp,
    pub(super) forgotten: usize,
    pub(super) then: Completion<usize>,
}

impl Waiting {
    /// Whether there is nothing to be done at all.
    pub(super) fn is_idle(&self) -> bool {
        self.batch.is_empty() && self.postponed.is_empty() && self.unresolved.is_none() && self.forgetting.is_empty()
    }

    /// Whether there is something that can be done now.
    pub(super) fn is_urgent(&self) -> bool {
        self.unresolved.is_some() || !self.forgetting.is_empty()
    }

    /// The writes that are next, those first that found no room before.
    pub(super) fn take_jobs(&mut self) -> Vec<Job> {
        let mut jobs = mem::take(&mut self.postponed);
        jobs.append(&mut self.batch.jobs);
        jobs
    }

    /// Refuses what may be refused for want of room and leaves the rest in the group; where that is all there was, it waits for room, and
    /// there is nothing to be tried now.
    pub(super) fn keep(&mut self, group: &mut Group) {
        let (refused, kept): (Vec<_>, Vec<_>) = mem::take(&mut group.jobs).into_iter().partition(Job::may_be_refused);
        if refused.is_empty() {
            self.postponed.splice(..0, kept);
        } else {
            group.jobs = kept;
        }
        for job in refused {
            job.then.complete(Err(StoreError::Full));
        }
    }

    /// Tells whoever waits that the store has failed. What became of their writes shows when it works again.
    pub(super) fn give_up(&mut self) {
        let unresolved = self.unresolved.take().map(|group| group.jobs).unwrap_or_default();
        for job in unresolved.into_iter().chain(self.take_jobs()) {
            job.then.complete(Err(StoreError::Failed));
        }
        for question in mem::take(&mut self.batch.questions) {
            match question {
                Question::OnRecovery(then) => self.on_recovery = Some(then),
                Question::Read(_, then) => then.complete(Err(StoreError::Failed)),
                Question::DueEvents(_, then) => then.complete(Err(StoreError::Failed)),
                Question::Forget(_, then) => then.complete(Err(StoreError::Failed)),
                #[cfg(feature = "http")]
                Question::List(_, then) => then.complete(Err(StoreError::Failed)),
                #[cfg(feature = "http")]
                Question::Purge(_, then) => then.complete(Err(StoreError::Failed)),
                #[cfg(feature = "http")]
                Question::Events(_, then) => then.complete(Err(StoreError::Failed)),
                #[cfg(feature = "http")]
                Question::Resend(_, _, then) => then.complete(Err(StoreError::Failed)),
                #[cfg(feature = "http")]
                Question::NotePurge(_, then) => then.complete(Err(StoreError::Failed)),
                #[cfg(feature = "http")]
                Question::Blocks(_, _, then) => then.complete(Err(StoreError::Failed)),
                #[cfg(feature = "http")]
                Question::Tokens(_, then) => then.complete(Err(StoreError::Failed)),
                Question::Usage(then) => then.complete(Err(StoreError::Failed)),
                Question::Keys(_, _, then) => then.complete(Err(StoreError::Failed)),
                Question::TakeOver(then) => then.complete(Err(StoreError::Failed)),
                Question::Ended(_, then) => then.complete(Err(StoreError::Failed)),
                Question::HandOver(then) => then.complete(Err(StoreError::Failed)),
                #[cfg(test)]
                Question::Reopen | Question::Fault(_) => {}
            }
        }
        self.batch = Batch::default();
    }

    /// The end of it all. Retention goes on at the next start.
    pub(super) fn finish(&mut self) {
        for job in mem::take(&mut self.postponed) {
            job.then.complete(Err(StoreError::Full));
        }
        for forgetting in mem::take(&mut self.forgetting) {
            forgetting.then.complete(Ok(forgetting.forgotten));
        }
        self.give_up();
    }
}
