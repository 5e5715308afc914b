//! A store and the server's key beside it, as the reference server uses them.

#[cfg(feature = "http")]
use super::{
    Block, BlockChange, EventFilter, HubState, Listed, ListedEvent, Listing, PurgeRecord, PurgeScope, PurgeStep,
    Resend, TokenNews, Usage, batch::Question,
};
#[cfg(any(feature = "postgres", feature = "http"))]
use super::{ConnectError, PostgresConfig};
use super::{Event, OpenError, ServerKey, Store, StoreConfig, receipt, usage::LastUsage};
use crate::{
    random,
    record::Record,
    storage::{Completion, Loaded, Recovered, Storage, StoreError, Write, Written},
    time::{Clock, Timestamp},
};
use countersign_protocol::{Audience, RequestId};
#[cfg(feature = "http")]
use prometheus_client::metrics::histogram::Histogram;
use serde_json::Value;
#[cfg(any(feature = "postgres", feature = "http"))]
use std::path::Path;
use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::{Notify, oneshot},
    time::timeout,
};
#[cfg(feature = "postgres")]
use zeroize::Zeroizing;

/// How long the keys of others are waited for.
const KEYS_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a list is waited for, as one request is.
#[cfg(feature = "http")]
const LIST_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the answer to how much there is in the store is waited for: whoever scrapes has little patience.
#[cfg(feature = "http")]
const USAGE_TIMEOUT: Duration = Duration::from_millis(500);

/// A store that is open, and the server's key beside it. Clones share both.
#[derive(Debug, Clone)]
pub struct DurableStore(Arc<Inner>);

struct Inner {
    store: Store,
    key: Arc<ServerKey>,
    /// The public keys of others who use the same database, and of those who have.
    other_keys: Arc<Mutex<Vec<[u8; 32]>>>,
    keys_asked_at: Mutex<Option<Instant>>,
    /// Who signs receipts: the server's URL, as its first audience has it.
    issuer: Option<String>,
    /// Told when a request has ended, which may have made a webhook event, and when some are to be told once more.
    ended: Arc<Notify>,
    /// Writes that came to nothing.
    failures: Arc<AtomicU64>,
    /// Writes that were submitted, and of which nobody has heard yet.
    waiting: Arc<AtomicU64>,
    usage: Arc<LastUsage>,
}

impl DurableStore {
    /// Opens the directory, or makes it, for a server that wallets reach as `audience`; what an earlier process has left in it comes
    /// along. Blocks.
    ///
    /// # Errors
    /// [`OpenError`], which names the directory or file.
    pub fn open(store: StoreConfig, audience: Option<&Audience>) -> Result<(Self, Loaded), OpenError> {
        let dir = store.dir.clone();
        let (store, loaded) = Store::open(store, Clock::new().now())?;
        // Behind the store's lock, so that no two processes make a key.
        let key = ServerKey::load_or_create(&dir, random::bytes)?;
        Ok((Self::of(store, key, audience), loaded))
    }

    /// Nothing connects, as the program is built without PostgreSQL.
    #[cfg(all(feature = "http", not(feature = "postgres")))]
    pub(crate) fn connect(
        _: PostgresConfig,
        _key_file: Option<&Path>,
        _audience: Option<&Audience>,
    ) -> Result<(Self, Loaded), ConnectError> {
        Err(ConnectError)
    }

    /// Connects to the database, likewise. Receipts are signed with the key in `key_file`, which is made where there is none; without such
    /// a file with one that ends with the process. Blocks.
    ///
    /// # Errors
    /// [`ConnectError`], which says what to do, and [`KeyFileError`](super::KeyFileError) within it.
    #[cfg(feature = "postgres")]
    pub fn connect(
        config: PostgresConfig,
        key_file: Option<&Path>,
        audience: Option<&Audience>,
    ) -> Result<(Self, Loaded), ConnectError> {
        let key = match key_file {
            Some(path) => ServerKey::in_file(path, random::bytes)?,
            None => ServerKey::of_seed(&Zeroizing::new(random::bytes())),
        };
        let (store, loaded) = Store::connect(config, Clock::new().now())?;
        let durable = Self::of(store, key, audience);
        // Before anything is signed with it, everybody lists it.
        let (tell, told) = std::sync::mpsc::channel();
        durable.exchange_keys(move || {
            let _ = tell.send(());
        });
        let _ = told.recv_timeout(KEYS_TIMEOUT);
        Ok((durable, loaded))
    }

    fn of(store: Store, key: ServerKey, audience: Option<&Audience>) -> Self {
        Self(Arc::new(Inner {
            store,
            key: Arc::new(key),
            other_keys: Arc::default(),
            keys_asked_at: Mutex::default(),
            issuer: audience.map(issuer),
            ended: Arc::default(),
            failures: Arc::default(),
            waiting: Arc::default(),
            usage: Arc::default(),
        }))
    }

    /// Says which key receipts are signed with, and learns those of others; `then` is told when that is done, or could not be.
    fn exchange_keys(&self, then: impl FnOnce() + Send + 'static) {
        let others = Arc::clone(&self.0.other_keys);
        let keys = Completion::new(move |keys: Result<Vec<_>, StoreError>| {
            if let Ok(keys) = keys {
                *others.lock().unwrap_or_else(PoisonError::into_inner) = keys;
            }
            then();
        });
        self.0.store.server_keys(self.0.key.public_key(), keys);
    }

    /// The keys that receipts and webhooks verify with, those of webhooks first where they have their own; where others use the same database, theirs as of a second ago,
    /// or of when the database could last be asked.
    pub(crate) async fn jwk_set(&self, webhook_keys: &[[u8; 32]]) -> Value {
        if self.hub().is_some() && self.may_ask_for_keys() {
            let (tell, told) = oneshot::channel();
            // Fails only where nobody waits for it any more.
            self.exchange_keys(move || {
                let _ = tell.send(());
            });
            let _ = timeout(KEYS_TIMEOUT, told).await;
        }
        self.0.key.jwk_set(webhook_keys, &self.0.other_keys.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Not more often than once a second, whoever asks.
    fn may_ask_for_keys(&self) -> bool {
        let mut asked_at = self.0.keys_asked_at.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = asked_at.is_none_or(|at| at.elapsed() >= Duration::from_secs(1));
        if is_due {
            *asked_at = Some(Instant::now());
        }
        is_due
    }

    /// Reads at most `limit` webhook events of one target that are due, and when the next one after these is.
    pub(crate) fn due_events(
        &self,
        target: &str,
        batches_together: bool,
        now: Timestamp,
        limit: usize,
        then: impl FnOnce(Result<(Vec<Event>, Option<Timestamp>), StoreError>) + Send + 'static,
    ) {
        self.0.store.due_events(target, batches_together, now, limit, then);
    }

    /// What connects this server with others on the same database; none where it has a directory of its own.
    pub fn hub(&self) -> Option<Arc<dyn crate::cluster::Hub>> {
        #[cfg(feature = "postgres")]
        {
            self.0.store.hub()
        }
        #[cfg(not(feature = "postgres"))]
        None
    }

    /// The server's key, for somebody who signs as long as they like.
    #[cfg(feature = "http")]
    pub(crate) fn shared_key(&self) -> Arc<ServerKey> {
        Arc::clone(&self.0.key)
    }

    /// How a request ended, signed by the server; none while it is open.
    pub(crate) fn receipt(&self, record: &Record) -> Option<String> {
        receipt(record, &self.0.key, self.0.issuer.as_deref())
    }

    /// Resolves when a request has ended since this was last waited for.
    pub(crate) async fn ended(&self) {
        self.0.ended.notified().await;
    }

    /// Whether the last writes came to nothing, because the disk is full or has failed.
    pub(crate) fn is_failed(&self) -> bool {
        self.0.store.is_failed() || self.0.store.is_full()
    }

    /// How much is in it, asked now, or where it does not answer soon what was last known.
    #[cfg(feature = "http")]
    pub(crate) async fn usage(&self) -> Usage {
        if self.0.usage.may_ask() {
            let (tell, told) = oneshot::channel();
            let last = Arc::clone(&self.0.usage);
            self.0.store.ask(Question::Usage(Completion::new(move |usage| {
                last.answered(usage);
                // Fails only where nobody waits for it any more.
                let _ = tell.send(());
            })));
            let _ = timeout(USAGE_TIMEOUT, told).await;
        }
        self.0.usage.usage()
    }

    /// Changes which keys are blocked, if it is to be; all that are then.
    ///
    /// # Errors
    /// [`StoreError`]; then nobody knows whether it was changed.
    #[cfg(feature = "http")]
    pub(crate) async fn blocks(&self, change: Option<BlockChange>, now: Timestamp) -> Result<Vec<Block>, StoreError> {
        let (tell, told) = oneshot::channel();
        // Fails only where nobody waits for it any more.
        self.0.store.ask(Question::Blocks(change, now, Completion::new(move |blocks| drop(tell.send(blocks)))));
        told.await.unwrap_or(Err(StoreError::Failed))
    }

    /// The tokens in the database, where those are not the ones that are known by their digest.
    ///
    /// # Errors
    /// [`StoreError`].
    #[cfg(feature = "http")]
    pub(crate) async fn tokens(&self, known: Option<String>) -> Result<TokenNews, StoreError> {
        let (tell, told) = oneshot::channel();
        // Fails only where nobody waits for it any more.
        self.0.store.ask(Question::Tokens(known, Completion::new(move |news| drop(tell.send(news)))));
        told.await.unwrap_or(Err(StoreError::Failed))
    }

    /// Resolves when somebody has said that they have changed since this was last waited for. Who says so may not be heard.
    #[cfg(feature = "http")]
    pub(crate) async fn tokens_changed(&self) {
        self.0.store.tokens_changed().await;
    }

    /// Some of a requester's own requests, as they are written down.
    ///
    /// # Errors
    /// [`StoreError`], also where it does not answer in time.
    #[cfg(feature = "http")]
    pub(crate) async fn list(&self, wanted: Listing) -> Result<Listed, StoreError> {
        let (tell, told) = oneshot::channel();
        // Fails only where nobody waits for it any more.
        self.0.store.ask(Question::List(Box::new(wanted), Completion::new(move |page| drop(tell.send(page)))));
        timeout(LIST_TIMEOUT, told)
            .await
            .map_or(Err(StoreError::Failed), |page| page.unwrap_or(Err(StoreError::Failed)))
    }

    /// Erases some of what has ended.
    ///
    /// # Errors
    /// [`StoreError`]; then nobody knows whether it was.
    #[cfg(feature = "http")]
    pub(crate) async fn purge(&self, scope: PurgeScope) -> Result<PurgeStep, StoreError> {
        let (tell, told) = oneshot::channel();
        // Fails only where nobody waits for it any more.
        self.0.store.ask(Question::Purge(scope, Completion::new(move |step| drop(tell.send(step)))));
        told.await.unwrap_or(Err(StoreError::Failed))
    }

    /// Some of the webhook events there are.
    ///
    /// # Errors
    /// [`StoreError`].
    #[cfg(feature = "http")]
    pub(crate) async fn events(&self, filter: EventFilter) -> Result<Vec<ListedEvent>, StoreError> {
        let (tell, told) = oneshot::channel();
        // Fails only where nobody waits for it any more.
        self.0.store.ask(Question::Events(filter, Completion::new(move |events| drop(tell.send(events)))));
        told.await.unwrap_or(Err(StoreError::Failed))
    }

    /// Has some be told once more; which requests' they are.
    ///
    /// # Errors
    /// [`StoreError`]; then nobody knows whether they will be.
    #[cfg(feature = "http")]
    pub(crate) async fn resend(&self, which: Resend, now: Timestamp) -> Result<Vec<RequestId>, StoreError> {
        let (tell, told) = oneshot::channel();
        // As above.
        self.0.store.ask(Question::Resend(which, now, Completion::new(move |resent| drop(tell.send(resent)))));
        let resent = told.await.unwrap_or(Err(StoreError::Failed))?;
        self.0.ended.notify_one();
        Ok(resent)
    }

    /// Takes note that something was erased.
    ///
    /// # Errors
    /// [`StoreError`].
    #[cfg(feature = "http")]
    pub(crate) async fn note_purge(&self, record: PurgeRecord) -> Result<(), StoreError> {
        let (tell, told) = oneshot::channel();
        self.0.store.ask(Question::NotePurge(
            record,
            Completion::new(move |noted| {
                // As above.
                let _ = tell.send(noted);
            }),
        ));
        told.await.unwrap_or(Err(StoreError::Failed))
    }

    /// The most that may be in it, in bytes.
    #[cfg(feature = "http")]
    pub(crate) fn max_bytes(&self) -> u64 {
        self.0.store.max_bytes()
    }

    /// Goes by other limits from now on.
    #[cfg(feature = "http")]
    pub(crate) fn set_limits(&self, max_bytes: u64, max_share_percent: u8, retention: Duration) {
        self.0.store.set_limits(max_bytes, max_share_percent, retention);
    }

    /// Likewise, with another share of one requester and nothing else.
    #[cfg(feature = "http")]
    pub(crate) fn set_share_percent(&self, max_share_percent: u8) {
        self.0.store.set_share_percent(max_share_percent);
    }

    /// Whether the last writes found no room.
    #[cfg(feature = "http")]
    pub(crate) fn is_full(&self) -> bool {
        self.0.store.is_full()
    }

    /// How long commits took.
    #[cfg(feature = "http")]
    pub(crate) fn commit_durations(&self) -> Histogram {
        self.0.store.commit_durations()
    }

    /// Writes that have been submitted, and of which nobody has heard yet.
    #[cfg(feature = "http")]
    pub(crate) fn writes_waiting(&self) -> u64 {
        self.0.waiting.load(Ordering::Relaxed)
    }

    /// How things stand with what goes between nodes; none where it has a directory of its own.
    #[cfg(feature = "http")]
    pub(crate) fn hub_state(&self) -> Option<HubState> {
        self.0.store.hub_state()
    }

    /// Transactions committed, writes that came to nothing, and whether nothing can be written any more.
    pub(crate) fn counts(&self) -> (u64, u64, bool) {
        (self.0.store.commits(), self.0.failures.load(Ordering::Relaxed), self.0.store.is_failed())
    }
}

impl Storage for DurableStore {
    fn forget(&self, now: Timestamp) {
        self.0.store.forget(now);
        self.exchange_keys(|| {});
    }

    fn write(&self, write: Write, then: Completion<Written>) {
        let ended = matches!(write, Write::End { .. }).then(|| Arc::clone(&self.0.ended));
        let failures = Arc::clone(&self.0.failures);
        let waiting = Arc::clone(&self.0.waiting);
        waiting.fetch_add(1, Ordering::Relaxed);
        let then = Completion::new(move |written: Result<Written, StoreError>| {
            waiting.fetch_sub(1, Ordering::Relaxed);
            let failed = written.is_err();
            then.complete(written);
            if failed {
                failures.fetch_add(1, Ordering::Relaxed);
            } else if let Some(ended) = ended {
                ended.notify_one();
            }
        });
        self.0.store.write(write, then);
    }

    fn on_recovery(&self, then: Recovered) {
        self.0.store.on_recovery(then);
    }

    fn read(&self, id: RequestId, then: Completion<Option<Record>>) {
        self.0.store.read(id, then);
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("store", &self.store).finish_non_exhaustive()
    }
}

/// The origin that an audience is at, as a browser would name it.
fn issuer(audience: &Audience) -> String {
    let url = audience.to_string();
    let url = url.strip_prefix("ws").unwrap_or(&url);
    let path = url.find("://").and_then(|at| url.get(at + 3..)?.find('/').map(|path| at + 3 + path));
    format!("http{}", path.and_then(|path| url.get(..path)).unwrap_or(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_the_origin_that_wallets_dial() {
        for (audience, expected) in [
            ("wss://sign.example/ws", "https://sign.example"),
            ("ws://127.0.0.1:8080/ws", "http://127.0.0.1:8080"),
            ("wss://sign.example:444/a/b", "https://sign.example:444"),
        ] {
            assert_eq!(issuer(&audience.parse().unwrap()), expected);
        }
    }
}
