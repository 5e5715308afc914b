//! The signing service: what a backend calls, and what every wallet connection reports to.

mod active_config;
mod clock;
mod cluster;
mod completed;
mod completions;
mod connections;
mod durable;
mod effects;
mod handle;
mod inline_completions;
#[cfg(feature = "http")]
mod listing;
mod mailbox;
#[cfg(any(feature = "http", feature = "simulation"))]
mod operator;
#[cfg(feature = "http")]
mod progress;
mod reconfigure;
mod replacing;
mod request_ids;
#[cfg(feature = "http")]
mod snapshot;
mod step_log;
mod verifications;
mod waiting;

pub(crate) use connections::{Answered, ConnectionGuard};
pub use durable::Subscription;
#[cfg(feature = "http")]
pub(crate) use listing::{ListedConnection, ListedRequest, RequestFilter};
pub use mailbox::{Inbox, Mail};
#[cfg(feature = "http")]
pub(crate) use snapshot::Snapshot;
pub use verifications::Judgement;
pub use waiting::Waiting;

use crate::{
    cluster::Hub,
    config::Config,
    dispatch::{Accepted, Dispatcher},
    error::SigningError,
    metrics::Metrics,
    random,
    record::{PhaseTimes, Record},
    session::{Close, close_code},
    steps::Observers,
    storage::{Loaded, Storage},
    time::{Clock, Timestamp},
};
use active_config::ActiveConfig;
use cluster::Cluster;
use completed::Completed;
use countersign_protocol::{
    ApprovedBy, ConnectionId, GoodbyeReason, Message, PublicKeyBytes, RequestId, Signature, limits::frame_bytes,
};
use handle::Handle;
use inline_completions::InlineCompletions;
use request_ids::RequestIds;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, atomic::AtomicUsize},
    time::Duration,
};
use tokio::sync::{Notify, oneshot, watch};
use verifications::Verifications;

/// A signature that has been verified over the message that was asked for, under the key that was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signed {
    /// Names the request in logs, on both sides.
    pub request_id: RequestId,
    /// The key that was asked.
    pub public_key: PublicKeyBytes,
    /// The message, as the backend gave it.
    pub message: Arc<Message>,
    /// Verifies over `message` under `public_key` in every Ed25519 library.
    pub signature: Signature,
    /// Who decided, as the wallet says.
    pub approved_by: Option<ApprovedBy>,
    /// When the request came to each of its phases.
    pub times: PhaseTimes,
}

/// Asks wallets for signatures. Cheap to clone; all clones are one service.
///
/// ```no_run
/// # async fn example(service: countersign_server::SigningService, key: countersign_server::protocol::PublicKey) {
/// match service.send_to_sign(&key, b"I agree to the terms of 1 May").await {
///     Ok(signed) => println!("signed: {}", signed.signature),
///     Err(error) => println!("not signed ({}): {error}", error.code()),
/// }
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct SigningService(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// What is gone by now: replaced as a whole, read once for whatever begins.
    rules: RwLock<Arc<ActiveConfig>>,
    observers: Observers,
    /// How long a wallet's frame may be: as an answer to the longest message that was allowed since the start.
    longest_frame: Arc<AtomicUsize>,
    metrics: Metrics,
    clock: Clock,
    ids: RequestIds,
    /// Keeps what has to outlive the process; none where nothing has to.
    store: Option<Arc<dyn Storage>>,
    /// Connects this node with others; none where it is the only one.
    hub: Option<Arc<dyn Hub>>,
    inline_completions: InlineCompletions<Completed>,
    verifications: Verifications,
    state: Mutex<State>,
    /// Told whenever a request or a connection has gone, or a wallet has come.
    changed: Notify,
    /// Told when a durable request was taken, whose deadline may be the next one.
    deadlines: Notify,
}

#[derive(Debug)]
struct State {
    dispatcher: Dispatcher<Handle, oneshot::Sender<Box<Record>>>,
    /// What is known of other nodes, where there may be any.
    cluster: Option<Cluster>,
    /// What wallets have said, to be answered here once the state is not locked any more: judging a signature takes its time.
    unanswered: Vec<(ConnectionId, String)>,
    /// Who waits for durable requests to be taken, by the first request of each call.
    acceptances: HashMap<RequestId, oneshot::Sender<Result<Accepted, SigningError>>>,
    /// Who watches durable requests. A watcher is woken and then looks for itself.
    watchers: HashMap<RequestId, watch::Sender<()>>,
}

impl SigningService {
    /// A service without connections. Nothing of it outlives the process: requests that would have to are refused.
    pub fn new(config: Config) -> Self {
        Self::assemble(config, Clock::new(), None, None, Loaded::default())
    }

    /// A service that keeps durable requests in `store`, and goes on with what that has `loaded` of an earlier one. Run
    /// [`SigningService::maintain`] beside it.
    pub fn with_storage(config: Config, store: Arc<dyn Storage>, loaded: Loaded) -> Self {
        Self::assemble(config, Clock::new(), Some(store), None, loaded)
    }

    /// Likewise, as one of the nodes that `hub` connects: wallets that are connected to others are asked as well, and what another one leaves
    /// behind is gone on with.
    pub fn clustered(config: Config, store: Arc<dyn Storage>, hub: Arc<dyn Hub>, loaded: Loaded) -> Self {
        Self::assemble(config, Clock::new(), Some(store), Some(hub), loaded)
    }

    /// A service that keeps durable requests in a directory, and goes on with those it finds there. Blocks while it reads them. Run
    /// [`SigningService::maintain`] beside it.
    ///
    /// # Errors
    /// [`OpenError`](crate::store::OpenError), which names the directory or file.
    #[cfg(feature = "store")]
    pub fn open(config: Config, store: crate::store::StoreConfig) -> Result<Self, crate::store::OpenError> {
        let clock = Clock::new();
        let (store, loaded) = crate::store::Store::open(store, clock.now())?;
        Ok(Self::assemble(config, clock, Some(Arc::new(store)), None, loaded))
    }

    /// A service that keeps durable requests in PostgreSQL, and goes on with those it finds there. Blocks while it connects and reads them. Run
    /// [`SigningService::maintain`] beside it.
    ///
    /// # Errors
    /// [`ConnectError`](crate::store::ConnectError), which says what to do.
    #[cfg(feature = "postgres")]
    pub fn open_postgres(
        config: Config,
        store: crate::store::PostgresConfig,
    ) -> Result<Self, crate::store::ConnectError> {
        let clock = Clock::new();
        let (store, loaded) = crate::store::Store::connect(store, clock.now())?;
        let hub = store.hub();
        Ok(Self::assemble(config, clock, Some(Arc::new(store)), hub, loaded))
    }

    pub(crate) fn assemble(
        config: Config,
        clock: Clock,
        store: Option<Arc<dyn Storage>>,
        hub: Option<Arc<dyn Hub>>,
        loaded: Loaded,
    ) -> Self {
        let dispatcher = Dispatcher::new(config.capacity(), loaded, clock.now());
        let metrics = Metrics::default();
        metrics.pending.set(gauge(dispatcher.pending()));
        let state = State {
            dispatcher,
            cluster: hub.is_some().then(Cluster::new),
            unanswered: Vec::new(),
            acceptances: HashMap::new(),
            watchers: HashMap::new(),
        };
        let service = Self(Arc::new(Inner {
            observers: config.observers.clone(),
            longest_frame: Arc::new(AtomicUsize::new(frame_bytes(config.max_message_bytes))),
            rules: RwLock::new(Arc::new(ActiveConfig::from(config))),
            metrics,
            clock,
            ids: RequestIds::default(),
            store,
            hub,
            inline_completions: InlineCompletions::default(),
            verifications: Verifications::default(),
            state: Mutex::new(state),
            changed: Notify::new(),
            deadlines: Notify::new(),
        }));
        if let Some(store) = &service.0.store {
            // Not the service itself: it holds the store.
            let inner = Arc::downgrade(&service.0);
            store.on_recovery(Box::new(move |loaded| {
                if let Some(inner) = inner.upgrade() {
                    Self(inner).recover(loaded);
                }
            }));
        }
        service.listen_to_others();
        service
    }

    /// How many connections of wallets hold this key.
    pub fn connections_of(&self, public_key: &PublicKeyBytes) -> usize {
        self.state().dispatcher.connections_of(public_key)
    }

    /// How many connections there are, introduced or not.
    pub fn connections(&self) -> usize {
        self.state().dispatcher.connections()
    }

    /// How many requests are open.
    pub fn pending(&self) -> usize {
        self.state().dispatcher.pending()
    }

    /// Whether [`SigningService::drain`] has begun.
    pub fn is_draining(&self) -> bool {
        self.state().dispatcher.is_draining()
    }

    /// The counters, for an application that exposes metrics of its own.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Stops in good order: refuses new requests and connections, tells every wallet, gives open requests that somebody waits for up
    /// to `time_limit`, ends the rest as [`SigningError::Draining`], and closes every connection with code 1012. Durable requests stay
    /// open on disk; where there are other nodes, these go on with them at once, and the wallets are sent there a few at a time.
    pub async fn drain(&self, time_limit: Duration) {
        self.begin_drain();
        tokio::join!(
            self.until(time_limit, |state| state.dispatcher.transient() == 0 && state.watchers.is_empty()),
            self.send_wallets_away(time_limit)
        );
        self.finish_drain();
        self.until(self.config().write_timeout, |state| state.dispatcher.connections() == 0).await;
    }

    pub(crate) fn begin_drain(&self) {
        let goodbye = self.goodbye().frame;
        let now = self.now();
        let mut state = self.state();
        state.dispatcher.begin_drain(&goodbye);
        self.hand_over(&state);
        self.carry_out(state, now);
    }

    pub(crate) fn finish_drain(&self) {
        self.apply(|dispatcher, now| dispatcher.finish_drain(|| self.goodbye(), now));
        self.state().watchers.clear();
    }

    #[cfg(feature = "simulation")]
    pub(crate) fn leftovers(&self) -> Vec<&'static str> {
        let State { dispatcher, cluster, unanswered, acceptances, watchers } = &*self.state();
        let own = [
            ("unanswered", unanswered.is_empty()),
            ("acceptances", acceptances.is_empty()),
            ("watchers", watchers.is_empty()),
        ];
        let of_cluster = cluster.iter().flat_map(Cluster::emptiness);
        let all = dispatcher.emptiness().into_iter().chain(of_cluster).chain(own);
        all.filter_map(|(index, is_empty)| (!is_empty).then_some(index)).collect()
    }

    /// Whether durable requests are taken.
    #[cfg(feature = "http")]
    pub(crate) fn keeps_requests(&self) -> bool {
        self.0.store.is_some()
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// What the system's clock shows.
    pub(crate) fn wall(&self) -> Timestamp {
        self.0.clock.wall(self.now())
    }

    pub(crate) fn new_request_id(&self) -> RequestId {
        self.0.ids.next(self.wall(), random::bytes())
    }

    /// A record as others are to see it: in the system's time.
    fn shown(&self, mut record: Record) -> Record {
        record.move_by(self.0.clock.ahead());
        record
    }

    pub(crate) fn goodbye(&self) -> Close {
        Close::goodbye(GoodbyeReason::Shutdown, self.config().reconnect_after, close_code::SERVICE_RESTART)
    }

    async fn until(&self, time_limit: Duration, holds: impl Fn(&State) -> bool) {
        let wait = async {
            loop {
                let changed = self.0.changed.notified();
                if holds(&self.state()) {
                    return;
                }
                changed.await;
            }
        };
        // Whether it holds or the time is over, the caller goes on the same way.
        let _ = tokio::time::timeout(time_limit, wait).await;
    }

    /// A panic while the lock was held would have been a bug; the state is consistent between any two statements that can
    /// unwind, and refusing all service for ever would break the promise for everybody.
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(hub) = &self.0.hub {
            state.dispatcher.note_lease(hub.holds_lease());
        }
        state
    }
}

fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
