//! The store as the service sees it: a handle that never blocks.

#[cfg(feature = "http")]
use super::HubState;
#[cfg(feature = "postgres")]
use super::postgres::{self, ConnectError, Order, OrderSender, PostgresConfig};
use super::{
    Completion, Event, Loaded, OpenError, StoreConfig, StoreError, Write, Written,
    batch::{Command, Job, Question},
    due_query::DueQuery,
    open::{self, MIN_MAX_BYTES, Opened},
    quota::Limits,
    retention::before,
    shared::Shared,
    worker::{Reopening, Worker},
};
use crate::{
    record::Record,
    storage::{Recovered, Storage},
    time::Timestamp,
};
use countersign_protocol::RequestId;
#[cfg(feature = "http")]
use prometheus_client::metrics::histogram::Histogram;
use std::{
    collections::VecDeque,
    fmt,
    future::pending,
    sync::{Arc, atomic::Ordering, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};
#[cfg(feature = "postgres")]
use tokio::sync::mpsc::unbounded_channel;

/// Keeps requests on the disk, or in PostgreSQL. Clones are handles to the same store.
///
/// What is submitted is done in that order, on one thread. How much may queue up there is not bounded here: it is by the
/// service's own limits, since no open request has more than a few writes under way.
///
/// Dropping the last handle commits what has been submitted and waits for that, unless it is dropped by a completion.
#[derive(Debug, Clone)]
pub struct Store(Arc<Handle>);

/// Only a thread that has panicked receives nothing; what is not sent is dropped, and so answered.
type Submit = Box<dyn Fn(Command) + Send + Sync>;

struct Handle {
    /// Puts something into the queue. None while it is being dropped.
    submit: Option<Submit>,
    /// What goes between nodes. None for a directory of one's own, and while it is being dropped.
    #[cfg(feature = "postgres")]
    orders: Option<OrderSender>,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
}

impl Store {
    /// Opens the store, or makes it. Blocks.
    ///
    /// # Errors
    /// [`OpenError`], which names the file or directory.
    pub fn open(config: StoreConfig, now: Timestamp) -> Result<(Self, Loaded), OpenError> {
        let Opened { lock, database, limits, reserve, loaded } = open::open(&config, now)?;
        let (sender, commands) = mpsc::channel();
        let shared = Arc::new(Shared::new(limits, config.retention));
        let worker = Worker {
            commands,
            dir: config.dir.clone(),
            database: Some(database),
            page_limit: limits.max_bytes,
            open: u64::try_from(loaded.open.len()).unwrap_or(u64::MAX),
            postponed: Vec::new(),
            forgetting: VecDeque::new(),
            on_recovery: None,
            reopening: Reopening::default(),
            reserve,
            is_locked: false,
            shared: Arc::clone(&shared),
            _lock: lock,
        };
        let thread = thread::Builder::new()
            .name("store".into())
            .spawn(|| worker.run())
            .map_err(|source| OpenError::Io { path: config.dir, source: source.into() })?;
        let submit = move |command| drop(sender.send(command));
        Ok((Self::of(thread, submit, shared), loaded))
    }

    /// Connects to a database, makes the tables where there are none, and goes on with what is in them. Blocks.
    ///
    /// # Errors
    /// [`ConnectError`], which says what to do; no error shows the URL.
    #[cfg(feature = "postgres")]
    pub fn connect(config: PostgresConfig, now: Timestamp) -> Result<(Self, Loaded), ConnectError> {
        let (sender, commands) = unbounded_channel();
        let limits = Limits { max_bytes: config.max_bytes, max_share_percent: config.max_share_percent };
        let shared = Arc::new(Shared::new(limits, config.retention));
        let (thread, orders, loaded) = postgres::start(config, now, commands, Arc::clone(&shared))?;
        let submit: Submit = Box::new(move |command| drop(sender.send(command)));
        let thread = Some(thread);
        let handle = Handle { submit: Some(submit), orders: Some(orders), thread, shared };
        Ok((Self(Arc::new(handle)), loaded))
    }

    fn of(thread: JoinHandle<()>, submit: impl Fn(Command) + Send + Sync + 'static, shared: Arc<Shared>) -> Self {
        Self(Arc::new(Handle {
            submit: Some(Box::new(submit)),
            #[cfg(feature = "postgres")]
            orders: None,
            thread: Some(thread),
            shared,
        }))
    }

    /// Notes that a server's key is in use, and asks for those of other servers whose receipts may still be asked for.
    pub(super) fn server_keys(&self, own: [u8; 32], then: Completion<Vec<[u8; 32]>>) {
        self.ask(Question::Keys(own, self.0.shared.retention(), then));
    }

    /// Reads at most `limit` webhook events of one target that are due, the longest due first, and when the next one after these is.
    /// With `batches_together`, of requests that were asked for together the first that has one stands for all, and is due when all have ended.
    ///
    /// An event stays due until it is done or has failed.
    pub fn due_events(
        &self,
        target: &str,
        batches_together: bool,
        now: Timestamp,
        limit: usize,
        then: impl FnOnce(Result<(Vec<Event>, Option<Timestamp>), StoreError>) + Send + 'static,
    ) {
        let due = DueQuery { target: target.into(), batches_together, now, limit };
        self.ask(Question::DueEvents(due, Completion::new(then)));
    }

    /// Forgets the requests that ended before `before`, but for those with an event still to be delivered, a few at a time
    /// between others' writes. `then` is told how many.
    pub fn forget_ended_before(
        &self,
        before: Timestamp,
        then: impl FnOnce(Result<usize, StoreError>) + Send + 'static,
    ) {
        self.ask(Question::Forget(before, Completion::new(then)));
    }

    /// Whether it has failed: nothing is written or read until it could be opened again.
    pub fn is_failed(&self) -> bool {
        self.0.shared.failed.load(Ordering::Acquire)
    }

    /// Whether the last writes found no room.
    pub fn is_full(&self) -> bool {
        self.0.shared.full.load(Ordering::Acquire)
    }

    /// How many transactions have been committed since it was opened.
    pub fn commits(&self) -> u64 {
        self.0.shared.commits.load(Ordering::Relaxed)
    }

    /// How long these took. Clones count with it.
    #[cfg(feature = "http")]
    pub(super) fn commit_durations(&self) -> Histogram {
        self.0.shared.commit_durations.clone()
    }

    /// The most there may be in it, in bytes.
    #[cfg(feature = "http")]
    pub(super) fn max_bytes(&self) -> u64 {
        self.0.shared.limits().max_bytes
    }

    /// Goes by other limits from now on. Where there is more than is allowed by then, nothing is taken in until there is less; what is open
    /// can end all the same.
    #[cfg(feature = "http")]
    pub(super) fn set_limits(&self, max_bytes: u64, max_share_percent: u8, retention: Duration) {
        let limits = Limits { max_bytes: max_bytes.max(MIN_MAX_BYTES), max_share_percent };
        self.0.shared.set(limits, retention);
    }

    /// Likewise, with another share of one requester and nothing else.
    #[cfg(feature = "http")]
    pub(super) fn set_share_percent(&self, max_share_percent: u8) {
        let (limits, retention) = (self.0.shared.limits(), self.0.shared.retention());
        self.0.shared.set(Limits { max_share_percent, ..limits }, retention);
    }

    /// How things stand with what goes between nodes.
    #[cfg(feature = "http")]
    pub(super) fn hub_state(&self) -> Option<HubState> {
        #[cfg(feature = "postgres")]
        return self.0.orders.as_ref().map(OrderSender::state);
        #[cfg(not(feature = "postgres"))]
        None
    }

    /// Resolves when the tokens in the database have changed, as far as that is heard; never for a directory of one's own.
    #[cfg(feature = "http")]
    pub(super) async fn tokens_changed(&self) {
        #[cfg(feature = "postgres")]
        if let Some(orders) = &self.0.orders {
            return orders.tokens_changed().await;
        }
        pending().await
    }

    /// Makes the next commits fail with these codes of SQLite.
    #[cfg(test)]
    pub(super) fn fail_commits(&self, codes: &[i32]) {
        self.ask(Question::Fault(codes.to_vec()));
    }

    #[cfg(test)]
    pub(super) fn reopen(&self) {
        self.ask(Question::Reopen);
    }

    /// Whether other servers may use the same requests.
    #[cfg(feature = "postgres")]
    pub(super) fn is_shared(&self) -> bool {
        self.0.orders.is_some()
    }

    /// Whether no other node can have given this one up.
    #[cfg(feature = "postgres")]
    pub(super) fn holds_lease(&self) -> bool {
        self.0.orders.as_ref().is_none_or(OrderSender::holds_lease)
    }

    /// Orders something of what goes between nodes.
    #[cfg(feature = "postgres")]
    pub(super) fn order(&self, order: Order) {
        if let Some(orders) = &self.0.orders {
            orders.order(order);
        }
    }

    pub(super) fn ask(&self, question: Question) {
        self.submit(Command::Ask(question));
    }

    fn submit(&self, command: Command) {
        if let Some(submit) = &self.0.submit {
            submit(command);
        }
    }
}

impl Storage for Store {
    fn forget(&self, now: Timestamp) {
        self.forget_ended_before(before(now, self.0.shared.retention()), |forgotten| match forgotten {
            Ok(0) => {}
            Ok(forgotten) => tracing::info!(forgotten, "requests forgotten whose time to be kept is over"),
            Err(error) => tracing::warn!(%error, "requests could not be forgotten"),
        });
    }

    fn write(&self, write: Write, then: Completion<Written>) {
        self.submit(Command::Write(Job { write, then }));
    }

    fn on_recovery(&self, then: Recovered) {
        self.ask(Question::OnRecovery(then));
    }

    fn read(&self, id: RequestId, then: Completion<Option<Record>>) {
        self.ask(Question::Read(id, then));
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("shared", &self.shared).finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.submit = None;
        #[cfg(feature = "postgres")]
        {
            self.orders = None;
        }
        // A completion may hold the last handle, and the thread cannot wait for itself.
        if let Some(thread) = self.thread.take().filter(|handle| handle.thread().id() != thread::current().id()) {
            // Its panic has been reported, and has failed the store.
            let _ = thread.join();
        }
    }
}
