//! The task that owns the connection, and everything that waits for it.
//!
//! A connection that breaks while a transaction is being committed leaves an outcome that nobody knows. Whoever waits for it goes on
//! waiting while another connection is made, which looks by id and makes again what is not there. Only where that takes too long are they
//! told that the store has failed; what is there then is read anew, as after a restart, once it can be.

#[cfg(feature = "http")]
use super::{blocks::blocks, events, listing, purge, tokens};
use super::{
    connector::Connector,
    error::{DbError, Severity},
    ownership,
    pipeline::pipeline,
    reads,
    session::Session,
    waiting::{Forgetting, Waiting},
    write::{Group, transact},
};
use crate::{
    random,
    record::Record,
    storage::{Completion, Loaded, StoreError},
    store::{
        batch::{Batch, Command, Question},
        retention::{LATE, MAX_LATE, before},
        shared::Shared,
    },
    time::Timestamp,
};
use countersign_protocol::RequestId;
use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};
use tokio::{
    sync::mpsc::UnboundedReceiver,
    time::{sleep, sleep_until, timeout_at},
};

/// How long whoever waits for the store is kept waiting while the database does not answer, or is looked for.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long writes that found no room wait before they are tried again, unless others come by.
const RETRY: Duration = Duration::from_secs(1);
/// How long a connection is left in peace before it is asked whether it is still there.
const IDLE: Duration = Duration::from_secs(2);
/// How long after a failure, and then how often at first and at last, another connection is tried.
const FIRST_RECONNECT: Duration = Duration::from_millis(50);
const LAST_RECONNECT: Duration = Duration::from_secs(2);

/// What the task works with.
pub(in crate::store) struct Worker {
    commands: UnboundedReceiver<Command>,
    connector: Arc<Connector>,
    /// None while there is none.
    session: Option<Session>,
    waiting: Waiting,
    /// Until when whoever waits is kept waiting, while the database gives no answer.
    deadline: Option<Instant>,
    /// Whoever waited has been told that the store has failed.
    has_given_up: bool,
    /// Whoever asked for requests to be taken over does not know which were, or the database does not know what it did.
    has_lost_some: bool,
    /// The database whose state is known here.
    database: String,
    shared: Arc<Shared>,
}

impl Worker {
    pub(in crate::store) fn new(
        commands: UnboundedReceiver<Command>,
        connector: Arc<Connector>,
        session: Session,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            commands,
            connector,
            database: session.database().to_owned(),
            session: Some(session),
            waiting: Waiting::default(),
            deadline: None,
            has_given_up: false,
            has_lost_some: false,
            shared,
        }
    }

    /// Runs until the last handle is gone and everything that had been submitted is done. Gives back the session, if there is one.
    pub(in crate::store) async fn run(mut self) -> Option<Session> {
        loop {
            if self.session.is_none() && self.reconnect().await.is_break() {
                break;
            }
            if self.waiting.batch.is_empty() {
                let wake = self.wake();
                match Batch::next_async(&mut self.commands, wake).await {
                    Some(batch) => self.waiting.batch = batch,
                    None => break,
                }
            }
            // Before anything is asked of it that it may not know any more.
            if self.connector.own().take_gone_back() {
                tracing::warn!("the database was put back to an earlier time: what it has is read anew");
                self.has_lost_some = true;
                if !self.recover().await {
                    continue;
                }
            }
            self.work().await;
        }
        self.finish().await
    }

    fn wake(&self) -> Instant {
        if self.waiting.is_urgent() {
            Instant::now()
        } else if self.waiting.postponed.is_empty() {
            Instant::now() + IDLE
        } else {
            Instant::now() + RETRY
        }
    }

    /// Does what waits, as far as the connection lasts.
    async fn work(&mut self) {
        let is_idle = self.waiting.is_idle();
        if let Some(group) = self.waiting.unresolved.take() {
            self.write(group).await;
        }
        if self.session.is_some() {
            let jobs = self.waiting.take_jobs();
            self.write(Group { jobs, token: u128::from_ne_bytes(random::bytes()), is_repeated: false }).await;
        }
        let (mut reads, mut questions) = (Vec::new(), VecDeque::new());
        for question in mem::take(&mut self.waiting.batch.questions) {
            match question {
                Question::Read(id, then) => reads.push((id, then)),
                question => questions.push_back(question),
            }
        }
        self.read(reads).await;
        while self.session.is_some()
            && let Some(question) = questions.pop_front()
        {
            self.answer(question).await;
        }
        // Those that wait for another connection, before what has come since.
        self.waiting.batch.questions.extend(questions);
        if self.session.is_some() {
            self.forget_some().await;
        }
        if is_idle {
            let _ = self.ask(async |session| session.check().await).await;
        }
    }

    /// Makes writes. Whoever submitted one is told once its outcome is certain.
    async fn write(&mut self, mut group: Group) {
        while !group.jobs.is_empty() {
            let deadline = self.deadline();
            let Some(session) = &self.session else { break };
            let began = Instant::now();
            let result = timeout_at(deadline.into(), transact(session, &group, self.shared.limits())).await;
            match result.unwrap_or(Err(DbError::Late)) {
                Ok(outcomes) => {
                    self.deadline = None;
                    self.shared.committed(began.elapsed());
                    self.note_full(outcomes.contains(&Err(StoreError::Full)));
                    for (job, outcome) in group.jobs.into_iter().zip(outcomes) {
                        job.then.complete(outcome);
                    }
                    return;
                }
                Err(error) => match error.severity() {
                    Severity::Full | Severity::Refused | Severity::Again => {
                        self.deadline = None;
                        self.note_full(true);
                        // What is kept may well fit without the rest.
                        self.waiting.keep(&mut group);
                    }
                    Severity::Lost => {
                        group.is_repeated = true;
                        self.lose(&error);
                        break;
                    }
                },
            }
        }
        if !group.jobs.is_empty() {
            self.waiting.unresolved = Some(group);
        }
    }

    /// Looks up all that is asked for on one journey there and back.
    async fn read(&mut self, reads: Vec<(RequestId, Completion<Option<Record>>)>) {
        if reads.is_empty() {
            return;
        }
        let read = async |session: &Session| {
            pipeline(reads.iter().map(|(id, _)| reads::request(session, *id)))
                .await
                .into_iter()
                .collect::<Result<Vec<_>, _>>()
        };
        match self.ask(read).await {
            Some(records) => {
                for ((_, then), record) in reads.into_iter().zip(records) {
                    then.complete(Ok(record));
                }
            }
            None => self.waiting.batch.questions.extend(reads.into_iter().map(|(id, then)| Question::Read(id, then))),
        }
    }

    async fn answer(&mut self, question: Question) {
        match question {
            Question::Read(id, then) => self.read(vec![(id, then)]).await,
            Question::DueEvents(wanted, then) => {
                let due = async |session: &Session| reads::due_events(session, &wanted).await;
                if let Some(then) = self.told(then, due).await {
                    self.waiting.batch.questions.push(Question::DueEvents(wanted, then));
                }
            }
            Question::OnRecovery(then) => self.waiting.on_recovery = Some(then),
            #[cfg(feature = "http")]
            Question::List(wanted, then) => {
                let list = async |session: &Session| listing::list(session, &wanted).await;
                if let Some(then) = self.told(then, list).await {
                    self.waiting.batch.questions.push(Question::List(wanted, then));
                }
            }
            #[cfg(feature = "http")]
            Question::Purge(scope, then) => {
                let purge = async |session: &Session| purge::purge(session, &scope).await;
                if let Some(then) = self.told(then, purge).await {
                    self.waiting.batch.questions.push(Question::Purge(scope, then));
                }
            }
            #[cfg(feature = "http")]
            Question::Events(filter, then) => {
                let list = async |session: &Session| events::list(session, &filter).await;
                if let Some(then) = self.told(then, list).await {
                    self.waiting.batch.questions.push(Question::Events(filter, then));
                }
            }
            #[cfg(feature = "http")]
            Question::Resend(which, now, then) => {
                let resend = async |session: &Session| events::resend(session, &which, now).await;
                if let Some(then) = self.told(then, resend).await {
                    self.waiting.batch.questions.push(Question::Resend(which, now, then));
                }
            }
            #[cfg(feature = "http")]
            Question::NotePurge(record, then) => {
                // Made again it would be there twice.
                let noted = self.ask(async |session| purge::note(session, &record).await).await;
                then.complete(noted.ok_or(StoreError::Failed));
            }
            #[cfg(feature = "http")]
            Question::Blocks(change, now, then) => {
                let asked = async |session: &Session| blocks(session, change.as_ref(), now).await;
                if let Some(then) = self.told(then, asked).await {
                    self.waiting.batch.questions.push(Question::Blocks(change, now, then));
                }
            }
            #[cfg(feature = "http")]
            Question::Tokens(known, then) => {
                let asked = async |session: &Session| tokens::news(session, known.as_deref()).await;
                if let Some(then) = self.told(then, asked).await {
                    self.waiting.batch.questions.push(Question::Tokens(known, then));
                }
            }
            Question::Keys(own, retention, then) => {
                let keys = async |session: &Session| reads::server_keys(session, own, retention).await;
                if let Some(then) = self.told(then, keys).await {
                    self.waiting.batch.questions.push(Question::Keys(own, retention, then));
                }
            }
            Question::Usage(then) => {
                if let Some(then) = self.told(then, reads::usage).await {
                    self.waiting.batch.questions.push(Question::Usage(then));
                }
            }
            Question::TakeOver(then) => {
                let records = self.ask(async |session| ownership::take_over(session, ownership::AT_ONCE).await).await;
                // What was taken over without anybody hearing of it is told with all that is there.
                self.has_lost_some |= records.is_none();
                then.complete(records.ok_or(StoreError::Failed));
            }
            Question::Ended(ids, then) => {
                let ended = async |session: &Session| ownership::ended(session, &ids).await;
                if let Some(then) = self.told(then, ended).await {
                    self.waiting.batch.questions.push(Question::Ended(ids, then));
                }
            }
            Question::HandOver(then) => {
                if let Some(then) = self.told(then, ownership::hand_over).await {
                    self.waiting.batch.questions.push(Question::HandOver(then));
                }
            }
            Question::Forget(before, then) => {
                self.waiting.forgetting.push_back(Forgetting { before, forgotten: 0, then });
            }
            #[cfg(test)]
            Question::Reopen | Question::Fault(_) => {}
        }
    }

    /// Asks and tells; gives back whom to tell where the connection did not last.
    async fn told<T>(
        &mut self,
        then: Completion<T>,
        ask: impl AsyncFnOnce(&Session) -> Result<T, DbError>,
    ) -> Option<Completion<T>> {
        match self.ask(ask).await {
            Some(answer) => {
                then.complete(Ok(answer));
                None
            }
            None => Some(then),
        }
    }

    /// Asks something; none where the connection did not last.
    async fn ask<T>(&mut self, ask: impl AsyncFnOnce(&Session) -> Result<T, DbError>) -> Option<T> {
        let deadline = self.deadline();
        let session = self.session.as_ref()?;
        match timeout_at(deadline.into(), ask(session)).await.unwrap_or(Err(DbError::Late)) {
            Ok(answer) => {
                self.deadline = None;
                Some(answer)
            }
            Err(error) => {
                self.lose(&error);
                None
            }
        }
    }

    /// Forgets a few requests, if any are to be; others may have their turn in between.
    async fn forget_some(&mut self) {
        let Some(mut forgetting) = self.waiting.forgetting.pop_front() else { return };
        let before = forgetting.before;
        match self.ask(async |session| reads::forget_some(session, before).await).await {
            Some((forgotten, more)) => {
                forgetting.forgotten += forgotten;
                if more {
                    self.waiting.forgetting.push_front(forgetting);
                } else {
                    forgetting.then.complete(Ok(forgetting.forgotten));
                }
            }
            None => forgetting.then.complete(Err(StoreError::Failed)),
        }
    }

    fn deadline(&mut self) -> Instant {
        *self.deadline.get_or_insert_with(|| Instant::now() + PATIENCE)
    }

    /// Lets go of the connection.
    fn lose(&mut self, error: &DbError) {
        tracing::warn!(%error, "the connection to the database is lost; another one is being made");
        self.session = None;
        self.shared.failed.store(true, Ordering::Release);
    }

    /// Makes another connection, as often as it takes; breaks off where nobody is there any more to use it.
    async fn reconnect(&mut self) -> std::ops::ControlFlow<()> {
        let (mut pause, mut said) = (Duration::ZERO, String::new());
        loop {
            let deadline = self.deadline();
            let connector = &self.connector;
            let mut connecting = Box::pin(async {
                sleep(pause).await;
                connector.connect().await
            });
            let connected = loop {
                tokio::select! {
                    biased;
                    connected = &mut connecting => break connected,
                    () = sleep_until(deadline.into()), if !self.has_given_up => {
                        self.has_given_up = true;
                        self.waiting.give_up();
                    }
                    command = self.commands.recv() => match command {
                        None => return std::ops::ControlFlow::Break(()),
                        Some(command) => {
                            self.waiting.batch.push(command);
                            if self.has_given_up {
                                self.waiting.give_up();
                            }
                        }
                    }
                }
            };
            drop(connecting);
            match connected {
                Ok(session) => {
                    self.session = Some(session);
                    if self.recover().await {
                        return std::ops::ControlFlow::Continue(());
                    }
                }
                Err(error) => {
                    // Said once for as long as it is the same.
                    if mem::replace(&mut said, error.to_string()) != said {
                        tracing::warn!(%error, "the database cannot be used");
                    }
                }
            }
            pause = (2 * pause).clamp(FIRST_RECONNECT, LAST_RECONNECT);
        }
    }

    /// What is there is told where that may not be what is known here: the store has been given up, or this is another database, such as a
    /// standby that has taken over and may lack the last commits, or a backup that was put back. False where the connection did not last.
    async fn recover(&mut self) -> bool {
        self.deadline = None;
        let database = self.session.as_ref().map(|session| session.database().to_owned()).unwrap_or_default();
        if self.has_given_up || self.has_lost_some || database != self.database {
            let since = before(Timestamp::of_the_system(), LATE);
            let load = async |session: &Session| {
                let (open, ended) = (reads::open(session).await?, reads::ended(session, since, MAX_LATE).await?);
                Ok(Loaded { open, ended })
            };
            let Some(loaded) = self.ask(load).await else { return false };
            tracing::warn!(open = loaded.open.len(), "the store works again");
            self.has_given_up = false;
            self.has_lost_some = false;
            self.database = database;
            self.shared.failed.store(false, Ordering::Release);
            if let Some(then) = &self.waiting.on_recovery {
                then(loaded);
            }
        } else {
            tracing::info!("connected to the database again");
            self.shared.failed.store(false, Ordering::Release);
        }
        true
    }

    fn note_full(&self, full: bool) {
        // Said once.
        if full != self.shared.full.swap(full, Ordering::AcqRel) && full {
            tracing::warn!("the store finds no room and takes nothing in until there is some");
        }
    }

    /// The last chance for what was postponed.
    async fn finish(&mut self) -> Option<Session> {
        if self.session.is_some() {
            self.work().await;
        }
        self.waiting.finish();
        self.session.take()
    }
}
